import { ResourceNotFoundError, ResourceTemplate, type ServerContext, UriTemplate, type Variables } from "@modelcontextprotocol/server"
import type { StreamHost } from "../../host/index.ts"
import { type Asker, type Offer, type OfferedResource, owner } from "./makeServer.ts"
import type { McpStream } from "./McpStream.ts"
import type { McpStreams } from "./McpStreams.ts"
import type { OutputBuffer } from "./OutputBuffer.ts"
import { shownItem, summaryOf, uriOf } from "./shown.ts"
import { toolsOf } from "./tools.ts"
import { type ToolName, toolSchemas } from "./toolSchemas.ts"

export interface StreamOfferOptions {
  readonly streams: McpStreams
  readonly host: StreamHost
  readonly version: string
}

const instructions =
  "Streams of rtfs-streams: find a source with stream_sources, begin with stream_start, read with stream_read and its next_cursor, "
  + "steer with stream_pause, stream_resume and stream_stop, and find streams again with stream_list."

/** The streams of a process as tools and resources. */
export const streamOffer = ({ host, streams, version }: StreamOfferOptions): Offer => ({
  name: "rtfs-streams",
  version,
  instructions,
  tools: Object.entries(toolsOf(streams, host)).map(([name, { annotations, call, description }]) => ({
    name,
    description,
    annotations,
    inputSchema: toolSchemas[name as ToolName],
    call: async (args, asker) => {
      const result = { ...(await call(args, asker)) }
      return { content: [{ type: "text", text: JSON.stringify(result) }], structuredContent: result }
    }
  })),
  resources: resourcesOf(streams)
})

/** The package wants all of the parameters, in their order; here each may be left out. */
class OutputsTemplate extends UriTemplate {
  override match(uri: string): Variables | null {
    const url = URL.parse(uri)
    const [, id] = /^\/([^/]+)\/outputs$/.exec(url?.pathname ?? "") ?? []
    if (url?.protocol !== "rtfs-stream:" || id === undefined) return null
    return { id, ...Object.fromEntries([...url.searchParams].filter(([name]) => name === "cursor" || name === "limit")) }
  }
}

/** What one resource may hold of outputs, and of how many. */
const mostCharacters = 16_000
const mostItems = 100

const resourcesOf = (streams: McpStreams): ReadonlyArray<OfferedResource> => {
  const mimeType = "application/json"
  const list = ({ http }: ServerContext) => ({
    resources: streams
      .of(http?.authInfo?.clientId ?? owner)
      .slice(-100)
      .map(({ endpoint, id }) => ({ uri: uriOf(id), name: id, description: endpoint, mimeType }))
  })
  const found = (uri: URL, id: unknown, { principal }: Pick<Asker, "principal">): McpStream => {
    const stream = streams.find(String(id), principal)
    if (stream === undefined) throw new ResourceNotFoundError(uri.href)
    stream.touchedAt = streams.now()
    return stream
  }
  const json = (uri: URL, text: string) => ({ contents: [{ uri: uri.href, mimeType, text }] })
  const itemOf = (uri: URL, buffer: OutputBuffer | undefined, seq: unknown) => {
    const item = buffer?.item(Number(seq))
    if (item === undefined) throw new ResourceNotFoundError(uri.href)
    return json(uri, item.text)
  }
  return [
    {
      name: "stream",
      description: "The state of a stream and its newest items",
      mimeType,
      at: new ResourceTemplate("rtfs-stream:///{id}", { list }),
      read: (uri, { id }, asker) => {
        const stream = found(uri, id, asker)
        const newest = stream.outputs.peek(10).map((item) => shownItem(item, 1000, `${uriOf(stream.id)}/items`))
        return json(uri, JSON.stringify({ ...summaryOf(stream), newest }))
      }
    },
    {
      name: "stream-outputs",
      description: "A page of what a stream gave, from a cursor or from the oldest item that is kept; looking at it makes no room",
      mimeType,
      at: new ResourceTemplate(new OutputsTemplate("rtfs-stream:///{id}/outputs{?cursor,limit}"), { list: undefined }),
      read: (uri, { cursor, id, limit = "20" }, asker) => {
        const stream = found(uri, id, asker)
        const items = /^\d{1,3}$/.test(String(limit)) ? Math.min(mostItems, Math.max(1, Number(limit))) : 20
        const at = `${uriOf(stream.id)}/items`
        const page = stream.outputs.look(cursor === undefined ? {} : { cursor: String(cursor) }, { items, characters: mostCharacters })
        return json(
          uri,
          JSON.stringify({
            items: page.items.map((item) => shownItem(item, mostCharacters, at)),
            next_cursor: page.nextCursor,
            more: page.more,
            dropped: page.dropped,
            state: stream.status
          })
        )
      }
    },
    {
      name: "stream-item",
      description: "One item of a stream, whole, while it is kept",
      mimeType,
      at: new ResourceTemplate("rtfs-stream:///{id}/items/{seq}", { list: undefined }),
      read: (uri, { id, seq }, asker) => itemOf(uri, found(uri, id, asker).outputs, seq)
    },
    {
      name: "stream-chunk",
      description: "One chunk that the server of an MCP endpoint sent, whole, while it is kept",
      mimeType,
      at: new ResourceTemplate("rtfs-stream:///{id}/chunks/{seq}", { list: undefined }),
      read: (uri, { id, seq }, asker) => itemOf(uri, found(uri, id, asker).chunks, seq)
    }
  ]
}

import { ResourceNotFoundError, ResourceTemplate } from "@modelcontextprotocol/server"
import type { StreamHost } from "../../host/index.ts"
import type { Offer, OfferedResource } from "./makeServer.ts"
import type { McpStreams } from "./McpStreams.ts"
import { shownItem, summaryOf, toolsOf, uriOf } from "./tools.ts"
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
    call: async (args, { signal }) => {
      const result = { ...(await call(args, signal)) }
      return { content: [{ type: "text", text: JSON.stringify(result) }], structuredContent: result }
    }
  })),
  resources: resourcesOf(streams)
})

const resourcesOf = (streams: McpStreams): ReadonlyArray<OfferedResource> => {
  const mimeType = "application/json"
  const list = () => ({
    resources: streams.all.slice(-100).map(({ endpoint, id }) => ({ uri: uriOf(id), name: id, description: endpoint, mimeType }))
  })
  const found = (uri: URL, id: unknown) => {
    const stream = streams.all.find((one) => one.id === id)
    if (stream === undefined) throw new ResourceNotFoundError(uri.href)
    return stream
  }
  const json = (uri: URL, text: string) => ({ contents: [{ uri: uri.href, mimeType, text }] })
  return [
    {
      name: "stream",
      description: "The state of a stream and its newest items",
      mimeType,
      at: new ResourceTemplate("rtfs-stream:///{id}", { list }),
      read: (uri, { id }) => {
        const stream = found(uri, id)
        const newest = stream.outputs.peek(10).map((item) => shownItem(item, 1000, stream.id))
        return json(uri, JSON.stringify({ ...summaryOf(stream), newest }))
      }
    },
    {
      name: "stream-item",
      description: "One item of a stream, whole, while it is kept",
      mimeType,
      at: new ResourceTemplate("rtfs-stream:///{id}/items/{seq}", { list: undefined }),
      read: (uri, { id, seq }) => {
        const item = found(uri, id).outputs.item(Number(seq))
        if (item === undefined) throw new ResourceNotFoundError(uri.href)
        return json(uri, item.text)
      }
    }
  ]
}

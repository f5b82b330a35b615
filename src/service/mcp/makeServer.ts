import { fromJsonSchema, type McpRequestContext, McpServer, ResourceNotFoundError, ResourceTemplate } from "@modelcontextprotocol/server"
import type { StreamHost } from "../../host/index.ts"
import type { McpStreams } from "./McpStreams.ts"
import { shownItem, summaryOf, type Tool, toolsOf, uriOf } from "./tools.ts"
import { ToolProblem } from "./ToolProblem.ts"
import { type ToolName, toolSchemas } from "./toolSchemas.ts"

export interface MakeServerOptions {
  readonly streams: McpStreams
  readonly host: StreamHost
  readonly version: string
  /** Clients of a connection of the 2025 protocol may subscribe to a stream; elsewhere the entry of the package does it. */
  readonly subscriptions?: Set<string>
}

const instructions =
  "Streams of rtfs-streams: find a source with stream_sources, begin with stream_start, read with stream_read and its next_cursor, "
  + "steer with stream_pause, stream_resume and stream_stop, and find streams again with stream_list."

/** How many streams a client may subscribe to. */
const mostSubscriptions = 1000

/** A server for one connection or request; the streams are those of the process. */
export const makeServer = ({ host, streams, subscriptions, version }: MakeServerOptions, { era }: McpRequestContext): McpServer => {
  const subscribes = era === "modern" || subscriptions !== undefined
  const server = new McpServer(
    { name: "rtfs-streams", version },
    { instructions, capabilities: { tools: {}, resources: subscribes ? { listChanged: true, subscribe: true } : {} } }
  )
  for (const [name, tool] of Object.entries(toolsOf(streams, host))) registerTool(server, name as ToolName, tool)
  registerResources(server, streams)
  if (era === "legacy" && subscriptions !== undefined) {
    server.server.setRequestHandler("resources/subscribe", ({ params: { uri } }) => {
      if (subscriptions.size < mostSubscriptions) subscriptions.add(uri)
      return {}
    })
    server.server.setRequestHandler("resources/unsubscribe", ({ params: { uri } }) => {
      subscriptions.delete(uri)
      return {}
    })
  }
  return server
}

const registerTool = (server: McpServer, name: ToolName, { annotations, call, description }: Tool): void => {
  const inputSchema = fromJsonSchema<Record<string, unknown>>(toolSchemas[name] as Parameters<typeof fromJsonSchema>[0])
  server.registerTool(name, { description, inputSchema, annotations }, async (args, context) => {
    try {
      const result = { ...(await call(args, context.mcpReq.signal)) } as Record<string, unknown>
      return { content: [{ type: "text", text: JSON.stringify(result) }], structuredContent: result }
    } catch (error) {
      return { isError: true, content: [{ type: "text", text: problemText(error) }] }
    }
  })
}

const problemText = (error: unknown): string => {
  if (error instanceof ToolProblem) return `${error.message}. ${error.next}`
  const render = (error as { readonly render?: () => string }).render
  const message = typeof render === "function" ? render.call(error) : error instanceof Error ? error.message : String(error)
  return `${message.slice(0, 4000)}\nCorrect it and call again.`
}

const registerResources = (server: McpServer, streams: McpStreams): void => {
  const list = () => ({
    resources: streams.all
      .slice(-100)
      .map(({ endpoint, id }) => ({ uri: uriOf(id), name: id, description: endpoint, mimeType: "application/json" }))
  })
  const json = (uri: URL, value: object) => ({ contents: [{ uri: uri.href, mimeType: "application/json", text: JSON.stringify(value) }] })
  const found = (uri: URL, id: unknown) => {
    const stream = streams.all.find((one) => one.id === id)
    if (stream === undefined) throw new ResourceNotFoundError(uri.href)
    return stream
  }
  server.registerResource(
    "stream",
    new ResourceTemplate("rtfs-stream:///{id}", { list }),
    { description: "The state of a stream and its newest items", mimeType: "application/json", cacheHint: { ttlMs: 0 } },
    (uri, { id }) => {
      const stream = found(uri, id)
      return json(uri, { ...summaryOf(stream), newest: stream.outputs.peek(10).map((item) => shownItem(item, 1000, stream.id)) })
    }
  )
  server.registerResource(
    "stream-item",
    new ResourceTemplate("rtfs-stream:///{id}/items/{seq}", { list: undefined }),
    { description: "One item of a stream, whole, while it is kept", mimeType: "application/json", cacheHint: { ttlMs: 0 } },
    (uri, { id, seq }) => {
      const item = found(uri, id).outputs.item(Number(seq))
      if (item === undefined) throw new ResourceNotFoundError(uri.href)
      return { contents: [{ uri: uri.href, mimeType: "application/json", text: item.text }] }
    }
  )
}

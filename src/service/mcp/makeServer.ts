import {
  type CallToolResult,
  fromJsonSchema,
  type InputRequiredResult,
  type McpRequestContext,
  McpServer,
  type ReadResourceResult,
  type ResourceTemplate,
  type ServerContext,
  type ServerOptions,
  type ToolAnnotations,
  type Variables
} from "@modelcontextprotocol/server"
import { ToolProblem } from "./ToolProblem.ts"

/** What a server has for its clients. */
export interface Offer {
  readonly name: string
  readonly version: string
  readonly instructions?: string
  readonly tools: ReadonlyArray<OfferedTool>
  readonly resources: ReadonlyArray<OfferedResource>
  /** Checks what tools gave a client to hand back with its answers; needed where they do. */
  readonly requestState?: NonNullable<ServerOptions["requestState"]>
}

/** Who asks for something, and how to reach them meanwhile. */
export interface Asker {
  /** By the name of their token; `owner` over stdio and for the only token. */
  readonly principal: string
  /** The client has gone or does not want it any more. */
  readonly signal: AbortSignal
  /** Tells how far it is, where the client asked to be told. */
  readonly progress: (done: number, total?: number, message?: string) => Promise<void>
}

export interface OfferedTool {
  readonly name: string
  readonly description: string
  /** JSON Schema. Arguments that it does not allow are refused before `call`. */
  readonly inputSchema: object
  readonly annotations?: ToolAnnotations
  /** What it throws becomes a result that says so, for the model to read. */
  readonly call: (args: any, asker: Asker, context: ServerContext) => Promise<CallToolResult | InputRequiredResult>
}

export interface OfferedResource {
  readonly name: string
  readonly description: string
  readonly mimeType: string
  /** A URI, or a template for many. */
  readonly at: string | ResourceTemplate
  /** **Fails** with `ResourceNotFoundError`. */
  readonly read: (uri: URL, variables: Variables, asker: Pick<Asker, "principal">) => ReadResourceResult
}

/** Whom a server is made for. */
export interface Served extends Pick<McpRequestContext, "era"> {
  readonly principal: string
  /**
   * Filled in with what a client of the 2025 protocol subscribes to; `undefined` where nobody could tell it of changes. In the
   * newer protocol the entry of the package does it.
   */
  readonly subscriptions: Set<string> | undefined
}

/** Makes the server for one connection, session or request. */
export type MakeServer = (served: Served) => McpServer

/** Who has the only token, or the process. */
export const owner = "owner"

/** How many resources a client may subscribe to. */
const mostSubscriptions = 1000

/** A server for one connection, session or request with all that is offered. */
export const makeServer = (offer: Offer, served: Served): McpServer => {
  const { instructions, name, requestState, resources, tools, version } = offer
  const { era, subscriptions } = served
  const subscribes = era === "modern" || subscriptions !== undefined
  const server = new McpServer(
    { name, version },
    {
      ...(instructions === undefined ? {} : { instructions }),
      ...(requestState === undefined ? {} : { requestState }),
      capabilities: { tools: {}, resources: subscribes ? { listChanged: true, subscribe: true } : {} }
    }
  )
  for (const tool of tools) registerTool(server, served, tool)
  for (const resource of resources) registerResource(server, served, resource)
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

const registerTool = (
  server: McpServer,
  { principal }: Served,
  { annotations, call, description, inputSchema, name }: OfferedTool
): void => {
  const schema = fromJsonSchema<Record<string, unknown>>(inputSchema as Parameters<typeof fromJsonSchema>[0])
  const settings = { description, inputSchema: schema, ...(annotations === undefined ? {} : { annotations }) }
  server.registerTool(name, settings, async (args, context) => {
    try {
      return await call(args, { principal, signal: context.mcpReq.signal, progress: progressOf(context) }, context)
    } catch (error) {
      return { isError: true, content: [{ type: "text", text: problemText(error) }] }
    }
  })
}

const progressOf =
  ({ mcpReq: { _meta: meta, notify } }: ServerContext): Asker["progress"] =>
  async (progress, total, message) => {
    const progressToken = meta?.progressToken
    if (progressToken === undefined) return
    const further = { ...(total === undefined ? {} : { total }), ...(message === undefined ? {} : { message }) }
    await notify({ method: "notifications/progress", params: { progressToken, progress, ...further } })
  }

const problemText = (error: unknown): string => {
  if (error instanceof ToolProblem) return `${error.message}. ${error.next}`
  const render = (error as { readonly render?: () => string }).render
  const message = typeof render === "function" ? render.call(error) : error instanceof Error ? error.message : String(error)
  return `${message.slice(0, 4000)}\nCorrect it and call again.`
}

const registerResource = (server: McpServer, { principal }: Served, { at, description, mimeType, name, read }: OfferedResource): void => {
  // What a stream gives is another thing each time; nobody is to keep it.
  const settings = { description, mimeType, cacheHint: { ttlMs: 0 } }
  if (typeof at === "string") server.registerResource(name, at, settings, (uri) => read(uri, {}, { principal }))
  else server.registerResource(name, at, settings, (uri, variables) => read(uri, variables, { principal }))
}

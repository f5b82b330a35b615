import type { NetworkAccess } from "../../actors/index.ts"
import { InvalidCall } from "../errors.ts"
import { readUrl } from "../network/requestTarget.ts"
import { Discovery } from "./Discovery.ts"
import { type Endpoint, readEndpoint, urlBelow } from "./Endpoint.ts"
import type { McpAccess, McpServer } from "./McpAccess.ts"
import { RawSse } from "./RawSse.ts"
import { ResourceSubscription } from "./ResourceSubscription.ts"
import type { StreamTransport } from "./StreamTransport.ts"
import { ToolCall } from "./ToolCall.ts"
import type { Perform } from "./waiting.ts"

export interface ResolveOptions {
  readonly capability: string
  readonly mcp: McpAccess
  /** Of the program: for URLs that it writes itself. */
  readonly network: NetworkAccess
  readonly perform: Perform
  readonly now: () => number
  readonly config: Readonly<Record<string, unknown>>
  readonly timeoutMs: number
  /** As asked for; otherwise what suits the transport. */
  readonly idleMs: number | undefined
  readonly reissue: boolean
  readonly wasCalled: boolean
}

/** A call and a feed say something now and then; a subscription may be silent for days. */
const defaultIdleMs = 300_000

/**
 * The transport for an endpoint. First match wins: what the endpoint says by itself, the host's catalogue, the default
 * server, the base URL of the environment.
 *
 * **Fails** by throwing `InvalidCall` for an unknown server, and `PermissionDenied` for a URL that is not granted.
 */
export const resolveEndpoint = (endpoint: Endpoint, options: ResolveOptions): StreamTransport => resolve(endpoint, options, undefined)

const resolve = (endpoint: Endpoint, options: ResolveOptions, via: string | undefined): StreamTransport => {
  const { mcp } = options
  switch (endpoint.kind) {
    case "sse":
      return rawSse(endpoint.url, options, via ?? "url")
    case "tool":
      return toolCall(serverOf(endpoint.server, options), endpoint.name, options, via ?? "tool")
    case "resource":
      return subscription(serverOf(endpoint.server, options), endpoint.uri, options, via ?? "resource")
    case "name": {
      const bound = via === undefined ? mcp.endpoints.get(endpoint.name) : undefined
      if (bound !== undefined) return resolve(readEndpoint(options.capability, bound), options, "catalogue")
      if (mcp.defaultServer !== undefined) return byName(mcp.servers.get(mcp.defaultServer)!, endpoint.name, options)
      if (mcp.servers.size > 0 && !mcp.base.isConfigured) throw unclear(endpoint.name, options)
      return fromBase(endpoint.name, options)
    }
  }
}

const byName = (server: McpServer, name: string, options: ResolveOptions): StreamTransport => {
  if (isRaw(server)) return rawOf(server, urlBelow(server.url, name), options, "server-base")
  return new Discovery({
    server,
    name,
    perform: options.perform,
    timeoutMs: options.timeoutMs,
    idleMs: options.idleMs,
    toTool: (tool) => toolCall(server, tool, options, "tool-name"),
    toResource: (uri) => subscription(server, uri, options, "resource-name"),
    raw: feedOf(server, name, options),
    otherwise: options.mcp.base.isConfigured ? () => fromBase(name, options) : undefined
  })
}

const fromBase = (name: string, options: ResolveOptions): StreamTransport => {
  const { base } = options.mcp
  return rawSse(urlBelow(base.url, name), options, base.isConfigured ? "environment" : "default-base", base.headers)
}

const rawSse = (url: string, options: ResolveOptions, by: string, headers: Readonly<Record<string, string>> = {}): StreamTransport => {
  const { capability, idleMs = defaultIdleMs, network, now, perform, timeoutMs } = options
  const parsed = readUrl(capability, url, ["https:", "http:"])
  network.check(`${parsed.hostname}:${parsed.port === "" ? (parsed.protocol === "https:" ? 443 : 80) : parsed.port}`)
  return new RawSse({ url, headers, network, perform, now, timeoutMs, idleMs, by })
}

type RawServer = Extract<McpServer, { transport: string }>
type SpeakingServer = Exclude<McpServer, { transport: "raw-sse" }>

const isRaw = (server: McpServer): server is RawServer => server.kind === "http" && server.transport === "raw-sse"

/** Servers of 2024 and plain feeds of events like the path `/sse` alike. */
const feedOf = (server: McpServer, name: string, options: ResolveOptions): (() => StreamTransport) | undefined =>
  server.kind === "http" && /\/sse\/?$/.test(new URL(server.url).pathname) && server.transport === "http"
    ? () => rawOf(server, urlBelow(server.url, name), options, "server-base")
    : undefined

const rawOf = (
  { headers, network }: RawServer,
  url: string,
  { idleMs = defaultIdleMs, now, perform, timeoutMs }: ResolveOptions,
  by: string
): StreamTransport => new RawSse({ url, headers, network, perform, now, timeoutMs, idleMs, by })

const serverOf = (name: string | undefined, options: ResolveOptions): SpeakingServer => {
  const { capability, mcp } = options
  const wanted = name ?? mcp.defaultServer
  const known = [...mcp.servers.keys()]
  if (wanted === undefined) {
    const problem =
      known.length === 0
        ? "this host has no MCP servers (its option mcpServers)"
        : `this host has several servers (${known.join(", ")}) and none is named default`
    throw new InvalidCall(capability, `can't tell which server its :endpoint is on: ${problem}. Write {:server "…" :tool "…"}.`, "endpoint")
  }
  const server = mcp.servers.get(wanted)
  if (server === undefined) {
    throw new InvalidCall(
      capability,
      `names the unknown MCP server ${JSON.stringify(wanted)}; this host has ${known.length === 0 ? "none" : known.join(", ")}.`,
      "endpoint"
    )
  }
  if (isRaw(server))
    throw new InvalidCall(capability, `can't ask ${wanted} for a tool or a resource: it is configured as raw-sse.`, "endpoint")
  return server as SpeakingServer
}

const toolCall = (server: SpeakingServer, tool: string, options: ResolveOptions, by: string): StreamTransport => {
  const { config, idleMs = defaultIdleMs, perform, reissue, timeoutMs, wasCalled } = options
  return new ToolCall({ server, tool, args: config, perform, timeoutMs, idleMs, reissue, wasCalled, by })
}

const subscription = (server: SpeakingServer, uri: string, options: ResolveOptions, by: string): StreamTransport => {
  const { capability, config, idleMs, perform, timeoutMs } = options
  for (const [key, value] of Object.entries(config)) {
    if (key !== "read" || typeof value !== "boolean")
      throw new InvalidCall(capability, `takes only {:read true} or {:read false} as :config of a resource.`, "config")
  }
  return new ResourceSubscription({ server, uri, reads: config["read"] !== false, perform, timeoutMs, idleMs, by })
}

const unclear = (name: string, { capability, mcp }: ResolveOptions): InvalidCall =>
  new InvalidCall(
    capability,
    `can't tell which server ${JSON.stringify(name)} is on: there are ${[...mcp.servers.keys()].join(", ")}. Write "SERVER/tool:NAME", or name one of them default.`,
    "endpoint"
  )

import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { NetworkAccess } from "../actors/index.ts"
import { type McpAccess, type McpServer, McpStreams } from "../capabilities/index.ts"
import { type HostOptions, InvalidHostOption } from "./HostOptions.ts"
import type { McpServerOptions } from "./McpServerOptions.ts"
import { makeNetworkAccess } from "./NetworkPolicy.ts"

/** The same until the scope ends, which waits until what streams have opened is closed: no process of a server outlives its host. */
export const openMcpAccess = (options: HostOptions): Effect.Effect<McpAccess, Error, Scope.Scope> =>
  Effect.acquireRelease(Effect.try({ try: () => makeMcpAccess(options), catch: (error) => error as Error }), ({ streams }) =>
    Effect.promise(() => streams.closed())
  )

/** The MCP servers of a host, and the base URL of its environment. **Fails** by throwing `InvalidHostOption`. */
export const makeMcpAccess = (
  { mcpEndpoints = {}, mcpServers = {}, secrets }: HostOptions,
  environment: NodeJS.ProcessEnv = process.env
): McpAccess => {
  const servers = new Map(Object.entries(mcpServers).map(([name, options]) => [name, serverOf(name, options, secrets)]))
  return {
    servers,
    defaultServer: servers.has("default") ? "default" : servers.size === 1 ? [...servers.keys()][0] : undefined,
    endpoints: new Map(Object.entries(mcpEndpoints)),
    base: baseOf(environment),
    streams: new McpStreams()
  }
}

const serverOf = (name: string, options: McpServerOptions, secrets: HostOptions["secrets"]): McpServer => {
  const option = `mcpServers.${name}`
  const refuse = (problem: string) => new InvalidHostOption(option, problem)
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(name)) throw refuse('must be named with 1 to 64 of letters, digits, ".", "_" and "-"')
  if (typeof options !== "object" || options === null) throw refuse("must be an object with url, or with command")
  for (const key of Object.keys(options)) {
    if (!known.has(key)) throw new InvalidHostOption(`${option}.${key}`, `does not exist; there are ${[...known].join(", ")}`)
  }
  const { args = [], command, cwd, env = {}, headers = {}, transport, url } = options
  if ((url === undefined) === (command === undefined)) throw refuse("must have either url or command")
  if (command !== undefined) {
    if (transport !== undefined && transport !== "stdio") throw refuse(`has a command, so its transport can't be ${transport}`)
    return { kind: "stdio", name, command, args, env, cwd, network: grantedOnly([], secrets) }
  }
  if (transport === "stdio") throw refuse("has a url, so its transport can't be stdio")
  const parsed = URL.parse(url!)
  // Their values may hold tokens, so no message shows one.
  if (parsed === null || !["http:", "https:"].includes(parsed.protocol)) throw refuse("must have an http:// or https:// url")
  if (parsed.username !== "" || parsed.password !== "") throw refuse("can't have credentials in its url; give them as headers")
  return { kind: "http", name, url: url!, transport: transport ?? "http", headers, network: grantedOnly([peerOf(parsed)], secrets) }
}

const known = new Set(["url", "transport", "headers", "command", "args", "env", "cwd"])

const peerOf = (url: URL): string => `${url.hostname}:${url.port === "" ? (url.protocol === "https:" ? "443" : "80") : url.port}`

/**
 * The host has named the server, wherever it is: also on this machine, also by a name that leads to a private address. A
 * redirect to another peer is refused.
 */
const grantedOnly = (net: ReadonlyArray<string>, secrets: HostOptions["secrets"]): NetworkAccess => {
  const named = makeNetworkAccess({ net, secrets })
  const everywhere = makeNetworkAccess({ all: true, secrets })
  return {
    ...named,
    resolve: async (peer) => {
      named.check(peer)
      return everywhere.resolve(peer)
    }
  }
}

/** Where names of endpoints lead when no server knows them, as the environment of the process says. */
const baseOf = (environment: NodeJS.ProcessEnv): McpAccess["base"] => {
  const read = (name: string): string | undefined => {
    const value = environment[name]?.trim()
    return value === undefined || value === "" ? undefined : value
  }
  const url = read("CCOS_MCP_STREAM_ENDPOINT") ?? read("CCOS_MCP_LOCAL_SSE_URL") ?? read("CCOS_MCP_CLOUDFLARE_DOCS_SSE_URL")
  const automatic = read("CCOS_MCP_STREAM_AUTO_CONNECT")
  return {
    url: url ?? "http://127.0.0.1:2025/sse",
    isConfigured: url !== undefined,
    headers: url === undefined ? {} : authorization(read("CCOS_MCP_STREAM_AUTH_HEADER"), read("CCOS_MCP_STREAM_BEARER_TOKEN")),
    autoConnect: automatic === undefined || /^(1|true|yes|on)$/i.test(automatic)
  }
}

/** A whole header, or the value of `Authorization`. */
const authorization = (header: string | undefined, token: string | undefined): Readonly<Record<string, string>> => {
  if (header === undefined) return token === undefined ? {} : { Authorization: `Bearer ${token}` }
  const colon = header.indexOf(":")
  return colon === -1 ? { Authorization: header } : { [header.slice(0, colon).trim()]: header.slice(colon + 1).trim() }
}

import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type McpAccess, type McpServer, McpStreams } from "../capabilities/index.ts"
import { grantedOnly, peerOf } from "./grantedOnly.ts"
import { type HostOptions, InvalidHostOption } from "./HostOptions.ts"
import { authorizationOf } from "./mcpAuthorization.ts"
import type { McpServerOptions } from "./McpServerOptions.ts"

/** The same until the scope ends, which waits until what streams have opened is closed: no process of a server outlives its host. */
export const openMcpAccess = (options: HostOptions): Effect.Effect<McpAccess, Error, Scope.Scope> =>
  Effect.acquireRelease(Effect.try({ try: () => makeMcpAccess(options), catch: (error) => error as Error }), ({ streams }) =>
    Effect.promise(() => streams.closed())
  )

/** The MCP servers of a host, and the base URL of its environment. **Fails** by throwing `InvalidHostOption`. */
export const makeMcpAccess = (host: HostOptions, environment: NodeJS.ProcessEnv = process.env): McpAccess => {
  const { mcpEndpoints = {}, mcpServers = {} } = host
  const servers = new Map(Object.entries(mcpServers).map(([name, options]) => [name, serverOf(name, options, host)]))
  return {
    servers,
    defaultServer: servers.has("default") ? "default" : servers.size === 1 ? [...servers.keys()][0] : undefined,
    endpoints: new Map(Object.entries(mcpEndpoints)),
    base: baseOf(environment),
    streams: new McpStreams()
  }
}

/** **Fails** by throwing `InvalidHostOption`. */
export const serverOf = (name: string, options: McpServerOptions, host: HostOptions): McpServer => {
  const { elicit, secrets } = host
  const option = `mcpServers.${name}`
  const refuse = (problem: string) => new InvalidHostOption(option, problem)
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(name)) throw refuse('must be named with 1 to 64 of letters, digits, ".", "_" and "-"')
  if (typeof options !== "object" || options === null) throw refuse("must be an object with url, or with command")
  for (const key of Object.keys(options)) {
    if (!known.has(key)) throw new InvalidHostOption(`${option}.${key}`, `does not exist; there are ${[...known].join(", ")}`)
  }
  const { args = [], auth, command, cwd, env = {}, headers = {}, transport, url } = options
  const asking = elicit === undefined ? {} : { elicit }
  if ((url === undefined) === (command === undefined)) throw refuse("must have either url or command")
  if (command !== undefined) {
    if (transport !== undefined && transport !== "stdio") throw refuse(`has a command, so its transport can't be ${transport}`)
    if (auth !== undefined) throw refuse("has a command, so it takes what it needs from env, and no auth")
    return { kind: "stdio", name, command, args, env, cwd, network: grantedOnly([], secrets), ...asking }
  }
  if (transport === "stdio") throw refuse("has a url, so its transport can't be stdio")
  const parsed = URL.parse(url!)
  // Their values may hold tokens, so no message shows one.
  if (parsed === null || !["http:", "https:"].includes(parsed.protocol)) throw refuse("must have an http:// or https:// url")
  if (parsed.username !== "" || parsed.password !== "") throw refuse("can't have credentials in its url; give them as headers")
  const network = grantedOnly([peerOf(parsed)], secrets)
  const server = { kind: "http", name, url: url!, transport: transport ?? "http", headers, network, ...asking } as const
  if (auth === undefined) return server
  if (server.transport === "raw-sse") throw refuse("is raw-sse, which is no MCP and has no auth; give it a header")
  if (Object.keys(headers).some((header) => header.toLowerCase() === "authorization"))
    throw refuse("has both auth and a header Authorization")
  return { ...server, authorization: authorizationOf(name, parsed, auth, host) }
}

const known = new Set(["url", "transport", "headers", "auth", "command", "args", "env", "cwd"])

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

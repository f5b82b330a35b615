import type * as Effect from "effect/Effect"
import { askForOffers, forgetLeft, type McpAccess, McpFailure, stopStream } from "../capabilities/index.ts"
import type { HostStores } from "./HostStores.ts"
import type { McpServerAccess, McpServerOffers } from "./McpServerAccess.ts"

/** The MCP servers and endpoints of a host. */
export const accessMcpServers = (host: {
  readonly mcp: McpAccess
  readonly stateStore: HostStores["stateStore"]
  readonly promise: <A, E>(effect: Effect.Effect<A, E>) => Promise<A>
}): McpServerAccess => {
  const { defaultServer, endpoints, servers, streams } = host.mcp
  return {
    servers: () =>
      [...servers.values()].map((server) => ({
        name: server.name,
        kind: server.kind === "stdio" ? "stdio" : server.transport === "raw-sse" ? "raw-sse" : "http",
        isDefault: server.name === defaultServer
      })),
    endpoints: () => [...endpoints].map(([name, endpoint]) => ({ name, endpoint: endpoint as string | Readonly<Record<string, string>> })),
    offers: async (name, { signal, timeoutMs = 10_000 } = {}): Promise<McpServerOffers> => {
      const server = servers.get(name)
      const failure = (problem: string, fix: string) => new McpFailure({ stream: `of the server ${name}`, reason: "server", problem, fix })
      if (server === undefined)
        throw failure(
          "this host has no such server",
          `It has ${servers.size === 0 ? "none" : [...servers.keys()].join(", ")} (mcpServers).`
        )
      if (server.kind === "http" && server.transport === "raw-sse")
        throw failure("it gives events as they come and can't be asked what it has", "Start from a path below its URL.")
      const inTime = AbortSignal.timeout(timeoutMs)
      try {
        return await askForOffers({
          server: server as Parameters<typeof askForOffers>[0]["server"],
          perform: host.promise,
          signal: signal === undefined ? inTime : AbortSignal.any([signal, inTime]),
          timeoutMs
        })
      } catch (error) {
        throw inTime.aborted ? failure(`it did not answer within ${timeoutMs} ms`, "Check that it runs, and ask again.") : error
      }
    },
    forgetStream: async (id) => {
      const parts = { streams, stateStore: host.stateStore, perform: host.promise }
      const known = streams.find(id)
      await (known === undefined ? forgetLeft(id, parts) : stopStream(known, parts))
    }
  }
}

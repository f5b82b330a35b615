import type { NetworkAccess } from "../../actors/index.ts"
import type { AuthorizationSession } from "./authorization/AuthorizationSession.ts"
import type { Elicit } from "./Elicit.ts"
import type { McpStreams } from "./McpStreams.ts"

/** MCP servers of a host, and the streams that read from them. */
export interface McpAccess {
  readonly servers: ReadonlyMap<string, McpServer>
  /** Which server names without a server belong to; `undefined` where there is none, or several and no `default`. */
  readonly defaultServer: string | undefined
  /** What names of endpoints stand for. */
  readonly endpoints: ReadonlyMap<string, unknown>
  /** Where raw server-sent events come from: of the host's environment. */
  readonly base: SseBase
  readonly streams: McpStreams
}

/** A server as the host has configured it. Being configured grants it: programs name it and choose nothing of it. */
export type McpServer =
  | {
      readonly kind: "http"
      readonly name: string
      readonly url: string
      /** `http`: streamable, or the older pair of GET and POST where the server knows nothing else. */
      readonly transport: "http" | "sse" | "raw-sse"
      readonly headers: Readonly<Record<string, string>>
      /** Grants the server's peer, and nothing else. */
      readonly network: NetworkAccess
      /** How the host gets the right to use it; left out where it needs none, or a header says it. */
      readonly authorization?: AuthorizationSession
      readonly elicit?: Elicit
    }
  | {
      readonly kind: "stdio"
      readonly name: string
      readonly command: string
      readonly args: ReadonlyArray<string>
      /** With their secrets still as names. */
      readonly env: Readonly<Record<string, string>>
      readonly cwd: string | undefined
      readonly network: NetworkAccess
      readonly elicit?: Elicit
    }

export interface SseBase {
  readonly url: string
  /** Whether the environment names it; otherwise it is the default. */
  readonly isConfigured: boolean
  readonly headers: Readonly<Record<string, string>>
  /** Whether streams connect when they are started, and not when they are resumed. */
  readonly autoConnect: boolean
}

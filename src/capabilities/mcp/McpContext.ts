import type * as Effect from "effect/Effect"
import type { StateStore } from "../../state/index.ts"
import type { StreamValue } from "../StreamValue.ts"
import type { McpAccess } from "./McpAccess.ts"

/** What calls about MCP streams may use of the host and of the program that makes them. */
export interface McpContext {
  readonly access: McpAccess
  /** Where snapshots are kept. */
  readonly stateStore: Effect.Effect<StateStore, unknown>
  /** What the program, or its host, defines under a name. */
  readonly global: (name: string) => unknown
  /** A stream as plain data from which it can be made again in another process. */
  readonly keep: (stream: StreamValue) => unknown
  /** **Fails** by throwing `CheckpointRefused` for a function that can't be made again. */
  readonly revive: (id: string, kept: unknown) => StreamValue
}

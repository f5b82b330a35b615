import type * as Effect from "effect/Effect"
import type { QueueBackend } from "../state/index.ts"

/** The queues that were granted, on the servers that the host has. */
export interface QueueAccess {
  /**
   * The queues of a connection, opened when it is first asked for and closed with the host.
   *
   * @param queue the one that is going to be used
   * @param connection a name that the host has for a server, or `embedded`; left out, the host's `queue`, or else `embedded`
   *
   * **Fails** with `PermissionDenied`, `InvalidHostOption` or `QueueFailure`.
   */
  readonly open: (capability: string, queue: string, connection: string | undefined) => Effect.Effect<QueueBackend, unknown>
}

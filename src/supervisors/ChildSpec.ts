import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** When a child that ended by itself starts again: always, only after a failure, or never. */
export type Restart = "permanent" | "transient" | "temporary"

/**
 * How a supervisor starts, stops and restarts one child.
 *
 * ```ts
 * const reader: ChildSpec = {
 *   id: "reader",
 *   restart: "transient",
 *   run: ({ ready, onShutdown }) =>
 *     Effect.gen(function*() {
 *       const file = yield* open(path) // closed with the incarnation's scope, however it ends
 *       yield* onShutdown(() => file.drain)
 *       yield* ready
 *       yield* file.readToEnd
 *     })
 * }
 * ```
 */
export interface ChildSpec {
  /** Unique in its supervisor, and the last part of the child's address. Not empty, without a slash. */
  readonly id: string
  /**
   * One life of the child, called anew for each. It says `ready` once it is up, and the child is over when it ends:
   * normally if it succeeds, as a crash if it fails, dies or is interrupted by anyone but the supervisor. Ending
   * normally without `ready` declines to run: the child counts as started and stays stopped, until a group restart
   * or `restartChild` asks again. Interruption is the kill; its scope closes before the life counts as over.
   */
  readonly run: (incarnation: Incarnation) => Effect.Effect<unknown, unknown, Scope.Scope>
  /** By default `permanent`. */
  readonly restart?: Restart
  /**
   * How long it may take to end when asked, by default 5 seconds for a worker and `infinity` for a supervisor. After
   * it, or at once for `brutal-kill`, it is interrupted.
   */
  readonly shutdown?: Duration.Input | "brutal-kill" | "infinity"
  /** By default `worker`. */
  readonly type?: "worker" | "supervisor"
  /** Whether its end may end the supervisor, see `autoShutdown`. Not for permanent children. */
  readonly significant?: boolean
}

/** What one life of a child has of its supervisor. */
export interface Incarnation {
  /** 1 for the first life of the child, and one more with each further. */
  readonly number: number
  readonly address: string
  /** Tells the supervisor that the child is up. Until then its later siblings are not started. Once is enough. */
  readonly ready: Effect.Effect<void>
  /**
   * Says how to ask this life to end. `request` may return at once or when the work is done; the child has ended only
   * when `run` has. Without a request, or when it fails, the child is interrupted instead, and that is its end.
   *
   * @param request is told how long the supervisor is going to wait
   */
  readonly onShutdown: (request: (within: Duration.Duration) => Effect.Effect<unknown, unknown>) => Effect.Effect<void>
}

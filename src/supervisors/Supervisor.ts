import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ChildInfo } from "./Child.ts"
import type { ChildSpec } from "./ChildSpec.ts"
import type {
  BadSupervision,
  ChildAlreadyPresent,
  ChildNotFound,
  ChildNotStopped,
  ChildStartFailed,
  SupervisorFailure,
  SupervisorNotRunning
} from "./errors.ts"
import { RunningSupervisor } from "./RunningSupervisor.ts"
import type { SupervisorState } from "./supervisor.machine.ts"
import { problemOfOptions, type SupervisorOptions } from "./SupervisorOptions.ts"

/** How many children there are, as OTP's `count_children`. */
export interface ChildCounts {
  readonly specs: number
  /** Those with a fiber: starting, running or stopping. */
  readonly active: number
  readonly supervisors: number
  readonly workers: number
}

/** What stopping took beyond asking: addresses of the children that were killed, and of those that ignored even that. */
export interface StopReport {
  readonly killed: ReadonlyArray<string>
  readonly abandoned: ReadonlyArray<string>
}

/** A running supervisor. `whichChildren`, `countChildren` and `state` only read: nothing that hangs can block them. */
export interface Supervisor {
  readonly address: string
  readonly state: () => SupervisorState
  /** In start order. */
  readonly whichChildren: () => ReadonlyArray<ChildInfo>
  readonly countChildren: () => ChildCounts
  /** Adds a child behind the others and starts it. If it does not start it is not kept. Interruption withdraws it. */
  readonly addChild: (
    spec: ChildSpec
  ) => Effect.Effect<ChildInfo, BadSupervision | ChildAlreadyPresent | ChildStartFailed | SupervisorNotRunning>
  /**
   * Stops a child, or its restart. Its spec is kept unless it is temporary; a group restart starts it again, as in OTP.
   *
   * @param options.within in place of the child's own shutdown time; 0 kills it, also one that is being stopped already
   */
  readonly terminateChild: (id: string, options?: { readonly within?: Duration.Input }) => Effect.Effect<void, ChildNotFound>
  /** Starts a stopped child. If it does not start it stays stopped. */
  readonly restartChild: (id: string) => Effect.Effect<ChildInfo, ChildNotFound | ChildNotStopped | ChildStartFailed | SupervisorNotRunning>
  /** Forgets a stopped child. */
  readonly deleteChild: (id: string) => Effect.Effect<void, ChildNotFound | ChildNotStopped>
  /**
   * Stops all children, the last started first, and ends the supervisor. A second call gets the same report.
   *
   * @param options.within when this time is over, whatever is still up is killed at once; 0 kills now. Without it each
   *   child has its own shutdown time. Of several calls the earliest end counts.
   */
  readonly stop: (options?: { readonly within?: Duration.Input }) => Effect.Effect<StopReport>
  /** Completes when the supervisor is over and no child is up: normally if it was stopped, else with why it gave up. */
  readonly ended: Effect.Effect<void, SupervisorFailure>
}

/**
 * Starts a supervisor and its children, each after the one before is ready. It stops when the scope closes.
 *
 * **Fails** with `BadSupervision` before anything is started; with `ChildStartFailed` when a child does not start: those
 * already started have then been stopped, in reverse order.
 * **Bounds** one record per child; of a child's past only its last exit and the restarts within the intensity's period.
 * **Stopping** interrupting the start, like closing the scope, stops all children in their order.
 * **Source** OTP `supervisor.erl`; the backoff, the budget of each child and `onExit` are ours.
 */
const start: (
  options: SupervisorOptions
) => Effect.Effect<Supervisor, BadSupervision | ChildStartFailed | SupervisorNotRunning, Scope.Scope> = Effect.fn("Supervisor.start")(
  function* (options: SupervisorOptions) {
    const supervisor = yield* make(options)
    yield* Effect.addFinalizer(() => supervisor.stop())
    yield* Effect.onInterrupt(supervisor.begin, () => supervisor.stop())
    return supervisor
  }
)

/**
 * A supervisor as the child of another one. Each life of it is a new supervisor, with the children of its options only:
 * what was added to the last one is gone. Giving up, it counts as crashed, and its parent restarts it as any other child.
 *
 * Its parent waits for it as long as its children take, unless `shutdown` or the parent's own time limit says how long.
 * The limit is handed down, and when it is over all below it are killed together.
 *
 * @param as.onStarted runs once the children are up, before the parent goes on: the place to take hold of this life
 */
const asChild = (
  options: SupervisorOptions,
  as: Omit<ChildSpec, "run" | "type"> & {
    readonly onStarted?: (supervisor: Supervisor) => Effect.Effect<unknown, unknown>
  }
): ChildSpec => {
  const { onStarted, ...spec } = as
  return {
    ...spec,
    type: "supervisor",
    run: ({ onShutdown, ready }) =>
      Effect.gen(function* () {
        const supervisor = yield* make(options)
        yield* Effect.addFinalizer(() => supervisor.stop())
        yield* onShutdown((within) => supervisor.stop({ within }))
        const life = Effect.gen(function* () {
          const isUp = yield* Effect.matchEffect(supervisor.begin, {
            onSuccess: () => Effect.succeed(true),
            // Asked to stop while its children were starting: that is no failure.
            onFailure: (error) => (error._tag === "SupervisorNotRunning" ? Effect.succeed(false) : Effect.fail(error))
          })
          if (!isUp) return
          const up = Effect.andThen(onStarted?.(supervisor) ?? Effect.void, ready)
          yield* Effect.raceFirst(Effect.andThen(up, Effect.never), supervisor.ended)
        })
        // Asked politely it stops as above, so an interruption can only be the kill.
        yield* Effect.onInterrupt(life, () => supervisor.stop({ within: 0 }))
      })
  }
}

const make = (options: SupervisorOptions): Effect.Effect<RunningSupervisor, BadSupervision> =>
  Effect.contextWith((context: Context.Context<never>) => {
    const problem = problemOfOptions(options)
    return problem === undefined ? Effect.succeed(new RunningSupervisor(options, context)) : Effect.fail(problem)
  })

export const Supervisor = { start, asChild }

import { initialTransition, setup, type SnapshotFrom, transition } from "xstate"

/** Where one child stands. `waiting` is down and about to be started: in its backoff, or behind an earlier sibling. */
export type ChildState = "stopped" | "waiting" | "starting" | "running" | "stopping"

export type ChildSignal =
  /** It shall be started, now or after its backoff. */
  | { readonly type: "scheduled" }
  /** It shall not be started after all. */
  | { readonly type: "withdrawn" }
  /** A new incarnation began. */
  | { readonly type: "began" }
  /** The incarnation said that it is ready. */
  | { readonly type: "becameReady" }
  /** It was asked to end, or is being killed. */
  | { readonly type: "stopRequested" }
  /** The incarnation is over, or was given up. */
  | { readonly type: "ended" }

/**
 * The lifecycle of one child, as values. It knows nothing of restarts: whether `ended` is followed by `scheduled` is
 * the supervisor's decision.
 *
 * ```
 *  stopped ⇄ waiting ─began→ starting ─becameReady→ running ─stopRequested→ stopping
 *     ↑                         └──────────────── ended ──────────────────────┘
 * ```
 */
export const childLifecycle = setup({ types: { events: {} as ChildSignal } }).createMachine({
  id: "child",
  initial: "stopped",
  states: {
    stopped: { on: { scheduled: "waiting" } },
    waiting: { on: { began: "starting", withdrawn: "stopped" } },
    starting: { on: { becameReady: "running", stopRequested: "stopping", ended: "stopped" } },
    running: { on: { stopRequested: "stopping", ended: "stopped" } },
    stopping: { on: { ended: "stopped" } }
  }
})

export type ChildSnapshot = SnapshotFrom<typeof childLifecycle>

const [newborn] = initialTransition(childLifecycle)

/** A child that was never started. One value for all: snapshots are immutable. */
export const newChild: ChildSnapshot = newborn

/** XState makes a new snapshot for each transition, in some 15 µs; with no context there are only as many as states. */
const known = new Map<string, ChildSnapshot>()

/** The snapshot after a signal. A signal that has no place in the state is a broken invariant and throws. */
export const afterSignal = (before: ChildSnapshot, signal: ChildSignal): ChildSnapshot => {
  const asked = `${before.value} ${signal.type}`
  const answer = known.get(asked)
  if (answer !== undefined) return answer
  const [after] = transition(childLifecycle, before, signal)
  // Each transition of this machine changes the state, so the same state means that none was taken.
  if (after.value === before.value) throw new Error(`A child that is ${before.value} can't take "${signal.type}"`)
  known.set(asked, after)
  return after
}

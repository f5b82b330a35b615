import { initialTransition, setup, type SnapshotFrom, transition } from "xstate"

export type BreakerState = "closed" | "open" | "half-open"

export type BreakerEvent =
  /** So many of the last calls failed that the threshold is reached. */
  | { readonly type: "tripped" }
  /** The recovery timeout is over, and a call is there to try it. */
  | { readonly type: "recoveryElapsed" }
  /** All trial calls passed. */
  | { readonly type: "trialsPassed" }
  /** One trial call failed, or did not come back in time. */
  | { readonly type: "trialFailed" }

/**
 * The states of a circuit breaker, as values: it counts nothing and knows no time.
 *
 * ```
 *  closed ─tripped→ open ─recoveryElapsed→ half-open ─trialsPassed→ closed
 *                     ↑                        └──────trialFailed─┐
 *                     └───────────────────────────────────────────┘
 * ```
 */
export const circuitBreaker = setup({ types: { events: {} as BreakerEvent } }).createMachine({
  id: "circuitBreaker",
  initial: "closed",
  states: {
    closed: { on: { tripped: "open" } },
    open: { on: { recoveryElapsed: "half-open" } },
    "half-open": { on: { trialsPassed: "closed", trialFailed: "open" } }
  }
})

type Snapshot = SnapshotFrom<typeof circuitBreaker>

const [initial] = initialTransition(circuitBreaker)

/** A new breaker. One value for all: snapshots are immutable. */
export const closedBreaker: Snapshot = initial

/** The snapshot of a state that was saved. */
export const breakerIn = (state: BreakerState): Snapshot => circuitBreaker.resolveState({ value: state, context: {} })

/** The snapshot after an event. One that has no place in the state is a broken invariant and throws. */
export const afterEvent = (before: Snapshot, event: BreakerEvent): Snapshot => {
  const [after] = transition(circuitBreaker, before, event)
  if (after.value === before.value) throw new Error(`A circuit breaker that is ${before.value} can't take "${event.type}"`)
  return after
}

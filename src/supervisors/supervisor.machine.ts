import { initialTransition, setup, type SnapshotFrom, transition } from "xstate"

/** Where a supervisor stands. In `stopping` it ends as it was asked, in `escalating` as a failure. */
export type SupervisorState = "starting" | "running" | "stopping" | "escalating" | "stopped" | "failed"

export type SupervisorSignal =
  /** All children of its options are up. */
  | { readonly type: "started" }
  /** A child of its options did not start. */
  | { readonly type: "startFailed" }
  /** Someone asked it to stop, or its significant children have ended. */
  | { readonly type: "stopRequested" }
  /** More restarts than its intensity allows, or the owner's word. */
  | { readonly type: "escalated" }
  /** No child is up any more. */
  | { readonly type: "allDown" }

/**
 * The lifecycle of a supervisor, as values. Both ends are final, and the first reason to stop decides which it is.
 *
 * ```
 *  starting ─started→ running ─stopRequested→ stopping ─allDown→ stopped
 *     └─startFailed──────┴──────escalated→ escalating ─allDown→ failed
 * ```
 */
export const supervisorLifecycle = setup({ types: { events: {} as SupervisorSignal } }).createMachine({
  id: "supervisor",
  initial: "starting",
  states: {
    starting: { on: { started: "running", startFailed: "escalating", stopRequested: "stopping" } },
    running: { on: { stopRequested: "stopping", escalated: "escalating" } },
    stopping: { on: { allDown: "stopped" } },
    escalating: { on: { allDown: "failed" } },
    stopped: { type: "final" },
    failed: { type: "final" }
  }
})

export type SupervisorSnapshot = SnapshotFrom<typeof supervisorLifecycle>

const [newborn] = initialTransition(supervisorLifecycle)

/** A supervisor that has started no child yet. */
export const newSupervisor: SupervisorSnapshot = newborn

/** The snapshot after a signal; one that has no place in the state changes nothing (a second stop, an escalation while stopping). */
export const afterSupervisorSignal = (before: SupervisorSnapshot, signal: SupervisorSignal): SupervisorSnapshot =>
  before.status === "active" ? transition(supervisorLifecycle, before, signal)[0] : before

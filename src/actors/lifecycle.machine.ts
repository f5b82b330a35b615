import { setup } from "xstate"

export type LifecycleEvent =
  /** The actor has opened what it needs and begins to work. */
  | { readonly type: "started" }
  | { readonly type: "pause" }
  | { readonly type: "resume" }
  /** Take no more input, work off what is there, then end. */
  | { readonly type: "drain" }
  /** It was ended from outside, with or without having drained. */
  | { readonly type: "stop" }
  /** Its input has ended and everything is worked off. */
  | { readonly type: "completed" }
  | { readonly type: "crashed" }
  /** The time to wait before the next attempt is over. */
  | { readonly type: "backoffElapsed" }
  /** Its supervisor has spent its restarts. */
  | { readonly type: "intensityExceeded" }
  /** Its supervisor does not restart it: it is temporary, or its failure is final. */
  | { readonly type: "abandoned" }
  /** It is to begin again after all, because the supervisor above restarts the whole subtree. */
  | { readonly type: "restart" }

/**
 * The lifecycle of an actor, as values: no clock, no IO, no item ever passes through it.
 *
 * ```
 *  starting ─started→ running ⇄ paused        any of them ─stop→ stopped
 *     ↑                  └──┬──────┴─drain→ draining ─completed→ stopped
 *     │                     ↓crashed
 *     └─backoffElapsed─ restarting ─intensityExceeded→ failed ─restart→ restarting
 * ```
 *
 * What it was told to do (run, pause, drain) stands beside how far it is (starting, up, restarting, failed), because it
 * outlives a crash: an actor that crashed while paused comes back paused. `running`, `paused` and `draining` are an
 * actor that is up, by what it was told.
 */
export const actorLifecycle = setup({ types: { events: {} as LifecycleEvent } }).createMachine({
  id: "actor",
  initial: "alive",
  states: {
    alive: {
      type: "parallel",
      on: { stop: "stopped" },
      states: {
        phase: {
          initial: "starting",
          states: {
            starting: { on: { started: "up", crashed: "restarting" } },
            up: { on: { crashed: "restarting", completed: "#actor.stopped" } },
            restarting: { on: { backoffElapsed: "starting", intensityExceeded: "failed", abandoned: "failed" } },
            failed: { on: { restart: "restarting" } }
          }
        },
        // Repeating an order is no mistake, so each state answers its own.
        order: {
          initial: "run",
          states: {
            run: { on: { resume: "run", pause: "pause", drain: "drain" } },
            pause: { on: { resume: "run", pause: "pause", drain: "drain" } },
            drain: { on: { drain: "drain" } }
          }
        }
      }
    },
    stopped: { on: { stop: "stopped" } }
  }
})

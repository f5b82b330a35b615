import { setup } from "xstate"

export type HandleEvent =
  | { readonly type: "start" }
  | { readonly type: "pause" }
  | { readonly type: "resume" }
  /** Its sources are closed; what is under way is being worked off. */
  | { readonly type: "drain" }
  /** Everything was worked off. */
  | { readonly type: "completed" }
  /** It was ended in order before its input had ended. */
  | { readonly type: "stopped" }
  /** It was ended at once; what was under way was given up. */
  | { readonly type: "cancelled" }
  | { readonly type: "failed" }

/**
 * What the holder of a stream sees of it. Its end is for good: of two ends the first one counts.
 *
 * ```
 *  created ─start→ running ⇄ paused ─┐
 *                     └────drain─────┴→ draining
 *  any of these → completed | stopped | cancelled | failed
 * ```
 *
 * A stream that is paused before it was started begins when it is resumed.
 */
export const handleLifecycle = setup({ types: { events: {} as HandleEvent } }).createMachine({
  id: "handle",
  initial: "open",
  states: {
    open: {
      initial: "created",
      on: { completed: "completed", stopped: "stopped", cancelled: "cancelled", failed: "failed" },
      states: {
        created: { on: { start: "running", pause: "paused" } },
        running: { on: { start: "running", resume: "running", pause: "paused", drain: "draining" } },
        paused: { on: { start: "paused", pause: "paused", resume: "running", drain: "draining" } },
        draining: { on: { drain: "draining" } }
      }
    },
    completed: { type: "final" },
    stopped: { type: "final" },
    cancelled: { type: "final" },
    failed: { type: "final" }
  }
})

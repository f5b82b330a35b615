import { setup } from "xstate"

export type RoundEvent =
  /** The sources were told to send a barrier. */
  | { readonly type: "begin" }
  /** Every actor has answered, or had ended before. */
  | { readonly type: "answered" }
  /** The store has made it durable. */
  | { readonly type: "stored" }
  /** It took too long: whoever answers now is not listened to. */
  | { readonly type: "timedOut" }
  /** A snapshot can't be encoded, or the store failed. */
  | { readonly type: "failed" }

/**
 * One checkpoint round after the other, as values.
 *
 * ```
 *  idle ─begin→ aligning ─answered→ storing ─stored→ idle
 *    ↑              └─timedOut, failed─┴─failed─┐
 *    └──────────────────────────────────────────┘
 * ```
 *
 * Storing has no time limit: a store that was told to write may have written, and the answer is worth waiting for.
 */
export const checkpointRound = setup({ types: { events: {} as RoundEvent } }).createMachine({
  id: "checkpointRound",
  initial: "idle",
  states: {
    idle: { on: { begin: "aligning" } },
    aligning: { on: { answered: "storing", timedOut: "idle", failed: "idle" } },
    storing: { on: { stored: "idle", failed: "idle" } }
  }
})

import { choice, count, fn, optional, type OptionSpecs } from "./Option.ts"

/** What a mailbox does with a frame when it is full. */
export type OverflowName = "backpressure" | "drop-oldest" | "drop-newest" | "fail" | "spill"

const observing = {
  "on-complete": optional(fn, "called once at the normal end, with the result where there is one"),
  "on-error": optional(fn, "called once when the stream ends with an error, with the error")
} satisfies OptionSpecs

const ofNodesWithInput = {
  "on-failure": optional(choice("fail", "skip"), "what happens when a function fails on an item: `:fail` (the default) hands it to the supervisor, `:skip` drops the item and counts it"),
  "buffer-size": optional(count, "puts a mailbox of this many items in front, instead of fusing"),
  overflow: optional(
    choice("backpressure", "drop-oldest", "drop-newest", "fail", "spill"),
    "what that mailbox does when it is full; `:backpressure` by default. Needs `:buffer-size`"
  )
} satisfies OptionSpecs

/** The options that every stream capability has beside its own. */
export const commonOptions = (kind: "source" | "operator" | "sink"): OptionSpecs =>
  kind === "source" ? observing : { ...observing, ...ofNodesWithInput }

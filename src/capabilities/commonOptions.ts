import { defaultBackoffMs, failItems, type ItemPolicy } from "../scheduler/index.ts"
import { InvalidCall } from "./errors.ts"
import { choice, count, fn, milliseconds, optional, type OptionSpecs, text, wholeNumber } from "./Option.ts"

/** What a mailbox does with a frame when it is full. */
export type OverflowName = "backpressure" | "drop-oldest" | "drop-newest" | "fail" | "spill"

const observing = {
  "on-complete": optional(fn, "called once at the normal end, with the result where there is one"),
  "on-error": optional(fn, "called once when the stream ends with an error, with the error")
} satisfies OptionSpecs

const ofNodesWithInput = {
  "on-failure": optional(
    choice("fail", "skip", "dead-letter"),
    "what happens to an item that the node fails on, after its last try: `:fail` (the default) hands it to the supervisor, `:skip` drops the item and counts it, `:dead-letter` stores it and goes on"
  ),
  "max-retries": optional(wholeNumber, "how often such an item is tried again before that, in its place; 0 by default"),
  "retry-backoff": optional(
    milliseconds,
    "the wait before the first retry, 200 by default; each further one is twice as long, at most 30 s, and up to a fifth longer. Needs `:max-retries`"
  ),
  "dead-letter-queue": optional(text, "the queue of its dead letters, `dead-letters` by default; of items in quarantine `quarantine`"),
  "buffer-size": optional(count, "puts a mailbox of this many items in front, instead of fusing"),
  overflow: optional(
    choice("backpressure", "drop-oldest", "drop-newest", "fail", "spill"),
    "what that mailbox does when it is full; `:backpressure` by default. Needs `:buffer-size`"
  )
} satisfies OptionSpecs

/** The options that every stream capability has beside its own. */
export const commonOptions = (kind: "source" | "operator" | "sink"): OptionSpecs =>
  kind === "source" ? observing : { ...observing, ...ofNodesWithInput }

/** What the options of a node say about items that it fails on. A decorator below it may say what they leave open. */
export const policyOf = (capability: string, options: Readonly<Record<string, unknown>>): ItemPolicy => {
  const { "dead-letter-queue": queue, "max-retries": retries, "on-failure": then, "retry-backoff": backoffMs } = options
  if (backoffMs !== undefined && retries === undefined) {
    throw new InvalidCall(capability, "has :retry-backoff but no :max-retries; say how often an item is tried again.", "retry-backoff")
  }
  if (queue === undefined && retries === undefined && then === undefined) return failItems
  return {
    retries: (retries as number | undefined) ?? 0,
    backoffMs: (backoffMs as number | undefined) ?? defaultBackoffMs,
    then: (then as ItemPolicy["then"] | undefined) ?? "fail",
    ...(queue === undefined ? {} : { queue: queue as string }),
    ...(then === undefined ? {} : { setBy: "node" })
  }
}

/** What a decorator sets for the nodes above it, which keep what their own options say; the nearest decorator decides. */
export const coveringPolicy =
  (set: ItemPolicy) =>
  (policy: ItemPolicy, { options }: { readonly options: Readonly<Record<string, unknown>> }): ItemPolicy => {
    if (policy.setBy !== undefined) return policy
    const { backoffMs, retries } = options["max-retries"] === undefined ? set : policy
    const queue = policy.queue ?? set.queue
    return { ...set, backoffMs, retries, ...(queue === undefined ? {} : { queue }) }
  }

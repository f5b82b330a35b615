import type { StreamFunction } from "../../scheduler/index.ts"
import { InvalidResult } from "../errors.ts"
import { limitsAbove } from "./limitsAbove.ts"
import { byteSize, count, defaulted, duration, fn, milliseconds, optional, type OptionSpecs } from "../Option.ts"

/** The options of operators that live by the time of items. */
export const timeOptions = {
  "timestamp-fn": optional(
    fn,
    "takes an item, gives its time (ms since 1970, or a timestamp). Without it an item has the time at which it comes"
  ),
  "max-delay": optional(
    milliseconds,
    "how far items may be out of order: one that is older than the newest item by at most this is not late; 0 when left out"
  ),
  "allowed-lateness": optional(
    milliseconds,
    "how long after a window was emitted late items still correct it: each makes it be emitted again, whole, with its next `:revision`; 0 when left out"
  ),
  "idle-timeout": optional(
    duration,
    "when no item came for this long, time goes on with the clock, so that windows end although the source is silent. Without it they wait for the next item"
  ),
  "on-late": optional(
    fn,
    "receives each item that came too late for every window, and `{:timestamp … :watermark …}`. With and without it such items are counted as `late`"
  )
} satisfies OptionSpecs

/** What all windows of an operator may hold together, where nothing else is said. */
export const defaultBounds = { maxItems: 1_000_000, maxBytes: 64 * 1024 * 1024 } as const

export const windowBounds = {
  "max-items": defaulted(count, defaultBounds.maxItems, "how many items all windows hold together"),
  "max-bytes": defaulted(byteSize, defaultBounds.maxBytes, "how much memory they may take, by estimate")
} satisfies OptionSpecs

interface GivenTimeOptions {
  readonly "timestamp-fn": StreamFunction | undefined
  readonly "max-delay": number | undefined
  readonly "allowed-lateness": number | undefined
  readonly "idle-timeout": number | undefined
  readonly "on-late": StreamFunction | undefined
}

/** Options that would be ignored are errors. */
export const checkTimeOptions = (options: GivenTimeOptions): string | undefined => {
  if (options["timestamp-fn"] !== undefined) return undefined
  const without = (["max-delay", "allowed-lateness", "idle-timeout", "on-late"] as const).find((name) => options[name] !== undefined)
  return without === undefined
    ? undefined
    : `has :${without} but no :timestamp-fn. Items that count by the time at which they come are never late: give :timestamp-fn, or leave :${without} out.`
}

export const timeSettings = (options: GivenTimeOptions) => ({
  time: options["timestamp-fn"] === undefined ? ("processing" as const) : ("event" as const),
  maxDelayMs: Math.ceil(options["max-delay"] ?? 0),
  latenessMs: Math.ceil(options["allowed-lateness"] ?? 0),
  idleMs: options["idle-timeout"] ?? Infinity,
  heldBack: limitsAbove(options)
})

/** What a `:timestamp-fn` gave, in ms. */
export const timestampOf = (capability: string, given: unknown): number => {
  const time = given instanceof Date ? given.getTime() : given
  if (typeof time === "number" && Number.isFinite(time)) return time
  throw new InvalidResult(capability, "timestamp-fn", "a time in milliseconds, or a timestamp", given)
}

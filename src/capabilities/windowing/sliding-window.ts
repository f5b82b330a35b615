import type { StageSpec } from "../../actors/index.ts"
import { defineCapability } from "../Capability.ts"
import { byteSize, count, defaulted, duration, flag, fn, optional } from "../Option.ts"
import { noteLimitsAbove } from "./limitsAbove.ts"
import { checkTimeOptions, defaultBounds, timeOptions, timeSettings } from "./timeOptions.ts"
import { timeWindowStage } from "./timeWindowStage.ts"

export const slidingWindow = defineCapability({
  id: "stream.sliding-window",
  summary: "Emits the last :size items after each :slide of them, or the items of each :duration.",
  spec: "§3 Batching and Windowing",
  kind: "operator",
  consuming: ["on-window"],
  short: ["size", "slide"],
  options: {
    size: optional(count, "how many items a window has"),
    slide: optional(count, "how many items after the first of one window that of the next is; 1 when left out"),
    "emit-partial": defaulted(
      flag,
      false,
      "at the end, also emits the next window, though it is not full, if it has an item that none before it had"
    ),
    duration: optional(duration, "in place of `:size`: how long a window is, in milliseconds"),
    "slide-duration": optional(duration, "with `:duration`: the time from the start of one window to that of the next"),
    ...timeOptions,
    "max-items": optional(count, `with \`:duration\`: how many items all windows hold together; ${defaultBounds.maxItems} when left out`),
    "max-bytes": optional(
      byteSize,
      `with \`:duration\`: how much memory they may take, by estimate; ${defaultBounds.maxBytes} when left out`
    ),
    "on-window": optional(fn, "receives each window in order, and starts the stream")
  },
  check: (options) => {
    if (options.size === undefined) {
      if (options.duration === undefined)
        return "needs :size (how many items a window has), or :duration (how long it is, in milliseconds)."
      if (options.slide !== undefined) return "has :slide, which counts items, with :duration: use :slide-duration."
      if (options["emit-partial"])
        return "has :emit-partial with :duration: windows by time are always emitted at the end, marked `:partial`."
      if (options["slide-duration"] === undefined) return "needs :slide-duration with :duration: the time from one window to the next."
      if (options.duration / options["slide-duration"] > mostOverlapping)
        return `would put each item into ${Math.ceil(options.duration / options["slide-duration"])} windows; ${mostOverlapping} are the most. Raise :slide-duration.`
      return checkTimeOptions(options)
    }
    const timed = ofTimedWindows.find((name) => options[name] !== undefined)
    return timed === undefined
      ? undefined
      : `has :${timed} with :size. A window is counted (:size, :slide) or timed (:duration, :slide-duration).`
  },
  covers: noteLimitsAbove,
  warnings: ({ duration: durationMs, size, slide, "slide-duration": slideMs }) => {
    if (size !== undefined && (slide ?? 1) > size) return [`skips ${slide! - size} of every ${slide} items: :slide is larger than :size`]
    if (durationMs !== undefined && slideMs! > durationMs)
      return ["skips items between its windows: :slide-duration is longer than :duration"]
    return []
  },
  order: "Window after window; inside a window the order in which the items came.",
  delivery:
    "Window k has the items from number k·slide on, `:size` of them. What does not fill a window at the end is in none, unless `:emit-partial` is given. Windows by time follow the rules of `:stream.window`.",
  backpressure: "Holds one window; by time the items of open windows, at most `:max-items` and `:max-bytes`.",
  notes: [
    "A counted window is a vector, as a batch is. A timed one is a map, as that of `:stream.window` is.",
    "Where `:slide` is larger than `:size`, the items between two windows are in none; `explain` says so, and the metrics count them.",
    "The windows do not depend on how the items were cut into chunks or frames on their way."
  ],
  example: "(call :stream.await (call :stream.to-collection {:source (call :stream.sliding-window [1 2 3 4 5] {:size 3 :slide 2})}))",
  node: (options) =>
    options.size === undefined
      ? timeWindowStage(
          {
            capability: "stream.sliding-window",
            durationMs: options.duration!,
            slideMs: options["slide-duration"]!,
            offsetMs: 0,
            maxItems: options["max-items"] ?? defaultBounds.maxItems,
            maxBytes: options["max-bytes"] ?? defaultBounds.maxBytes,
            ...timeSettings(options)
          },
          { timestampFn: options["timestamp-fn"], onLate: options["on-late"] }
        )
      : countedWindows(options.size, options.slide ?? 1, options["emit-partial"])
})

const ofTimedWindows = [
  "duration",
  "slide-duration",
  "timestamp-fn",
  "max-delay",
  "allowed-lateness",
  "idle-timeout",
  "on-late",
  "max-items",
  "max-bytes"
] as const

/** An item is a reference in each of its windows: beyond this they are what takes the memory. */
const mostOverlapping = 10_000

const countedWindows = (size: number, slide: number, emitPartial: boolean): StageSpec => ({
  kind: "stage",
  capability: "stream.sliding-window",
  constants: { size, slide, gap: Math.max(0, slide - size) },
  state: {
    held: () => [],
    /** How many of those that are held have been in a window. */
    known: () => 0,
    toSkip: () => 0,
    windows: () => 0,
    skipped: () => 0
  },
  then: ({ constant, emit, local, state, value }) => {
    const full = local("full")
    return `
      if (${state("toSkip")} > 0) { ${state("toSkip")}--; ${state("skipped")}++; }
      else if (${state("held")}.push(${value}) === ${constant("size")}) {
        const ${full} = ${state("held")};
        ${state("held")} = ${full}.slice(${constant("slide")});
        ${state("known")} = ${state("held")}.length; ${state("toSkip")} = ${constant("gap")}; ${state("windows")}++;
        ${emit(full)}
      }`
  },
  ...(emitPartial
    ? { atEnd: ({ emit, state }) => `if (${state("held")}.length > ${state("known")}) { ${state("windows")}++; ${emit(state("held"))} }` }
    : {}),
  // What is held goes on growing after a snapshot, and what was restored may be restored again.
  snapshot: ({ held, ...others }) => ({ ...others, held: [...(held as ReadonlyArray<unknown>)] }),
  restore: (snapshot) => ({ ...(snapshot as object), held: [...(snapshot as { readonly held: ReadonlyArray<unknown> }).held] }),
  counters: ({ skipped, windows }) => ({ windows: windows as number, skipped: skipped as number }),
  bound: { kind: "bounded", by: `one window of ${size} items (:size)`, items: size }
})

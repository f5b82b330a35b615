import { defineCapability } from "../Capability.ts"
import { defaulted, duration, fn, milliseconds, optional, required } from "../Option.ts"
import { noteLimitsAbove } from "./limitsAbove.ts"
import { checkTimeOptions, timeOptions, timeSettings, windowBounds } from "./timeOptions.ts"
import { timeWindowStage } from "./timeWindowStage.ts"

export const window = defineCapability({
  id: "stream.window",
  summary: "Gathers items into windows of :duration milliseconds that follow each other.",
  spec: "§3 Batching and Windowing",
  kind: "operator",
  consuming: ["on-window"],
  short: ["duration"],
  options: {
    duration: required(duration, "how long a window is"),
    offset: defaulted(milliseconds, 0, "by how much the windows are shifted against 1970-01-01T00:00Z, where one begins"),
    ...timeOptions,
    ...windowBounds,
    "on-window": optional(fn, "receives each window in order, and starts the stream")
  },
  check: checkTimeOptions,
  covers: noteLimitsAbove,
  order: "Windows end in the order of their times. Inside a window items stand in the order in which they came.",
  delivery:
    "Each item is in exactly one window, unless it is late. Windows without items are not emitted. At the normal end, and when the stream is drained, the open ones are emitted with `:partial true`; when it fails or is cancelled they are not.",
  backpressure:
    "Holds the items of open windows: at most `:max-items` and `:max-bytes`. Beyond that the item fails, and the message says what was held.",
  notes: [
    "A window is a map: `{:start 5000 :end 10000 :items […] :partial false :revision 0}`. `:start` belongs to it, `:end` does not; both are ms since 1970.",
    "With `:timestamp-fn` a window is emitted when an item comes that is newer than its end by `:max-delay`; one item with a time far in the future therefore ends all windows before it. An item is late when its window has been emitted and `:allowed-lateness` is over, too.",
    "A window that is corrected is emitted again with all its items and `:revision` 1, 2, …: it takes the place of the one before.",
    "Time in which the actor was blocked by what is downstream does not count as idle, nor does time in which a rate limit upstream holds items back. A pause does: choose an `:idle-timeout` that is longer.",
    "A clock that is set back makes windows by the time of coming last longer; no item is lost and no window ends twice."
  ],
  example:
    "(call :stream.await (call :stream.window [{:at 1} {:at 4} {:at 12}] {:duration 10 :timestamp-fn (fn [x] (:at x)) :on-window (fn [window] (count (:items window)))}))",
  node: (options) =>
    timeWindowStage(
      {
        capability: "stream.window",
        durationMs: options.duration,
        slideMs: options.duration,
        offsetMs: Math.floor(options.offset),
        maxItems: options["max-items"],
        maxBytes: options["max-bytes"],
        ...timeSettings(options)
      },
      { timestampFn: options["timestamp-fn"], onLate: options["on-late"] }
    )
})

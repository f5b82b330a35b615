import * as Schema from "effect/Schema"
import { nearest } from "../../serialization/index.ts"
import { defineCapability } from "../Capability.ts"
import { defaulted, duration, fn, optional, type OptionType, text } from "../Option.ts"

const parts = ["throughput", "latency", "errors", "backpressure"] as const

const collected: OptionType<Readonly<Record<string, boolean>>> = {
  type: `map of ${parts.map((part) => `:${part}`).join(" ")} to true or false`,
  schema: Schema.Record(Schema.String, Schema.Boolean)
}

export const withMetrics = defineCapability({
  id: "stream.with-metrics",
  summary: "Reports at intervals how the part of the pipeline above it does: throughput, latency, errors, backpressure.",
  spec: "§9 Stream Metrics",
  kind: "operator",
  single: (_, input) => input,
  options: {
    "metrics-name": optional(text, "stands in each report; by default the id of the node"),
    collect: optional(collected, "what reports have; by default everything. What is left out of the map is collected, too"),
    interval: defaulted(duration, 10_000, "from one report to the next"),
    "on-metrics": optional(fn, "called with each report; observes only. Without it the last report stands in the stream's `inspect`")
  },
  effects: [":clock"],
  order: "Kept.",
  delivery:
    "A report every :interval, and one when the stream has ended. While :on-metrics works on one, at most one more waits, the latest; those that it replaced are counted in :skipped-reports.",
  backpressure: "None: reports are made beside the items, from counts that the actors keep anyway. A slow :on-metrics holds nothing up.",
  notes: [
    "A report is `{:metrics-name :stream-id :node :time :interval :final :skipped-reports :throughput :latency :errors :backpressure :actors}`. Counts are totals since the stream began; rates and latencies are of the time since the last report. Times are in ms.",
    "`:throughput {:in :out :in-per-second :out-per-second :bytes}`: what the sources above have given, what has come to this node, and the bytes that went into the mailboxes between.",
    "`:latency {:p50 :p95 :p99 :max :frames}`: from the making of a frame by its sender until the actor of this node has worked off all items in it, so with the wait in its mailbox. In `:actors` the same of each actor. `nil` where no frame came: in one fused loop an item's way is part of one slice. Resolution 1 ms.",
    "`:errors {:failed :skipped :retried :dead-lettered :dropped :restarts}`: failed attempts, items given up on, attempts repeated, items put aside, items that full buffers dropped, lives of actors beyond the first.",
    "`:backpressure {:busy :blocked :idle :items :bytes :oldest :waiting :pressing}`: shares of the actors' time, together; what the mailboxes hold, the age of the oldest frame, the senders that wait and the edges at their high mark. `:watermark-lag` where windows by time stand above.",
    "What `:on-metrics` throws is told in the host's log, once, and counted in `:failed-reports`: the stream goes on. At the end the last report is waited for, at most 750 ms."
  ],
  example: `(call :stream.await
  (call :stream.to-collection
    {:source (call :stream.with-metrics (call :stream.map [1 2 3] {:transform inc})
               {:metrics-name "increments" :collect {:latency false} :on-metrics (fn [report] (:throughput report))})}))`,
  check: ({ collect = {} }) => {
    const unknown = Object.keys(collect).find((name) => !parts.some((part) => part === name))
    if (unknown === undefined) return undefined
    const near = nearest(unknown, parts)
    return `has :${unknown} in :collect, which it does not know; ${near === undefined ? `there are ${parts.map((part) => `:${part}`).join(" ")}` : `did you mean :${near}?`}`
  },
  node: () => ({ kind: "stage", capability: "stream.with-metrics", bound: { kind: "none" } })
})

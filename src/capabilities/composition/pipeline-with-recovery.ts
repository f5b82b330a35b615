import { defaultBackoffMs, defaultQueue } from "../../scheduler/index.ts"
import { defineCapability } from "../Capability.ts"
import { coveringPolicy } from "../commonOptions.ts"
import { defaulted, fn, milliseconds, required, text, wholeNumber } from "../Option.ts"
import { pipeline } from "./pipeline.ts"

const id = "stream.pipeline-with-recovery"

export const pipelineWithRecovery = defineCapability({
  id,
  summary: "Runs a pipeline like :stream.pipeline, and asks a function what is to become of each item that fails in it.",
  spec: "§4 Error Handling in Pipelines",
  kind: "operator",
  subject: { is: "stream", optional: true },
  streams: ["pipeline"],
  consuming: ["on-result"],
  single: () => true,
  options: {
    pipeline: pipeline.options["pipeline"]!,
    "on-result": pipeline.options["on-result"]!,
    "error-handler": required(
      fn,
      "(error, chunk) → `:retry`, `:skip`, `:dead-letter`, `:fail` or `{:replace value}`; the error is a map with `:type`, `:message` and `:data`"
    ),
    "max-retries": defaulted(wholeNumber, 3, "how often `:retry` or `:replace` is followed for one item; then it fails"),
    "retry-backoff": defaulted(
      milliseconds,
      defaultBackoffMs,
      "the wait before the first retry; each further one is twice as long, at most 30 s, and up to a fifth longer"
    ),
    "dead-letter-queue": defaulted(text, defaultQueue, "the queue that `:dead-letter` means")
  },
  order: "That of its stages: nothing behind an item goes on while it is decided about.",
  delivery: "Each item is worked off, replaced, stored as a dead letter, skipped, or ends the pipeline. The result comes at most once.",
  backpressure: "An asynchronous handler is awaited, as are retries: the stream waits with them.",
  notes: [
    "`chunk` is the value that entered the failing stage. `:retry` enters that stage again with it: stages before it do not see it twice.",
    "`{:replace value}`: the value goes on as if the failing stage had emitted it; a sink writes it in the item's place.",
    "A handler that throws, or answers anything else, fails the item with `RecoveryFailed`.",
    "Nodes with an own `:on-failure`, and those above a nearer `:stream.with-dead-letter`, are not asked about.",
    "The handler receives values as they are: a function of the host that changes its argument changes what is tried again."
  ],
  example: `(call :stream.await
  (call :stream.pipeline-with-recovery
    {:pipeline (-> [1 0 2] (stream.map (fn [x] (/ 10 x))) (stream.reduce +))
     :error-handler (fn [error chunk] {:replace 0})
     :on-result (fn [sum] sum)}))`,
  covers: ({ "dead-letter-queue": queue, "error-handler": handler, "max-retries": retries, "retry-backoff": backoffMs }) => ({
    policy: coveringPolicy({ retries, backoffMs, then: "fail", queue, handler, setBy: id })
  }),
  node: (options, input) => pipeline.node(options, input).map((spec) => ({ ...spec, capability: id }))
})

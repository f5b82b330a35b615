import { defineCapability } from "../Capability.ts"
import { concurrencyBoundary, concurrencyOptions } from "../concurrency.ts"
import { fn, optional, required } from "../Option.ts"

export const filter = defineCapability({
  id: "stream.filter",
  summary: "Keeps the items for which the predicate holds.",
  spec: "§3 Filtering",
  kind: "operator",
  consuming: ["on-chunk"],
  short: ["predicate"],
  options: {
    predicate: required(fn, "takes an item; everything but `false` and `nil` keeps it"),
    "on-chunk": optional(fn, "receives each kept item in order, and starts the stream"),
    ...concurrencyOptions
  },
  order: "Kept, also with `:parallelism` and in the worker pool.",
  delivery: "A predicate that fails is an item failure, never a quiet `false`.",
  backpressure: "Dropped items make room at once; nothing is held.",
  example: "(call :stream.await (call :stream.to-collection {:source (call :stream.filter [1 2 3 4] {:predicate even?})}))",
  boundary: concurrencyBoundary,
  node: ({ offload, parallelism, predicate }) => ({
    kind: "stage",
    capability: "stream.filter",
    apply: { fn: predicate, concurrency: { parallelism, offload, operation: "filter" } },
    then: ({ emit, result, value }) => `if (${result} !== false && ${result} != null) { ${emit(value)} }`
  })
})

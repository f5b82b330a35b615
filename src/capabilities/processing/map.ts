import { defineCapability } from "../Capability.ts"
import { concurrencyBoundary, concurrencyOptions } from "../concurrency.ts"
import { fn, optional, required } from "../Option.ts"

export const map = defineCapability({
  id: "stream.map",
  summary: "Emits what a function makes of each item.",
  spec: "§3 Mapping and Transformation",
  kind: "operator",
  consuming: ["on-chunk"],
  short: ["transform"],
  options: {
    transform: required(fn, "takes an item, gives what is emitted in its place"),
    "on-chunk": optional(fn, "receives each result in order, and starts the stream"),
    ...concurrencyOptions
  },
  order: "Kept, also with `:parallelism` and in the worker pool.",
  delivery: "The function runs once per item and attempt; a restarted actor runs it again for the item in work only.",
  backpressure: "One item in, one item out; with `:parallelism` at most that many are under way.",
  notes: ["An asynchronous function is awaited item by item, unless `:parallelism` allows more at once."],
  example: "(call :stream.await (call :stream.to-collection {:source (call :stream.map [1 2 3] {:transform (fn [x] (* x x))})}))",
  boundary: concurrencyBoundary,
  isOneToOne: () => true,
  node: ({ offload, parallelism, transform }) => ({
    kind: "stage",
    capability: "stream.map",
    apply: { fn: transform, concurrency: { parallelism, offload, operation: "map" } }
  })
})

import { defineCapability } from "../Capability.ts"
import { fn, optional, stream } from "../Option.ts"

export const pipeline = defineCapability({
  id: "stream.pipeline",
  summary: "Runs a pipeline built with (stream.map …), (stream.filter …) and their kin as one supervised tree.",
  spec: "§4 Pipeline Construction",
  kind: "operator",
  subject: { is: "stream", optional: true },
  streams: ["pipeline"],
  consuming: ["on-result"],
  single: () => true,
  options: {
    pipeline: optional(stream, "the pipeline value, when it is not the first argument"),
    "on-result": optional(fn, "receives the result once, and starts the pipeline")
  },
  order: "That of its stages.",
  delivery: "The result comes at most once, at the normal end. When a stage fails, what is upstream of it is stopped first.",
  backpressure: "Each stage waits for the one after it.",
  notes: [
    "The result of a pipeline that ends in a reduction or in groups is that value. Otherwise it is the vector of all items that come out, at most 1000000: a longer pipeline wants a sink."
  ],
  example:
    "(call :stream.await (call :stream.pipeline {:pipeline (-> [1 2 3 4] (stream.filter even?) (stream.map inc) (stream.reduce +)) :on-result (fn [sum] sum)}))",
  node: (_, { single }) => ({
    kind: "stage",
    capability: "stream.pipeline",
    ...(single
      ? {}
      : {
          state: { items: () => [] },
          then: ({ state, value }) => `${state("items")}.push(${value});`,
          atEnd: ({ emit, state }) => emit(state("items")),
          bound: {
            kind: "unbounded",
            why: "the pipeline does not end in a reduction, so its result is all items",
            remedy:
              "End it in a reduction or in a sink such as :stream.file.write, or collect it with :stream.to-collection, which has :max-items and :max-bytes."
          }
        })
  })
})

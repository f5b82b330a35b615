import { defineCapability } from "../Capability.ts"
import { anything, defaulted, fn, optional, required } from "../Option.ts"
import { generatedSource } from "./generatedSource.ts"

export const generate = defineCapability({
  id: "stream.generate",
  summary: "Emits what a generator function makes from a state, until it gives :done.",
  spec: "§2 Generated Streams",
  kind: "source",
  consuming: ["on-value"],
  short: ["generator", "initial-state"],
  options: {
    generator: required(fn, "takes the state, gives `[value next-state]` or `:done`"),
    "initial-state": defaulted(anything, null, "the state of the first call"),
    "on-value": optional(fn, "receives each value in order, and starts the stream")
  },
  order: "The order of the generator's calls.",
  delivery: "A restarted actor goes on with the state of the call that failed.",
  backpressure: "The generator is called only on demand. An endless one takes turns with everything else in the process.",
  notes: ["A generator that gives anything else than a pair or `:done` fails the stream; no value is made up."],
  example: "(call :stream.await (call :stream.to-collection {:source (call :stream.generate {:generator (fn [n] (if (< n 4) [(* n n) (inc n)] :done)) :initial-state 0})}))",
  node: ({ generator, "initial-state": initialState }) => ({
    kind: "sync-source",
    capability: "stream.generate",
    open: () => generatedSource("stream.generate", generator, initialState)
  })
})

import { defineCapability } from "../Capability.ts"
import { defaulted, fn, required, text } from "../Option.ts"

export const forEach = defineCapability({
  id: "stream.for-each",
  summary: "Calls a function with each item, and consumes the stream.",
  spec: "§3; the form that callbacks such as :on-chunk take in a graph",
  kind: "sink",
  startsAtOnce: true,
  short: ["callback"],
  options: {
    callback: required(fn, "receives each item in order"),
    as: defaulted(text, "callback", "the option that the callback was given as, for messages")
  },
  order: "The order of the stream; the next call starts when the one before has ended.",
  delivery: "Once per item and attempt.",
  backpressure: "An asynchronous function is awaited: the stream waits with it.",
  notes: ["The result of the handle is the last item of a stream that gives just one, such as a reduction; otherwise `nil`."],
  example: "(call :stream.await (call :stream.for-each [1 2] {:callback (fn [x] x)}))",
  node: ({ callback }, { single }) => ({
    kind: "stage",
    capability: "stream.for-each",
    apply: { fn: callback },
    state: { last: () => null },
    then: ({ state, value }) => (single ? `${state("last")} = ${value};` : ""),
    result: ({ last }) => last,
    bound: single ? { kind: "bounded", by: "the item, which is the only one" } : { kind: "none" }
  })
})

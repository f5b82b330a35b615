import { offer, type StreamFunction } from "../../scheduler/index.ts"
import { defineCapability } from "../Capability.ts"
import { anything, fn, optional, required } from "../Option.ts"
import { wrapFunction } from "../wrapFunction.ts"

export const reduce = defineCapability({
  id: "stream.reduce",
  summary: "Folds all items into one value, which it emits when the stream has ended.",
  spec: "§3 Aggregation and Reduction",
  kind: "operator",
  consuming: ["on-result"],
  short: ["reducer", "initial"],
  single: () => true,
  options: {
    reducer: required(fn, "takes the value so far and an item, gives the next value"),
    initial: optional(anything, "the value before the first item; without it the first item is that"),
    "on-result": optional(fn, "receives the result once, and starts the stream")
  },
  order: "A left fold in the order of the items.",
  delivery: "The result comes once, at the normal end; a stream that fails or is cancelled has none.",
  backpressure: "Holds one value.",
  notes: ["An empty stream gives `:initial`, or `nil` without one."],
  example: "(call :stream.await (call :stream.reduce [1 2 3] {:initial 0 :reducer (fn [sum x] (+ sum x)) :on-result (fn [sum] sum)}))",
  node: ({ initial, reducer }) => ({
    kind: "stage",
    capability: "stream.reduce",
    apply: {
      fn: initial === undefined ? seededByFirst(reducer) : reducer,
      args: ({ state, value }) => [state("result"), value]
    },
    state: { result: () => (initial === undefined ? nothingYet : initial) },
    constants: { nothingYet },
    then: ({ result, state }) => `${state("result")} = ${result};`,
    atEnd: ({ constant, emit, state }) => emit(`${state("result")} === ${constant("nothingYet")} ? null : ${state("result")}`),
    snapshot: ({ result }) => (result === nothingYet ? { empty: true } : { value: result }),
    restore: (snapshot) => ({ result: "empty" in (snapshot as object) ? nothingYet : (snapshot as { value: unknown }).value }),
    bound: { kind: "bounded", by: "one value, as large as the reducer makes it" }
  })
})

const nothingYet = Symbol("nothing yet")

const seededByFirst = (reducer: StreamFunction): StreamFunction =>
  wrapFunction(reducer, 2, (before: unknown, item: unknown) => (before === nothingYet ? item : offer(reducer, before, item)))

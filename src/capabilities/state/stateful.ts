import type { StreamFunction } from "../../scheduler/index.ts"
import { approximateBytes } from "../aggregation/approximateBytes.ts"
import { defineCapability } from "../Capability.ts"
import { InvalidResult } from "../errors.ts"
import { anything, defaulted, fn, optional, required } from "../Option.ts"
import { callerWithMeter, whenSettled, wrapFunctions } from "../wrapFunction.ts"

/** Says that the call consumes the stream, so that the last state is what comes out of it. */
const forLastState = "for-last-state"

export const stateful = defineCapability({
  id: "stream.stateful",
  summary: "Emits what a function makes of a state and each item; the function also gives the next state.",
  spec: "§6 Stateful Processing",
  kind: "operator",
  consuming: ["on-result"],
  consumption: { [forLastState]: true },
  short: ["processor", "initial-state"],
  single: (options) => forLastState in options,
  options: {
    "initial-state": defaulted(anything, null, "the state before the first item"),
    processor: required(fn, "takes the state and an item, gives `[state' output]`, or `[state']` where nothing is to be emitted"),
    "on-result": optional(fn, "receives the last state once, at the normal end, and starts the stream; outputs go nowhere then")
  },
  order: "Kept: one item after the other, each with the state that the one before left.",
  delivery:
    "State and output are one: a processor that fails has changed neither, and an actor that is restarted goes on with the state before the item that failed.",
  backpressure: "Holds one state.",
  notes: [
    "`[state' nil]` emits `nil`; `[state']` emits nothing. Anything else than a vector of one or two is a failure of the item.",
    "The state must be a value that can be encoded where the stream is checkpointed. Its size, by estimate, stands in the metrics as `state-bytes`; nothing but the processor bounds it."
  ],
  example:
    "(call :stream.await (call :stream.to-collection {:source (call :stream.stateful [1 2 3] {:initial-state 0 :processor (fn [sum x] (let [next (+ sum x)] [next next]))})}))",
  node: ({ "initial-state": initialState, processor, ...others }) => {
    const isForLastState = forLastState in others
    return {
      kind: "stage",
      capability: "stream.stateful",
      apply: { fn: checked(processor), args: ({ state, value }) => [state("current"), value] },
      state: { current: () => initialState },
      then: ({ emit, result, state }) =>
        `${state("current")} = ${result}[0]; ${isForLastState ? "" : `if (${result}.length === 2) { ${emit(`${result}[1]`)} }`}`,
      ...(isForLastState ? { atEnd: ({ emit, state }) => emit(state("current")) } : {}),
      snapshot: ({ current }) => ({ current }),
      restore: (snapshot) => ({ current: (snapshot as { readonly current: unknown }).current }),
      counters: ({ current }) => ({ "state-bytes": approximateBytes(current, mostWeighed) }),
      bound: { kind: "bounded", by: "one state, as large as the processor makes it" }
    }
  }
})

/** Metrics are read often: a state that weighs more than this is told as that, and not weighed to the end. */
const mostWeighed = 256 * 1024 * 1024

const checked = (processor: StreamFunction): StreamFunction => {
  const check = (result: unknown): unknown => {
    if (Array.isArray(result) && (result.length === 1 || result.length === 2)) return result
    throw new InvalidResult("stream.stateful", "processor", "[state output], or [state] to emit nothing", result)
  }
  const call = callerWithMeter(processor, 2)
  return wrapFunctions("processor", [processor], 2, (state: unknown, item: unknown) => whenSettled(call(state, item), check))
}

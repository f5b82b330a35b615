import { type ControlCapability, defineControl } from "../Capability.ts"
import { forEach } from "../composition/for-each.ts"
import { merge } from "../composition/merge.ts"
import { decodeCall } from "../decodeCall.ts"
import { InvalidCall, shown } from "../errors.ts"
import { isKeyword } from "../../serialization/index.ts"
import { anyMap, anything, fn, required } from "../Option.ts"
import { map as mapItems } from "../processing/map.ts"
import type { StreamFunction } from "../../scheduler/index.ts"
import { callWithMeter, ownFunction, whenSettled, wrapFunctions } from "../wrapFunction.ts"
import { defaultOutlet, opened } from "./opening.ts"
import { readOptions } from "./options.ts"
import { sendingTo } from "./sending.ts"

const { "on-merged": _, ...mergeOptions } = merge.options

export const multiplex: ControlCapability = defineControl({
  id: "marketplace.stream.multiplex",
  summary: "Several streams as one, with a handle of which items can be taken one by one.",
  spec: "beside §5; what `(stream-multiplex [handle …] options)` stands for",
  arguments: ["options"],
  options: mergeOptions,
  notes: ["It is `:stream.merge`, started at once; its options, order and backpressure are those."],
  example: "(call :stream.await (call :stream.to-collection {:source (call :marketplace.stream.multiplex {:streams [[1 2] [3 4]]})}))",
  perform: ([map], context) => {
    const options = readOptions(multiplex, map)
    const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
    return opened(decodeCall(merge, [written(given)], context.asStream).value, defaultOutlet, context)
  }
})

/** Options that were read once, as they are written. */
const written = (options: Readonly<Record<string, unknown>>) => ({
  ...options,
  ...(options["aging"] === Infinity ? { aging: "never" } : {})
})

export const demultiplex: ControlCapability = defineControl({
  id: "marketplace.stream.demultiplex",
  summary: "Gives each item of a stream to the sink that a function names.",
  spec: "beside §5; what `(stream-demultiplex handle options)` stands for",
  arguments: ["options"],
  options: {
    handle: required(anything, "the stream"),
    criteria: required(fn, "takes an item and gives the key of its sink"),
    outputs: required(anyMap, "the sinks, by key: a keyword, or a string")
  },
  notes: [
    "It starts at once and gives a handle, which ends with the stream. Each item waits until its sink has taken it in, so a full sink holds up the others. The sinks stay open.",
    "An item whose key has no sink is dropped, and counts as `:skipped` in `:stream.status`."
  ],
  example:
    '(do (register-stream-capability :capability-id "a:out" :type :stream-sink :write (fn [item] item)) (let [odd (stream-sink "a:out")] (call :stream.await (call :marketplace.stream.demultiplex {:handle [1 2 3] :criteria (fn [x] (if (odd? x) :odd :even)) :outputs {:odd odd}})) (stream-close odd)))',
  perform: ([map], context) => {
    const options = readOptions(demultiplex, map)
    const stream = context.asStream(options.handle)
    if (stream === undefined)
      throw new InvalidCall(demultiplex.id, `needs a stream as :handle, but got ${shown(options.handle)}.`, "handle")
    const sinks = new Map<string, StreamFunction>(
      Object.entries(options.outputs).map(([key, sink]) => [key, sendingTo(demultiplex.id, sink, context)])
    )
    const criteria = options.criteria as StreamFunction
    const keyed = wrapFunctions("criteria", [criteria], 1, (item: unknown) =>
      whenSettled(callWithMeter(criteria, item), (key) => [nameOf(key), item])
    )
    const known = ownFunction("has-output", 1, (pair: readonly [string, unknown]) => {
      if (sinks.has(pair[0])) return pair
      throw new Error(`There is no sink for the key ${pair[0]}.`)
    })
    const routed = decodeCall(mapItems, [stream, { transform: keyed }], context.asStream).value
    const kept = decodeCall(mapItems, [routed, { transform: known, "on-failure": "skip" }], context.asStream).value
    const callback = ([key, item]: readonly [string, unknown]) => sinks.get(key)!(item)
    return context.start(decodeCall(forEach, [kept, { callback, as: "outputs" }], context.asStream).value)
  }
})

const nameOf = (key: unknown): string => (isKeyword(key) ? key.name : String(key))

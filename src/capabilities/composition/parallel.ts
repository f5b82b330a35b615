import { type FanInSpec, InOrder, RoundRobin, type StageSpec } from "../../actors/index.ts"
import { offer, type StreamFunction } from "../../scheduler/index.ts"
import { collectingPart } from "../aggregation/collecting.ts"
import { defineCapability } from "../Capability.ts"
import { InvalidCall, InvalidResult } from "../errors.ts"
import { givesOneItem } from "../givesOneItem.ts"
import type { SubStream } from "../GraphParts.ts"
import { count, defaulted, flag, fn, optional, required } from "../Option.ts"
import type { StreamValue } from "../StreamValue.ts"
import { wrapFunction, whenSettled } from "../wrapFunction.ts"
import { makePart } from "./makePart.ts"
import { partitionOf } from "./partitionOf.ts"

const id = "stream.parallel"
const mostPartitions = 256

export const parallel = defineCapability({
  id,
  summary: "Shares the items out over :parallelism partitions by key, each with a stream of its own, and gathers what they give.",
  spec: "§8 Parallel Processing",
  kind: "operator",
  short: ["parallelism"],
  single: ({ combiner }) => combiner !== undefined,
  options: {
    parallelism: required(count, `how many partitions there are, at most ${mostPartitions}`),
    "partition-fn": optional(fn, "takes an item, gives the number of its partition, from 0 to `:parallelism` − 1"),
    "key-fn": optional(fn, "in its place: takes an item, gives any key; equal keys share a partition"),
    processor: required(fn, "receives a partition as a stream, and gives what becomes of it"),
    combiner: optional(fn, "receives the vector of what the partitions came to, once, at the end"),
    ordered: defaulted(flag, false, "what comes out has the order in which its items came in; only where each partition gives one item for each")
  },
  order: "Inside a partition, and so for each key, the order of the stream. Between partitions none, except with `:ordered`.",
  delivery: "Each item goes to one partition. A partition whose actor crashes tries its item again; the others go on.",
  backpressure:
    "Each partition has a mailbox of its own. One that gets nearly all items does not hold up the others until a full frame for each partition waits for it.",
  notes: [
    "`:processor` is a function like `(fn [s] (-> s (stream.map parse) (stream.reduce + 0)))`. It is called once, when the call is made, and what it gives is run once for each partition, as actors of their own.",
    "A number from `:partition-fn` that is `nil`, negative, fractional or not below `:parallelism` is a failure of that item, which `:on-failure` decides about.",
    "With `:combiner` the stream gives one item. Result number i is the one item of partition i where `:processor` makes a stream of just one (a reduction), otherwise the vector of its items, at most 1,000,000 or 64 MB. Without it, the stream gives the items of all partitions as they come.",
    "`:ordered` waits for the partition whose item is next, so one that is slow holds up what comes out. It is refused where a partition may give more or fewer items than it gets: `:processor` then may use `stream.map` only, without `:on-failure :skip`; and an item of a service that ends its actor again and again is not put aside, but fails the stream.",
    "All partitions work on one thread and help where their functions wait. For computations give `stream.map` inside of `:processor` the option `:offload`."
  ],
  example:
    "(call :stream.await (call :stream.parallel [1 2 3 4] {:parallelism 2 :partition-fn (fn [x] (mod x 2)) :processor (fn [s] (stream.reduce s + 0)) :combiner (fn [sums] sums)}))",
  check: ({ combiner, "key-fn": keyFn, ordered, parallelism, "partition-fn": partitionFn }) => {
    if ((keyFn === undefined) === (partitionFn === undefined)) return "needs either :partition-fn (gives a number) or :key-fn (gives any key)."
    if (parallelism > mostPartitions) return `allows a :parallelism of at most ${mostPartitions}, but got ${parallelism}.`
    if (ordered && combiner !== undefined) return "has :ordered and :combiner; the results of partitions always come in their order."
    return undefined
  },
  prepare: ({ inputs, options: { processor, ...options } }, asStream) => {
    const made = makePart({ capability: id, option: "processor", name: "partition", fn: processor as StreamFunction }, asStream)
    const prepared = (part: SubStream) => {
      if (part.stream.capability.kind === "sink") {
        throw new InvalidCall(id, `expects :processor to give a stream, but ${part.stream.capability.id} ends it; let a sink follow :stream.parallel.`, "processor")
      }
      if (options["ordered"] === true) checkOneToOne(part)
      return { options, inputs, subStreams: [part] }
    }
    return "then" in made ? made.then(prepared) : prepared(made)
  },
  parts: ({ inputs, options, subStreams }, graph) => {
    const { combiner, ordered, ...own } = options
    const parallelism = options["parallelism"] as number
    const [part] = subStreams as readonly [SubStream]
    const router = graph.node({
      options: { ...own, ordered },
      inputs: [graph.stream(inputs[0]!)],
      specs: [routing(options)],
      role: "operator",
      traits: { routes: ordered === true ? "one-in-order" : "one" }
    })
    const ends = Array.from({ length: parallelism }, () => {
      const end = graph.stream(part.stream, { entry: { of: part, node: router }, ...(ordered === true ? { keepsAll: true } : {}) })
      if (combiner === undefined || givesOneItem(part.stream)) return end
      return graph.node({ name: "collect", options: {}, inputs: [end], specs: [collect], role: "operator" })
    })
    return graph.node({
      name: "gather",
      options: combiner === undefined ? {} : { combiner },
      inputs: ordered === true ? [...ends, router] : ends,
      specs: combiner === undefined ? [gather(ordered === true, false)] : [gather(false, true), ...combining(combiner as StreamFunction, parallelism)],
      role: "operator",
      traits: { boundary: ordered === true ? "puts the partitions in order" : "gathers the partitions" }
    })
  }
})

/** With its partition, each item goes to the output that the actor has for it. */
const routing = (options: Readonly<Record<string, unknown>>): StageSpec => {
  const parallelism = options["parallelism"] as number
  const keyFn = options["key-fn"] as StreamFunction | undefined
  const partitionFn = options["partition-fn"] as StreamFunction | undefined
  const checked = (partition: unknown): number => {
    if (Number.isInteger(partition) && (partition as number) >= 0 && (partition as number) < parallelism) return partition as number
    throw new InvalidResult(id, "partition-fn", `a whole number from 0 to ${parallelism - 1}`, partition)
  }
  const choose = (item: unknown) =>
    keyFn === undefined
      ? whenSettled(offer(partitionFn!, item), checked)
      : whenSettled(offer(keyFn, item), (key) => partitionOf(key, parallelism))
  return {
    kind: "stage",
    capability: id,
    apply: { fn: wrapFunction(keyFn ?? partitionFn!, 1, choose) },
    then: ({ emit, result, value }) => emit(`[${result}, ${value}, false]`)
  }
}

const collect: StageSpec = { kind: "stage", capability: id, ...collectingPart(id), atEnd: ({ emit, state }) => emit(state("collected")) }

const gather = (isOrdered: boolean, isTagged: boolean): FanInSpec => ({
  kind: "fan-in",
  capability: id,
  isolates: false,
  endsWithFirst: false,
  awaitsAll: false,
  isTagged,
  select: (inputs) => (isOrdered ? new InOrder(inputs) : new RoundRobin(inputs))
})

/** The one result of each partition, then what the combiner makes of all. */
const combining = (combiner: StreamFunction, parallelism: number): ReadonlyArray<StageSpec> => [
  {
    kind: "stage",
    capability: id,
    state: { results: () => Array.from({ length: parallelism }, () => null) },
    then: ({ state, value }) => `${state("results")}[${value}[0]] = ${value}[1];`,
    atEnd: ({ emit, state }) => emit(state("results")),
    bound: { kind: "bounded", by: `one result for each of ${parallelism} partitions` }
  },
  { kind: "stage", capability: id, apply: { fn: combiner } }
]

/** **Fails** by throwing `InvalidCall` where a partition may give more or fewer items than it gets, or others' order. */
const checkOneToOne = ({ entry, stream }: SubStream): void => {
  for (let value: StreamValue = stream; value !== entry; value = value.inputs[0]!) {
    const { capability, inputs, onFailure, options } = value
    const why =
      !capability.isOneToOne(options) || inputs.length !== 1
        ? `but ${capability.id} may give more or fewer`
        : onFailure.then === "fail"
          ? undefined
          : `but ${capability.id} leaves out items that it fails on (:on-failure :${onFailure.then})`
    if (why === undefined) continue
    throw new InvalidCall(id, `can keep the order (:ordered) only where :processor gives one item for each, ${why}. Leave :ordered out.`, "ordered")
  }
}

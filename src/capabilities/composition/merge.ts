import * as Schema from "effect/Schema"
import * as Transformation from "effect/SchemaTransformation"
import { ByBytes, ByPriority, type FanInSpec, RoundRobin } from "../../actors/index.ts"
import { isKeyword, type Keyword } from "../../serialization/index.ts"
import { defineCapability } from "../Capability.ts"
import { InvalidCall, shown } from "../errors.ts"
import { byteSize, choice, defaulted, flag, fn, optional, type OptionType, required } from "../Option.ts"

const id = "stream.merge"
const mostStreams = 256
const defaultAging = 16
const defaultQuantum = 64 * 1024

const streamList: OptionType<ReadonlyArray<unknown>> = {
  type: "vector of streams or collections",
  schema: Schema.declare((value): value is ReadonlyArray<unknown> => Array.isArray(value), { expected: "a vector of streams" })
}

const numbers = (expected: string, isOne: (value: unknown) => boolean): OptionType<ReadonlyArray<number>> => ({
  type: `vector of ${expected}`,
  schema: Schema.declare((value): value is ReadonlyArray<number> => Array.isArray(value) && value.every(isOne), { expected: `a vector of ${expected}` })
})

/** A count, or `Infinity` for `:never`. */
const aging: OptionType<number> = {
  type: "count | :never",
  schema: Schema.declare((value): value is number | Keyword => count(value) || (isKeyword(value) ? value.name : value) === "never", {
    expected: "a count of at least 1, or :never"
  }).pipe(
    Schema.decodeTo(
      Schema.Number,
      Transformation.transform({
        decode: (value: number | Keyword) => (typeof value === "number" ? value : Infinity),
        encode: (value: number): number | Keyword => value
      })
    )
  )
}

const count = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 1

export const merge = defineCapability({
  id,
  summary: "Makes one stream of several: in turn, by priority, or with fair shares of the bytes.",
  spec: "§4 Branching and Merging",
  kind: "operator",
  subject: { is: "none" },
  consuming: ["on-merged"],
  short: ["streams"],
  options: {
    streams: required(streamList, "the streams; in their order they are the inputs 1, 2, …"),
    strategy: defaulted(choice("round-robin", "priority", "fair"), "round-robin", "whose item is next among the inputs that have one"),
    priorities: optional(
      numbers("whole numbers", Number.isSafeInteger),
      "with `:priority`: the level of each stream; the lowest number goes first, equal ones share a level. By default the order of `:streams`"
    ),
    aging: optional(
      aging,
      `with \`:priority\`: an input that was passed over for a more urgent one so often has one turn, ${defaultAging} by default; with \`:never\` it may wait for ever`
    ),
    quantum: optional(byteSize, 'with `:fair`: how many bytes one turn may have, `"64KB"` by default'),
    weights: optional(
      numbers("numbers above 0", (value) => typeof value === "number" && value > 0 && Number.isFinite(value)),
      "with `:fair`: the share of each stream; equal shares by default"
    ),
    eager: defaulted(flag, false, "ends when the first stream ends, instead of the last; the others are stopped"),
    isolate: defaulted(flag, false, "lets a stream that fails end alone, instead of failing the merge"),
    "on-merged": optional(fn, "receives each item, and starts the stream")
  },
  order: "That of each input is kept. Between inputs `:strategy` decides, item by item, among those that have one.",
  delivery: "Every item of every input once. A stream that is used twice in `:streams` runs twice.",
  backpressure: "When downstream waits, all inputs wait. An input that has nothing holds up no other; one that is ahead waits on its own.",
  notes: [
    "What starts together is chosen from together: the first item waits until each stream has given something, has ended, or the event loop has gone round a few times. After that nobody waits for a silent stream.",
    "`:round-robin`: one item of each input in turn; an input that has one waits for at most one item of each other input.",
    "`:priority`: always the most urgent input that has an item; inside a level the one whose frame came first. Aging keeps the others alive.",
    "`:fair`: deficit round robin by bytes. Over time, inputs that always have something share the bytes by `:weights`; an input waits for at most one quantum (times weight) and one item of each other one. An item counts for its share of the bytes of the frame that it came in.",
    "What an input has means here: what has arrived in the mailbox of the merge. An input whose function is slow has nothing meanwhile.",
    "With `:isolate true` the report of the stream names an input that has failed under `failedParts`.",
    "With `:eager true` the merge ends at the first end of an input; what the others have under way then is not emitted, and counts as undrained."
  ],
  example: "(call :stream.await (call :stream.merge {:streams [[1 2 3] [10 20 30]] :strategy :round-robin}))",
  boundary: ({ strategy }) => `takes from several streams (:${strategy})`,
  warnings: ({ aging: patience }) => (patience === Infinity ? ["less urgent inputs may starve (:aging :never)"] : []),
  check: ({ aging: patience, priorities, quantum, strategy, weights }) => {
    if (strategy !== "priority" && (patience !== undefined || priorities !== undefined)) {
      return `has :${priorities === undefined ? "aging" : "priorities"}, which only :strategy :priority uses.`
    }
    if (strategy !== "fair" && (quantum !== undefined || weights !== undefined)) {
      return `has :${weights === undefined ? "quantum" : "weights"}, which only :strategy :fair uses.`
    }
    return undefined
  },
  prepare: ({ options: { streams, ...options } }, asStream) => {
    const inputs = (streams as ReadonlyArray<unknown>).map((value, index) => {
      const stream = asStream(value)
      if (stream !== undefined && stream.capability.kind !== "sink") return stream
      throw new InvalidCall(id, `expects :streams to be streams or collections, but number ${index + 1} is ${shown(value)}.`, "streams")
    })
    if (inputs.length === 0 || inputs.length > mostStreams) {
      throw new InvalidCall(id, `takes 1 to ${mostStreams} streams, but got ${inputs.length}.`, "streams")
    }
    for (const name of ["priorities", "weights"]) {
      const given = (options[name] as ReadonlyArray<unknown> | undefined)?.length
      if (given === undefined || given === inputs.length) continue
      throw new InvalidCall(id, `needs in :${name} one number for each of its ${inputs.length} streams, but got ${given}.`, name)
    }
    return { options, inputs }
  },
  parts: ({ inputs, options }, graph) => {
    const { eager, isolate } = options
    const above = inputs.map((input, index) => graph.stream(input, isolate === true ? { part: graph.part(`merge input ${index + 1}`) } : undefined))
    return graph.node({
      options,
      inputs: above,
      specs: [fanIn(options)],
      role: "operator",
      traits: eager === true ? { detaches: "failed" } : {}
    })
  }
})

const fanIn = (options: Readonly<Record<string, unknown>>): FanInSpec => {
  const { aging: patience = defaultAging, eager, isolate, priorities, quantum = defaultQuantum, strategy, weights } = options
  const each = (inputs: number, value: (input: number) => number) => Array.from({ length: inputs }, (_, input) => value(input))
  return {
    kind: "fan-in",
    capability: id,
    isolates: isolate === true,
    endsWithFirst: eager === true,
    isTagged: false,
    awaitsAll: true,
    select: (inputs) => {
      if (strategy === "priority") {
        const levels = (priorities as ReadonlyArray<number> | undefined) ?? each(inputs, (input) => input)
        return new ByPriority(levels, patience as number)
      }
      if (strategy === "fair") {
        const shares = (weights as ReadonlyArray<number> | undefined) ?? each(inputs, () => 1)
        return new ByBytes(shares, quantum as number)
      }
      return new RoundRobin(inputs)
    }
  }
}

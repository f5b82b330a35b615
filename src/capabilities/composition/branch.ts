import * as Schema from "effect/Schema"
import type { StageSpec } from "../../actors/index.ts"
import { failItems, type ItemPolicy, type NodeTraits, type StreamFunction } from "../../scheduler/index.ts"
import { isKeyword } from "../../serialization/index.ts"
import { collectingPart } from "../aggregation/collecting.ts"
import { defineCapability } from "../Capability.ts"
import { commonOptions } from "../commonOptions.ts"
import { type AsStream, decodeCall } from "../decodeCall.ts"
import { InvalidCall, shown } from "../errors.ts"
import { givesOneItem } from "../givesOneItem.ts"
import type { GraphParts, SubStream } from "../GraphParts.ts"
import { choice, defaulted, flag, fn, optional, type OptionType, required } from "../Option.ts"
import type { StreamValue } from "../StreamValue.ts"
import { allSettled, makePart } from "./makePart.ts"

const id = "stream.branch"
const mostBranches = 64

/** What the map of one branch says. */
interface Branch {
  readonly name: string
  readonly processor?: StreamFunction
  readonly pipeline?: StreamFunction
  readonly overflow?: "backpressure" | "drop-oldest" | "drop-newest" | "fail" | "spill" | "detach"
  readonly "buffer-size"?: number
  readonly onFailure: ItemPolicy
}

const branchList: OptionType<ReadonlyArray<unknown>> = {
  type: "vector of maps",
  schema: Schema.declare((value): value is ReadonlyArray<unknown> => Array.isArray(value), {
    expected: "a vector of maps, one for each branch"
  })
}

const nameType: OptionType<unknown> = {
  type: "keyword or string",
  schema: Schema.declare((value): value is unknown => isKeyword(value) || (typeof value === "string" && value !== ""), {
    expected: "a keyword or a string"
  })
}

const overflows = choice("backpressure", "drop-oldest", "drop-newest", "fail", "spill", "detach")

/** The map of one branch, read as the options of a call. */
const oneBranch = defineCapability({
  id,
  summary: "One branch.",
  spec: "§4 Branching and Merging",
  kind: "sink",
  options: {
    name: required(nameType, "the name of the branch"),
    processor: optional(fn, "receives each item"),
    pipeline: optional(fn, "receives the branch as a stream and gives what becomes of it"),
    overflow: optional(overflows, "what the buffer of the branch does when it is full")
  },
  order: "",
  delivery: "",
  backpressure: "",
  example: "",
  check: ({ name, pipeline, processor }) =>
    (pipeline === undefined) === (processor === undefined)
      ? `needs, for its branch ${nameOf(name)}, either :processor (takes an item) or :pipeline (takes the branch as a stream).`
      : undefined
})

const nameOf = (name: unknown): string => (isKeyword(name) ? name.name : (name as string))

export const branch = defineCapability({
  id,
  summary: "Gives every item to each of several branches, at the pace of the slowest.",
  spec: "§4 Branching and Merging",
  kind: "sink",
  startsAtOnce: true,
  options: {
    branches: required(
      branchList,
      "maps with `:name` and either `:processor`, called with each item, or `:pipeline`, called once with the branch as a stream; also `:buffer-size`, `:overflow` and `:on-failure` of that branch alone"
    ),
    isolate: defaulted(flag, false, "lets a branch that fails end alone, instead of failing all"),
    overflow: optional(
      overflows,
      "what the buffers of branches do when they are full; with `:detach` such a branch is given up and the others go on. Needs `:buffer-size`"
    )
  },
  order: "Every branch gets the order of the stream.",
  delivery: "Every branch gets every item, unless its `:overflow` drops some. A branch that was detached gets no more.",
  backpressure: "The stream waits for the slowest branch: the others are ahead of it by no more than the mailboxes hold.",
  notes: [
    "Each branch is an actor with a mailbox of its own (in items and bytes; `:buffer-size` sets the items). An item is encoded once, however many branches there are.",
    '`:pipeline` is a function like `(fn [s] (-> s (stream.filter big?) (stream.batch 100)))`; it may end in a sink, such as `(call :stream.file.write "big.ndjson" {:data-source s})`. It is called once, when the branches are made.',
    "The result is a map from name to what the branch came to: of `:processor` how many items it took, of `:pipeline` its one item where it gives just one, the vector of its items (at most 1,000,000 or 64 MB), or what its sink says. `:on-complete` receives it once, after all branches have ended.",
    "When a branch fails, all are cancelled and the stream fails. With `:isolate true` (or `:overflow :detach`, for a branch that falls behind) only that branch ends: its result is `nil`, and the report of the stream names it under `failedParts`, with the error and how many items it missed.",
    "`:buffer-size`, `:overflow` and `:on-failure` of the call hold for all branches that don't say otherwise."
  ],
  example:
    "(call :stream.await (call :stream.branch [1 2 3] {:branches [{:name :sum :pipeline (fn [s] (stream.reduce s + 0))} {:name :each :processor (fn [x] x)}]}))",
  prepare: ({ inputs, options }, asStream) => {
    const branches = (options["branches"] as ReadonlyArray<unknown>).map((map, index) =>
      readBranch(map, index, options, asStream, inputs[0]!)
    )
    if (branches.length === 0 || branches.length > mostBranches) {
      throw new InvalidCall(id, `takes 1 to ${mostBranches} branches, but got ${branches.length}.`, "branches")
    }
    const twice = branches.find(({ name }, index) => branches.findIndex((other) => other.name === name) < index)
    if (twice !== undefined) throw new InvalidCall(id, `has two branches with the name ${twice.name}.`, "branches")
    const made = branches.flatMap(({ name, pipeline }) =>
      pipeline === undefined ? [] : [makePart({ capability: id, option: "pipeline", name, fn: pipeline }, asStream)]
    )
    const all = allSettled(made)
    // A function that made its stream has done its work: a checkpoint need not know it.
    const plain = branches.map(({ pipeline: _, ...rest }) => rest)
    const prepared = (subStreams: ReadonlyArray<SubStream>) => ({ options: { ...options, branches: plain }, inputs, subStreams })
    return "then" in all ? all.then(prepared) : prepared(all)
  },
  parts: (value, graph) => {
    const list = value.options["branches"] as ReadonlyArray<Branch>
    const own = Object.fromEntries(Object.entries(value.options).filter(([name]) => !inherited.includes(name)))
    const above = graph.stream(value.inputs[0]!)
    const fanOut = graph.node({
      options: { ...own, branches: list.map(({ name }) => name) },
      inputs: [above],
      specs: [],
      role: "operator",
      onFailure: failItems,
      traits: { isPassive: true }
    })
    return Object.fromEntries(list.map((one) => [one.name, addBranch(one, value, fanOut, graph)]))
  }
})

/** What the call says for all branches. */
const inherited = Object.keys(commonOptions("sink")).filter((name) => name !== "on-complete" && name !== "on-error")

const readBranch = (
  map: unknown,
  index: number,
  call: Readonly<Record<string, unknown>>,
  asStream: AsStream,
  input: StreamValue
): Branch => {
  if (map === null || typeof map !== "object" || Array.isArray(map)) {
    throw new InvalidCall(id, `expects :branches to be maps, but branch ${index + 1} is ${shown(map)}.`, "branches")
  }
  const ofCall = Object.fromEntries(inherited.flatMap((name) => (call[name] === undefined ? [] : [[name, call[name]] as const])))
  const written = map instanceof Map ? Object.fromEntries([...map].map(([key, entry]) => [nameOf(key), entry])) : map
  const { onFailure, options } = decodeCall(oneBranch, [input, { ...ofCall, ...written }], asStream).value
  return { ...options, onFailure, name: nameOf(options["name"]) }
}

/** @returns the sink of the branch */
const addBranch = (branch: Branch, { options, subStreams }: StreamValue, fanOut: string, graph: GraphParts): string => {
  const { "buffer-size": items, name, onFailure, overflow = "backpressure", processor } = branch
  const detaches = overflow === "detach" ? "full" : options["isolate"] === true ? "failed" : undefined
  const part = detaches === undefined ? undefined : graph.part(`branch ${name}`)
  const entrance: Pick<NodeTraits, "detaches" | "buffer"> = {
    ...(detaches === undefined ? {} : { detaches }),
    ...(items === undefined ? {} : { buffer: { items, overflow: overflow === "detach" ? "fail" : overflow } })
  }
  const own = part === undefined ? {} : { part }
  const sub = subStreams.find((one) => one.name === name)
  if (sub === undefined) {
    return graph.node({
      name,
      options: { processor },
      inputs: [fanOut],
      specs: [counting(processor!)],
      role: "sink",
      onFailure,
      traits: { ...own, ...entrance }
    })
  }
  const last = graph.stream(sub.stream, { ...own, entry: { of: sub, node: fanOut }, entrance })
  if (sub.stream.capability.kind === "sink") return last
  return graph.node({
    name,
    options: {},
    inputs: [last],
    specs: [
      givesOneItem(sub.stream)
        ? keepingLast
        : { kind: "stage", capability: id, ...collectingPart(id), result: ({ collected }) => collected }
    ],
    role: "sink",
    onFailure,
    traits: { ...own, ...(last === fanOut ? entrance : {}) }
  })
}

const counting = (processor: StreamFunction): StageSpec => ({
  kind: "stage",
  capability: id,
  apply: { fn: processor },
  state: { items: () => 0 },
  then: ({ state }) => `${state("items")}++;`,
  result: ({ items }) => items,
  bound: { kind: "none" }
})

const keepingLast: StageSpec = {
  kind: "stage",
  capability: id,
  state: { last: () => null },
  then: ({ state, value }) => `${state("last")} = ${value};`,
  result: ({ last }) => last,
  bound: { kind: "bounded", by: "the last item" }
}

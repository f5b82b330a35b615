import type { NodeSpec, StateBound } from "../actors/index.ts"
import { describe, type Graph, type ItemPolicy, mayKeepWaiting, type GraphNode, type NodeTraits, type StreamFunction } from "../scheduler/index.ts"
import type { Cover, Touch } from "./Capability.ts"
import type { OverflowName } from "./commonOptions.ts"
import { InvalidCall } from "./errors.ts"
import { givesOneItem } from "./givesOneItem.ts"
import { memoryOf } from "./optimization/memory-efficient.ts"
import type { PartNode, Place, Written } from "./GraphParts.ts"
import type { StreamValue } from "./StreamValue.ts"

/** A graph together with what its nodes do: everything the planner and the actors need. */
export interface BuiltGraph {
  readonly graph: Graph
  readonly specsOf: (node: string) => ReadonlyArray<NodeSpec>
  readonly valueOf: (node: string) => StreamValue
  readonly traitsOf: (node: GraphNode) => NodeTraits
  readonly touches: ReadonlyArray<Touch & { readonly node: string }>
}

/** A program that nests streams beyond this is refused: a value used twice is two instances, so nesting multiplies. */
const mostNodes = 1000

/**
 * Writes out the graph below a stream value, sources first.
 *
 * A stream value that is used in two places becomes two instances: it is a description, not a running stream.
 *
 * **Fails** by throwing `InvalidCall` beyond 1,000 nodes.
 */
export const buildGraph = (output: StreamValue): BuiltGraph => {
  const nodes: Array<GraphNode> = []
  const built = new Map<string, BuiltNode>()
  const parts = new Set<string>()

  /** @param covers of the decorators below it, the nearest one first */
  const add = (value: StreamValue, covers: ReadonlyArray<Cover>, place: Place): Written => {
    const { capability, options } = value
    if (value === place.entry?.of.entry) return place.entry.node
    const cover = capability.covers?.(options)
    const coversAbove = cover === undefined ? covers : [cover, ...covers]
    if (capability.parts !== undefined) {
      return capability.parts(value, {
        stream: (inside, within) => addOne(inside, coversAbove, within === undefined ? place : { ...place, entrance: undefined, ...within }),
        node: (part) => addNode(value, part, { covers, forItems: coversAbove, place }),
        part: newPart
      })
    }
    const inputs = value.inputs.map((input) => {
      if (input.capability.kind === "sink") throw new InvalidCall(capability.id, `can't take from ${input.capability.id}, which ends its stream.`)
      return addOne(input, coversAbove, place)
    })
    const specs = cover?.own === undefined ? capability.node(options, { single: givesOneItem(value.inputs[0]) }) : [cover.own]
    return addNode(value, { options, inputs, specs, role: capability.kind }, { covers, forItems: coversAbove, place })
  }

  const addOne = (value: StreamValue, covers: ReadonlyArray<Cover>, place: Place): string => {
    const written = add(value, covers, place)
    if (typeof written !== "string") throw new InvalidCall(value.capability.id, "has several results, so it can't be a part of another stream.")
    return written
  }

  const newPart = (name: string): string => {
    let part = name
    for (let ordinal = 2; parts.has(part); ordinal++) part = `${name} (${ordinal})`
    parts.add(part)
    return part
  }

  const addNode = (value: StreamValue, part: PartNode, { covers, forItems, place }: Surroundings): string => {
    const { capability } = value
    if (nodes.length >= mostNodes) {
      throw new InvalidCall(capability.id, `would make a graph of more than ${mostNodes} nodes; a stream used twice counts twice.`)
    }
    const isEntrance = place.entry !== undefined && part.inputs.includes(place.entry.node)
    const given = { ...(place.keepsAll === true ? { keepsAll: true } : {}), ...(place.part === undefined ? {} : { part: place.part }), ...(isEntrance ? place.entrance : {}), ...part.traits }
    const id = newId(value, part, built)
    const node = { id, capability: capability.id, options: part.options, inputs: part.inputs }
    const covering = (spec: NodeSpec) => covers.reduce((covered, cover) => cover.spec?.(covered, node) ?? covered, spec)
    const policy = forItems.reduce((covered, cover) => cover.policy?.(covered, node) ?? covered, part.onFailure ?? value.onFailure)
    if (place.keepsAll === true && policy.then !== "fail") {
      throw new InvalidCall(capability.id, `would leave out items that it fails on (:${policy.then}), but stands in a :stream.parallel that is :ordered.`)
    }
    nodes.push({ ...node, onFailure: policy })
    built.set(id, { value, part, given, policy, specs: part.specs.map(covering) })
    return id
  }

  const out = add(output, [], {})
  return {
    graph: { nodes, outputs: typeof out === "string" ? { out } : out },
    specsOf: (node) => built.get(node)!.specs,
    valueOf: (node) => built.get(node)!.value,
    traitsOf: (node) => traits(built.get(node.id)!),
    touches: nodes.flatMap(({ id }) => {
      const { part, value } = built.get(id)!
      return part.name === undefined ? value.capability.touches(part.options).map((touch) => ({ ...touch, node: id })) : []
    })
  }
}

interface Surroundings {
  /** Of the decorators below the node, the nearest one first. */
  readonly covers: ReadonlyArray<Cover>
  /** The same, and its own: its items may fail in it, too. */
  readonly forItems: ReadonlyArray<Cover>
  readonly place: Place
}

interface BuiltNode {
  readonly value: StreamValue
  readonly part: PartNode
  readonly given: Partial<NodeTraits>
  readonly policy: ItemPolicy
  readonly specs: ReadonlyArray<NodeSpec>
}

/** The capability's last part and the part's name, and an ordinal where that is taken. */
const newId = ({ capability }: StreamValue, { name }: PartNode, taken: ReadonlyMap<string, unknown>): string => {
  const own = capability.id.replace(/^stream\./, "").replaceAll(".", "-")
  const base = name === undefined ? own : `${own}-${name.replaceAll(/[^\p{L}\p{N}_-]+/gu, "-")}`
  let id = base
  for (let ordinal = 2; taken.has(id); ordinal++) id = `${base}-${ordinal}`
  return id
}

const traits = ({ given, part, policy, specs, value }: BuiltNode): NodeTraits => {
  const bufferSize = part.options["buffer-size"]
  const memory = memoryOf(value)
  const waitsOutside = specs.some(({ kind }) => kind === "async-source" || kind === "async-sink")
  const boundary = waitsOutside
    ? part.role === "source"
      ? "waits for something outside"
      : "writes to something outside"
    : (given.boundary ?? value.capability.boundary(part.options))
  const ahead = specs.find((spec) => spec.kind === "async-source")?.ahead
  return {
    ...given,
    role: part.role,
    ...(ahead === undefined ? {} : { ahead }),
    ...(boundary === undefined ? {} : { boundary }),
    ...(bufferSize === undefined || given.buffer !== undefined
      ? {}
      : { buffer: { items: bufferSize as number, overflow: (part.options["overflow"] ?? "backpressure") as OverflowName } }),
    mayWait: mayKeepWaiting(policy) || specs.some((spec) => spec.kind === "stage" && spec.apply !== undefined && (spec.apply.waits === true || mayWait(spec.apply.fn))),
    keepsTime: specs.some((spec) => spec.kind === "stage" && spec.timer !== undefined),
    mayOffload: specs.some((spec) => spec.kind === "stage" && spec.apply?.concurrency?.offload === "auto"),
    ...(memory === undefined ? {} : { memory: { bytes: memory.maxBytes, spills: memory.spills } }),
    state: stateOf(specs)
  }
}

/** A plain closure of the host is taken to give its value at once; one that does not makes the timers behind it late. */
const mayWait = (fn: StreamFunction): boolean => {
  const { origin, synchronous } = describe(fn)
  return !synchronous && (origin.kind !== "closure" || fn.constructor.name === "AsyncFunction")
}

const stateOf = (specs: ReadonlyArray<NodeSpec>): NodeTraits["state"] => {
  const bounds = specs.flatMap((spec): ReadonlyArray<StateBound> => {
    if ("bound" in spec && spec.bound !== undefined) return [spec.bound]
    // Whatever says nothing of its state may keep anything.
    return spec.kind === "stage" && Object.keys(spec.state ?? {}).length > 0
      ? [{ kind: "unbounded", why: "the capability does not say what bounds its state", remedy: "Give its stage a bound." }]
      : []
  })
  const bound = bounds.find(({ kind }) => kind === "unbounded") ?? bounds.find(({ kind }) => kind !== "none")
  if (bound === undefined || bound.kind === "none") return { kind: "none", verdict: "keeps nothing" }
  if (bound.kind === "unbounded") {
    return { kind: "unbounded", verdict: `unbounded: ${bound.why}`, ...(bound.remedy === undefined ? {} : { remedy: bound.remedy }) }
  }
  if (bound.kind === "time") return { kind: "time", verdict: `bounded by time: ${bound.by}` }
  const bytes = bounds.flatMap((each) => (each.kind === "bounded" && each.bytes !== undefined ? [each.bytes] : []))
  const isKnown = bounds.every(({ kind, ...each }) => kind === "none" || ("bytes" in each && each.bytes !== undefined))
  return { kind: "bounded", verdict: `bounded: ${bound.by}`, ...(isKnown ? { bytes: bytes.reduce((sum, each) => sum + each, 0) } : {}) }
}

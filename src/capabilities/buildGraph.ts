import type { NodeSpec } from "../actors/index.ts"
import { describe, type Graph, type GraphNode, type NodeTraits, type StreamFunction } from "../scheduler/index.ts"
import type { Cover, CoveredNode, Touch } from "./Capability.ts"
import type { OverflowName } from "./commonOptions.ts"
import { InvalidCall } from "./errors.ts"
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
  const specs = new Map<string, ReadonlyArray<NodeSpec>>()
  const values = new Map<string, StreamValue>()
  const named = new Map<string, number>()

  const idFor = (value: StreamValue): string => {
    const base = value.capability.id.replace(/^stream\./, "").replaceAll(".", "-")
    const ordinal = (named.get(base) ?? 0) + 1
    named.set(base, ordinal)
    return ordinal === 1 ? base : `${base}-${ordinal}`
  }

  /** @param covers of the decorators below it, the nearest one first */
  const add = (value: StreamValue, covers: ReadonlyArray<Cover>): string => {
    const { capability, options } = value
    const cover = capability.covers?.(options)
    const coversAbove = cover === undefined ? covers : [cover, ...covers]
    const inputs = value.inputs.map((input) => add(input, coversAbove))
    if (nodes.length >= mostNodes) {
      throw new InvalidCall(capability.id, `would make a graph of more than ${mostNodes} nodes; a stream used twice counts twice.`)
    }
    const id = idFor(value)
    const node = { id, capability: capability.id, options, inputs }
    const covered = <Value>(value: Value, by: (cover: Cover) => ((value: Value, node: CoveredNode) => Value) | undefined): Value =>
      covers.reduce((covered, cover) => by(cover)?.(covered, node) ?? covered, value)
    nodes.push({ ...node, onFailure: covered(value.onFailure, ({ policy }) => policy) })
    specs.set(
      id,
      capability.node(options, { single: givesOneItem(value.inputs[0]) }).map((spec) => covered(spec, ({ spec }) => spec))
    )
    values.set(id, value)
    return id
  }

  const out = add(output, [])
  return {
    graph: { nodes, outputs: { out } },
    specsOf: (node) => specs.get(node)!,
    valueOf: (node) => values.get(node)!,
    traitsOf: (node) => traits(values.get(node.id)!, specs.get(node.id)!),
    touches: nodes.flatMap(({ id }) => {
      const { capability, options } = values.get(id)!
      return capability.touches(options).map((touch) => ({ ...touch, node: id }))
    })
  }
}

/** Whether a stream gives exactly one item, at its end. */
export const givesOneItem = (value: StreamValue | undefined): boolean => value?.capability.single(value.options) === true

const traits = (value: StreamValue, specs: ReadonlyArray<NodeSpec>): NodeTraits => {
  const bufferSize = value.options["buffer-size"]
  const waitsOutside = specs.some(({ kind }) => kind === "async-source" || kind === "async-sink")
  const boundary =
    bufferSize !== undefined
      ? `was given a buffer of its own (:buffer-size ${String(bufferSize)})`
      : waitsOutside
        ? value.capability.kind === "source"
          ? "waits for something outside"
          : "writes to something outside"
        : value.capability.boundary(value.options)
  return {
    role: value.capability.kind,
    ...(boundary === undefined ? {} : { boundary }),
    ...(bufferSize === undefined
      ? {}
      : { buffer: { items: bufferSize as number, overflow: (value.options["overflow"] ?? "backpressure") as OverflowName } }),
    mayWait: specs.some((spec) => spec.kind === "stage" && spec.apply !== undefined && mayWait(spec.apply.fn)),
    keepsTime: specs.some((spec) => spec.kind === "stage" && spec.timer !== undefined),
    mayOffload: specs.some((spec) => spec.kind === "stage" && spec.apply?.concurrency?.offload === "auto"),
    state: stateOf(specs)
  }
}

/** A plain closure of the host is taken to give its value at once; one that does not makes the timers behind it late. */
const mayWait = (fn: StreamFunction): boolean => {
  const { origin, synchronous } = describe(fn)
  return !synchronous && (origin.kind !== "closure" || fn.constructor.name === "AsyncFunction")
}

const stateOf = (specs: ReadonlyArray<NodeSpec>): NodeTraits["state"] => {
  const bounds = specs.flatMap((spec) => ("bound" in spec && spec.bound !== undefined ? [spec.bound] : []))
  const bound = bounds.find(({ kind }) => kind === "unbounded") ?? bounds[0]
  if (bound === undefined || bound.kind === "none") return { verdict: "keeps nothing" }
  if (bound.kind === "unbounded") return { verdict: `unbounded: ${bound.why}` }
  if (bound.kind === "time") return { verdict: `bounded by time: ${bound.by}` }
  return { verdict: `bounded: ${bound.by}`, ...(bound.bytes === undefined ? {} : { bytes: bound.bytes }) }
}

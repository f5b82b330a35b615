import { createHash } from "node:crypto"
import { encodeValue } from "../serialization/index.ts"
import { isPortable, nameOrigin } from "./FunctionOrigin.ts"
import type { ItemPolicy } from "./ItemPolicy.ts"

/**
 * What was asked for, as immutable data: nodes and which of them are consumed. Every front end makes one of these.
 *
 * Options are validated values; functions among them are StreamFunctions, which print and hash by their origin.
 */
export interface Graph {
  readonly nodes: ReadonlyArray<GraphNode>
  /** What is consumed, by name: `out` for a stream value, the name of the branch where there are several. */
  readonly outputs: Readonly<Record<string, string>>
}

export interface GraphNode {
  /** Unique in its graph: the capability's last part and, from the second on, an ordinal (`map`, `map-2`). */
  readonly id: string
  readonly capability: string
  readonly options: Readonly<Record<string, unknown>>
  /** The nodes whose items enter here, in the order of the capability's inputs. */
  readonly inputs: ReadonlyArray<string>
  readonly onFailure: ItemPolicy
}

/** The graph as plain data that can be printed, diffed, encoded and hashed: functions stand as their origin. */
export const graphToData = (graph: Graph): unknown => ({
  nodes: graph.nodes.map((node) => ({
    id: node.id,
    capability: node.capability,
    options: toData(node.options),
    inputs: [...node.inputs],
    "on-failure": toData(node.onFailure)
  })),
  outputs: { ...graph.outputs }
})

/** Equal for equal graphs, in every process; what a checkpoint remembers of the graph that made it. */
export const hashGraph = (graph: Graph): string =>
  createHash("sha256").update(encodeValue(graphToData(graph))).digest("hex").slice(0, 32)

/** The nodes that hold a function which can't be made again elsewhere, with the option that holds it. */
export const unportableFunctions = (graph: Graph): ReadonlyArray<{ readonly node: string; readonly option: string }> =>
  graph.nodes.flatMap((node) =>
    [...Object.entries(node.options), ...Object.entries(node.onFailure)]
      .filter(([, value]) => typeof value === "function" && !isPortable(value as never))
      .map(([option]) => ({ node: node.id, option }))
  )

const toData = (value: unknown): unknown => {
  if (typeof value === "function") return nameOrigin(value as never, toData)
  if (Array.isArray(value)) return value.map(toData)
  if (value !== null && typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, toData(entry)]))
  }
  return isOfThisProcess(value) ? { object: value.constructor?.name ?? "" } : value
}

/** An iterable of the host, or the loop that takes the items: it has no meaning elsewhere, and none in a hash. */
const isOfThisProcess = (value: unknown): value is object => {
  if (value === null || typeof value !== "object") return false
  try {
    encodeValue(value)
    return false
  } catch {
    return true
  }
}

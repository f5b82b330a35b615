import { describe, type Graph, type ItemPolicy, type StreamFunction } from "../scheduler/index.ts"
import { encodeValue, UnencodableValue } from "../serialization/index.ts"

/** A graph as it stands in a checkpoint: plain data, functions as what they can be made of again. */
export interface StoredGraph {
  readonly nodes: ReadonlyArray<StoredNode>
  readonly outputs: Readonly<Record<string, string>>
}

export interface StoredNode {
  readonly id: string
  readonly capability: string
  /** A function is `{"$function": place}`, its place in the node's `functions`. */
  readonly options: Readonly<Record<string, unknown>>
  readonly functions: ReadonlyArray<StoredFunction>
  readonly inputs: ReadonlyArray<string>
  readonly onFailure: ItemPolicy
}

/** What a function is made of. Those that it captured are named by their place in the same list. */
export type StoredFunction =
  | {
      readonly kind: "rtfs"
      readonly source: string
      readonly values: ReadonlyArray<readonly [symbol: string, value: unknown]>
      readonly functions: ReadonlyArray<readonly [symbol: string, place: number]>
    }
  | { readonly kind: "module"; readonly specifier: string; readonly exportName: string }
  | { readonly kind: "binding"; readonly name: string }
  /** It exists in its own process only; or, with `uses`, holds something that does. */
  | { readonly kind: "closure"; readonly name: string; readonly uses?: string }

export const storedGraph = (graph: Graph): StoredGraph => ({
  nodes: graph.nodes.map((node) => {
    const found: Array<StreamFunction> = []
    const options = toData(node.options, found) as Record<string, unknown>
    const functions: Array<StoredFunction> = []
    // `found` grows while it is walked: each function finds those that it captured.
    for (let place = 0; place < found.length; place++) functions.push(storedFunction(found[place]!, found))
    return { id: node.id, capability: node.capability, options, functions, inputs: [...node.inputs], onFailure: node.onFailure }
  }),
  outputs: { ...graph.outputs }
})

const storedFunction = (fn: StreamFunction, found: Array<StreamFunction>): StoredFunction => {
  const { name, origin } = describe(fn)
  switch (origin.kind) {
    case "module":
      return { kind: "module", specifier: origin.specifier, exportName: origin.exportName }
    case "binding":
      return { kind: "binding", name: origin.name }
    case "closure":
      return { kind: "closure", name }
    case "rtfs": {
      const values: Array<readonly [string, unknown]> = []
      const functions: Array<readonly [string, number]> = []
      for (const symbol of Object.keys(origin.captured).toSorted()) {
        const value = origin.captured[symbol]
        if (typeof value === "function") functions.push([symbol, placeOf(value as StreamFunction, found)])
        else if (isEncodable(value)) values.push([symbol, value])
        else return { kind: "closure", name, uses: symbol }
      }
      return { kind: "rtfs", source: origin.source, values, functions }
    }
  }
}

const placeOf = (fn: StreamFunction, found: Array<StreamFunction>): number => {
  const place = found.indexOf(fn)
  return place >= 0 ? place : found.push(fn) - 1
}

const toData = (value: unknown, found: Array<StreamFunction>): unknown => {
  if (typeof value === "function") return { $function: placeOf(value as StreamFunction, found) }
  if (Array.isArray(value)) return value.map((entry) => toData(entry, found))
  if (value !== null && typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, toData(entry, found)]))
  }
  // An iterable of the host, say: it is its process's own, and named so that it is not taken for another.
  return isEncodable(value) ? value : { $hostValue: true }
}

const isEncodable = (value: unknown): boolean => {
  try {
    encodeValue(value)
    return true
  } catch (error) {
    if (error instanceof UnencodableValue) return false
    throw error
  }
}

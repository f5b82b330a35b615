import { keyword } from "../serialization/index.ts"
import type { Flow } from "./Flow.ts"
import type { StageOptions } from "./FlowOptions.ts"
import { flowValue } from "./flowValue.ts"

/** How `Flow.merge` chooses among its streams. */
export interface MergeOptions extends StageOptions {
  /** By default `round-robin`. */
  readonly strategy?: "round-robin" | "priority" | "fair"
  /** With `priority`: the level of each stream, the lowest number first. By default their order. */
  readonly priorities?: ReadonlyArray<number>
  /** With `priority`: after how often being passed over a stream has one turn; by default 16. */
  readonly aging?: number | "never"
  /** With `fair`: the bytes of one turn; by default 64 KB. */
  readonly quantum?: number | string
  /** With `fair`: the share of each stream. */
  readonly weights?: ReadonlyArray<number>
  /** Ends with the first stream that ends. */
  readonly eager?: boolean
  /** A stream that fails only ends. */
  readonly isolate?: boolean
}

/** What one branch does with the items: a function of an item, or what becomes of the branch as a stream. */
export type BranchOptions<Item> = Omit<StageOptions, "overflow"> & {
  readonly overflow?: StageOptions["overflow"] | "detach"
} & (
    | { readonly processor: (item: Item) => unknown; readonly pipeline?: undefined }
    | { readonly pipeline: (branch: Flow<Item>) => Flow<unknown>; readonly processor?: undefined }
  )

export interface ParallelOptions<Item, Out> extends StageOptions {
  readonly parallelism: number
  /** Equal keys share a partition; or else `partition` gives its number, from 0 on. */
  readonly key?: (item: Item) => unknown
  readonly partition?: (item: Item) => number | Promise<number>
  /** Makes of a partition, as a stream, what it gives. Called once. */
  readonly processor: (partition: Flow<Item>) => Flow<Out>
  /** What comes out has the order in which its items came in. */
  readonly ordered?: boolean
}

/** A function from flow to flow, as one of streams. */
export const ofStreams =
  <In, Out>(make: (flow: Flow<In>) => Flow<Out>, flowOf: (stream: unknown) => Flow<In>) =>
  (stream: unknown): unknown => {
    const made: unknown = make(flowOf(stream))
    return typeof made === "object" && made !== null ? (flowValue(made) ?? made) : made
  }

/** The maps of `:branches`. */
export const branchMaps = <Item>(
  branches: Readonly<Record<string, BranchOptions<Item>>>,
  flowOf: (stream: unknown) => Flow<Item>,
  kebab: (options: object) => Record<string, unknown>
): ReadonlyArray<Record<string, unknown>> =>
  Object.entries(branches).map(([name, { pipeline, ...options }]) => ({
    ...kebab(options),
    name: keyword(name),
    ...(pipeline === undefined ? {} : { pipeline: ofStreams(pipeline, flowOf) })
  }))

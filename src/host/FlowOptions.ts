import type { Keyword } from "../serialization/index.ts"
import type { ItemFailureOptions } from "./FailureOptions.ts"

/** Options of an operator whose function may run several times at once or in the worker pool. */
export interface ConcurrencyOptions {
  /** How many calls may be under way at once; by default 1. */
  readonly parallelism?: number
  /** Whether the function runs in the worker pool. Only a function made by `moduleFunction` can move there. */
  readonly offload?: "auto" | "always" | "never"
}

/** Options that every operator and sink has. */
export interface StageOptions extends ItemFailureOptions {
  /** Puts a mailbox of this many items in front, instead of fusing. */
  readonly bufferSize?: number
  /** What that mailbox does when it is full; by default `backpressure`. */
  readonly overflow?: "backpressure" | "drop-oldest" | "drop-newest" | "fail" | "spill"
}

export interface FileReadOptions {
  readonly format?: "text" | "lines" | "ndjson" | "csv" | "json"
  readonly encoding?: "utf8" | "utf16le" | "latin1" | "ascii" | "binary"
  readonly compression?: "auto" | "none" | "gzip" | "zstd"
  /** Bytes per text chunk. */
  readonly chunkSize?: number | string
  /** CSV: the separator, and whether the first row names the columns. */
  readonly separator?: string
  readonly header?: boolean
  /** The most bytes that one record may take. */
  readonly maxRecordSize?: number | string
}

export interface FileWriteOptions {
  readonly format?: "text" | "lines" | "ndjson" | "csv" | "json"
  readonly encoding?: "utf8" | "utf16le" | "latin1" | "ascii" | "binary"
  readonly compression?: "none" | "gzip" | "zstd"
  readonly mode?: "replace" | "append"
}

/** What an item must be: the name of a type, or a map of what is asked of it. */
export type ItemSchema =
  | string
  | {
    readonly type?: ItemSchema
    /** Keys that a map must have. */
    readonly required?: ReadonlyArray<string>
    /** What the value of a key must be, where it is there. */
    readonly properties?: Readonly<Record<string, ItemSchema>>
    /** What each element of a vector must be. */
    readonly items?: ItemSchema
    readonly enum?: ReadonlyArray<unknown>
  }

/** One way in which an item is not what its schema asks for. */
export interface ItemError {
  /** Keys (as keywords) and indexes from the item to the part. */
  readonly path: ReadonlyArray<Keyword | number>
  readonly expected: Keyword | string
  readonly actual: Keyword
  readonly got: string
  readonly message: string
}

export interface CacheOptions<Item, Out> {
  /** By default the item itself. */
  readonly key?: (item: Item) => unknown
  /** How long a value is good, in ms. */
  readonly ttl?: number
  readonly maxEntries?: number
  readonly maxBytes?: number | string
  readonly serveStale?: number
  readonly earlyRefresh?: number
  readonly negativeTtl?: number
  readonly jitter?: number
  readonly parallelism?: number
  readonly onHit?: (value: Out, item: Item) => unknown
  readonly onMiss?: (item: Item) => unknown
}

export interface MetricsOptions {
  readonly metricsName?: string
  readonly collect?: { readonly [Part in "throughput" | "latency" | "errors" | "backpressure"]?: boolean }
  readonly interval?: number
  readonly onMetrics?: (report: Readonly<Record<string, unknown>>) => unknown
}

export interface DebugOptions<Item> {
  readonly logLevel?: "debug" | "info" | "warn" | "error" | "off"
  /** The share of items, from 0 to 1. */
  readonly sampleRate?: number
  readonly seed?: number
  /** Keys whose values are not shown, or what makes of an item what may be shown. */
  readonly redact?: ReadonlyArray<string> | ((item: Item) => unknown)
  readonly logFn?: (event: { readonly item: unknown; readonly sequence: number; readonly node: string; readonly time: number }) => unknown
  readonly maxPerSecond?: number
}

/** How a flow is saved; times in ms. */
export interface CheckpointOptions {
  /** The name under which it is kept; without it, the hash of its graph and its place in the program. */
  readonly streamId?: string
  /** From one checkpoint to the next; by default 10,000. */
  readonly checkpointInterval?: number
  /** Also after so many items of the sources. */
  readonly everyNItems?: number
  readonly checkpointStore?: "embedded" | "memory" | "redis" | "postgres"
  /** After which a round that is not complete is given up and counted; by default 600,000. */
  readonly checkpointTimeout?: number
  readonly onCheckpoint?: (checkpoint: { readonly "stream-id": string; readonly "checkpoint-id": number; readonly state: unknown }) => unknown
}

/** How a flow is brought down. */
export interface ShutdownOptions {
  /** In ms; by default 30,000. */
  readonly shutdownTimeout?: number
  readonly drainStrategy?: "finish-current-batch" | "drain-all" | "checkpoint-and-stop" | "immediate"
  readonly onShutdownComplete?: () => unknown
}

/** What the flow up to here may hold in memory. Sizes in bytes, or as `"64MB"`. */
export interface BoundedMemoryOptions {
  readonly maxMemory: number | string
  /** Instead of holding back, puts what is too much on the disk. */
  readonly spillToDisk?: boolean
  readonly tempDir?: string
  readonly maxDisk?: number | string
  readonly onSpill?: () => unknown
}

/** What `Flow.producer` takes beside its generator. */
export interface ProducerOptions {
  readonly bufferSize?: number
  readonly highWaterMark?: number
  readonly lowWaterMark?: number
  readonly maxBytes?: number | string
  readonly onBackpressure?: () => unknown
  readonly onResumed?: () => unknown
}

/** How `Flow.evolve` brings an item of an older schema into the current one: in one step, or from version to version. */
export type EvolveOptions<Item> =
  & (
    | { readonly migrate: (old: Item) => unknown }
    | {
      readonly migrations: Readonly<Record<number, (old: any) => unknown>>
      readonly versionKey?: string
      readonly versionFn?: (item: Item) => number | undefined
    }
  )
  & { readonly onInvalid?: (errors: ReadonlyArray<ItemError>, item: Item) => unknown; readonly closed?: boolean }

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

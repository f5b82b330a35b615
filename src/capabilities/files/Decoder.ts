import type { SourceBatch } from "../../actors/index.ts"
import type { ByteWindow } from "./ByteWindow.ts"

/** Cuts the bytes of a file into items. */
export interface Decoder {
  /**
   * The next batch of what the window holds and moves the window's start behind it; `more` where no item is whole,
   * `null` at the end. What it throws is a `MalformedFile`.
   */
  readonly take: (window: ByteWindow) => SourceBatch | "more" | null
  /** What a decoder that goes on at the window's offset has to know, as a plain value. */
  readonly position: () => unknown
}

/** How many bytes of the file one batch is made of: about the size of a frame, and some 0.3 ms of parsing. */
export const batchBytes = 64 * 1024

/** The longest record unless `:max-record-size` says otherwise. */
export const defaultMaxRecordBytes = 1024 * 1024

/** Where a record decoder of text goes on. */
export interface RecordPosition {
  /** Lines and items before it. */
  readonly lines: number
  readonly items: number
}

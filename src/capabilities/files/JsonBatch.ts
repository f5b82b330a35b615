import type { ByteWindow } from "./ByteWindow.ts"
import { decodeText, type RecordEncoding } from "./Encoding.ts"
import { MalformedFile } from "./errors.ts"
import { JsonSyntaxError, parseJson } from "./JsonValue.ts"

/** What the JSON formats have in common: whose file it is, and how much a record may be. */
export interface JsonOptions {
  readonly path: string
  readonly encoding: RecordEncoding
  readonly maxRecordBytes: number
}

/** A place between two records: items before it, line ends before it, and the offset at which its line begins. */
export interface JsonPlace {
  readonly items: number
  readonly lines: number
  readonly lineStart: number
}

/** Whole records in a window, in order; `special` tells which of them `JSON.parse` might not read as we promise. */
export interface JsonBatch {
  readonly starts: Array<number>
  readonly ends: Array<number>
  readonly special: Array<boolean>
  /** What stands in front of every record but the first: a comma, or the line end of NDJSON. */
  readonly separator: "comma" | "line-feed"
}

export interface ParsedBatch {
  readonly items: ReadonlyArray<unknown>
  /** The failure of the record behind the last item. */
  readonly failure: MalformedFile | undefined
}

/**
 * Parses a batch of records: all at once, which `JSON.parse` does fastest, or one by one where a record is special or
 * the batch is broken. Records before a broken one are kept.
 */
export const parseBatch = (window: ByteWindow, batch: JsonBatch, place: JsonPlace, options: JsonOptions): ParsedBatch => {
  const items = batch.special.includes(true) ? undefined : parseTogether(window, batch, options)
  return items === undefined ? parseOneByOne(window, batch, place, options) : { items, failure: undefined }
}

const comma = 0x2c
const lineFeed = 0x0a

const parseTogether = (window: ByteWindow, batch: JsonBatch, options: JsonOptions): ReadonlyArray<unknown> | undefined => {
  const { ends, starts } = batch
  if (batch.separator === "line-feed") separateWith(window, batch, comma)
  try {
    const text = decodeText(window, starts[0]!, ends[ends.length - 1]!, options.encoding, options.path)
    // The scanner saw each record close its brackets and strings, so each comma between two records is between two items.
    const items = JSON.parse(`[${text}]`) as ReadonlyArray<unknown>
    if (items.length === starts.length) return items
  } catch {
    // One of the records is broken; one by one they say which.
  }
  if (batch.separator === "line-feed") separateWith(window, batch, lineFeed)
  return undefined
}

/** Other line ends between records are those of blank lines: white space. */
const separateWith = (window: ByteWindow, { starts }: JsonBatch, byte: number): void => {
  for (let i = 1; i < starts.length; i++) window.bytes[starts[i]! - 1] = byte
}

const parseOneByOne = (window: ByteWindow, { ends, special, starts }: JsonBatch, place: JsonPlace, options: JsonOptions): ParsedBatch => {
  const items: Array<unknown> = []
  for (let i = 0; i < starts.length; i++) {
    try {
      items.push(parseRecord(window, starts[i]!, ends[i]!, special[i]!, place, options))
    } catch (error) {
      if (!(error instanceof MalformedFile)) throw error
      return { items, failure: error.inItem(place.items + i + 1) }
    }
  }
  return { items, failure: undefined }
}

/** Parses one record, which may be broken. Fails with its place in the file. */
export const parseRecord = (
  window: ByteWindow,
  start: number,
  end: number,
  special: boolean,
  place: JsonPlace,
  options: JsonOptions
): unknown => {
  const text = decodeText(window, start, end, options.encoding, options.path)
  if (!special) {
    try {
      return JSON.parse(text)
    } catch {
      // Parsed once more, by the parser that knows where it stands.
    }
  }
  try {
    return parseJson(text)
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error
    const before = text.slice(0, error.index)
    const at = start + (options.encoding === "latin1" ? before.length : Buffer.byteLength(before))
    throw malformedJson(window, at, error.message, place, options)
  }
}

/** The failure at an index of the window, which lies behind `place`. */
export const malformedJson = (window: ByteWindow, at: number, problem: string, place: JsonPlace, options: JsonOptions): MalformedFile => {
  const byte = window.offsetAt(at)
  let { lineStart, lines } = place
  for (let i = Math.max(window.start, at - (byte - lineStart)); i < at; i++) {
    if (window.bytes[i] !== lineFeed) continue
    lines++
    lineStart = window.offsetAt(i + 1)
  }
  return new MalformedFile({
    path: options.path,
    line: lines + 1,
    column: byte - lineStart + 1,
    byte,
    problem,
    fix: "Mend the file there, or name its :format (:json :ndjson :lines :csv :text)."
  })
}

/** Whether there is only white space between two indexes. */
export const isBlank = (bytes: Uint8Array, start: number, end: number): boolean => {
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!
    if (byte !== 0x20 && byte !== lineFeed && byte !== 0x0d && byte !== 0x09) return false
  }
  return true
}

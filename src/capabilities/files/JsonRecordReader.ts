import type { SourceBatch } from "../../actors/index.ts"
import { JsonLineParser } from "../../serialization/index.ts"
import type { ByteWindow } from "./ByteWindow.ts"
import { batchBytes } from "./Decoder.ts"
import { MalformedFile } from "./errors.ts"
import { isBlank, type JsonBatch, type JsonOptions, type JsonPlace, malformedJson, parseBatch, parseRecord } from "./JsonBatch.ts"
import { JsonScanner } from "./JsonScanner.ts"

/**
 * Reads the records of an array (up to its closing bracket) or of NDJSON out of a window, a batch at a time.
 *
 * After a failure the items before it are given out first.
 */
export class JsonRecordReader {
  /** The array's closing bracket has been passed. */
  closed = false
  readonly #options: JsonOptions
  readonly #separator: "comma" | "line-feed"
  readonly #scanner: JsonScanner
  readonly #lines: JsonLineParser
  /** Where the window's start is. */
  #place: JsonPlace
  /** How far behind the window's start the scanner has got. */
  #scanned = 0
  /** How far behind the window's start there is no line end. */
  #searched = 0
  #failure: MalformedFile | undefined

  constructor(separator: "comma" | "line-feed", place: JsonPlace, options: JsonOptions) {
    this.#options = options
    this.#separator = separator
    this.#scanner = new JsonScanner(separator)
    this.#lines = new JsonLineParser(options.encoding)
    this.#scanner.lines = place.lines
    this.#scanner.lineStart = place.lineStart
    this.#place = place
  }

  get place(): JsonPlace {
    return this.#place
  }

  /** The next batch; `more` where no record is whole; `null` at the end of the records. */
  take(window: ByteWindow): SourceBatch | "more" | null {
    if (this.#failure !== undefined) throw this.#failure
    const together = this.#separator === "line-feed" ? this.#takeLines(window) : undefined
    if (together !== undefined) return together
    const start = window.start
    const batch = this.#collect(window)
    const { items, failure } = batch.starts.length === 0 ? noItems : parseBatch(window, batch, this.#place, this.#options)
    this.#failure = failure ?? this.#failure
    if (failure !== undefined) this.closed = false
    this.#place = { ...batch.place, items: this.#place.items + items.length }
    this.#scanned = this.#scanner.at - batch.cut
    window.start = batch.cut
    if (items.length > 0) return { items, bytes: batch.cut - start, handsOver: true }
    if (this.#failure !== undefined) throw this.#failure
    return this.closed || (window.ended && window.start === window.end) ? null : "more"
  }

  /** Lines that can be parsed together; `undefined` where they have to be looked at one by one, or for what stands in them. */
  #takeLines(window: ByteWindow): SourceBatch | "more" | undefined {
    const { bytes, end, start } = window
    // The scanner stands inside of a line.
    if (this.#scanned > 0) return undefined
    const near = Math.min(end, start + batchBytes)
    const searched = Math.min(start + this.#searched, near)
    const cut = near === searched ? 0 : bytes.lastIndexOf(lineFeed, near - 1) + 1
    if (cut <= searched) {
      const isShort = near === end && end - start <= this.#options.maxRecordBytes
      this.#searched = isShort ? end - start : 0
      return isShort && !window.ended ? "more" : undefined
    }
    this.#searched = 0
    if (cut - start > this.#options.maxRecordBytes) return undefined
    const block = bytes.subarray(start, cut)
    const { encoding } = this.#options
    const parsed = this.#lines.parse(block)
    if (parsed === undefined) return undefined
    const { lineEnds, values: items } = parsed
    const lineStart = window.offsetAt(cut)
    const lines = this.#place.lines + items.length
    this.#place = { items: this.#place.items + items.length, lines, lineStart }
    this.#scanner.lines = lines
    this.#scanner.lineStart = lineStart
    this.#scanner.at = cut
    window.start = cut
    return { items, bytes: cut - start, handsOver: true, ...(encoding === "latin1" ? {} : { json: { block, lineEnds } }) }
  }

  /** Finds the whole records of the window, up to about a batch of them. */
  #collect(window: ByteWindow): JsonBatch & { readonly cut: number; readonly place: JsonPlace } {
    const { bytes, end, start } = window
    const scanner = this.#scanner
    const batch: JsonBatch = { starts: [], ends: [], special: [], separator: this.#separator }
    let cut = start
    let place = this.#place
    let from = start + this.#scanned
    while (cut - start < batchBytes && !this.closed) {
      const stop = scanner.scan(bytes, from, end, window.offsetAt(0))
      const recordEnd = scanner.at
      const items = this.#place.items + batch.starts.length
      if (recordEnd - cut > this.#options.maxRecordBytes) {
        this.#failure = this.#tooLong(window, cut, place).inItem(items + 1)
        break
      }
      if (stop === "end" && !(window.ended && cut < end)) break
      if (stop === "broken" || (stop === "end" && this.#separator === "comma")) {
        // Up to the byte that breaks it; a line that is broken by its end, without that.
        const upTo = bytes[recordEnd] === 0x0a && this.#separator === "line-feed" ? recordEnd : recordEnd + 1
        this.#failure = this.#broken(window, cut, Math.min(upTo, end), place).inItem(items + 1)
        break
      }
      this.closed = stop === "close"
      const isEmpty = isBlank(bytes, cut, recordEnd) && (this.#separator === "line-feed" || (this.closed && items === 0))
      if (!isEmpty) {
        batch.starts.push(cut)
        batch.ends.push(recordEnd)
        batch.special.push(scanner.special)
      }
      scanner.next()
      from = cut = Math.min(recordEnd + 1, end)
      scanner.at = cut
      place = { items, lines: scanner.lines, lineStart: scanner.lineStart }
    }
    return { ...batch, cut, place }
  }

  /** Why the scanner could not go on in the record: its text up to there is no JSON. */
  #broken(window: ByteWindow, start: number, end: number, place: JsonPlace): MalformedFile {
    try {
      parseRecord(window, start, end, true, place, this.#options)
    } catch (error) {
      if (error instanceof MalformedFile) return error
      throw error
    }
    return malformedJson(window, end, 'expected "," or "]", found the end', place, this.#options)
  }

  #tooLong(window: ByteWindow, start: number, place: JsonPlace): MalformedFile {
    const problem = `a record is longer than ${this.#options.maxRecordBytes} bytes; raise :max-record-size if it is meant to be`
    return malformedJson(window, start, problem, place, this.#options)
  }
}

const lineFeed = 10

const noItems = { items: [], failure: undefined } as const

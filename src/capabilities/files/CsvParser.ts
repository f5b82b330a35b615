import { isPlainKey } from "../../serialization/index.ts"
import type { ByteWindow } from "./ByteWindow.ts"
import { batchBytes, type Decoder, type RecordPosition } from "./Decoder.ts"
import { decodeText, type RecordEncoding } from "./Encoding.ts"
import { MalformedFile } from "./errors.ts"

export interface CsvPosition extends RecordPosition {
  readonly columns: ReadonlyArray<string> | number | null
}

interface CsvOptions {
  readonly path: string
  readonly encoding: RecordEncoding
  readonly maxRecordBytes: number
  /** One ASCII character. */
  readonly separator: string
  /** The first row names the columns, and each row becomes a map. Without it a row becomes a vector. */
  readonly header: boolean
  readonly from?: CsvPosition | undefined
}

const quote = 0x22
const lineFeed = 0x0a
const carriageReturn = 0x0d

/**
 * Reads comma-separated values as RFC 4180 has them: a field in quotes may hold separators, line ends and doubled
 * quotes; rows end with LF or CR LF. Rows without a single character are skipped. Fields stay strings.
 *
 * **Fails** with `MalformedFile` for a row with more or fewer fields than the first one, a quote inside an unquoted
 * field, text behind a closing quote, a quote that is never closed, and two columns of one name; rows before it are
 * given out.
 */
export const csvParser = (options: CsvOptions): Decoder => {
  /** The names of the columns, or with rows as vectors how many there are. */
  let columns = options.from?.columns ?? null
  let toItem = columns === null ? undefined : itemMaker(columns)
  let lines = options.from?.lines ?? 0
  let items = options.from?.items ?? 0
  let failure: MalformedFile | undefined
  const rows = rowFinder()

  /** Rows of one batch into items; stops at the first that is broken. */
  const itemsOf = (reader: RowReader): ReadonlyArray<unknown> => {
    const made: Array<unknown> = []
    try {
      for (let row = reader.next(); row !== null; row = reader.next()) {
        if (columns === null || toItem === undefined) {
          columns = options.header ? checkedHeader(row, reader, options) : row.length
          toItem = itemMaker(columns)
          if (options.header) continue
        }
        const expected = typeof columns === "number" ? columns : columns.length
        if (row.length !== expected) {
          const first = options.header ? "header" : "first row"
          throw reader.malformed(
            `the row has ${row.length} fields, but the ${first} has ${expected}`,
            "Quote fields that hold a separator, and fill in missing ones."
          )
        }
        made.push(toItem(row))
      }
    } catch (error) {
      if (!(error instanceof MalformedFile)) throw error
      failure = error.inItem(items + made.length + 1)
    }
    return made
  }

  const take = (window: ByteWindow) => {
    for (;;) {
      if (failure !== undefined) throw failure
      const cut = rows(window)
      if (cut === null) return null
      if (cut === "more") {
        if (window.end - window.start <= options.maxRecordBytes) return "more"
        failure = tooLong(window, lines, items, options)
        continue
      }
      const bytes = cut - window.start
      let made: ReadonlyArray<unknown> = []
      try {
        const reader = new RowReader(decodeText(window, window.start, cut, options.encoding, options.path), lines, options)
        made = itemsOf(reader)
        lines = reader.lines
      } catch (error) {
        if (!(error instanceof MalformedFile)) throw error
        failure = error.inItem(items + 1)
      }
      items += made.length
      window.start = cut
      if (made.length > 0) return { items: made, bytes }
    }
  }

  return { take, position: (): CsvPosition => ({ lines, items, columns }) }
}

/**
 * Finds where a batch of whole rows ends: a line end is inside a quoted field where an odd number of quotes stands
 * before it. In a broken file that may be wrong, but then there is a broken row before it, which is found first.
 */
const rowFinder = () => {
  let scanned = 0
  let quoted = false
  return (window: ByteWindow): number | "more" | null => {
    const { bytes, end, start } = window
    let cut = start
    let i = start + scanned
    for (; i < end; i++) {
      const byte = bytes[i]!
      if (byte === quote) quoted = !quoted
      else if (byte === lineFeed && !quoted) {
        cut = i + 1
        if (cut - start >= batchBytes) break
      }
    }
    if (cut > start) {
      // What was seen behind the cut is seen again: it is less than a row, or the batch is full.
      scanned = 0
      quoted = false
      return cut
    }
    scanned = end - start
    if (!window.ended) return "more"
    return start === end ? null : end
  }
}

class RowReader {
  /** Line ends read so far. */
  lines: number
  /** The line in which the last row ended, counted from 1. */
  rowLine = 0
  readonly #text: string
  readonly #options: CsvOptions
  readonly #separator: number
  #at = 0

  constructor(text: string, lines: number, options: CsvOptions) {
    this.#text = text
    this.lines = lines
    this.#options = options
    this.#separator = options.separator.charCodeAt(0)
  }

  /** The fields of the next row that is not blank, or `null`. */
  next(): ReadonlyArray<string> | null {
    const text = this.#text
    while (this.#at < text.length && this.#takeLineEnd());
    if (this.#at >= text.length) return null
    const fields: Array<string> = []
    const start = this.#at
    for (;;) {
      fields.push(text.charCodeAt(this.#at) === quote ? this.#quotedField() : this.#plainField())
      if (text.charCodeAt(this.#at) === this.#separator) this.#at++
      else {
        this.rowLine = this.lines + 1
        // In characters, of which there are never more than bytes.
        if (this.#at - start > this.#options.maxRecordBytes) throw rowTooLong(this.rowLine, this.#options)
        this.#takeLineEnd()
        return fields
      }
    }
  }

  malformed(problem: string, fix: string, line = this.rowLine): MalformedFile {
    return new MalformedFile({ path: this.#options.path, line, problem, fix })
  }

  #takeLineEnd(): boolean {
    const code = this.#text.charCodeAt(this.#at)
    const length = code === lineFeed ? 1 : code === carriageReturn && this.#text.charCodeAt(this.#at + 1) === lineFeed ? 2 : 0
    this.#at += length
    if (length > 0) this.lines++
    return length > 0
  }

  /** Up to a separator, a line end or the end of the text, where it stops. */
  #plainField(): string {
    const text = this.#text
    const start = this.#at
    let end = start
    for (; end < text.length; end++) {
      const code = text.charCodeAt(end)
      if (code === this.#separator || code === lineFeed) break
      if (code === quote) {
        throw this.malformed(
          "a quote stands in a field that is not quoted",
          'Quote the whole field and double the quotes in it: "5"" disk".',
          this.lines + 1
        )
      }
    }
    if (text.charCodeAt(end) === lineFeed && end > start && text.charCodeAt(end - 1) === carriageReturn) end--
    this.#at = end
    return text.slice(start, end)
  }

  #quotedField(): string {
    const text = this.#text
    const opened = this.lines + 1
    let from = this.#at + 1
    let value = ""
    for (;;) {
      const end = text.indexOf('"', from)
      if (end === -1)
        throw this.malformed("a quote is opened here and never closed", "Close it, or double quotes that belong to the field.", opened)
      value += text.slice(from, end)
      if (text.charCodeAt(end + 1) !== quote) {
        this.#at = end + 1
        break
      }
      value += '"'
      from = end + 2
    }
    for (let at = value.indexOf("\n"); at !== -1; at = value.indexOf("\n", at + 1)) this.lines++
    if (!this.#atFieldEnd()) {
      throw this.malformed(
        "text follows the closing quote of a field",
        "Quote the whole field and double the quotes in it.",
        this.lines + 1
      )
    }
    return value
  }

  #atFieldEnd(): boolean {
    const code = this.#text.charCodeAt(this.#at)
    if (code === this.#separator || code === lineFeed || this.#at >= this.#text.length) return true
    return code === carriageReturn && this.#text.charCodeAt(this.#at + 1) === lineFeed
  }
}

const checkedHeader = (row: ReadonlyArray<string>, reader: RowReader, options: CsvOptions): ReadonlyArray<string> => {
  const twice = row.find((name, index) => row.indexOf(name) !== index)
  if (twice === undefined) return row
  throw new MalformedFile({
    path: options.path,
    line: reader.rowLine,
    problem: `two columns are named ${JSON.stringify(twice)}`,
    fix: "Rename one, or read rows as vectors with :header false."
  })
}

/** What a row becomes: a map by the names of the columns, or the vector that it is. */
const itemMaker = (columns: ReadonlyArray<string> | number): ((row: ReadonlyArray<string>) => unknown) => {
  if (typeof columns === "number") return (row) => row
  if (!columns.every(isPlainKey)) return (row) => new Map(columns.map((name, index) => [name, row[index]!]))
  return (row) => {
    const map: Record<string, string> = {}
    for (let i = 0; i < columns.length; i++) map[columns[i]!] = row[i]!
    return map
  }
}

const tooLong = (window: ByteWindow, lines: number, items: number, options: CsvOptions): MalformedFile => {
  try {
    // Most often a quote was opened and not meant to be.
    new RowReader(decodeText(window, window.start, window.end, "latin1", options.path), lines, options).next()
  } catch (error) {
    if (error instanceof MalformedFile) return error.inItem(items + 1)
    throw error
  }
  return rowTooLong(lines + 1, options).inItem(items + 1)
}

const rowTooLong = (line: number, options: CsvOptions): MalformedFile =>
  new MalformedFile({
    path: options.path,
    line,
    problem: `the row is longer than ${options.maxRecordBytes} bytes`,
    fix: "Raise :max-record-size if it is meant to be, or check the :separator and the quotes."
  })

import { isKeyword, isPlainMap } from "../../serialization/index.ts"
import { UnwritableValue } from "./errors.ts"
import { nameOf } from "./JsonText.ts"

interface CsvWriterOptions {
  readonly separator: string
  /** Maps are written under a row with the names of their keys. */
  readonly header: boolean
  /** Puts `'` before text that a spreadsheet would run as a formula. */
  readonly escapeFormulas: boolean
  /** Throws where text can't be written; the row counts as not made then. */
  readonly check?: (text: string) => void
}

/** What rows have in common: the keys of maps, or how many fields vectors have. */
export type CsvColumns = ReadonlyArray<string> | number

/**
 * Writes rows as RFC 4180 has them, with LF at their ends. The first item decides on the columns.
 *
 * Nil is an empty field, as is a key that an item lacks.
 *
 * **Fails** with `UnwritableValue` for items that are no rows like the first one, and for fields that are no text,
 * numbers, booleans, keywords or dates.
 */
export class CsvWriter {
  columns: CsvColumns | undefined
  readonly #options: CsvWriterOptions
  readonly #quotable: RegExp

  constructor(options: CsvWriterOptions, columns?: CsvColumns) {
    this.#options = options
    this.columns = columns
    const separator = `\\u${options.separator.charCodeAt(0).toString(16).padStart(4, "0")}`
    this.#quotable = new RegExp(`["\\r\\n${separator}]`)
  }

  /** The item's row; in front of the first one, the header. */
  row(item: unknown): string {
    const columns = this.columns ?? columnsOf(item)
    const line = this.#line(fieldsOf(item, columns))
    const isHeaderDue = this.columns === undefined && typeof columns !== "number" && this.#options.header
    const row = isHeaderDue ? this.#line(columns) + line : line
    this.#options.check?.(row)
    this.columns = columns
    return row
  }

  #line(fields: ReadonlyArray<unknown>): string {
    // An empty row would be no row at all.
    const line =
      fields.length === 1 && isEmptyField(fields[0]) ? '""' : fields.map((field) => this.#field(field)).join(this.#options.separator)
    return `${line}\n`
  }

  #field(value: unknown): string {
    let text = textOf(value)
    if (this.#options.escapeFormulas && typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`
    return this.#quotable.test(text) ? `"${text.replaceAll('"', '""')}"` : text
  }
}

const isEmptyField = (field: unknown): boolean => field === null || field === undefined || field === ""

const columnsOf = (item: unknown): CsvColumns => {
  const columns = Array.isArray(item)
    ? item.length
    : item instanceof Map
      ? [...item.keys()].map(columnName)
      : isMap(item)
        ? Object.keys(item)
        : undefined
  if (columns === undefined) throw notARow(item)
  if (columns === 0 || (typeof columns !== "number" && columns.length === 0)) {
    throw new UnwritableValue("the first row has no fields, so there are no columns", "Give it some.")
  }
  return columns
}

const fieldsOf = (item: unknown, columns: CsvColumns): ReadonlyArray<unknown> => {
  if (typeof columns === "number") {
    if (!Array.isArray(item)) throw notARow(item)
    if (item.length === columns) return item
    throw new UnwritableValue(`the row has ${item.length} fields, but the first one has ${columns}`, "Give all rows as many fields.")
  }
  const entries = item instanceof Map ? item : isMap(item) ? new Map(Object.entries(item)) : undefined
  if (entries === undefined) throw notARow(item)
  const byName = new Map([...entries].map(([key, value]) => [columnName(key), value]))
  const extra = [...byName.keys()].find((name) => !columns.includes(name))
  if (extra !== undefined) {
    throw new UnwritableValue(
      `the key ${JSON.stringify(extra)} is no column: the first item lacks it`,
      "Give the first item all keys, or drop this one."
    )
  }
  return columns.map((name) => byName.get(name))
}

const columnName = (key: unknown): string => {
  if (isKeyword(key)) return key.name
  if (typeof key === "string" || typeof key === "number") return String(key)
  throw new UnwritableValue("a map has a key that can't name a column", "Use keywords or strings.")
}

const isMap = (item: unknown): item is Record<string, unknown> =>
  typeof item === "object" && item !== null && !Array.isArray(item) && isPlainMap(item)

const notARow = (item: unknown): UnwritableValue =>
  new UnwritableValue(
    `a row is a map or, if the first one is, a vector, not ${typeof item === "object" && item !== null ? nameOf(item) : typeof item}`,
    "Map the items to rows like the first one."
  )

const textOf = (value: unknown): string => {
  switch (typeof value) {
    case "string":
      return value
    case "number":
    case "bigint":
    case "boolean":
      return String(value)
    case "undefined":
      return ""
    case "object":
      if (value === null) return ""
      if (isKeyword(value)) return String(value)
      if (value instanceof Date && !Number.isNaN(value.getTime())) return value.toISOString()
      throw new UnwritableValue(
        `a field can't be ${Array.isArray(value) ? "a vector" : isPlainMap(value) ? "a map" : nameOf(value)}`,
        "Flatten the row, or turn the field into a string."
      )
    default:
      throw new UnwritableValue(`a field can't be a ${typeof value}`, "Map the row to plain data first.")
  }
}

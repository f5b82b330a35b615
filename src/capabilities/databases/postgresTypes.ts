import type { DatabaseColumn, DatabaseValue } from "../../actors/index.ts"
import { parseJson } from "../files/JsonValue.ts"
import { momentOf } from "./moments.ts"
import type { ColumnReader } from "./rowCode.ts"
import { isBytes, jsonOf, refusing, textOf, wholeNumber } from "./values.ts"

interface Builtins {
  readonly getTypeParser: (type: number, format?: "text") => (text: string) => unknown
}

/**
 * What a value of PostgreSQL is in a program. What would lose something stays the text that the server sends: exact
 * numbers, days and times without a zone (which are no moments), and every type that is not listed.
 */
export const postgresReaders = (builtins: Builtins): ((type: number) => ColumnReader) => {
  const inOtherStyle = builtins.getTypeParser(1184)
  const instant = (text: string) => {
    const moment = momentOf(text) ?? inOtherStyle(text)
    return moment instanceof Date ? moment : text
  }
  const bytes = (text: string) => new Uint8Array(builtins.getTypeParser(17)(text) as Buffer)
  const of: Readonly<Record<number, (text: string) => unknown>> = {
    16: (text) => text === "t",
    17: bytes,
    20: wholeNumber,
    21: Number,
    23: Number,
    26: Number,
    700: Number,
    701: Number,
    114: parseJson,
    3802: parseJson,
    1184: instant
  }
  // By the type of the array that of its elements.
  const elements: Readonly<Record<number, number>> = {
    1000: 16,
    1001: 17,
    1016: 20,
    1005: 21,
    1007: 23,
    1028: 26,
    1021: 700,
    1022: 701,
    199: 114,
    3807: 3802,
    1185: 1184
  }
  const plainArrays = new Set([1009, 1015, 1014, 1003, 1231, 2951, 1182, 1115, 1183])
  // The driver's array of text, with its elements as they are.
  const textArray = builtins.getTypeParser(1009)
  const mapped = (values: unknown, element: (text: string) => unknown): unknown =>
    Array.isArray(values) ? values.map((value) => mapped(value, element)) : values === null ? null : element(values as string)
  return (type) => {
    const element = elements[type]
    if (element !== undefined) return (text: string) => mapped(textArray(text), of[element]!)
    return of[type] ?? (plainArrays.has(type) ? textArray : undefined)
  }
}

/** The other way, for a column. */
export const postgresValue = (value: unknown, { name, type }: DatabaseColumn): DatabaseValue => {
  if (value === null || value === undefined) return null
  if (type === "json" || type === "jsonb") return jsonOf(value)
  if (type === "bytea") {
    if (isBytes(value)) return value
    throw refusing(name, value, "Give it bytes.")
  }
  if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean") return value
  if (Array.isArray(value) && type.endsWith("[]"))
    return value.map((element) => (Array.isArray(element) ? element : element === null ? null : textOf(element, name)))
  const text = textOf(value, name)
  // The server has no such character, and says so only of a whole batch.
  if (text.includes("\0")) throw refusing(name, value, "PostgreSQL's text can't hold the character 0: take it out.")
  return text
}

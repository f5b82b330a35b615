import type { DatabaseColumn, DatabaseValue } from "../../actors/index.ts"
import { momentText } from "./moments.ts"
import { postgresValue } from "./postgresTypes.ts"
import { asBuffer, isBytes, jsonOf } from "./values.ts"

/** Gives a column's value for a value of a program as PostgreSQL's text format for COPY has it. */
export const copyEncoder = (column: DatabaseColumn): ((value: unknown) => string) => {
  const { type } = column
  const isNil = (value: unknown) => value === null || value === undefined
  const any = (value: unknown) => field(postgresValue(value, column))
  if (type === "json" || type === "jsonb") return (value) => (isNil(value) ? nil : escapedJson(jsonOf(value)))
  if (type === "bytea") return any
  // What most values are, first.
  return (value) => {
    if (typeof value === "string") return special.test(value) ? any(value) : value
    if (isNil(value)) return nil
    if (typeof value === "number") return String(value)
    return value instanceof Date ? momentText(value) : any(value)
  }
}

const nil = "\\N"

const field = (value: DatabaseValue): string => {
  if (typeof value === "string") return escaped(value)
  if (value === null) return nil
  if (isBytes(value)) return `\\\\x${asBuffer(value).toString("hex")}`
  return Array.isArray(value) ? escaped(arrayText(value)) : String(value)
}

/** Of all that has to be escaped, JSON has only its own escapes. */
const escapedJson = (text: string): string => (text.includes("\\") ? text.replaceAll("\\", "\\\\") : text)

/** With the character 0, which no text may have. */
const special = /[\\\t\n\r\b\f\v\0]/

const escaped = (text: string): string =>
  special.test(text) ? text.replace(/[\\\t\n\r\b\f\v]/g, (character) => escapes[character]!) : text

const escapes: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  "\t": "\\t",
  "\n": "\\n",
  "\r": "\\r",
  "\b": "\\b",
  "\f": "\\f",
  "\v": "\\v"
}

/** As PostgreSQL writes an array. */
const arrayText = (values: ReadonlyArray<unknown>): string =>
  `{${values
    .map((value) => {
      if (value === null || value === undefined) return "NULL"
      if (Array.isArray(value)) return arrayText(value)
      return `"${String(value).replace(/["\\]/g, "\\$&")}"`
    })
    .join(",")}}`

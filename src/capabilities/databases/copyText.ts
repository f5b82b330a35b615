import type { DatabaseRow, DatabaseValue } from "../../actors/index.ts"
import { asBuffer, isBytes } from "./values.ts"

/** Rows in PostgreSQL's text format for COPY. */
export const copyText = (rows: ReadonlyArray<DatabaseRow>): string => {
  let text = ""
  for (const row of rows) {
    for (let i = 0; i < row.length; i++) text += i === 0 ? field(row[i]!) : `\t${field(row[i]!)}`
    text += "\n"
  }
  return text
}

const field = (value: DatabaseValue): string => {
  if (typeof value === "string") return escaped(value)
  if (value === null) return "\\N"
  if (isBytes(value)) return `\\\\x${asBuffer(value).toString("hex")}`
  return Array.isArray(value) ? escaped(arrayText(value)) : String(value)
}

const special = /[\\\t\n\r\b\f\v]/

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

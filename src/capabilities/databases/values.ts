import { isKeyword } from "../../serialization/index.ts"
import { jsonText } from "../files/JsonText.ts"
import { UnwritableValue } from "../files/errors.ts"
import { momentText } from "./moments.ts"

export const isBytes = (value: unknown): value is Uint8Array => value instanceof Uint8Array

export const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Text, numbers and the like as text for a column; keywords as `":name"`, as in files. */
export const textOf = (value: unknown, column: string): string => {
  switch (typeof value) {
    case "string":
      return value
    case "number":
    case "bigint":
    case "boolean":
      return String(value)
  }
  if (isKeyword(value)) return `:${value.name}`
  if (value instanceof Date) return momentText(value)
  throw refusing(column, value, "Map it to text, or write it into a column of JSON.")
}

export const jsonOf = (value: unknown): string => jsonText(value)

export const refusing = (column: string, value: unknown, fix: string): UnwritableValue =>
  new UnwritableValue(`the column ${column} has no form for ${kindOf(value)}`, fix)

const kindOf = (value: unknown): string => {
  if (Array.isArray(value)) return "a vector"
  if (isBytes(value)) return "bytes"
  return typeof value === "object" ? "a map" : typeof value === "number" ? String(value) : `a ${typeof value}`
}

/** A whole number: a `number` where it is exact in one. */
export const wholeNumber = (text: string): number | bigint => {
  const number = Number(text)
  return Number.isSafeInteger(number) ? number : BigInt(text)
}

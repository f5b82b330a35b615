import { ErrorValue, isKeyword, isPlainMap } from "../../serialization/index.ts"
import { UnwritableValue } from "./errors.ts"
import { maxJsonDepth } from "./JsonScanner.ts"

/**
 * A value as one line of JSON: keywords as `":name"`, big integers with all their digits, dates as ISO 8601 text.
 *
 * **Fails** with `UnwritableValue` for what JSON has no form for: functions, streams, bytes, NaN and infinities, half a
 * surrogate pair, map keys that are no keywords, strings or numbers, and more than 512 levels.
 */
export const jsonText = (value: unknown): string => {
  // Native code is several times faster, but leaves out or changes silently what it can't write; so it is asked first
  // whether there is any of that. Half a surrogate pair shows in what it wrote.
  if (!isNative(value, 0)) return written(value, 0)
  const text = JSON.stringify(value)
  return text.includes("\\ud") ? written(value, 0) : text
}

/** Whether `JSON.stringify` writes the value as we do. */
const isNative = (value: unknown, depth: number): boolean => {
  switch (typeof value) {
    case "string":
      return true
    case "number":
      return Math.abs(value) <= 2 ** 53 ? !Object.is(value, -0) : Number.isFinite(value) && Math.abs(value) >= 1e21
    case "boolean":
      return true
    case "object":
      break
    default:
      return false
  }
  if (value === null || isKeyword(value)) return true
  if (depth >= maxJsonDepth) return false
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) if (!isNative(value[i], depth + 1)) return false
    return true
  }
  if (!isPlainMap(value) || typeof value["toJSON"] === "function") return false
  for (const key in value) if (!isNative(value[key], depth + 1)) return false
  return true
}

const written = (value: unknown, depth: number): string => {
  switch (typeof value) {
    case "string":
      return quoted(value)
    case "number":
      if (Object.is(value, -0)) return "-0"
      // Whole numbers of that size would be read as bigints if they were written with digits only.
      if (Number.isFinite(value)) return Math.abs(value) > 2 ** 53 ? value.toExponential() : String(value)
      throw new UnwritableValue(`JSON has no number ${value}`, "Map it to nil or to a string first.")
    case "bigint":
    case "boolean":
      return String(value)
    case "undefined":
      return "null"
    case "object":
      return value === null ? "null" : writtenObject(value, depth)
    default:
      throw new UnwritableValue(`JSON has no form for a ${typeof value}`, "Map the item to plain data first.")
  }
}

const writtenObject = (value: object, depth: number): string => {
  if (isKeyword(value)) return quoted(String(value))
  if (depth >= maxJsonDepth) throw new UnwritableValue(`the value is nested deeper than ${maxJsonDepth} levels`, "Flatten it first.")
  if (Array.isArray(value)) return `[${Array.from(value, (element) => written(element, depth + 1)).join(",")}]`
  if (value instanceof Map) return writtenMap(value, depth)
  if (value instanceof Date && !Number.isNaN(value.getTime())) return quoted(value.toISOString())
  if (value instanceof ErrorValue || value instanceof Error) {
    const { data, message, type } = value instanceof Error ? ErrorValue.of(value) : value
    return written({ type, message, ...(data === null ? {} : { data }) }, depth)
  }
  if (value instanceof Uint8Array) throw new UnwritableValue("JSON has no form for bytes", "Decode them to a string first.")
  if (isPlainMap(value)) return writtenMap(Object.entries(value), depth)
  throw new UnwritableValue(`JSON has no form for ${nameOf(value)}`, "Map the item to plain data first.")
}

const writtenMap = (entries: Iterable<readonly [unknown, unknown]>, depth: number): string => {
  const parts: Array<string> = []
  const names = new Set<string>()
  for (const [key, value] of entries) {
    const name = isKeyword(key) ? key.name : typeof key === "number" || typeof key === "bigint" ? String(key) : key
    if (typeof name !== "string")
      throw new UnwritableValue("a map has a key that is no keyword, string or number", "Give it other keys first.")
    if (names.has(name)) throw new UnwritableValue(`two keys of a map would both be ${JSON.stringify(name)} in JSON`, "Rename one first.")
    names.add(name)
    parts.push(`${quoted(name)}:${written(value, depth + 1)}`)
  }
  return `{${parts.join(",")}}`
}

const quoted = (text: string): string => {
  if (text.isWellFormed()) return JSON.stringify(text)
  throw new UnwritableValue("the text holds half a surrogate pair", "It was damaged where it was cut; mend it there.")
}

/** What an object is called in a message. Never its contents. */
export const nameOf = (value: object): string => {
  const { label } = value as { readonly label?: unknown }
  return typeof label === "string" ? `a ${label}` : `a ${value.constructor?.name ?? "host object"}`
}

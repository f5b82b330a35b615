import { HostObject, Keyword } from "../serialization/index.ts"
import { failure, maximumNesting, RtfsError } from "./errors.ts"
import { errorValue, isError } from "./errorValue.ts"
import { bigMap, entriesOf, isMap, isPlainKey, mapOf } from "./maps.ts"
import { print } from "./Printer.ts"
import { integerValue } from "./Reader.ts"
import { RtfsSymbol } from "./RtfsSymbol.ts"
import { typeName } from "./typeName.ts"

const maximumDepth = 512

/**
 * A value as one line of JSON for people and other programs: keywords as `":name"`, keys that are keywords as plain
 * names, streams and handles as `{"stream": id}`, integers of any size with all their digits, NaN and the infinities
 * as strings, bytes as base64, functions as `"#<function>"`.
 *
 * **Fails** with `:invalid-argument` beyond 1000 levels.
 */
export const toJson = (value: unknown): string => write(value, undefined, undefined, 0)

/**
 * A value as JSON text, as `serialize-json` gives it. **Fails** with `:json-error` for what JSON has no form for:
 * functions, bare keywords, NaN, streams.
 */
export const stringifyJson = (value: unknown, charge?: (characters: number) => void): string => write(value, refuse, charge, 0)

const refuse = (value: unknown): never => {
  throw failure.json(`A ${typeof value === "number" ? print(value) : typeName(value)} has no form in JSON`)
}

const write = (
  value: unknown,
  strict: typeof refuse | undefined,
  charge: ((characters: number) => void) | undefined,
  depth: number
): string => {
  const again = (item: unknown) => write(item, strict, charge, depth + 1)
  const text = writeSimple(value, strict)
  if (text !== undefined) {
    charge?.(text.length)
    return text
  }
  if (depth > maximumNesting) throw failure.nesting()
  charge?.(2)
  if (Array.isArray(value)) return `[${value.map(again).join(",")}]`
  if (isMap(value)) {
    return `{${entriesOf(value)
      .map(([key, item]) => `${JSON.stringify(typeof key === "string" ? key : print(key))}:${again(item)}`)
      .join(",")}}`
  }
  if (isError(value)) {
    const { data, message, type } = value instanceof Error ? errorValue(value) : value
    return again({ type: `:${type.name}`, message, ...(data === null ? {} : { data }) })
  }
  if (strict !== undefined) strict(value)
  if (value instanceof HostObject) return again(value.toJSON())
  return again(
    value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64") : print(value)
  )
}

const writeSimple = (value: unknown, strict: typeof refuse | undefined): string | undefined => {
  switch (typeof value) {
    case "undefined":
      return "null"
    case "boolean":
      return String(value)
    case "string":
      return JSON.stringify(value)
    case "bigint":
      return value.toString()
    case "number":
      if (Object.is(value, -0)) return "-0"
      return Number.isFinite(value) ? String(value) : strict === undefined ? JSON.stringify(String(value)) : strict(value)
    case "function":
      return strict === undefined ? '"#<function>"' : strict(value)
    default:
  }
  if (value === null) return "null"
  if (value instanceof Keyword) return strict === undefined ? JSON.stringify(`:${value.name}`) : strict(value)
  if (value instanceof RtfsSymbol) return strict === undefined ? JSON.stringify(value.name) : strict(value)
  return value instanceof Date && !Number.isNaN(value.getTime()) ? JSON.stringify(value.toISOString()) : undefined
}

/**
 * JSON text as a value: objects as maps, integers exact at any size.
 *
 * **Fails** with `:json-error` for text that is not JSON, or nested more than 512 deep (`JSON.parse` itself would
 * accept millions of levels, which nothing after it could walk).
 */
export const parseJson = (text: string): unknown => {
  checkDepth(text)
  try {
    // Most text needs no second look: no key that a plain object cannot hold in order, no integer that a number cannot.
    if (text.length < 4096 && !needsCare.test(text)) return JSON.parse(text)
    // The reviver's third argument is too new for the type declarations.
    return convert(JSON.parse(text, exactIntegers as Parameters<typeof JSON.parse>[1]))
  } catch (error) {
    if (error instanceof RtfsError) throw error
    throw failure.json(`Invalid JSON: ${(error as Error).message}`)
  }
}

const needsCare = /[0-9]{16}|__proto__|"[0-9]+"\s*:|\\u/

const exactIntegers = (_key: string, value: unknown, context: { readonly source?: string }): unknown =>
  typeof value === "number" && context.source !== undefined && !Number.isSafeInteger(value) && /^-?[0-9]+$/.test(context.source)
    ? integerValue(context.source)
    : value

/** Gives maps with keys of their own kind their form, and marks large ones. */
const convert = (value: unknown): unknown => {
  if (value === null || typeof value !== "object") return value
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) value[index] = convert(value[index])
    return value
  }
  const object = value as Record<string, unknown>
  const keys = Object.keys(object)
  for (const key of keys) {
    if (!isPlainKey(key)) return mapOf(keys.map((name) => [name, convert(object[name])]))
    object[key] = convert(object[key])
  }
  if (keys.length > 64) Object.defineProperty(object, bigMap, { value: keys.length })
  return object
}

const checkDepth = (text: string): void => {
  let depth = 0
  for (let index = 0; index < text.length; index++) {
    switch (text.charCodeAt(index)) {
      case 0x22:
        for (index++; index < text.length && text.charCodeAt(index) !== 0x22; index++) if (text.charCodeAt(index) === 0x5c) index++
        break
      case 0x5b:
      case 0x7b:
        if (++depth > maximumDepth) throw failure.json(`Invalid JSON: nested more than ${maximumDepth} deep`)
        break
      case 0x5d:
      case 0x7d:
        depth--
        break
      default:
    }
  }
}

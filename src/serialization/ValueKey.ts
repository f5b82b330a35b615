import { ValueTooDeep, ValueTooLarge } from "./errors.ts"
import { ErrorValue } from "./ErrorValue.ts"
import { Keyword } from "./Keyword.ts"
import { isPlainMap } from "./MapKey.ts"
import { maxDepth, maxKeyParts } from "./limits.ts"

/**
 * What to put into a `Map` or `Set` for a value: two values are equal (`valuesEqual`) exactly when their keys are the
 * same to a `Map`. Only NaN, which equals nothing, is one key.
 *
 * Strings, numbers, booleans and keywords are their own keys. Composites become texts; they begin with a character
 * that makes a string which begins with it a text, too, so that the two never meet.
 *
 * **Fails** with `ValueTooDeep` beyond 512 levels, with `ValueTooLarge` beyond a million parts.
 * **Cost** some nanoseconds for a string or number. A key may be a slice of a frame's text: `detach` what is kept.
 */
export const keyOf = (value: unknown): unknown => {
  if (typeof value === "string") return value.charCodeAt(0) === 0 ? `\u0000s${value}` : value
  if (typeof value === "number") return value
  if (typeof value === "object" && value !== null) return value instanceof Keyword ? value : `\u0000${textOfKey(value)}`
  if (typeof value === "bigint") return isSafe(value) ? Number(value) : value
  return value ?? null
}

const isSafe = (value: bigint): boolean => value >= -(2n ** 53n) && value <= 2n ** 53n

const textOfKey = (value: object): string => {
  parts = 0
  return textOf(value, 0)
}

/** Of the key that is being made: it is made in one go. */
let parts = 0

/** A text that no other value has. Each part says where it ends: by a length, or by a bracket that numbers can't hold. */
const textOf = (value: unknown, depth: number): string => {
  if (++parts > maxKeyParts) throw new ValueTooLarge({ limit: maxKeyParts })
  switch (typeof value) {
    case "string":
      return `s${value.length}:${value}`
    case "number":
      return `n${value};` // the text of −0 is "0"
    case "bigint":
      return isSafe(value) ? `n${value};` : `i${value};`
    case "boolean":
      return value ? "t" : "f"
    case "undefined":
      return "_"
    case "object":
      return value === null ? "_" : textOfObject(value, depth)
    default:
      return identity(value as object)
  }
}

const textOfObject = (value: object, depth: number): string => {
  if (depth >= maxDepth) throw new ValueTooDeep({ limit: maxDepth })
  if (Array.isArray(value)) {
    let text = "["
    for (let i = 0; i < value.length; i++) text += textOf(value[i], depth + 1)
    return `${text}]`
  }
  if (value instanceof Keyword) return `k${value.name.length}:${value.name}`
  if (value instanceof Map)
    return textOfEntries(
      Array.from(value, ([key, held]) => textOf(key instanceof Keyword ? key.name : key, depth + 1) + textOf(held, depth + 1))
    )
  if (isPlainMap(value)) return textOfEntries(Object.keys(value).map((key) => textOf(key, 0) + textOf(value[key], depth + 1)))
  if (value instanceof Uint8Array) return `b${value.length}:${Buffer.from(value.buffer, value.byteOffset, value.length).toString("latin1")}`
  if (value instanceof Date) return `d${value.getTime()};`
  if (value instanceof ErrorValue) return `e${textOf([value.type, value.message, value.name, value.data], depth + 1)}`
  return identity(value)
}

// Each entry begins with the text of its key, which ends where it says, so sorting entries sorts by key.
const textOfEntries = (entries: Array<string>): string => `{${entries.sort().join("")}}`

/** Functions, streams and other things of the host are equal to themselves only. */
const identity = (value: object): string => {
  let number = numbers.get(value)
  if (number === undefined) numbers.set(value, (number = ++lastNumber))
  return `o${number};`
}

const numbers = new WeakMap<object, number>()
let lastNumber = 0

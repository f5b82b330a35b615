import { ValueTooDeep } from "./errors.ts"
import { ErrorValue } from "./ErrorValue.ts"
import { Keyword } from "./Keyword.ts"
import { isPlainMap } from "./MapKey.ts"
import { keyOf } from "./ValueKey.ts"
import { maxDepth } from "./limits.ts"

/**
 * RTFS equality: deep, by value, blind to the order of map entries.
 *
 * A string is no keyword, but as keys of a map they name the same entry. NaN equals nothing, itself in a vector
 * included. nil and `undefined` are one. A number and a big integer are equal within ±2^53 only: beyond it the one is
 * an approximation and the other is not. Functions and host objects equal themselves.
 *
 * **Fails** with `ValueTooDeep` beyond 512 levels.
 */
export const valuesEqual = (a: unknown, b: unknown): boolean => equal(a, b, 0)

const equal = (a: unknown, b: unknown, depth: number): boolean => {
  if (typeof a === "object" && a !== null && typeof b === "object" && b !== null) return equalObjects(a, b, depth)
  if (a === b) return true
  if (a === null || a === undefined) return b === null || b === undefined
  // Also for NaN, whose keys are the same although it equals nothing.
  if (typeof a === "bigint" || typeof b === "bigint") return keyOf(a) === keyOf(b)
  return false
}

// The same object is not equal at once, since it may hold NaN: whether two values are one object must not show.
const equalObjects = (a: object, b: object, depth: number): boolean => {
  if (depth >= maxDepth) throw new ValueTooDeep({ limit: maxDepth })
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false
    for (let i = 0; i < a.length; i++) if (!equal(a[i], b[i], depth + 1)) return false
    return true
  }
  if (a instanceof Keyword) return a === b
  if (a instanceof Map || b instanceof Map) return equalEntries(a, b, depth)
  if (isPlainMap(a)) return isPlainMap(b) && equalMaps(a, b, depth)
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0
  if (a instanceof Date) return b instanceof Date && a.getTime() === b.getTime()
  if (a instanceof ErrorValue)
    return b instanceof ErrorValue && a.type === b.type && a.message === b.message && a.name === b.name && equal(a.data, b.data, depth + 1)
  return a === b
}

const equalMaps = (a: Record<string, unknown>, b: Record<string, unknown>, depth: number): boolean => {
  let size = 0
  for (const key in a) {
    if (!Object.hasOwn(a, key)) continue
    if (!Object.hasOwn(b, key) || !equal(a[key], b[key], depth + 1)) return false
    size++
  }
  return size === Object.keys(b).length
}

/** Maps of which one at least is a `Map`: found by the key of their keys, since those may be vectors or maps. */
const equalEntries = (a: object, b: object, depth: number): boolean => {
  const left = entriesByKey(a)
  const right = entriesByKey(b)
  if (left === undefined || right === undefined || left.size !== right.size) return false
  for (const [key, value] of left) {
    if (!right.has(key) || !equal(value, right.get(key), depth + 1)) return false
  }
  return true
}

const entriesByKey = (map: object): Map<unknown, unknown> | undefined => {
  if (map instanceof Map) return new Map(Array.from(map, ([key, value]) => [keyOf(key instanceof Keyword ? key.name : key), value]))
  return isPlainMap(map) ? new Map(Object.entries(map).map(([key, value]) => [keyOf(key), value])) : undefined
}

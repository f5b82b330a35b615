import { ErrorValue, HostObject, Keyword, keyOf, ValueTooDeep, ValueTooLarge } from "../serialization/index.ts"
import { failure, maximumNesting } from "./errors.ts"
import { entriesOf, isMap, normal, type RtfsMap, sizeOf } from "./mapKind.ts"
import { RtfsSymbol } from "./RtfsSymbol.ts"

/**
 * Whether two values are equal: structurally and deep, whatever the order of map entries. NaN equals nothing.
 * Functions, streams and handles are equal only to themselves.
 *
 * @param charge told how many parts were compared, so that comparing large values is paid for
 *
 * **Fails** with `:invalid-argument` for values nested more than 1000 deep.
 */
export const equals = (a: unknown, b: unknown, charge?: (steps: number) => void): boolean => equalAt(a, b, charge, 0)

const equalAt = (a: unknown, b: unknown, charge: ((steps: number) => void) | undefined, depth: number): boolean => {
  if (a === null || a === undefined) return b === null || b === undefined
  if (b === null || b === undefined) return false
  // Not at once for objects: one that holds NaN does not equal itself, since whether two values are one must not show.
  if (typeof a !== "object" || typeof b !== "object") return a === b || equalAcross(a, b) || equalAcross(b, a)
  if (depth > maximumNesting) throw failure.nesting()
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false
    charge?.(a.length)
    for (let index = 0; index < a.length; index++) if (!equalAt(a[index], b[index], charge, depth + 1)) return false
    return true
  }
  if (isMap(a)) return isMap(b) && equalMaps(a, b, charge, depth)
  if (a instanceof RtfsSymbol) return b instanceof RtfsSymbol && a.name === b.name
  if (a instanceof Date) return b instanceof Date && a.getTime() === b.getTime()
  if (a instanceof Uint8Array) {
    if (!(b instanceof Uint8Array) || a.length !== b.length) return false
    charge?.(a.length)
    return a.every((byte, index) => byte === b[index])
  }
  if (a instanceof ErrorValue && b instanceof ErrorValue) {
    return a.type === b.type && a.message === b.message && a.name === b.name && equalAt(a.data, b.data, charge, depth + 1)
  }
  return a === b
}

/** A big integer that a number could hold is that number; beyond 2^53 the number is an approximation and equals no integer. */
const equalAcross = (a: unknown, b: unknown): boolean =>
  typeof a === "bigint" && typeof b === "number" && Math.abs(b) <= 2 ** 53 && Number.isInteger(b) && BigInt(b) === a

const equalMaps = (a: RtfsMap, b: RtfsMap, charge: ((steps: number) => void) | undefined, depth: number): boolean => {
  const size = sizeOf(a)
  if (size !== sizeOf(b)) return false
  charge?.(size)
  for (const [key, value] of entriesOf(a)) {
    if (b instanceof Map) {
      const held = sameKey(b, key)
      if (!b.has(held) || !equalAt(value, normal(b.get(held)), charge, depth + 1)) return false
    } else if (typeof key !== "string" || !Object.hasOwn(b, key) || !equalAt(value, normal(b[key]), charge, depth + 1)) return false
  }
  return true
}

/** The key of a map that equals this one, else the key itself. A `Map` compares keys by identity; for vectors and maps as keys that is not enough. */
export const sameKey = (map: Map<unknown, unknown>, key: unknown): unknown => {
  if (typeof key !== "object" || key === null || map.has(key)) return key
  for (const candidate of map.keys()) if (typeof candidate === "object" && equals(candidate, key)) return candidate
  return key
}

/** What a `Map` or `Set` has to hold so that equal values are one. **Fails** as `equals` does. */
export const identityOf = (value: unknown): unknown => {
  try {
    return keyOf(value)
  } catch (error) {
    if (error instanceof ValueTooLarge) throw failure.argument(error.message)
    throw error instanceof ValueTooDeep ? failure.nesting() : error
  }
}

/** Orders strings by code points, where JavaScript orders by UTF-16 units. */
export const compareStrings = (a: string, b: string): number => {
  if (a === b) return 0
  const length = Math.min(a.length, b.length)
  for (let index = 0; index < length; index++) {
    const left = a.charCodeAt(index)
    const right = b.charCodeAt(index)
    if (left === right) continue
    // A surrogate stands for a code point above all others.
    const leftHigh = left >= 0xd800 && left <= 0xdfff
    const rightHigh = right >= 0xd800 && right <= 0xdfff
    return leftHigh === rightHigh ? left - right : leftHigh ? 1 : -1
  }
  return a.length - b.length
}

/**
 * The total order that `sort` uses: nil < booleans < numbers < strings < keywords < symbols < vectors < maps < the rest.
 * NaN comes after all other numbers.
 */
export const compareValues = (a: unknown, b: unknown, charge?: (steps: number) => void): number => compareAt(a, b, charge, 0)

const rank = (value: unknown): number => {
  switch (typeof value) {
    case "undefined":
      return 0
    case "boolean":
      return 1
    case "number":
    case "bigint":
      return 2
    case "string":
      return 3
    case "function":
      return 10
    default:
  }
  if (value === null) return 0
  if (value instanceof Keyword) return 4
  if (value instanceof RtfsSymbol) return 5
  if (Array.isArray(value)) return 6
  if (isMap(value)) return 7
  if (value instanceof Date) return 8
  return value instanceof HostObject ? 11 : 9
}

const compareAt = (a: unknown, b: unknown, charge: ((steps: number) => void) | undefined, depth: number): number => {
  const difference = rank(a) - rank(b)
  if (difference !== 0) return difference
  if (depth > maximumNesting) throw failure.nesting()
  switch (rank(a)) {
    case 1:
      return Number(a) - Number(b)
    case 2:
      return compareNumbers(a as number, b as number)
    case 3:
      charge?.(Math.min((a as string).length, (b as string).length) >> 4)
      return compareStrings(a as string, b as string)
    case 4:
    case 5:
      return compareStrings((a as Keyword).name, (b as Keyword).name)
    case 6:
      return compareRows(a as Array<unknown>, b as Array<unknown>, charge, depth)
    case 7:
      return compareMaps(a as RtfsMap, b as RtfsMap, charge, depth)
    case 8:
      return compareNumbers((a as Date).getTime(), (b as Date).getTime())
    default:
      return 0
  }
}

const compareNumbers = (a: number, b: number): number => {
  if (a < b) return -1
  if (a > b) return 1
  const leftNaN = Number.isNaN(a)
  return leftNaN === Number.isNaN(b) ? 0 : leftNaN ? 1 : -1
}

const compareRows = (
  a: ReadonlyArray<unknown>,
  b: ReadonlyArray<unknown>,
  charge: ((steps: number) => void) | undefined,
  depth: number
): number => {
  const length = Math.min(a.length, b.length)
  for (let index = 0; index < length; index++) {
    const order = compareAt(a[index], b[index], charge, depth + 1)
    if (order !== 0) return order
  }
  charge?.(length)
  return a.length - b.length
}

/** Maps in order of size, then of their entries sorted by key. */
const compareMaps = (a: RtfsMap, b: RtfsMap, charge: ((steps: number) => void) | undefined, depth: number): number => {
  const size = sizeOf(a) - sizeOf(b)
  if (size !== 0) return size
  const sorted = (map: RtfsMap) => entriesOf(map).sort((x, y) => compareAt(x[0], y[0], charge, depth + 1))
  return compareRows(sorted(a).flat(), sorted(b).flat(), charge, depth)
}

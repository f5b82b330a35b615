import { compareValues, equals, identityOf } from "../equality.ts"
import { failure } from "../errors.ts"
import { entry, heldKey, isMap, MapBuilder, sizeOf } from "../maps.ts"
import { isInteger } from "../numbers.ts"
import { asList, isList } from "../quotation.ts"
import { typeName } from "../typeName.ts"
import { builtin, type Builtin, type Context } from "./Builtin.ts"
import { characters, countCharacters, requireString } from "./strings.ts"

export const requireRow = (name: string, value: unknown): ReadonlyArray<unknown> => {
  if (!Array.isArray(value)) throw failure.type(`Type error in ${name}: expected vector, got ${typeName(value)}`)
  return value
}

/** Vectors as they are, strings as their characters. */
export const requireSequence = (context: Context, name: string, value: unknown): ReadonlyArray<unknown> =>
  typeof value === "string" ? characters(context, value) : requireRow(name, value)

/** Pays for a vector of that length before it is made. */
export const chargeRow = (context: Context, length: number): void => {
  context.meter.charge(1 + (length >> 3))
  context.meter.allocate(length * 8)
}

export const requireCount = (name: string, value: unknown): number => {
  if (typeof value === "bigint") return value > 0n ? Infinity : -Infinity
  if (typeof value !== "number" || !Number.isInteger(value))
    throw failure.type(`Type error in ${name}: expected integer, got ${typeName(value)}`)
  return value
}

const nil = (value: unknown): unknown => (value === undefined ? null : value)

const range = (name: string, context: Context, from: unknown, to: unknown, step: unknown, inclusive: boolean): ReadonlyArray<number> => {
  for (const bound of [from, to, step])
    if (typeof bound !== "number") throw failure.type(`Type error in ${name}: expected number, got ${typeName(bound)}`)
  const [start, end, by] = [from, to, step] as [number, number, number]
  if (by === 0 || Number.isNaN(start + end + by)) throw failure.argument(`${name} needs a step that is not zero`)
  const length = Math.max(0, inclusive ? Math.floor((end - start) / by) + 1 : Math.ceil((end - start) / by))
  if (!Number.isFinite(length)) throw failure.argument(`${name} has no end`)
  context.meter.charge(length)
  context.meter.allocate(length * 8)
  const result = new Array<number>()
  for (let index = 0; index < length; index++) result.push(start + index * by)
  return result
}

/** `get` on a vector: out of range gives the default. */
export const itemAt = (row: ReadonlyArray<unknown>, key: unknown, otherwise: unknown): unknown => {
  if (!isInteger(key)) throw failure.type(`Type error in get: expected an integer as index of a vector, got ${typeName(key)}`)
  return key >= 0 && key < row.length ? nil(row[Number(key)]) : otherwise
}

const count = (context: Context, value: unknown): number => {
  if (Array.isArray(value)) return value.length
  if (typeof value === "string") return countCharacters(context, value)
  if (isMap(value)) return sizeOf(value)
  throw failure.type(`Type error in count: expected string, vector or map, got ${typeName(value)}`)
}

/**
 * The positions of `items` in a stable order. Merge sort of our own: the engine's sort cannot be stopped in the middle.
 */
export const sorted = (context: Context, items: ReadonlyArray<unknown>, compare: (a: unknown, b: unknown) => number): Array<unknown> => {
  chargeRow(context, items.length * 2)
  let from = [...items]
  let into = Array.from<unknown>({ length: items.length })
  for (let width = 1; width < items.length; width *= 2) {
    context.meter.charge(items.length)
    for (let start = 0; start < items.length; start += width * 2)
      mergeRuns(from, into, start, Math.min(start + width, items.length), Math.min(start + 2 * width, items.length), compare)
    ;[from, into] = [into, from]
  }
  return from
}

const mergeRuns = (
  from: ReadonlyArray<unknown>,
  into: Array<unknown>,
  start: number,
  middle: number,
  end: number,
  compare: (a: unknown, b: unknown) => number
): void => {
  let left = start
  let right = middle
  for (let index = start; index < end; index++) {
    into[index] = right >= end || (left < middle && compare(from[left], from[right]) <= 0) ? from[left++] : from[right++]
  }
}

const sort = (context: Context, value: unknown): Array<unknown> =>
  sorted(context, requireRow("sort", value), (a, b) => compareValues(a, b, (steps) => context.meter.charge(steps)))

/** Seen values, by what makes them equal. */
class Seen {
  private readonly keys = new Set<unknown>()
  private readonly charge: (steps: number) => void

  constructor(charge: (steps: number) => void) {
    this.charge = charge
  }

  /** Whether the value is new; remembers it. */
  add(value: unknown): boolean {
    const size = this.keys.size
    const key = identityOf(value)
    if (typeof key === "string") this.charge(key.length >> 3)
    this.keys.add(key)
    return this.keys.size > size
  }
}

const contains = (context: Context, collection: unknown, sought: unknown): boolean => {
  if (typeof collection === "string") {
    context.meter.charge(1 + (collection.length >> 4))
    return collection.includes(requireString("contains?", sought))
  }
  if (Array.isArray(collection)) {
    context.meter.charge(collection.length)
    return collection.some((item) => equals(item, sought, (steps) => context.meter.charge(steps)))
  }
  if (isMap(collection)) return entry(collection, heldKey(sought)) !== undefined
  throw failure.type(`Type error in contains?: expected vector, map or string, got ${typeName(collection)}`)
}

const concat = (context: Context, parts: ReadonlyArray<unknown>): Array<unknown> => {
  let length = 0
  for (const part of parts) length += requireRow("concat", part).length
  chargeRow(context, length)
  const result = (parts as ReadonlyArray<ReadonlyArray<unknown>>).flat(1)
  return parts.some(isList) ? asList(result) : result
}

const slice = (context: Context, row: ReadonlyArray<unknown>, from: number, to: number): Array<unknown> => {
  chargeRow(context, Math.max(0, Math.min(to, row.length) - from))
  return row.slice(from, to)
}

export const sequences: ReadonlyArray<Builtin> = [
  builtin("vector", 0, Infinity, (context, ...items) => (chargeRow(context, items.length), [...items])),
  builtin("list", 0, Infinity, (context, ...items) => (chargeRow(context, items.length), asList([...items]))),
  builtin("first", 1, 1, (_, value) => {
    if (typeof value !== "string") return nil(requireRow("first", value)[0])
    const point = value.codePointAt(0)
    return point === undefined ? null : String.fromCodePoint(point)
  }),
  builtin("last", 1, 1, (context, value) => nil(requireSequence(context, "last", value).at(-1))),
  builtin("rest", 1, 1, (context, value) => slice(context, requireSequence(context, "rest", value), 1, Infinity)),
  builtin("nth", 2, 3, (context, value, position, ...otherwise) => {
    const row = requireSequence(context, "nth", value)
    const at = requireCount("nth", position)
    if (at >= 0 && at < row.length) return nil(row[at])
    if (otherwise.length > 0) return otherwise[0]
    throw failure.bounds(`Index ${at} is out of bounds for ${row.length} items`)
  }),
  builtin("conj", 1, Infinity, (context, value, ...items) => {
    const row = requireRow("conj", value)
    chargeRow(context, row.length + items.length)
    return [...row, ...items]
  }),
  builtin("cons", 2, 2, (context, item, value) => {
    const row = requireRow("cons", value)
    chargeRow(context, row.length + 1)
    // In a macro, code with something in front is code still.
    return isList(row) ? asList([item, ...row]) : [item, ...row]
  }),
  builtin("concat", 0, Infinity, (context, ...parts) => concat(context, parts)),
  builtin("count", 1, 1, count),
  builtin("reverse", 1, 1, (context, value) => {
    const row = requireSequence(context, "reverse", value)
    chargeRow(context, row.length)
    return typeof value === "string" ? [...row].reverse().join("") : [...row].reverse()
  }),
  builtin("take", 2, 2, (context, n, value) =>
    slice(context, requireSequence(context, "take", value), 0, Math.max(0, requireCount("take", n)))
  ),
  builtin("drop", 2, 2, (context, n, value) =>
    slice(context, requireSequence(context, "drop", value), Math.max(0, requireCount("drop", n)), Infinity)
  ),
  builtin("distinct", 1, 1, (context, value) => {
    const row = requireRow("distinct", value)
    context.meter.charge(row.length)
    chargeRow(context, row.length)
    const seen = new Seen((steps) => context.meter.charge(steps))
    return row.filter((item) => seen.add(item))
  }),
  builtin("partition", 2, 2, (context, n, value) => {
    const size = requireCount("partition", n)
    if (size < 1) throw failure.argument("partition needs groups of at least 1 item")
    const row = requireRow("partition", value)
    chargeRow(context, row.length * 2)
    const groups: Array<unknown> = []
    for (let start = 0; start < row.length; start += size) groups.push(row.slice(start, start + size))
    return groups
  }),
  builtin("subvec", 2, 3, (context, value, from, to) => {
    const row = requireRow("subvec", value)
    const start = requireCount("subvec", from)
    const end = to === undefined ? row.length : requireCount("subvec", to)
    if (start < 0 || end > row.length || start > end)
      throw failure.bounds(`subvec ${start} to ${end} is out of bounds for ${row.length} items`)
    return slice(context, row, start, end)
  }),
  builtin("range", 1, 3, (context, a, b, step) =>
    b === undefined ? range("range", context, 0, a, 1, false) : range("range", context, a, b, step === undefined ? 1 : step, false)
  ),
  builtin("numbers", 2, 2, (context, a, b) => range("numbers", context, a, b, 1, true)),
  builtin("sort", 1, 1, sort),
  builtin("contains?", 2, 2, contains),
  builtin("into", 2, 2, (context, target, value) => {
    if (Array.isArray(target)) return concat(context, [target, value])
    if (!isMap(target)) throw failure.type(`Type error in into: expected vector or map, got ${typeName(target)}`)
    const pairs = requireRow("into", value)
    context.meter.charge(pairs.length + sizeOf(target))
    context.meter.allocate((pairs.length + sizeOf(target)) * 16)
    const builder = new MapBuilder()
    for (const [key, item] of target instanceof Map ? target : Object.entries(target)) builder.set(key, item)
    for (const pair of pairs) {
      const [key, item] = requireRow("into", pair)
      builder.set(heldKey(nil(key)), nil(item))
    }
    return builder.done()
  }),
  builtin("identity", 1, 1, (_, value) => value)
]

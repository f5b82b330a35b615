import { isKeyword } from "../../serialization/index.ts"
import { assoc as withItem } from "../assoc.ts"
import { failure } from "../errors.ts"
import { isError } from "../errorValue.ts"
import {
  entriesOf,
  entry,
  fieldOf,
  heldKey,
  isMap,
  keysOf,
  mapOf,
  MapBuilder,
  merged,
  type RtfsMap,
  shownKey,
  sizeOf,
  withoutKeys
} from "../maps.ts"
import { isInteger } from "../numbers.ts"
import { typeName } from "../typeName.ts"
import { builtin, type Builtin, type Context, higherOrder } from "./Builtin.ts"
import { itemAt, requireRow } from "./sequences.ts"

const requireMap = (name: string, value: unknown): RtfsMap => {
  if (!isMap(value)) throw failure.type(`Type error in ${name}: expected map, got ${typeName(value)}`)
  return value
}

const chargeMap = (context: Context, size: number): void => {
  context.meter.charge(1 + size)
  if (size > 8) context.meter.allocate(size * 16)
}

const get = (_: Context, collection: unknown, key: unknown, otherwise: unknown = null): unknown => {
  if (Array.isArray(collection)) return itemAt(collection, key, otherwise)
  if (isMap(collection)) {
    if (key === null || key === undefined) throw failure.type("Type error in get: expected a key, got nil")
    return entry(collection, heldKey(key)) ?? (hasNil(collection, key) ? null : otherwise)
  }
  if (isError(collection)) return fieldOf(collection, heldKey(key)) ?? otherwise
  throw failure.type(`Type error in get: expected map or vector, got ${typeName(collection)}`)
}

/** A key present with value nil beats the default. */
const hasNil = (map: RtfsMap, key: unknown): boolean => entry(map, heldKey(key)) === null

/** One step of a path; undefined where there is nothing. Never fails. */
const stepInto = (value: unknown, key: unknown): unknown => {
  if (isMap(value) || isError(value)) return fieldOf(value, heldKey(key))
  if (Array.isArray(value) && isInteger(key) && key >= 0 && key < value.length) return value[Number(key)] ?? null
  return undefined
}

const getIn = (_: Context, value: unknown, path: unknown, otherwise: unknown = null): unknown => {
  let current: unknown = value
  for (const key of requireRow("get-in", path)) {
    current = stepInto(current, key)
    if (current === undefined) return otherwise
  }
  return current === undefined ? null : current
}

const assoc = (context: Context, target: unknown, pairs: ReadonlyArray<unknown>): unknown => {
  if (pairs.length % 2 !== 0) throw failure.arity("assoc", "a value for each key", pairs.length + 1)
  let result = target
  for (let index = 0; index < pairs.length; index += 2) result = withItem(context.meter, result, heldKey(pairs[index]), pairs[index + 1])
  return result
}

const assocIn = (context: Context, target: unknown, path: ReadonlyArray<unknown>, value: unknown): unknown => {
  if (path.length === 0) return value
  const inner = target === null ? undefined : stepInto(target, path[0])
  return withItem(
    context.meter,
    target ?? {},
    heldKey(path[0]),
    assocIn(context, inner ?? (path.length > 1 ? {} : null), path.slice(1), value)
  )
}

const requirePath = (name: string, path: unknown): ReadonlyArray<unknown> => {
  const row = requireRow(name, path)
  if (row.length > 500) throw failure.argument(`${name}: a path may have 500 keys`)
  return row
}

export const associative: ReadonlyArray<Builtin> = [
  builtin("hash-map", 0, Infinity, (context, ...parts) => {
    if (parts.length % 2 !== 0) throw failure.arity("hash-map", "a value for each key", parts.length)
    chargeMap(context, parts.length)
    const builder = new MapBuilder()
    for (let index = 0; index < parts.length; index += 2) builder.set(heldKey(parts[index]), parts[index + 1])
    return builder.done()
  }),
  builtin("get", 2, 3, get),
  builtin("get-in", 2, 3, getIn),
  builtin("assoc", 3, Infinity, (context, target, ...pairs) => assoc(context, target, pairs)),
  builtin("assoc-in", 3, 3, (context, target, path, value) => assocIn(context, target, requirePath("assoc-in", path), value)),
  builtin("dissoc", 1, Infinity, (context, value, ...keys) => {
    const map = requireMap("dissoc", value)
    chargeMap(context, sizeOf(map))
    return withoutKeys(map, keys.map(heldKey))
  }),
  builtin("merge", 1, Infinity, (context, ...maps) => {
    let result = requireMap("merge", maps[0])
    for (const other of maps.slice(1)) {
      chargeMap(context, sizeOf(result) + sizeOf(requireMap("merge", other)))
      result = merged(result, other)
    }
    return result
  }),
  builtin("keys", 1, 1, (context, value) => {
    const map = requireMap("keys", value)
    chargeMap(context, sizeOf(map))
    return keysOf(map).map(shownKey)
  }),
  builtin("vals", 1, 1, (context, value) => {
    const map = requireMap("vals", value)
    chargeMap(context, sizeOf(map))
    return entriesOf(map).map(([, item]) => item)
  }),
  builtin("entries", 1, 1, (context, value) => {
    const map = requireMap("entries", value)
    chargeMap(context, sizeOf(map) * 3)
    return entriesOf(map).map(([key, item]) => [shownKey(key), item])
  }),
  builtin("find", 2, 2, (_, value, key) => {
    const item = entry(requireMap("find", value), heldKey(key))
    return item === undefined ? null : [isKeyword(key) ? key : shownKey(key), item]
  }),
  builtin("select-keys", 2, 2, (context, value, keys) => {
    const map = requireMap("select-keys", value)
    const wanted = requireRow("select-keys", keys)
    chargeMap(context, wanted.length)
    return mapOf(
      wanted.flatMap((key) => {
        const item = entry(map, heldKey(key))
        return item === undefined ? [] : [[heldKey(key), item] as const]
      })
    )
  }),
  higherOrder("update", 3, Infinity, [2], function* (context, target, key, f, ...extra) {
    const before = Array.isArray(target) ? itemAt(target, key, null) : get(context, target, key)
    return withItem(context.meter, target, heldKey(key), yield [f, [before, ...extra]])
  }),
  higherOrder("update-in", 3, Infinity, [2], function* (context, target, path, f, ...extra) {
    const keys = requirePath("update-in", path)
    return assocIn(context, target, keys, yield [f, [getIn(context, target, keys), ...extra]])
  })
]

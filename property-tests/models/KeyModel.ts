import { ErrorValue, Keyword, keyword, valuesEqual } from "../../src/serialization/index.ts"

/** NaN equals nothing, but as a key it is one: here a name that no generated value has stands for it. */
const named = (value: unknown): unknown => {
  if (Number.isNaN(value)) return keyword("not a number, as a key")
  if (Array.isArray(value)) return value.map(named)
  if (value instanceof ErrorValue) return new ErrorValue({ ...value, data: named(value.data) })
  if (value instanceof Map) return new Map(Array.from(value, ([key, held]) => [named(key), named(held)]))
  if (typeof value === "object" && value !== null && isPlain(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, held]) => [key, named(held)]))
  }
  return value
}

const isPlain = (value: object): boolean => [Object.prototype, null].includes(Object.getPrototypeOf(value))

/** Whether RTFS takes two values for one key. */
export const isSameKey = (a: unknown, b: unknown): boolean => valuesEqual(named(a), named(b))

/** Whether two values are one key of a map, where a keyword counts as the string of its name. */
export const isSameMapKey = (a: unknown, b: unknown): boolean => isSameKey(a instanceof Keyword ? a.name : a, b instanceof Keyword ? b.name : b)

/** The items of which no earlier one has the same key. */
export const distinctModel = (keys: ReadonlyArray<unknown>): ReadonlyArray<number> =>
  keys.flatMap((key, index) => (keys.slice(0, index).some((earlier) => isSameKey(earlier, key)) ? [] : [index]))

/** The same with a memory for so many keys, of which the least recently seen one is forgotten first. */
export const boundedDistinctModel = (keys: ReadonlyArray<unknown>, maxKeys: number): { readonly passed: ReadonlyArray<number>; readonly forgotten: number } => {
  let held: Array<unknown> = []
  let forgotten = 0
  const passed = keys.flatMap((key, index) => {
    const isKnown = held.some((other) => isSameKey(other, key))
    held = [...held.filter((other) => !isSameKey(other, key)), key]
    if (held.length > maxKeys) {
      held.shift()
      forgotten++
    }
    return isKnown ? [] : [index]
  })
  return { passed, forgotten }
}

export interface GroupModel {
  readonly key: unknown
  readonly items: Array<number>
}

/** The maps that `group-by` emits, each as its groups in order. */
export const groupsModel = (
  keys: ReadonlyArray<unknown>,
  { atCapacity, maxGroups }: { readonly maxGroups: number; readonly atCapacity: "fail" | "evict-oldest" | "overflow" }
): ReadonlyArray<ReadonlyArray<GroupModel>> | "fails" => {
  const emitted: Array<ReadonlyArray<GroupModel>> = []
  let open: Array<GroupModel> = []
  for (const [index, key] of keys.entries()) {
    let group = open.find((other) => isSameMapKey(other.key, key))
    if (group === undefined && open.length >= maxGroups) {
      if (atCapacity === "fail") return "fails"
      if (atCapacity === "overflow") group = open.find((other) => isSameMapKey(other.key, "overflow"))
      else emitted.push([open.shift()!])
    }
    if (group === undefined) {
      const isOverflow = open.length >= maxGroups
      open.push((group = { key: isOverflow ? "overflow" : key, items: [] }))
    } else if (atCapacity === "evict-oldest") open = [...open.filter((other) => other !== group), group]
    group.items.push(index)
  }
  return [...emitted, open]
}

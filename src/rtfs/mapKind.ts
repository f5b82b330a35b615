/**
 * RTFS maps: plain objects of which only own properties are ever seen, or a `Map` where a key is neither keyword nor
 * string, or is `__proto__`, or looks like an integer (JavaScript would put such a property first).
 *
 * A keyword and a string of the same name are one key. Inside, a key is the string or the value itself.
 */
export type PlainMap = Record<string, unknown>
export type RtfsMap = PlainMap | Map<unknown, unknown>

/**
 * Marks plain maps of more than 64 entries with their size. Generated code copies small maps inline, for a constant
 * price; a marked map goes through `assoc` below, which charges for its size first.
 */
export const bigMap: unique symbol = Symbol("rtfs-streams/big-map")

/** Whether a value is an RTFS map. Errors answer some keys, but are none. */
export const isMap = (value: unknown): value is RtfsMap => {
  if (value === null || typeof value !== "object") return false
  if (value.constructor === Object) return true
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null || value instanceof Map
}

/** A key of an RTFS map as it is held: the name of a keyword, else the value. */
/** What is there, as RTFS sees it: an entry without a value is nil. */
export const normal = (value: unknown): unknown => (value === undefined ? null : value)

export const sizeOf = (map: RtfsMap): number => {
  if (map instanceof Map) return map.size
  const known = (map as { [bigMap]?: number })[bigMap]
  return known === undefined ? Object.keys(map).length : known
}

/** Held keys and values in their order. */
export const entriesOf = (map: RtfsMap): Array<[unknown, unknown]> =>
  map instanceof Map
    ? [...map.entries()].map(([key, value]) => [key, normal(value)])
    : Object.entries(map).map(([key, value]) => [key, normal(value)])

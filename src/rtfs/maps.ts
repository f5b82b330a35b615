import { ErrorValue, isKeyword, isPlainKey as isPlainName, keyword } from "../serialization/index.ts"
import { identityOf, sameKey } from "./equality.ts"
import { errorValue, isError } from "./errorValue.ts"
import { bigMap, entriesOf, isMap, normal, type PlainMap, type RtfsMap, sizeOf } from "./mapKind.ts"
import { isKeywordName } from "./Reader.ts"

export { bigMap, entriesOf, isMap, type PlainMap, type RtfsMap, sizeOf } from "./mapKind.ts"

const bigFrom = 64

/** The key of an RTFS map as it is held: the name of a keyword, else the value. */
export const heldKey = (key: unknown): unknown => (isKeyword(key) ? key.name : key)

/** A held key as a program sees it: names that can be keywords are keywords. */
export const shownKey = (key: unknown): unknown => (typeof key === "string" && isKeywordName(key) ? keyword(key) : key)

/** Whether a held key can be a property of a plain map. */
export const isPlainKey = (key: unknown): key is string => typeof key === "string" && isPlainName(key)

/** What an error answers as a map would: `:type`, `:message` and `:data`. */
const errorField = (error: Error | ErrorValue, key: unknown): unknown => {
  if (key !== "type" && key !== "message" && key !== "data") return undefined
  return error instanceof ErrorValue ? error[key] : errorValue(error)[key]
}

/** The entry of a held key, or undefined. Own properties only. */
export const entry = (map: RtfsMap, key: unknown): unknown => {
  if (map instanceof Map) return mapEntry(map, key)
  return typeof key === "string" && Object.hasOwn(map, key) ? normal(map[key]) : undefined
}

/** The entry of an error or map; undefined also for anything else. */
export const fieldOf = (value: unknown, key: unknown): unknown => {
  if (isMap(value)) return entry(value, key)
  return isError(value) ? errorField(value, key) : undefined
}

const mapEntry = (map: Map<unknown, unknown>, key: unknown): unknown => {
  const held = sameKey(map, key)
  return map.has(held) ? normal(map.get(held)) : undefined
}

/** The held keys in their order. */
export const keysOf = (map: RtfsMap): Array<unknown> => (map instanceof Map ? [...map.keys()] : Object.keys(map))

/** Marks a plain map that has become big. */
const marked = (map: PlainMap, size: number): PlainMap => {
  if (size > bigFrom) Object.defineProperty(map, bigMap, { value: size })
  return map
}

/** A map under construction. Later entries win over earlier ones and keep their place. */
export class MapBuilder {
  private plain: PlainMap | undefined = {}
  private full: Map<unknown, unknown> | undefined
  /** The keys that are vectors or maps, by what makes them equal. */
  private readonly composites = new Map<unknown, unknown>()
  private count = 0

  /** Sets the entry of a held key. */
  set(key: unknown, value: unknown): void {
    if (this.plain !== undefined) {
      if (isPlainKey(key)) {
        if (!Object.hasOwn(this.plain, key)) this.count++
        this.plain[key] = value
        return
      }
      this.full = new Map(Object.entries(this.plain))
      this.plain = undefined
    }
    this.full!.set(this.held(key), value)
  }

  private held(key: unknown): unknown {
    if (typeof key !== "object" || key === null) return key
    const identity = identityOf(key)
    const known = this.composites.get(identity)
    if (known !== undefined) return known
    this.composites.set(identity, key)
    return key
  }

  get(key: unknown): unknown {
    if (this.plain !== undefined) return typeof key === "string" && Object.hasOwn(this.plain, key) ? this.plain[key] : undefined
    return this.full!.get(this.held(key))
  }

  /** The map. The builder must not be used afterwards. */
  done(): RtfsMap {
    return this.plain !== undefined ? marked(this.plain, this.count) : this.full!
  }
}

/** The map with these entries (held keys). */
export const mapOf = (entries: Iterable<readonly [unknown, unknown]>): RtfsMap => {
  const builder = new MapBuilder()
  for (const [key, value] of entries) builder.set(key, value)
  return builder.done()
}

/** A copy of the map with one more or another entry (held key). */
export const withEntry = (map: RtfsMap, key: unknown, value: unknown): RtfsMap => {
  if (map instanceof Map) {
    const copy = new Map(map)
    copy.set(sameKey(copy, key), value)
    return copy
  }
  if (!isPlainKey(key)) return new Map<unknown, unknown>([...Object.entries(map), [key, value]])
  const size = sizeOf(map) + (Object.hasOwn(map, key) ? 0 : 1)
  return marked({ ...map, [key]: value }, size)
}

/** A copy of the map without these held keys. */
export const withoutKeys = (map: RtfsMap, keys: ReadonlyArray<unknown>): RtfsMap => {
  if (map instanceof Map) {
    const gone = new Set(keys.map((key) => sameKey(map, key)))
    return mapOf([...map.entries()].filter(([key]) => !gone.has(key)))
  }
  const gone = new Set(keys)
  return mapOf(Object.entries(map).filter(([key]) => !gone.has(key)))
}

/** All entries of both; those of the second win. */
export const merged = (first: RtfsMap, second: RtfsMap): RtfsMap => {
  if (first instanceof Map || second instanceof Map) return mapOf([...entriesOf(first), ...entriesOf(second)])
  const result = { ...first, ...second }
  const bound = sizeOf(first) + sizeOf(second)
  return bound > bigFrom ? marked(result, Object.keys(result).length) : result
}

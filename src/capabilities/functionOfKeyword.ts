import { aboutFunction, type StreamFunction } from "../scheduler/index.ts"
import { HostObject, type Keyword } from "../serialization/index.ts"
import { InvalidResult } from "./errors.ts"

/** The function that a keyword stands for: it reads that key of a map, `nil` where it is missing or the map is `nil`. */
export const functionOfKeyword = (key: Keyword): StreamFunction => {
  const name = key.name
  const read = (map: unknown): unknown => {
    if (map === null || map === undefined) return null
    if (map instanceof Map) return map.get(name) ?? map.get(key) ?? null
    if (typeof map === "object" && !Array.isArray(map) && !(map instanceof HostObject)) {
      return Object.hasOwn(map, name) ? (map as Record<string, unknown>)[name] : null
    }
    throw new InvalidResult(`:${name}`, "its argument", "a map", map)
  }
  return Object.assign(read, {
    [aboutFunction]: {
      name: `:${name}`,
      minimum: 1,
      maximum: 1,
      synchronous: true,
      origin: { kind: "rtfs" as const, source: `(fn [map] (:${name} map))`, captured: {} }
    }
  })
}

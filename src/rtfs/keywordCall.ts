import { failure } from "./errors.ts"
import { isError } from "./errorValue.ts"
import { fieldOf, isMap } from "./maps.ts"
import { typeName } from "./typeName.ts"

/** `(:name map otherwise)`: the entry, or `otherwise` where there is none or the map is nil. */
export const keywordCall = (name: string, map: unknown, otherwise: unknown): unknown => {
  if (map === null || map === undefined) return otherwise
  const value = fieldOf(map, name)
  if (value !== undefined) return value
  if (isMap(map) || isError(map)) return otherwise
  throw failure.type(`Type error in :${name}: expected map, got ${typeName(map)}`)
}

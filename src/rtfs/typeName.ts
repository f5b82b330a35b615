import { ErrorValue, HostObject, Keyword } from "../serialization/index.ts"
import { isMap } from "./maps.ts"
import { RtfsSymbol } from "./RtfsSymbol.ts"

/** The name of a value's type: what `type-name` gives and messages say. */
export const typeName = (value: unknown): string => {
  switch (typeof value) {
    case "undefined":
      return "nil"
    case "boolean":
      return "boolean"
    case "number":
      return Number.isInteger(value) ? "integer" : "float"
    case "bigint":
      return "integer"
    case "string":
      return "string"
    case "function":
      return "function"
    default:
  }
  if (value === null) return "nil"
  if (Array.isArray(value)) return "vector"
  if (isMap(value)) return "map"
  if (value instanceof Keyword) return "keyword"
  if (value instanceof RtfsSymbol) return "symbol"
  if (value instanceof Error || value instanceof ErrorValue) return "error"
  if (value instanceof Date) return "timestamp"
  if (value instanceof Uint8Array) return "bytes"
  return value instanceof HostObject ? "resource" : "object"
}

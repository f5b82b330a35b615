import { failure } from "./errors.ts"
import { isMap, sizeOf, withEntry } from "./maps.ts"
import type { EvaluationMeter } from "./Meter.ts"
import { typeName } from "./typeName.ts"

/** A copy of a map with one more entry (held key), or of a vector with another item; paid for by its size. */
export const assoc = (meter: EvaluationMeter, target: unknown, key: unknown, value: unknown): unknown => {
  if (isMap(target)) {
    const size = sizeOf(target)
    meter.charge(1 + size)
    if (size > 8) meter.allocate(size * 16)
    return withEntry(target, key, value)
  }
  if (!Array.isArray(target)) throw failure.type(`Type error in assoc: expected map or vector, got ${typeName(target)}`)
  if (typeof key !== "number" || !Number.isInteger(key)) throw failure.type("Type error in assoc: expected an integer as index of a vector")
  if (key < 0 || key >= target.length) throw failure.bounds(`Index ${key} is out of bounds for a vector of ${target.length}`)
  meter.charge(1 + (target.length >> 3))
  meter.allocate(target.length * 8)
  return target.with(key, value)
}

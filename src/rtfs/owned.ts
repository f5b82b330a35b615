import { assoc } from "./assoc.ts"
import { failure } from "./errors.ts"
import { bigMap, isMap, isPlainKey, heldKey, type PlainMap, sizeOf } from "./maps.ts"
import type { EvaluationMeter } from "./Meter.ts"
import { asList, isList } from "./quotation.ts"
import { typeName } from "./typeName.ts"

/** A copy that only its loop will see. A map carries its size from the start, so that adding to it need not count. */
export const own = (meter: EvaluationMeter, value: unknown): unknown => {
  if (Array.isArray(value)) {
    meter.charge(1 + (value.length >> 3))
    meter.allocate(value.length * 8)
    return isList(value) ? asList(value.slice()) : value.slice()
  }
  if (!isMap(value)) return value
  const size = sizeOf(value)
  meter.charge(1 + size)
  meter.allocate(size * 16)
  if (value instanceof Map) return new Map(value)
  return Object.defineProperty({ ...value }, bigMap, { value: size, writable: true })
}

export const conjInPlace = (meter: EvaluationMeter, target: unknown, ...items: ReadonlyArray<unknown>): unknown => {
  if (!Array.isArray(target)) throw failure.type(`Type error in conj: expected vector, got ${typeName(target)}`)
  meter.charge(items.length)
  meter.allocate(items.length * 8)
  target.push(...items)
  return target
}

export const assocInPlace = (meter: EvaluationMeter, target: unknown, key: unknown, value: unknown): unknown => {
  const held = heldKey(key)
  if (Array.isArray(target) && typeof held === "number" && Number.isInteger(held) && held >= 0 && held < target.length) {
    meter.charge(1)
    target[held] = value
    return target
  }
  if (!isMap(target) || target instanceof Map || !isPlainKey(held)) return own(meter, assoc(meter, target, held, value))
  meter.charge(1)
  if (!Object.hasOwn(target, held)) {
    meter.allocate(16)
    ;(target as { [bigMap]?: number })[bigMap] = sizeOf(target) + 1
  }
  ;(target as PlainMap)[held] = value
  return target
}

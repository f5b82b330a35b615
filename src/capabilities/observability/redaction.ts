import * as Schema from "effect/Schema"
import type { StreamFunction } from "../../scheduler/index.ts"
import { isKeyword, type Keyword } from "../../serialization/index.ts"
import type { OptionType } from "../Option.ts"
import { callWithMeter } from "../wrapFunction.ts"

/** What is taken out of an item before anyone sees it: the values of keys, wherever in it they stand, or what a function leaves. */
export type Redaction = StreamFunction | ReadonlyArray<Keyword | string>

const isKey = (value: unknown): value is Keyword | string => typeof value === "string" || isKeyword(value)

export const redaction: OptionType<Redaction> = {
  type: "function, or vector of keys",
  schema: Schema.declare((value): value is Redaction => typeof value === "function" || (Array.isArray(value) && value.every(isKey)), {
    expected: "a function, or a vector of keywords and strings"
  })
}

/** A promise where the function gives one. */
export const redact = (by: Redaction | undefined, item: unknown): unknown => {
  if (by === undefined) return item
  if (typeof by === "function") return callWithMeter(by, item)
  return without(item, new Set(by.map((key) => (isKeyword(key) ? key.name : key))), mostNested)
}

/** Beyond so many levels nothing is shown, since nothing there was looked at. */
const mostNested = 64

const without = (value: unknown, keys: ReadonlySet<string>, levels: number): unknown => {
  if (value === null || typeof value !== "object" || isKeyword(value)) return value
  if (levels === 0) return "[…]"
  if (Array.isArray(value)) return value.map((element) => without(element, keys, levels - 1))
  const redacted = (key: unknown, inner: unknown) =>
    isKey(key) && keys.has(isKeyword(key) ? key.name : key) ? "[redacted]" : without(inner, keys, levels - 1)
  if (value instanceof Map) return new Map([...value].map(([key, inner]) => [without(key, keys, levels - 1), redacted(key, inner)]))
  if (value instanceof Set) return new Set([...value].map((inner) => without(inner, keys, levels - 1)))
  const prototype: unknown = Object.getPrototypeOf(value)
  // Dates, bytes, errors and things of the host have no keys of the program's.
  if (prototype !== Object.prototype && prototype !== null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, redacted(key, inner)]))
}

import { isKeyword } from "../../serialization/index.ts"
import { makeFunction } from "../Closure.ts"
import { type Engine, runBuiltin } from "../Engine.ts"
import { assoc } from "../assoc.ts"
import { compareStrings, equals } from "../equality.ts"
import { failure, isUncatchable, maximumNesting, RtfsError, ThrownValue } from "../errors.ts"
import { errorValue, isError, thrownError } from "../errorValue.ts"
import { keywordCall } from "../keywordCall.ts"
import { attempt, type Log, needsAsync, noHints } from "../Log.ts"
import { assocInPlace, conjInPlace, own } from "../owned.ts"
import { bigMap, entriesOf, entry, fieldOf, isMap, MapBuilder, sizeOf, withoutKeys } from "../maps.ts"
import type { EvaluationMeter } from "../Meter.ts"
import type { CatchSelector } from "../Node.ts"
import * as numbers from "../numbers.ts"
import { print } from "../Printer.ts"
import type { Validator } from "../../capabilities/schemas/index.ts"
import { asBrace, asList } from "../quotation.ts"
import { typeName } from "../typeName.ts"
import type { Places } from "./Module.ts"

/** The functions that generated code calls where no inline text does. All of them are slow paths or failures. */
export const support = {
  needsAsync,
  bigMap,
  makeFunction,
  runBuiltin,
  add: numbers.add,
  subtract: numbers.subtract,
  multiply: numbers.multiply,
  divide: numbers.divide,
  remainder: numbers.remainder,
  lookup: keywordCall,
  asList,
  asBrace,

  /**
   * A step of a bare function where its guard failed. Such a function is not refilled by its callers: called from outside,
   * each of its steps has a budget of its own.
   */
  guarded: (
    engine: Engine,
    places: Places,
    place: number,
    run: (...args: ReadonlyArray<unknown>) => unknown,
    ...args: ReadonlyArray<unknown>
  ): unknown => {
    const { meter } = engine
    const { fuel, slices } = meter
    if (meter.depth === 0) meter.begin()
    try {
      return run(...args)
    } catch (error) {
      throw support.unwind(engine, error, places, place)
    } finally {
      if (meter.depth === 0) {
        meter.fuel = fuel
        meter.slices = slices
      }
    }
  },

  /** Orders two values for `<` and its like: numbers, or strings by code points. */
  order: (name: string, a: unknown, b: unknown): number => {
    if (numbers.isNumeric(a) && numbers.isNumeric(b)) return a < b ? -1 : a > b ? 1 : a == b ? 0 : NaN // eslint-disable-line eqeqeq -- bigint and number
    if (typeof a === "string" && typeof b === "string") return compareStrings(a, b)
    if (numbers.isNumeric(a) || typeof a === "string")
      throw failure.type(`Type error in ${name}: expected ${typeof a === "string" ? "string" : "number"}, got ${typeName(b)}`)
    throw failure.type(`Type error in ${name}: expected number, got ${typeName(a)}`)
  },

  equal: (meter: EvaluationMeter, a: unknown, b: unknown): boolean => equals(a, b, (steps) => meter.charge(steps)),

  /** A map literal with keys of any kind: keys and values in turn. */
  map: (meter: EvaluationMeter, parts: ReadonlyArray<unknown>): unknown => {
    meter.charge(parts.length)
    meter.allocate(parts.length * 16)
    const builder = new MapBuilder()
    for (let index = 0; index < parts.length; index += 2) builder.set(parts[index], parts[index + 1])
    return builder.done()
  },

  /** The characters of a string; cheap where there is no surrogate. */
  characters: (text: string, meter: EvaluationMeter): number => {
    if (text.length > 1000) meter.charge(text.length >> 6)
    return surrogates.test(text) ? countCodePoints(text) : text.length
  },

  /** `(call id …)` during a synchronous attempt. */
  hostCall: (engine: Engine, id: unknown, args: ReadonlyArray<unknown>, places: Places, place: number): unknown =>
    engine.hostCall(null, id, args, places.at[place]!),
  hostCallAsync: (engine: Engine, log: Log, id: unknown, args: ReadonlyArray<unknown>, places: Places, place: number): unknown =>
    engine.hostCall(log, id, args, places.at[place]!),

  pushHints: (log: Log | null, hints: unknown): Readonly<Record<string, unknown>> => {
    const target = log ?? attempt.log!
    const before = target.hints
    const added: Record<string, unknown> = { ...before }
    for (const [key, value] of entriesOf(hints as Record<string, unknown>))
      if (typeof key === "string") added[key.replace(/^runtime\./, "")] = value
    target.hints = added
    return before
  },
  popHints: (log: Log | null, before: Readonly<Record<string, unknown>>): void => {
    const target = log ?? attempt.log
    if (target !== null) target.hints = before ?? noHints
  },

  tooDeep: (engine: Engine): Error => failure.stackOverflow(engine.limits.depth),

  /** Adds to a failure that leaves a function where it stood there. */
  unwind: (engine: Engine, error: unknown, places: Places, place: number): unknown => {
    if (error === needsAsync) return error
    // Near the end of the stack nothing can be called: the error goes on as it is until there is room again.
    const known = error instanceof RangeError && engine.meter.depth < roomAgain ? fromRangeError(engine, error) : error
    if (known instanceof RtfsError) {
      const at = places.at[place]
      if (at !== undefined) {
        known.at ??= at
        const name = places.functions[place]!
        if (name !== "" && known.frames.length < 50) known.frames.push({ name, at })
      }
    }
    return known
  },

  /** What a `catch` works with. **Fails** with the error itself where no program may catch it. */
  caught: (engine: Engine, error: unknown, places: Places, place: number): unknown => {
    if (error === needsAsync) throw error
    const known = error instanceof RangeError ? fromRangeError(engine, error) : error
    if (known instanceof RtfsError) known.at ??= places.at[place]
    if (isUncatchable(known)) throw known
    return known
  },

  catches: (error: unknown, selector: CatchSelector): boolean => {
    if (selector === "all") return true
    if (typeof selector === "object") {
      const type = fieldOf(error instanceof ThrownValue ? error.payload : error, "type")
      return isKeyword(type) && type.name === selector.type
    }
    if (!(error instanceof RtfsError) || error instanceof ThrownValue) return false
    if (selector === "validation") return error.type === "validation-error"
    return selector === "host" ? error.host : !error.host && error.type !== "validation-error"
  },

  /** The value that `catch` binds: what was thrown, or the error. */
  bound: (error: unknown): unknown => (error instanceof ThrownValue ? error.payload : error instanceof Error ? errorValue(error) : error),

  raise: (value: unknown): never => {
    if (isError(value)) throw thrownError(value)
    throw thrown(value)
  },

  fail: (error: () => RtfsError): never => {
    throw error()
  },

  /** Before a `finally` body that runs because of an error: after a spent limit it gets a small reserve. */
  beforeFinally: (meter: EvaluationMeter, error: unknown): void => {
    if (error instanceof RtfsError && error.kind === "limit") meter.grantReserve()
  },
  afterFinally: (meter: EvaluationMeter, error: unknown): void => {
    if (error instanceof RtfsError && error.kind === "limit") meter.returnReserve()
  },

  /** The items of what `for` and its like go over. */
  elements: (value: unknown): ReadonlyArray<unknown> => {
    if (!Array.isArray(value)) throw failure.type(`Type error in for: expected vector, got ${typeName(value)}`)
    return value
  },

  /** A row of numbers for `dotimes`, without making them: only the length counts. */
  turns: (value: unknown): { readonly length: number } => {
    if (!numbers.isInteger(value)) throw failure.type(`Type error in dotimes: expected integer, got ${typeName(value)}`)
    return { length: Number(value) }
  },

  /** The items of what `reduce` goes over. */
  sequence: (meter: EvaluationMeter, value: unknown): ReadonlyArray<unknown> => {
    if (typeof value === "string") {
      meter.charge(value.length)
      meter.allocate(value.length * 16)
      return Array.from(value)
    }
    if (!Array.isArray(value)) throw failure.type(`Type error in reduce: expected vector, got ${typeName(value)}`)
    return value
  },

  // Collections that only their loop sees; see `analyze/ownership.ts`.
  own,
  conjInPlace,
  assocInPlace,

  push: (meter: EvaluationMeter, target: Array<unknown>, value: unknown): null => {
    meter.charge(1)
    meter.allocate(8)
    target.push(value)
    return null
  },

  // Destructuring and patterns.
  row: (value: unknown): ReadonlyArray<unknown> => {
    if (!Array.isArray(value)) throw failure.type(`Type error in destructuring: expected vector, got ${typeName(value)}`)
    return value
  },
  part: (row: ReadonlyArray<unknown>, index: number): unknown => (index < row.length ? (row[index] ?? null) : null),
  partsFrom: (meter: EvaluationMeter, row: ReadonlyArray<unknown>, index: number): ReadonlyArray<unknown> => {
    meter.charge(1 + (row.length >> 3))
    meter.allocate(row.length * 8)
    return row.slice(index)
  },
  isRow: (value: unknown, least: number, exactly: boolean): boolean =>
    Array.isArray(value) && (exactly ? value.length === least : value.length >= least),
  mapping: (value: unknown): unknown => {
    if (!isMap(value) && !isError(value)) throw failure.type(`Type error in destructuring: expected map, got ${typeName(value)}`)
    return value
  },
  mapPart: (map: unknown, key: unknown): unknown => fieldOf(map, key) ?? null,
  isMapping: (value: unknown, size: number, exactly: boolean): boolean => isMap(value) && (exactly ? sizeOf(value) === size : true),
  hasPart: (map: unknown, key: unknown): boolean => isMap(map) && entry(map, key) !== undefined,
  partsWithout: (meter: EvaluationMeter, map: unknown, keys: ReadonlyArray<unknown>): unknown => {
    if (!isMap(map)) return {}
    meter.charge(sizeOf(map))
    meter.allocate(sizeOf(map) * 16)
    return withoutKeys(map, keys)
  },
  noMatch: (value: unknown): never => {
    throw failure.match(`No pattern matches ${excerpt(value)}`)
  },
  noCase: (value: unknown): never => {
    throw failure.match(`No case for ${excerpt(value)}, and no default`)
  },

  /** A checked cast. */
  cast: (value: unknown, validator: Validator, what: string): unknown => {
    const errors = validator(value)
    if (errors.length === 0) return value
    throw failure.validation(`Validation error: ${what}: ${errors[0]!.message}`, errors)
  },

  /** The constructor that `defstruct` defines. */
  struct: (value: unknown, validator: Validator, name: string): unknown => {
    if (!isMap(value)) throw failure.type(`Type error in ${name}: expected map, got ${typeName(value)}`)
    return support.cast(value, validator, name)
  },

  concatenate: (meter: EvaluationMeter, rows: ReadonlyArray<unknown>): Array<unknown> => {
    const result: Array<unknown> = []
    for (const row of rows) {
      if (!Array.isArray(row)) throw failure.type(`Type error in ~@: expected vector, got ${typeName(row)}`)
      meter.charge(row.length)
      meter.allocate(row.length * 8)
      for (const item of row) result.push(item)
    }
    return result
  },

  assoc
} as const

export type Support = typeof support

const surrogates = /[\ud800-\udfff]/

const countCodePoints = (text: string): number => {
  let count = 0
  for (const _ of text) count++
  return count
}

const excerpt = (value: unknown): string => {
  try {
    const text = print(value)
    return text.length > 80 ? `${text.slice(0, 80)}…` : text
  } catch {
    return `a ${typeName(value)} nested more than ${maximumNesting} deep`
  }
}

/** The error for `(throw value)`. */
const thrown = (value: unknown): ThrownValue => {
  const type = isMap(value) ? entry(value, "type") : undefined
  const message = isMap(value) ? entry(value, "message") : undefined
  return new ThrownValue(
    isKeyword(type) ? type.name : "thrown",
    typeof message === "string" ? message : `Uncaught ${excerpt(value)}`,
    value
  )
}

/** At this depth of calls the stack has room again, however large the frames of a program are. */
const roomAgain = 20

const fromRangeError = (engine: Engine, error: RangeError): unknown =>
  error.message === "Maximum call stack size exceeded"
    ? failure.stackOverflow(engine.limits.depth)
    : failure.argument(`The value is too large: ${error.message}`)

import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Transformation from "effect/SchemaTransformation"
import type { StreamFunction } from "../scheduler/index.ts"
import { isKeyword, type Keyword } from "../serialization/index.ts"
import { functionOfKeyword } from "./functionOfKeyword.ts"
import { StreamValue } from "./StreamValue.ts"

/** One option of a capability: what it takes, what it means, and what holds without it. */
export interface OptionSpec<Value> {
  readonly schema: Schema.Codec<Value, any>
  /** The type in a reader's words: `function`, `milliseconds`, `:lines | :csv`. */
  readonly type: string
  readonly description: string
  readonly required: boolean
  /** What holds when the option is left out, for the reference page. */
  readonly default: Value | undefined
}

export type OptionSpecs = Readonly<Record<string, OptionSpec<any>>>

/** The decoded options: required and defaulted ones are there, the others may be `undefined`. */
export type OptionsOf<Specs extends OptionSpecs> = {
  readonly [Name in keyof Specs]: Specs[Name] extends OptionSpec<infer Value> ? Value : never
}

export interface OptionType<Value> {
  readonly schema: Schema.Codec<Value, any>
  readonly type: string
}

export const required = <Value>(of: OptionType<Value>, description: string): OptionSpec<Value> => ({
  ...of,
  description,
  required: true,
  default: undefined
})

export const optional = <Value>(of: OptionType<Value>, description: string): OptionSpec<Value | undefined> => ({
  ...of,
  description,
  required: false,
  default: undefined
})

export const defaulted = <Value>(of: OptionType<Value>, value: Value, description: string): OptionSpec<Value> => ({
  ...of,
  description,
  required: false,
  default: value
})

/** A function, or a keyword, which reads that key of a map. */
export const fn: OptionType<StreamFunction> = {
  type: "function",
  schema: Schema.declare((value): value is StreamFunction | Keyword => typeof value === "function" || isKeyword(value), {
    expected: "a function"
  }).pipe(
    Schema.decodeTo(
      Schema.declare((value): value is StreamFunction => typeof value === "function"),
      Transformation.transform({
        decode: (value) => (isKeyword(value) ? functionOfKeyword(value) : value),
        encode: (value: StreamFunction): StreamFunction | Keyword => value
      })
    )
  )
}

/** A stream value, or a collection, which is as good as one. */
export const stream: OptionType<StreamValue> = {
  type: "stream",
  schema: Schema.declare((value): value is StreamValue => value instanceof StreamValue, { expected: "a stream" })
}

export const anything: OptionType<unknown> = { type: "any value", schema: Schema.Unknown }

/** A map with names as keys, whatever they stand for. */
export const anyMap: OptionType<Readonly<Record<string, unknown>>> = {
  type: "map",
  schema: Schema.declare(
    (value): value is Readonly<Record<string, unknown>> =>
      typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype,
    { expected: "a map" }
  )
}

export const text: OptionType<string> = { type: "string", schema: Schema.String }

export const flag: OptionType<boolean> = { type: "true or false", schema: Schema.Boolean }

export const count: OptionType<number> = {
  type: "count, at least 1",
  schema: Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))
}

export const wholeNumber: OptionType<number> = {
  type: "count, or 0",
  schema: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
}

export const milliseconds: OptionType<number> = {
  type: "milliseconds",
  schema: Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))
}

/** A span of time that can't be nothing. */
export const duration: OptionType<number> = {
  type: "milliseconds, at least 1",
  schema: Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))
}

/** A part of a whole: a rate, a probability. */
export const share: OptionType<number> = {
  type: "number from 0 to 1",
  schema: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
}

const unit = { B: 1, KB: 1024, MB: 1024 ** 2, GB: 1024 ** 3, TB: 1024 ** 4 } as const

/** The bytes that a size such as `"64MB"` stands for (1 KB = 1,024 bytes), or `undefined`. */
export const parseByteSize = (written: string): number | undefined => {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([KMGT]?)i?B?\s*$/i.exec(written)
  if (match === null) return undefined
  return Math.floor(Number(match[1]) * unit[`${match[2]!.toUpperCase()}B` as keyof typeof unit])
}

/** Bytes, as a number or as a string such as `"64MB"`. */
export const byteSize: OptionType<number> = {
  type: 'bytes, or a string such as "64MB"',
  schema: Schema.declare(
    (value): value is number | string =>
      typeof value === "number" ? Number.isSafeInteger(value) && value > 0 : typeof value === "string" && (parseByteSize(value) ?? 0) > 0,
    { expected: 'a number of bytes, or a string such as "64MB"' }
  ).pipe(
    Schema.decodeTo(
      Schema.Number,
      Transformation.transform({
        decode: (value: number | string) => (typeof value === "number" ? value : parseByteSize(value)!),
        encode: (value: number): number | string => value
      })
    )
  )
}

/** One of a few keywords. */
export const choice = <const Names extends ReadonlyArray<string>>(...names: Names): OptionType<Names[number]> => ({
  type: names.map((name) => `:${name}`).join(" | "),
  schema: Schema.declare(
    (value): value is Keyword | string => names.includes(isKeyword(value) ? value.name : (value as string)),
    { expected: names.map((name) => `:${name}`).join(" or ") }
  ).pipe(
    Schema.decodeTo(
      Schema.String,
      Transformation.transform({
        decode: (value: Keyword | string) => (isKeyword(value) ? value.name : value),
        encode: (value: string): Keyword | string => value
      })
    )
  ) as Schema.Codec<Names[number], any>
})

/** The schema of all options together; unknown keys are dealt with before it, with a better message. */
export const structOf = (specs: OptionSpecs) =>
  Schema.Struct(
    Object.fromEntries(
      Object.entries(specs).map(([name, spec]) => [
        name,
        spec.required
          ? spec.schema
          : spec.default === undefined
            ? Schema.optionalKey(spec.schema)
            : spec.schema.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed(spec.default)))
      ])
    )
  )

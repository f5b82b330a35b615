import { StreamValue } from "../capabilities/index.ts"
import { describe, type ItemPolicy, type StreamFunction } from "../scheduler/index.ts"
import { encodeValue, UnencodableValue } from "../serialization/index.ts"

/**
 * A stream value as it stands beside its checkpoints: plain data from which the same value can be made in another
 * process, as far as its functions can.
 */
export interface StoredStream {
  readonly values: ReadonlyArray<StoredValue>
  readonly functions: ReadonlyArray<StoredFunction>
  /** Which of the values is the whole. */
  readonly whole: number
}

/** One stream value; others stand in it by their place in the list. */
export interface StoredValue {
  readonly capability: string
  /** A function is `{"$function": place}`, a stream `{"$stream": place}`, what exists in its own process only `{"$here": what}`. */
  readonly options: Readonly<Record<string, unknown>>
  readonly inputs: ReadonlyArray<number>
  readonly onFailure: unknown
  readonly subStreams: ReadonlyArray<{ readonly name: string; readonly entry: number; readonly stream: number }>
}

/** What a function can be made of again. Those that it captured are named by their place in the same list. */
export type StoredFunction =
  | {
      readonly kind: "rtfs"
      readonly name: string
      readonly source: string
      readonly values: ReadonlyArray<readonly [symbol: string, value: unknown]>
      readonly functions: ReadonlyArray<readonly [symbol: string, place: number]>
    }
  /** It is found under the name that its host gives it. */
  | { readonly kind: "binding"; readonly name: string }
  /** It exists in its own process only, or uses something that does. */
  | { readonly kind: "closure"; readonly name: string; readonly uses: string | null }

export const storedStream = (stream: StreamValue): StoredStream => {
  const found: Found = { values: [], functions: [] }
  const whole = placeOf(stream, found.values)
  const values: Array<StoredValue> = []
  const functions: Array<StoredFunction> = []
  // Both lists grow while they are walked.
  for (let place = 0; place < found.values.length; place++) values.push(storedValue(found.values[place]!, found))
  for (let place = 0; place < found.functions.length; place++) functions.push(storedFunction(found.functions[place]!, found))
  return { values, functions, whole }
}

interface Found {
  readonly values: Array<StreamValue>
  readonly functions: Array<StreamFunction>
}

const storedValue = ({ capability, inputs, onFailure, options, subStreams }: StreamValue, found: Found): StoredValue => ({
  capability: capability.id,
  options: toData(options, found) as Record<string, unknown>,
  inputs: inputs.map((input) => placeOf(input, found.values)),
  onFailure: toData(onFailure satisfies ItemPolicy, found),
  subStreams: subStreams.map(({ entry, name, stream }) => ({ name, entry: placeOf(entry, found.values), stream: placeOf(stream, found.values) }))
})

const storedFunction = (fn: StreamFunction, found: Found): StoredFunction => {
  const { name, origin } = describe(fn)
  if (origin.kind === "binding") return { kind: "binding", name: origin.name }
  if (origin.kind !== "rtfs") return { kind: "closure", name, uses: null }
  const values: Array<readonly [string, unknown]> = []
  const functions: Array<readonly [string, number]> = []
  for (const symbol of Object.keys(origin.captured).toSorted()) {
    const value = origin.captured[symbol]
    if (typeof value === "function") functions.push([symbol, placeOf(value as StreamFunction, found.functions)])
    else if (isEncodable(value)) values.push([symbol, value])
    else return { kind: "closure", name, uses: symbol }
  }
  return { kind: "rtfs", name, source: origin.source, values, functions }
}

const placeOf = <Value>(value: Value, list: Array<Value>): number => {
  const place = list.indexOf(value)
  return place >= 0 ? place : list.push(value) - 1
}

const toData = (value: unknown, found: Found): unknown => {
  if (typeof value === "function") return { $function: placeOf(value as StreamFunction, found.functions) }
  if (value instanceof StreamValue) return { $stream: placeOf(value, found.values) }
  if (Array.isArray(value)) return value.map((entry) => toData(entry, found))
  if (value !== null && typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype && !isMore(value)) {
    const entries = Object.entries(value).filter(([, entry]) => entry !== undefined)
    return Object.fromEntries(entries.map(([key, entry]) => [key, toData(entry, found)]))
  }
  return isEncodable(value) ? value : { $here: (value as object).constructor?.name ?? typeof value }
}

/** An iterable of the host may look like a map without entries. */
const isMore = (value: object): boolean => Object.getOwnPropertySymbols(value).length > 0

const isEncodable = (value: unknown): boolean => {
  if (typeof value === "object" && value !== null && isMore(value)) return false
  try {
    encodeValue(value)
    return true
  } catch (error) {
    if (error instanceof UnencodableValue) return false
    throw error
  }
}

import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { isKeyword } from "../serialization/index.ts"
import type { ControlCapability, Prepared, StreamCapability } from "./Capability.ts"
import { commonOptions, policyOf } from "./commonOptions.ts"
import { InvalidCall, shown } from "./errors.ts"
import { type OptionSpecs, structOf } from "./Option.ts"
import { StreamValue } from "./StreamValue.ts"

/** Turns a value into a stream where a stream is expected: a stream value, a collection, a handle not yet started. */
export type AsStream = (value: unknown) => StreamValue | undefined

export interface DecodedCall {
  readonly value: StreamValue
  /** The consuming callback that the call has, if any: an option's name. */
  readonly consumes: ReadonlyArray<string>
}

/**
 * Reads the arguments of a call: a subject where the capability has one, then at most one map of options.
 *
 * **Fails** by throwing `InvalidCall`, which names the option, what it expects, what it got and the nearest known name.
 */
export const decodeCall = (capability: StreamCapability, args: ReadonlyArray<unknown>, asStream: AsStream): DecodedCall => {
  const decoded = decodeCallLater(capability, args, asStream)
  if ("then" in decoded)
    throw new InvalidCall(capability.id, "has a function that makes its stream asynchronously; here it has to be there at once.")
  return decoded
}

/** The same where a function of the program may take its time to make a stream (`:processor` of a partition). */
export const decodeCallLater = (
  capability: StreamCapability,
  args: ReadonlyArray<unknown>,
  asStream: AsStream
): DecodedCall | PromiseLike<DecodedCall> => {
  const { rest, subject } = takeSubject(capability, args, asStream)
  if (rest.length > 1) throw new InvalidCall(capability.id, tooMany(capability, rest))
  const written = readMap(capability, rest[0])

  if (subject.options !== undefined) Object.assign(written, subject.options)
  const specs = specsOf(capability)
  for (const name of Object.keys(written)) {
    if (!Object.hasOwn(specs, name)) throw InvalidCall.unknownOption(capability.id, name, Object.keys(specs))
  }
  const inputs: Array<StreamValue> = subject.stream === undefined ? [] : [subject.stream]
  for (const name of capability.streams) {
    // `nil` is an option that was left out, as everywhere.
    if (written[name] === undefined || written[name] === null) {
      delete written[name]
      continue
    }
    if (subject.stream !== undefined) {
      throw new InvalidCall(capability.id, `was given its stream twice: as the first argument and as :${name}.`, name)
    }
    inputs.push(streamOption(capability, name, written[name], asStream))
    delete written[name]
  }
  if (capability.kind !== "source" && capability.subject.is !== "none" && inputs.length === 0) {
    throw new InvalidCall(capability.id, `needs a stream: ${whereTheStreamGoes(capability)}.`)
  }
  const options = decodeOptions(capability, specs, written)
  if (options["overflow"] !== undefined && options["buffer-size"] === undefined) {
    throw new InvalidCall(capability.id, "has :overflow but no :buffer-size; give the mailbox a size in items.", "overflow")
  }
  const problem = capability.check(options)
  if (problem !== undefined) throw new InvalidCall(capability.id, problem)
  const onFailure = policyOf(capability.id, options)
  const decoded = (prepared: Prepared): DecodedCall => ({
    value: new StreamValue(capability, prepared.options, prepared.inputs, onFailure, prepared.subStreams),
    consumes: capability.consuming.filter((name) => options[name] !== undefined)
  })
  const prepared = capability.prepare?.({ options, inputs }, asStream) ?? { options, inputs }
  return "then" in prepared ? prepared.then(decoded) : decoded(prepared)
}

/** The options of a capability that acts at once. **Fails** by throwing `InvalidCall`. */
export const decodeControlOptions = (capability: ControlCapability, map: unknown): Readonly<Record<string, unknown>> => {
  const written = readMap(capability, map)
  for (const name of Object.keys(written)) {
    if (!Object.hasOwn(capability.options, name)) throw InvalidCall.unknownOption(capability.id, name, Object.keys(capability.options))
  }
  return decodeOptions({ ...capability, streams: [] }, capability.options, written)
}

/** All options of a capability, its own and the common ones; streams among them included. */
export const specsOf = (capability: StreamCapability): OptionSpecs => {
  const known = specsCache.get(capability)
  if (known !== undefined) return known
  // Its own options first, and where a name is taken the meaning is its own.
  const made = { ...capability.options, ...commonOptions(capability.kind), ...capability.options }
  specsCache.set(capability, made)
  return made
}

const specsCache = new WeakMap<StreamCapability, OptionSpecs>()
const decoders = new WeakMap<OptionSpecs, (options: unknown) => Result.Result<any, Schema.SchemaError>>()

const takeSubject = (
  capability: StreamCapability,
  args: ReadonlyArray<unknown>,
  asStream: AsStream
): { readonly subject: { stream?: StreamValue; options?: Record<string, unknown> }; readonly rest: ReadonlyArray<unknown> } => {
  const { subject } = capability
  if (subject.is === "none") return { subject: {}, rest: args }
  const first = args[0]
  if (subject.is === "value") {
    if (args.length === 0) throw new InvalidCall(capability.id, `needs its first argument, the ${subject.name}.`)
    return { subject: { options: { [subject.name]: first } }, rest: args.slice(1) }
  }
  const stream = isOptionsMap(first) ? undefined : asStream(first)
  if (stream !== undefined) return { subject: { stream }, rest: args.slice(1) }
  if (subject.optional === true && (args.length === 0 || isOptionsMap(first))) return { subject: {}, rest: args }
  throw new InvalidCall(capability.id, `needs a stream as its first argument, but got ${shown(first)}.`)
}

/** A list of streams in front of the options is the commonest slip, so the message shows where such a list goes. */
const tooMany = (capability: StreamCapability, rest: ReadonlyArray<unknown>): string => {
  const given = `takes at most one map of options, but ${rest.length} arguments are left.`
  const required =
    capability.subject.is === "none" ? Object.keys(capability.options).find((name) => capability.options[name]!.required) : undefined
  return required === undefined || isOptionsMap(rest[0]) || rest[0] instanceof Map
    ? given
    : `${given} Give the first as an option: {:${required} …}.`
}

const streamOption = (capability: StreamCapability, name: string, value: unknown, asStream: AsStream): StreamValue => {
  const stream = asStream(value)
  if (stream === undefined)
    throw new InvalidCall(capability.id, `expects :${name} to be a stream or a collection, but got ${shown(value)}.`, name)
  return stream
}

const whereTheStreamGoes = (capability: StreamCapability): string => {
  const options = capability.streams.map((name) => `:${name}`).join(" or ")
  if (capability.subject.is !== "stream") return `give it as ${options}`
  return options === "" ? "give it as the first argument" : `give it as the first argument or as ${options}`
}

const isOptionsMap = (value: unknown): boolean =>
  value !== null && typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype

/** The map's entries under plain names. A copy, since the caller's value is immutable. */
const readMap = (capability: { readonly id: string }, map: unknown): Record<string, unknown> => {
  if (map === undefined || map === null) return {}
  if (map instanceof Map) {
    return Object.fromEntries([...map].map(([key, value]) => [isKeyword(key) ? key.name : String(key), value]))
  }
  if (!isOptionsMap(map)) throw new InvalidCall(capability.id, `takes a map of options, but got ${shown(map)}.`)
  return { ...(map as Record<string, unknown>) }
}

const decodeOptions = (
  capability: Pick<StreamCapability, "id" | "streams" | "options">,
  specs: OptionSpecs,
  written: Record<string, unknown>
): Record<string, unknown> => {
  for (const [name, spec] of Object.entries(specs)) {
    if (written[name] === null && !spec.required && spec.type !== "any value") delete written[name]
    if (spec.required && !(name in written) && !capability.streams.includes(name)) {
      throw new InvalidCall(capability.id, `needs :${name} (${spec.type}): ${spec.description}.`, name)
    }
  }
  let decode = decoders.get(capability.options)
  if (decode === undefined) {
    const own = Object.fromEntries(Object.entries(specs).filter(([name]) => !capability.streams.includes(name)))
    decode = Schema.decodeUnknownResult(structOf(own) as unknown as Schema.Codec<unknown>)
    decoders.set(capability.options, decode)
  }
  const decoded = decode(written)
  if (Result.isSuccess(decoded)) return decoded.success
  throw explain(capability, specs, written, decoded.failure)
}

/** Puts the schema's finding into the words of the program: which option, what it expects, what it got. */
const explain = (
  capability: { readonly id: string },
  specs: OptionSpecs,
  written: Record<string, unknown>,
  error: Schema.SchemaError
): InvalidCall => {
  const at = /at \["([^"]+)"\]/.exec(error.message)?.[1]
  const spec = at === undefined ? undefined : specs[at]
  if (at === undefined || spec === undefined) return new InvalidCall(capability.id, `has a wrong option: ${error.message}`)
  const expected = /^(?:SchemaError\()?Expected ([^\n]*)/.exec(error.message)?.[1] ?? spec.type
  return new InvalidCall(
    capability.id,
    `expects :${at} to be ${expected}, but got ${shown(written[at])} (${spec.type}: ${spec.description}).`,
    at
  )
}

import { type CallContext, type CapabilityEffect, type ControlCapability, defineControl } from "../Capability.ts"
import { InvalidCall, shown } from "../errors.ts"
import { isKeyword, keyword } from "../../serialization/index.ts"
import { anyMap, anything, choice, defaulted, flag, fn, type OptionType, optional, required, text } from "../Option.ts"
import type { StreamFunction } from "../../scheduler/index.ts"
import * as Schema from "effect/Schema"
import { callWithMeter, whenSettled } from "../wrapFunction.ts"
import { id, readOptions } from "./options.ts"
import type { Offer, Provider, ProviderType } from "./Provider.ts"
import { schema } from "../types/schemaOption.ts"

const typeNames = ["stream-source", "stream-sink", "stream-transform", "stream-bidirectional", "stream-duplex"] as const
const shortNames = ["source", "sink", "transform", "bidirectional", "duplex"] as const

const type = choice(...typeNames, ...shortNames)

const typeOf = (name: string): ProviderType => name.replace(/^stream-/, "") as ProviderType

const effectList: OptionType<ReadonlyArray<unknown>> = {
  type: "vector of keywords",
  schema: Schema.declare((value): value is ReadonlyArray<unknown> => Array.isArray(value), {
    expected: "a vector of effects such as [:network]"
  })
}

const effectsOf = (values: ReadonlyArray<unknown>): ReadonlyArray<CapabilityEffect> =>
  values.map((value) => `:${isKeyword(value) ? value.name : String(value).replace(/^:/, "")}` as CapabilityEffect)

export const register: ControlCapability = defineControl({
  id: "marketplace.stream.register",
  summary: "Offers a source, sink, transform or bidirectional stream of the program under an id.",
  spec: "beside §5; what `(register-stream-capability …)` stands for",
  arguments: ["options"],
  options: {
    "capability-id": required(id, 'namespace, version and name: `"com.example:v1.0:data-feed"`'),
    type: required(type, "what it is"),
    open: optional(fn, "of a source and a bidirectional stream: takes the config, and gives the stream or collection of what comes out"),
    write: optional(fn, "of a sink and a bidirectional stream: takes each item, and the config"),
    close: optional(fn, "of those: called at the end, with the config"),
    abort: optional(fn, "of those: called in its place where the rest is given up"),
    "transform-fn": optional(fn, "of a transform: takes an item, and the config"),
    "input-schema": optional(schema, "what goes in must satisfy"),
    "output-schema": optional(schema, "what comes out must satisfy"),
    config: optional(anyMap, "entries of the config that whoever opens it may leave out"),
    "config-schema": optional(schema, "what the config must satisfy"),
    effects: optional(effectList, "what it touches, such as `[:network]`; who opens it needs these"),
    repeats: defaulted(
      flag,
      false,
      "of a source: whether opening it again with the same config gives the same items again, so that a stream with checkpoints that goes on in another process leaves out those that it has had"
    ),
    summary: optional(text, "one sentence for those who look for it"),
    metadata: optional(anything, "whatever else there is to say of it")
  },
  notes: [
    "It can be opened by the program that registers it, and is gone with it; a program may replace what it has registered. The host offers for all programs with `host.marketplace.register`.",
    "What its functions call is checked against the policy as everywhere. Gives the id."
  ],
  example: '(call :marketplace.stream.register {:capability-id "com.example:v1.0:ones" :type :stream-source :open (fn [config] [1 1 1])})',
  perform: ([map], context) => {
    const options = readOptions(register, map)
    const offer = context.marketplace.providers.register(providerOf(options))
    context.marketplace.audit({ call: register.id, subject: offer.id, effects: offer.effects, outcome: "allowed" })
    return offer.id
  }
})

const providerOf = (options: Readonly<Record<string, any>>): Provider => {
  const kind = typeOf(options["type"])
  const subject = options["capability-id"] as string
  const needed = (name: string): StreamFunction => {
    if (options[name] !== undefined) return options[name]
    throw new InvalidCall(register.id, `needs :${name} for ${subject}, a ${kind}: the function that does its work.`, name)
  }
  for (const name of ["open", "write", "close", "abort", "transform-fn"]) {
    if (options[name] !== undefined && !used[kind].includes(name))
      throw new InvalidCall(register.id, `has :${name}, which a ${kind} does not use.`, name)
  }
  const withConfig = (given: unknown) => ({ ...options["config"], ...(given as object) })
  const writer = (config: unknown) => ({
    write: (item: unknown) => callWithMeter(needed("write"), item, config),
    ...calling("close", options, config),
    ...calling("abort", options, config)
  })
  for (const name of neededBy[kind]) needed(name)
  return {
    id: subject,
    type: kind,
    isOfProgram: true,
    repeats: options["repeats"],
    summary: options["summary"],
    input: options["input-schema"],
    output: options["output-schema"],
    config: options["config-schema"],
    effects: effectsOf(options["effects"] ?? []),
    metadata: options["metadata"],
    open: (given) => {
      const config = withConfig(given)
      switch (kind) {
        case "source":
          return callWithMeter(needed("open"), config)
        case "sink":
          return writer(config)
        case "transform":
          return (item: unknown) => callWithMeter(needed("transform-fn"), item, config)
        default:
          return whenSettled(callWithMeter(needed("open"), config), (receive) => ({ ...writer(config), receive }))
      }
    }
  }
}

const calling = (name: "close" | "abort", options: Readonly<Record<string, any>>, config: unknown) =>
  options[name] === undefined ? {} : { [name]: () => callWithMeter(options[name], config) }

const neededBy: Readonly<Record<ProviderType, ReadonlyArray<string>>> = {
  source: ["open"],
  sink: ["write"],
  transform: ["transform-fn"],
  bidirectional: ["open", "write"],
  duplex: ["open", "write"]
}

const used: Readonly<Record<ProviderType, ReadonlyArray<string>>> = {
  source: ["open"],
  sink: ["write", "close", "abort"],
  transform: ["transform-fn"],
  bidirectional: ["open", "write", "close", "abort"],
  duplex: ["open", "write", "close", "abort"]
}

export const discover: ControlCapability = defineControl({
  id: "marketplace.discover",
  summary: "Lists what is registered: sources, sinks, transforms and bidirectional streams, of each name the newest version first.",
  spec: "beside §5",
  arguments: ["filter?"],
  options: {
    id: optional(id, "an id in which `*` stands for any characters"),
    type: optional(type, "what it is"),
    schema: optional(schema, "its output schema, of a sink its input schema"),
    effects: optional(effectList, "what it may touch at most; with `[]` only what touches nothing")
  },
  notes: [
    "Each is a map with `:id`, `:type`, `:effects`, and `:summary`, `:input-schema`, `:output-schema`, `:config-schema` and `:metadata` where it has them."
  ],
  example: '(call :marketplace.discover {:id "com.example:*" :type :stream-source})',
  perform: ([map], context: CallContext) => {
    const { effects, id: pattern, schema: written, type: kind } = readOptions(discover, map)
    const found = context.marketplace.providers.find({
      id: pattern,
      type: kind === undefined ? undefined : typeOf(kind),
      schema: written,
      effects: effects === undefined ? undefined : effectsOf(effects)
    })
    return found.map(description)
  }
})

const description = ({ config, effects, id: name, input, metadata, output, summary, type: kind }: Offer): unknown => ({
  id: name,
  type: keyword(`stream-${kind}`),
  effects: effects.map((effect) => keyword(effect.slice(1))),
  ...present({ summary, "input-schema": input, "output-schema": output, "config-schema": config, metadata })
})

const present = (entries: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined && value !== null))

export const unregister: ControlCapability = defineControl({
  id: "marketplace.stream.unregister",
  summary: "Takes back what the program has registered under an id, or ends a registration of callbacks.",
  spec: "beside §5",
  arguments: ["subject"],
  example:
    '(do (call :marketplace.stream.register {:capability-id "com.example:v1.0:ones" :type :stream-source :open (fn [config] [1])}) (call :marketplace.stream.unregister "com.example:v1.0:ones"))',
  notes: [
    "The subject is an id, or what `:marketplace.stream.register-callbacks` gave. Streams that were opened go on. Gives whether there was one."
  ],
  perform: ([subject], context) => {
    if (typeof subject === "string" || isKeyword(subject))
      return context.marketplace.providers.unregister(isKeyword(subject) ? subject.name : subject)
    const end = registrations.get(subject as object)
    if (end !== undefined) return end()
    throw new InvalidCall(unregister.id, `needs an id or a registration, but got ${shown(subject)}.`)
  }
})

/** How the registrations of callbacks end, by their handles. */
export const registrations = new WeakMap<object, () => boolean>()

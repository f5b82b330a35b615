import type { CapabilityEffect } from "../Capability.ts"
import { InvalidCall, shown } from "../errors.ts"
import { compileSchema, InvalidSchema, type Validator } from "../schemas/index.ts"
import { parseProviderId } from "./ProviderId.ts"

export const providerTypes = ["source", "sink", "transform", "bidirectional", "duplex"] as const

export type ProviderType = (typeof providerTypes)[number]

/** What opening a sink, or one direction of a bidirectional stream, gives. */
export interface Writer {
  /** Takes one item; a promise is awaited before the next one. */
  readonly write: (item: unknown) => unknown
  /** Called once at the normal end, after the last item. */
  readonly close?: (() => unknown) | undefined
  /** Called instead, where what was written is to be given up. */
  readonly abort?: (() => unknown) | undefined
}

/** Something that a host or a program offers under an id. */
export interface Provider {
  readonly id: string
  readonly type: ProviderType
  readonly summary?: string | undefined
  /** What goes in (sinks, transforms, bidirectional streams) must satisfy this. */
  readonly input?: unknown
  /** What comes out (sources, transforms, bidirectional streams) must satisfy this. */
  readonly output?: unknown
  /** What the configuration must satisfy. */
  readonly config?: unknown
  /** What it touches; who opens it needs these. */
  readonly effects: ReadonlyArray<CapabilityEffect>
  readonly metadata?: unknown
  /** Whether a source that is opened again with the same config gives the same items again, from the first on. */
  readonly repeats?: boolean | undefined
  /** Whether a program registered it: its functions are the program's. */
  readonly isOfProgram?: boolean | undefined
  /**
   * A source gives a stream or an iterable, a sink a `Writer`, a transform a function of one item, a bidirectional stream
   * a `Writer` with an iterable `receive`. May be asynchronous.
   */
  readonly open: (config: unknown) => unknown
}

/** A provider with its schemas compiled. */
export interface Offer extends Provider {
  readonly checkInput: Validator | undefined
  readonly checkOutput: Validator | undefined
  readonly checkConfig: Validator | undefined
}

const effects: ReadonlySet<string> = new Set<CapabilityEffect>([
  ":fs.read",
  ":fs.write",
  ":network",
  ":db",
  ":queue",
  ":mcp",
  ":clock",
  ":env",
  ":print"
])

const id = "marketplace.stream.register"

/** **Fails** by throwing `InvalidCall`, which says what of the provider can't be used. */
export const makeOffer = (provider: Provider): Offer => {
  if (typeof provider.id !== "string" || parseProviderId(provider.id) === undefined) {
    throw new InvalidCall(
      id,
      `can't use the id ${shown(provider.id)}: write namespace, version and name such as "com.example:v1.0:data-feed", at most 256 characters.`
    )
  }
  if (!providerTypes.includes(provider.type)) {
    throw new InvalidCall(id, `knows no type ${shown(provider.type)} (of ${provider.id}): it is one of ${providerTypes.join(", ")}.`)
  }
  if (typeof provider.open !== "function")
    throw new InvalidCall(id, `needs a function open for ${provider.id}, but got ${shown(provider.open)}.`)
  for (const effect of provider.effects) {
    if (!effects.has(effect))
      throw new InvalidCall(id, `knows no effect ${shown(effect)} (of ${provider.id}): there are ${[...effects].join(" ")}.`)
  }
  return {
    ...provider,
    checkInput: compiled(provider, "input"),
    checkOutput: compiled(provider, "output"),
    checkConfig: compiled(provider, "config")
  }
}

const compiled = (provider: Provider, name: "input" | "output" | "config"): Validator | undefined => {
  const schema = provider[name]
  if (schema === undefined || schema === null) return undefined
  try {
    return compileSchema(schema)
  } catch (error) {
    if (!(error instanceof InvalidSchema)) throw error
    throw new InvalidCall(id, `can't read the ${name} schema of ${provider.id} at ${[name, ...error.path].join(" ")}: ${error.problem}`)
  }
}

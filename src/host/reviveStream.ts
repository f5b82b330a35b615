import { type StreamCapability, StreamValue } from "../capabilities/index.ts"
import type { ItemPolicy, StreamFunction } from "../scheduler/index.ts"
import { CheckpointRefused } from "./errors.ts"
import type { StoredFunction, StoredStream } from "./storedStream.ts"

export interface StreamMakers {
  /** The capability of this id, as the policy of this host allows it. */
  readonly capability: (id: string) => StreamCapability
  /** Compiles text that refers to these values. */
  readonly compile: (source: string, captured: ReadonlyMap<string, unknown>) => StreamFunction
  /** What the host binds to a symbol. */
  readonly binding: (name: string) => StreamFunction | undefined
  /** The stream that the program has defined under the same id, for what can't be made of data. */
  readonly defined: StreamValue | undefined
}

/**
 * Makes a stream value of what was stored of it.
 *
 * **Fails** by throwing `CheckpointRefused`, which names the node, for a function that can't be made again here.
 */
export const reviveStream = (id: string, stored: StoredStream, makers: StreamMakers): StreamValue => {
  const values: Array<StreamValue | undefined> = []
  const functions: Array<StreamFunction | undefined> = []

  /** @param counterpart the same value as the program has defined it */
  const value = (place: number, counterpart: StreamValue | undefined): StreamValue => {
    const made = values[place]
    if (made !== undefined) return made
    const { capability, inputs, onFailure, options, subStreams } = stored.values[place]!
    const isCovering = capability === "stream.with-checkpointing" && counterpart === undefined
    const same = isCovering ? makers.defined : counterpart?.capability.id === capability ? counterpart : undefined
    const revived = new StreamValue(
      makers.capability(capability),
      data(options, capability, same?.options) as Record<string, unknown>,
      inputs.map((input, index) => value(input, same?.inputs[index])),
      data(onFailure, capability, same?.onFailure) as ItemPolicy,
      subStreams.map(({ entry, name, stream }, index) => ({
        name,
        entry: value(entry, same?.subStreams[index]?.entry),
        stream: value(stream, same?.subStreams[index]?.stream)
      }))
    )
    values[place] = revived
    return revived
  }

  const data = (stored: unknown, node: string, counterpart: unknown): unknown => {
    if (Array.isArray(stored)) return stored.map((entry, index) => data(entry, node, (counterpart as ReadonlyArray<unknown> | undefined)?.[index]))
    if (stored === null || typeof stored !== "object" || Object.getPrototypeOf(stored) !== Object.prototype) return stored
    const map = stored as Readonly<Record<string, unknown>>
    if (typeof map["$function"] === "number") return typeof counterpart === "function" ? counterpart : fn(map["$function"], node)
    if (typeof map["$stream"] === "number") return value(map["$stream"], counterpart instanceof StreamValue ? counterpart : undefined)
    if (typeof map["$here"] === "string") return counterpart ?? refuse(node, `it reads from ${article(map["$here"])} of the process that made it`)
    return Object.fromEntries(
      Object.entries(map).map(([key, entry]) => [key, data(entry, node, (counterpart as Readonly<Record<string, unknown>> | undefined)?.[key])])
    )
  }

  const fn = (place: number, node: string): StreamFunction => {
    const made = functions[place]
    if (made !== undefined) return made
    const stand = ((...args: ReadonlyArray<unknown>) => functions[place]!(...args)) as StreamFunction
    // Until it is made: a function may have captured itself by way of others.
    functions[place] = stand
    const fresh = compiled(stored.functions[place]!, node)
    functions[place] = fresh
    return fresh
  }

  const compiled = (stored: StoredFunction, node: string): StreamFunction => {
    switch (stored.kind) {
      case "binding":
        return makers.binding(stored.name) ?? refuse(node, `it uses ${stored.name}, which this host does not bind`)
      case "closure":
        return refuse(
          node,
          stored.uses === null
            ? `${stored.name} is a function of the process that made it`
            : `${stored.name} uses ${stored.uses}, which exists only in the process that made it`
        )
      case "rtfs": {
        const captured = new Map(stored.values)
        for (const [symbol, place] of stored.functions) captured.set(symbol, makers.binding(symbol) ?? fn(place, node))
        return makers.compile(stored.source, captured)
      }
    }
  }

  const refuse = (node: string, problem: string): never => {
    throw new CheckpointRefused(
      id,
      `can't be gone on with from its data alone: of its node ${node.replace(/^stream\./, "")}, ${problem}`,
      "Define the stream with the same :stream-id in the program before the call, or bind the function under a name."
    )
  }

  return value(stored.whole, undefined)
}

const article = (name: string): string => (/^[aeiou]/i.test(name) ? `an ${name}` : `a ${name}`)

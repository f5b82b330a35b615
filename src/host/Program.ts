import {
  asStream,
  type CallContext,
  type Capability,
  decodeCall,
  type DecodedCall,
  decodeCallLater,
  forEach,
  InvalidCall,
  isPartOfStream,
  type McpContext,
  mcpSource,
  partInput,
  type Marketplace,
  type ResumeRequest,
  ProgramStore,
  specsOf,
  type StreamCapability,
  type StreamHandle,
  type StreamValue,
  toCollection
} from "../capabilities/index.ts"
import { flowValue } from "./flowValue.ts"
import type { Policy } from "./Policy.ts"

/** How a program's streams are started: for real, or only on paper (`explain`). */
export interface StreamStarter {
  readonly start: (value: StreamValue, options: { readonly cold: boolean }) => StreamHandle
}

export interface ProgramOptions extends Pick<CallContext, "print" | "show" | "now" | "log" | "sleep" | "files" | "network" | "perform"> {
  readonly marketplace: Marketplace
  /** What is registered under ids, for this program. */
  readonly market: CallContext["marketplace"]
  readonly policy: Policy
  readonly starter: StreamStarter
  /** Starts a stream again at a checkpoint; the second argument is what the program has defined under that id. */
  readonly resume: (request: ResumeRequest, defined: StreamValue | undefined) => Promise<StreamHandle>
  /** Throws where nothing runs. */
  readonly mcp: () => McpContext
  /** What counts as a stream where one is expected. */
  readonly asStream: (value: unknown) => StreamValue | undefined
}

/**
 * The boundary of one program: every `call` that it makes arrives here, is checked and becomes a stream value, a running
 * stream, or the result of a control capability.
 */
export class Program {
  readonly #options: ProgramOptions
  readonly #context: CallContext
  /** The streams that the program has given a name for their checkpoints. */
  readonly #named = new Map<string, StreamValue>()

  constructor(options: ProgramOptions) {
    this.#options = options
    this.#context = {
      start: (value, { cold = false } = {}) => options.starter.start(value, { cold }),
      collect: (value) => options.starter.start(collected(value), { cold: false }),
      asStream: options.asStream,
      print: options.print,
      show: options.show,
      now: options.now,
      log: options.log,
      sleep: options.sleep,
      files: options.files,
      network: options.network,
      perform: options.perform,
      marketplace: options.market,
      store: new ProgramStore(),
      resume: (request) => options.resume(request, this.#named.get(request.streamId)),
      get mcp() {
        return options.mcp()
      }
    }
  }

  /**
   * Performs one call.
   *
   * **Fails** by throwing `UnknownCapability`, `PermissionDenied`, `InvalidCall` or what the capability fails with; nothing
   * has been started then.
   */
  call(id: string, args: ReadonlyArray<unknown>): unknown {
    const capability = this.#options.marketplace.get(id)
    for (const effect of capability.effects) this.#options.policy.check(id, effect)
    if (capability.kind !== "control") return this.#callStream(capability, args)
    const { arguments: names } = capability
    if (args.length > names.length && names.at(-1)?.endsWith("…") !== true) {
      throw new InvalidCall(id, `takes ${names.length === 1 ? "one argument" : `${names.length} arguments`} (${names.join(" ")}), but got ${args.length}.`)
    }
    return capability.perform(args, this.#context)
  }

  /** A capability that a stream is made of, if the policy grants what it does. **Fails** by throwing. */
  streamCapability(id: string): StreamCapability {
    // No program can call it, but it stands in what was stored of branches and partitions.
    if (id === partInput.id) return partInput
    if (id === mcpSource.id) return mcpSource
    const capability = this.#options.marketplace.get(id)
    for (const effect of capability.effects) this.#options.policy.check(id, effect)
    if (capability.kind === "control") throw new InvalidCall(id, "makes no stream.")
    return capability
  }

  /** Starts a stream that is consumed because it is the program's last value: each item goes to `onItem`, or is collected. */
  consume(value: StreamValue, onItem: ((item: unknown) => unknown) | undefined): StreamHandle {
    return this.#context.start(onItem === undefined ? collected(value) : forEachItem(value, onItem))
  }

  #callStream(capability: StreamCapability, args: ReadonlyArray<unknown>): unknown {
    const decoded = decodeCallLater(capability, args, this.#options.asStream)
    return "then" in decoded ? decoded.then((call) => this.#begin(call)) : this.#begin(decoded)
  }

  #begin({ consumes, value }: DecodedCall): unknown {
    const name = value.capability.id === "stream.with-checkpointing" ? value.options["stream-id"] : undefined
    if (typeof name === "string" && this.#named.size < mostNamed) this.#named.set(name, value)
    const sink = consumes.length > 0 ? consumed(value, consumes) : value.capability.startsAtOnce ? value : undefined
    // What takes from a branch or partition runs with the stream that it is a part of.
    return sink === undefined || isPartOfStream(sink) ? (sink ?? value) : this.#context.start(sink)
  }
}

/** A service may define streams for weeks. */
const mostNamed = 10_000

/** The pure builders of pipelines, `(stream.map s f)` and its kin, by symbol. */
export const pipelineBuilders = (marketplace: Marketplace): ReadonlyArray<readonly [string, (...args: ReadonlyArray<unknown>) => StreamValue]> =>
  marketplace
    .all()
    .filter((capability): capability is StreamCapability & Capability => capability.kind !== "control" && capability.short.length > 0)
    .map((capability) => [capability.id, (...args) => build(capability, args)])

const build = (capability: StreamCapability, args: ReadonlyArray<unknown>): StreamValue => {
  const subjects = capability.subject.is === "none" ? 0 : 1
  const positional = args.slice(subjects, subjects + capability.short.length)
  const rest = args.slice(subjects + capability.short.length)
  const last = positional.at(-1)
  // `(stream.batch s {:size 10 :timeout 50})`: the options as a map instead of by position.
  const named = positional.length === 1 && rest.length === 0 && isMap(last) && !isSchema(capability, last as object)
  const options = named ? last : Object.fromEntries(positional.map((value, index) => [capability.short[index]!, value]))
  const more = rest.length === 1 && isMap(rest[0]) ? [{ ...(options as object), ...(rest[0] as object) }] : [options, ...rest]
  return decodeCall(capability, [...args.slice(0, subjects), ...more], toStream).value
}

/** A schema is a map, too: it is the options only where it names one of them as that. */
const isSchema = (capability: StreamCapability, map: object): boolean => {
  const first = capability.short[0]!
  return specsOf(capability)[first]!.type === "schema" && !Object.hasOwn(map, first)
}

const isMap = (value: unknown): boolean =>
  value !== null && typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype

/** Also a Flow of the host counts as a stream, and a handle that has no consumer yet. */
export const toStream = (value: unknown): StreamValue | undefined => {
  if (value !== null && typeof value === "object") {
    const flow = flowValue(value)
    if (flow !== undefined) return flow
  }
  return asStream(value)
}

/** The stream with its consuming callbacks as sinks of their own: the form that a graph has for them. */
const consumed = (value: StreamValue, callbacks: ReadonlyArray<string>): StreamValue => {
  const options = { ...value.options, ...value.capability.consumption }
  for (const name of callbacks) delete options[name]
  const name = callbacks[0]!
  return decodeCall(forEach, [value.copy(options), { callback: value.options[name], as: name }], asStream).value
}

const forEachItem = (value: StreamValue, onItem: (item: unknown) => unknown): StreamValue =>
  decodeCall(forEach, [value, { callback: onItem, as: "items" }], asStream).value

const collected = (value: StreamValue): StreamValue =>
  value.capability.kind === "sink" ? value : decodeCall(toCollection, [value], asStream).value

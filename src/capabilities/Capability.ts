import type * as Effect from "effect/Effect"
import type { FileAccess, NetworkAccess, NodeSpec } from "../actors/index.ts"
import type { AsStream } from "./decodeCall.ts"
import type { GraphParts, SubStream, Written } from "./GraphParts.ts"
import type { OptionsOf, OptionSpecs } from "./Option.ts"
import type { ItemPolicy, StreamFunction } from "../scheduler/index.ts"
import type { MarketplaceContext } from "./providers/MarketplaceContext.ts"
import type { ProgramStore } from "./control/ProgramStore.ts"
import type { McpContext } from "./mcp/McpContext.ts"
import type { StreamHandle } from "./StreamHandle.ts"
import type { StreamValue } from "./StreamValue.ts"

/** What a capability touches outside of its own memory. A policy grants these. */
export type CapabilityEffect =
  | ":fs.read"
  | ":fs.write"
  | ":network"
  | ":db"
  | ":queue"
  | ":mcp"
  | ":clock"
  | ":env"
  | ":print"

/**
 * One capability: its id, options and semantics in one place. Validation, the reference page, the builder method, the
 * command line's listing and tool descriptions all come from it.
 */
export type Capability = StreamCapability | ControlCapability

interface Described {
  /** Without the leading colon: `stream.filter`. */
  readonly id: string
  /** One sentence. */
  readonly summary: string
  /** The section of the specification. */
  readonly spec: string
  readonly options: OptionSpecs
  readonly effects: ReadonlyArray<CapabilityEffect>
  /** An expression that runs as it stands. */
  readonly example: string
  /** The paragraphs of the reference page that its options do not tell: semantics under stress. */
  readonly notes: ReadonlyArray<string>
}

/** A capability that is a node of a graph. Calling it gives a stream value, or a handle where the call consumes it. */
export interface StreamCapability extends Described {
  readonly kind: "source" | "operator" | "sink"
  /** The first argument: a stream, or a value that joins the options under this name. */
  readonly subject: Subject
  /** Options that hold further streams, in the order of the node's inputs (after a stream as subject). */
  readonly streams: ReadonlyArray<string>
  /** Callbacks that receive items or the result: with one of them the call starts the stream. */
  readonly consuming: ReadonlyArray<string>
  /** Options that the short form `(stream.map s f)` takes by position, after the stream. */
  readonly short: ReadonlyArray<string>
  /** What the node is told beside its options when one of its callbacks consumes it. */
  readonly consumption: Readonly<Record<string, unknown>>
  /** Consumes as soon as it is called, whatever callbacks it has. */
  readonly startsAtOnce: boolean
  /** Emits exactly one item, at the normal end: the result of the pipeline that it ends. Options can make the difference. */
  readonly single: (options: Readonly<Record<string, unknown>>, /** Whether its (first) input does. */ input: boolean) => boolean
  /** What is wrong with the options together, as `InvalidCall` says it: "has …". */
  readonly check: (options: Readonly<Record<string, unknown>>) => string | undefined
  /** What is allowed and may not be meant, for `explain`. */
  readonly warnings: (options: Readonly<Record<string, unknown>>) => ReadonlyArray<string>
  readonly order: string
  readonly delivery: string
  readonly backpressure: string
  /** Paths and peers that the options name, to be checked against the policy before anything runs. */
  readonly touches: (options: Readonly<Record<string, unknown>>) => ReadonlyArray<Touch>
  /** Why the node can't be fused, as `explain` words it; from the options, since some make the difference. */
  readonly boundary: (options: Readonly<Record<string, unknown>>) => string | undefined
  /** What the node does. Several stages are one node still: they run in this order, in one actor. */
  readonly node: (options: Readonly<Record<string, unknown>>, input: NodeInput) => ReadonlyArray<NodeSpec>
  /** Of one that is several nodes, in place of `node`: writes them out. */
  readonly parts?: ((value: StreamValue, graph: GraphParts) => Written) | undefined
  /**
   * Reads what options alone can't say: several streams, streams that a function makes. A promise where the function
   * takes its time. Throws `InvalidCall`.
   */
  readonly prepare?: ((call: Prepared, asStream: AsStream) => Prepared | PromiseLike<Prepared>) | undefined
  /** Whether it gives exactly one item for each, in their order. */
  readonly isOneToOne: (options: Readonly<Record<string, unknown>>) => boolean
  /** Of a decorator: what it changes in all nodes above it. Made once for each consumption, so it may hold what they share. */
  readonly covers?: ((options: Readonly<Record<string, unknown>>) => Cover) | undefined
}

/** What the arguments of a call have become. */
export interface Prepared {
  readonly options: Readonly<Record<string, unknown>>
  readonly inputs: ReadonlyArray<StreamValue>
  readonly subStreams?: ReadonlyArray<SubStream>
}

/** What a decorator changes in the nodes above it, the nearest decorator first. Left out: nothing. */
export interface Cover {
  /** The decorator's own node, where that shares something with what it changes; otherwise `node` makes it. */
  readonly own?: NodeSpec
  readonly spec?: (spec: NodeSpec, node: CoveredNode) => NodeSpec
  readonly policy?: (policy: ItemPolicy, node: CoveredNode) => ItemPolicy
}

export interface CoveredNode {
  readonly id: string
  readonly capability: string
  readonly options: Readonly<Record<string, unknown>>
}

export interface NodeInput {
  /** Whether the node's (first) input gives exactly one item, at its end. */
  readonly single: boolean
}

export type Subject =
  | { readonly is: "none" }
  | { readonly is: "stream"; readonly optional?: boolean }
  | { readonly is: "value"; readonly name: string }

export type Touch =
  | { readonly effect: ":fs.read" | ":fs.write"; readonly path: string }
  | { readonly effect: ":network"; readonly host: string }
  | { readonly effect: ":queue"; readonly queue: string }

/** A capability that does something at once and gives its result: pausing a stream, printing a line. */
export interface ControlCapability extends Described {
  readonly kind: "control"
  /** Argument names for messages and the reference page. */
  readonly arguments: ReadonlyArray<string>
  readonly perform: (args: ReadonlyArray<unknown>, context: CallContext) => unknown
}

/** What a control capability may use of the host. */
export interface CallContext {
  /** Starts a stream and hands out its handle. */
  readonly start: (stream: StreamValue, options?: { readonly cold?: boolean }) => StreamHandle
  /** Starts a stream whose items are collected: they are the handle's result. */
  readonly collect: (stream: StreamValue) => StreamHandle
  /** A stream value of a value that counts as a stream: a collection, a handle without a consumer. */
  readonly asStream: (value: unknown) => StreamValue | undefined
  /** A promise where the reader of the lines is behind. */
  readonly print: (line: string) => unknown
  /** How a value prints: strings as they are. */
  readonly show: (value: unknown) => string
  readonly now: () => number
  /** Where `(log …)` goes: the host's log, not the program's output. */
  readonly log: (line: string) => unknown
  /** Completes after so many milliseconds of the host's clock. */
  readonly sleep: (milliseconds: number) => Promise<void>
  readonly files: FileAccess
  readonly network: NetworkAccess
  /** Runs an effect of a service, such as a look at a file. */
  readonly perform: <A>(effect: Effect.Effect<A, unknown>) => Promise<A>
  /** What the program keeps under names; gone when it ends. */
  readonly store: ProgramStore
  /** Starts a stream again at a checkpoint, or hands out the handle of the one that runs under this id. */
  readonly resume: (request: ResumeRequest) => Promise<StreamHandle>
  /** MCP servers and streams. Asking for it throws where no program runs (`explain`). */
  readonly mcp: McpContext
  /** What is registered under ids of hosts and programs, and who used it. */
  readonly marketplace: MarketplaceContext
}

export interface ResumeRequest {
  readonly streamId: string
  /** By default the last one. */
  readonly checkpointId: number | undefined
  readonly store: "embedded" | "memory" | "redis" | "postgres"
  /** Called once its state is back, before the first item. */
  readonly onResumed: StreamFunction | undefined
}

interface StreamDefinition<Specs extends OptionSpecs> {
  readonly id: string
  readonly summary: string
  readonly spec: string
  readonly kind: StreamCapability["kind"]
  readonly subject?: Subject
  readonly streams?: ReadonlyArray<string & keyof Specs>
  readonly consuming?: ReadonlyArray<string & keyof Specs>
  readonly short?: ReadonlyArray<string & keyof Specs>
  readonly consumption?: Readonly<Record<string, unknown>>
  readonly startsAtOnce?: boolean
  readonly check?: (options: OptionsOf<Specs>) => string | undefined
  readonly warnings?: (options: OptionsOf<Specs>) => ReadonlyArray<string>
  readonly single?: (options: OptionsOf<Specs>, input: boolean) => boolean
  readonly options: Specs
  readonly effects?: ReadonlyArray<CapabilityEffect>
  readonly order: string
  readonly delivery: string
  readonly backpressure: string
  readonly example: string
  readonly notes?: ReadonlyArray<string>
  readonly touches?: (options: OptionsOf<Specs>) => ReadonlyArray<Touch>
  readonly boundary?: (options: OptionsOf<Specs>) => string | undefined
  readonly node?: (options: OptionsOf<Specs>, input: NodeInput) => NodeSpec | ReadonlyArray<NodeSpec>
  readonly parts?: StreamCapability["parts"]
  readonly prepare?: StreamCapability["prepare"]
  readonly isOneToOne?: (options: OptionsOf<Specs>) => boolean
  readonly covers?: (options: OptionsOf<Specs>) => Cover
}

/** Defines a capability that is a node of a graph; see `StreamCapability` for what each field means. */
export const defineCapability = <const Specs extends OptionSpecs>(definition: StreamDefinition<Specs>): StreamCapability => {
  const typed = <Args extends ReadonlyArray<unknown>, Out>(f: (options: OptionsOf<Specs>, ...rest: Args) => Out) =>
    f as unknown as (options: Readonly<Record<string, unknown>>, ...rest: Args) => Out
  const node = typed(definition.node ?? (() => []))
  return {
    subject: definition.kind === "source" ? { is: "none" } : { is: "stream" },
    streams: [],
    consuming: [],
    short: [],
    startsAtOnce: false,
    consumption: {},
    effects: [],
    notes: [],
    ...definition,
    single: typed(definition.single ?? (() => false)),
    check: typed(definition.check ?? (() => undefined)),
    warnings: typed(definition.warnings ?? (() => [])),
    touches: typed(definition.touches ?? (() => [])),
    boundary: typed(definition.boundary ?? (() => undefined)),
    isOneToOne: typed(definition.isOneToOne ?? (() => false)),
    covers: definition.covers === undefined ? undefined : typed(definition.covers),
    node: (options, input) => {
      const made = node(options, input)
      return "kind" in made ? [made as NodeSpec] : (made as ReadonlyArray<NodeSpec>)
    }
  }
}

/** Defines a capability that acts at once. */
export const defineControl = (
  definition: Omit<ControlCapability, "kind" | "options" | "effects" | "notes"> & Partial<Pick<ControlCapability, "options" | "effects" | "notes">>
): ControlCapability => ({ kind: "control", options: {}, effects: [], notes: [], ...definition })

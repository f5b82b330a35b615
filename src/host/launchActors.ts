import * as Effect from "effect/Effect"
import {
  type Actor,
  type ActorOrder,
  type AsyncSinkSpec,
  type AsyncSourceSpec,
  type FanInSpec,
  type ItemServices,
  Mailbox,
  type MailboxObserver,
  makeActor,
  type NodeSpec,
  type SpillDirectory,
  type StageServices,
  type StageSpec,
  type SyncSourceSpec
} from "../actors/index.ts"
import { BoundExceeded, type BuiltGraph, memoryOf, type MemoryOptions } from "../capabilities/index.ts"
import type { Checkpointing } from "./Checkpointing.ts"
import { observe } from "./observe.ts"
import type { StreamMetrics } from "./StreamMetrics.ts"
import type { Parts } from "./Parts.ts"
import { frameLimits, type OffloadPool, type Plan, type PlannedActor, type PlannedEdge } from "../scheduler/index.ts"

export interface LaunchOptions {
  readonly services: StageServices
  readonly pool: OffloadPool
  /** Where mailboxes that spill put what they can't hold; opened when the first one needs it. */
  readonly spill: Effect.Effect<SpillDirectory, unknown>
  /** The same for one stream alone. */
  readonly spillFor: (memory: MemoryOptions) => Effect.Effect<SpillDirectory, unknown>
  readonly log: (line: string) => unknown
  readonly metrics: StreamMetrics | undefined
  readonly failures: "restart" | "end"
  readonly items: ItemServices
  readonly checkpointing: Pick<Checkpointing, "forActor"> | undefined
  /** Told of what ends before the rest. */
  readonly parts: Parts
}

/** Makes the actors of a plan, in the order of the data, with their mailboxes. None runs yet. */
export const launchActors = (built: BuiltGraph, plan: Plan, options: LaunchOptions): Effect.Effect<ReadonlyArray<Actor>, unknown> =>
  Effect.gen(function* () {
    const mailboxes = new Map<string, Mailbox<ActorOrder>>()
    for (const { address, nodes } of plan.actors) {
      const edges = edgesInto(plan, address)
      if (edges.length === 0) continue
      const observer = nodes.flatMap((node) => built.specsOf(node)).find((spec) => spec.kind === "stage")?.mailbox
      const mailbox = yield* makeMailbox(address, edges, observer, options, memoryOf(built.valueOf(nodes[0]!)))
      observer?.onMailbox?.(mailbox)
      mailboxes.set(address, mailbox)
      options.parts.addMailbox(address, mailbox)
    }
    const actors = plan.actors.map((planned) => makeActor(definition(built, plan, planned, mailboxes, options)))
    options.parts.begin(actors)
    return actors
  })

const definition = (
  built: BuiltGraph,
  plan: Plan,
  { address, keepsAll, nodes, routes }: PlannedActor,
  mailboxes: ReadonlyMap<string, Mailbox<ActorOrder>>,
  { checkpointing, failures, items, parts, pool, services }: LaunchOptions
) => {
  const specs = nodes.flatMap((node) => built.specsOf(node))
  const policyOf = (node: string) => plan.graph.nodes.find(({ id }) => id === node)!.onFailure
  const owned = nodes.flatMap((node) => built.specsOf(node).map((spec) => ({ node, spec })))
  for (const spec of specs) if (spec.kind === "stage") spec.bind?.(services)
  const source = specs.find((spec): spec is SyncSourceSpec | AsyncSourceSpec => spec.kind === "sync-source" || spec.kind === "async-source")
  const fanIn = specs.find((spec): spec is FanInSpec => spec.kind === "fan-in")
  const sink = specs.find((spec): spec is AsyncSinkSpec => spec.kind === "async-sink")
  const out = plan.edges.filter(({ from }) => from === address)
  // What is written to disk needs its bytes anyway.
  const readsOnly = ({ overflow, to }: PlannedEdge) =>
    overflow !== "spill"
    && plan.actors
      .find((actor) => actor.address === to)!
      .nodes.flatMap((node) => built.specsOf(node))
      .some((spec) => spec.kind === "async-sink" && spec.readsOnly === true)
  return {
    address,
    input:
      source === undefined
        ? {
            mailbox: mailboxes.get(address)!,
            edges: edgesInto(plan, address).length,
            ...(fanIn === undefined ? {} : { fanIn, allStarted: parts.allStarted, onEnough: () => parts.enough(address) })
          }
        : { source },
    stages: specs.filter((spec): spec is StageSpec => spec.kind === "stage"),
    ...(sink === undefined ? {} : { sink }),
    policies: owned.filter(({ spec }) => isStageOrSink(spec)).map(({ node }) => policyOf(node)),
    sourcePolicy: policyOf(nodes[0]!),
    nodeIds: owned.map(({ node }) => node),
    outputs: out.map((planned) => {
      const { detaches, edge, to } = planned
      return {
        mailbox: mailboxes.get(to)!,
        edge,
        readsOnly: readsOnly(planned),
        ...(detaches === undefined ? {} : { detaches, onFull: () => parts.full(planned) })
      }
    }),
    ...(routes === undefined ? {} : { routes: { order: routes === "one-in-order" } }),
    services,
    pool,
    // A frame is never larger than the smallest buffer that it goes to, or that buffer would hold more than it may.
    frames: {
      items: Math.min(frameLimits.items, ...out.map(({ bounds }) => bounds.frame?.items ?? bounds.maxItems)),
      bytes: Math.min(frameLimits.bytes, ...out.map(({ bounds }) => bounds.frame?.bytes ?? frameLimits.bytes))
    },
    failures,
    items: keepsAll ? keepingNone(items) : items,
    ...(checkpointing === undefined ? {} : { checkpointing: checkpointing.forActor(address) })
  }
}

const isStageOrSink = (spec: NodeSpec): boolean => spec.kind === "stage" || spec.kind === "async-sink"

const edgesInto = (plan: Plan, address: string): ReadonlyArray<PlannedEdge> => plan.edges.filter(({ to }) => to === address)

const makeMailbox = (
  address: string,
  edges: ReadonlyArray<PlannedEdge>,
  observer: MailboxObserver | undefined,
  { log, metrics, spill, spillFor }: LaunchOptions,
  memory: MemoryOptions | undefined
) =>
  Effect.gen(function* () {
    const { bounds, overflow } = edges[0]!
    const { onBackpressure, onRelief } = observer ?? {}
    const onWorkedOff = metrics?.workedOff(address)
    const options = {
      address,
      edges: edges.length,
      overflow,
      ...bounds,
      ...(onWorkedOff === undefined ? {} : { onWorkedOff }),
      ...(onBackpressure === undefined ? {} : { onBackpressure: () => onBackpressure() }),
      ...(onRelief === undefined ? {} : { onRelief: () => onRelief() })
    }
    if (overflow !== "spill") return yield* Mailbox.make<ActorOrder>(options)
    const onSpill = memory?.onSpill
    const tell = (what: string) => (error: unknown) =>
      void log(`${what} (${address}): ${error instanceof Error ? error.message : String(error)}`)
    return yield* Mailbox.make<ActorOrder>({
      ...options,
      spill: yield* memory === undefined ? spill : spillFor(memory),
      ...(onSpill === undefined ? {} : { onSpill: () => void observe(onSpill, undefined).catch(tell("The :on-spill failed")) }),
      onSpillFailure: tell("What does not fit into memory is held up")
    })
  })

/** The life that would go on without the item ends, and so in the end does the stream. */
const keepingNone = (items: ItemServices): ItemServices => ({
  ...items,
  keep: ({ cause: error }) =>
    Effect.fail(
      new BoundExceeded(
        "stream.parallel",
        `can't leave out an item that a partition failed on again and again (${error instanceof Error ? error.message : String(error)}), and keep the order`,
        "Let the function deal with such items, or leave :ordered out."
      )
    )
})

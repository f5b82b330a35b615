import type { ActorSnapshot, StageSnapshot } from "../actors/index.ts"
import type { BuiltGraph } from "../capabilities/index.ts"
import type { Plan, PlannedActor } from "../scheduler/index.ts"

/** The nodes from the sources to one node, as the actors and their stages. */
export interface MetricsPart {
  readonly actors: ReadonlyArray<{
    readonly index: number
    readonly planned: PlannedActor
    /** Of its stages. */ readonly stages: ReadonlySet<number>
  }>
  /** Where the node itself stands. */
  readonly at: { readonly address: string; readonly stage: number }
}

/** What counts at the last report were, to tell rates. */
export interface MetricsBefore {
  readonly time: number
  readonly taken: number
  readonly given: number
}

export const metricsPart = (built: BuiltGraph, plan: Plan, node: string): MetricsPart => {
  const above = new Set<string>()
  const add = (id: string): void => {
    if (above.has(id)) return
    above.add(id)
    built.graph.nodes.find((other) => other.id === id)!.inputs.forEach(add)
  }
  add(node)
  let at: MetricsPart["at"] | undefined
  const actors = plan.actors.flatMap((planned, index) => {
    let stage = 0
    const stages = new Set<number>()
    for (const id of planned.nodes) {
      if (id === node) at = { address: planned.address, stage }
      const next = stage + built.specsOf(id).length
      for (; stage < next; stage++) if (above.has(id)) stages.add(stage)
    }
    return stages.size === 0 ? [] : [{ index, planned, stages }]
  })
  return { actors, at: at! }
}

type Counts = Readonly<Record<string, number>>

/**
 * One report, as `stream.with-metrics` describes it, with plain keys.
 *
 * @param snapshots of all actors of the plan, in its order
 * @param latencyOf what the frames of an actor took since the last report
 */
export const metricsReport = (
  part: MetricsPart,
  snapshots: ReadonlyArray<ActorSnapshot>,
  options: {
    readonly collect: Readonly<Record<string, boolean>>
    readonly time: number
    readonly before: MetricsBefore
    readonly latencyOf: (address: string) => Counts | null
  }
): { readonly report: Record<string, unknown>; readonly before: MetricsBefore } => {
  const { before, collect, latencyOf, time } = options
  const own = part.actors.map(({ index, planned, stages }) => {
    const snapshot = snapshots[index]!
    return { address: planned.address, snapshot, stages: snapshot.stages.filter((_, stage) => stages.has(stage)) }
  })
  const taken = sum(own.filter(({ snapshot }) => snapshot.kind === "source").map(({ snapshot }) => snapshot.itemsIn))
  const given = own.find(({ address }) => address === part.at.address)!.snapshot.stages[part.at.stage]!.itemsIn
  const seconds = (time - before.time) / 1000
  const rate = (now: number, then: number) => (seconds > 0 ? (now - then) / seconds : 0)
  const watermarks = own.flatMap(({ stages }) =>
    stages.flatMap(({ counters }) => (counters["watermark"] === undefined ? [] : [counters["watermark"]]))
  )
  const isCollected = (name: string) => collect[name] !== false
  return {
    before: { time, taken, given },
    report: {
      ...(isCollected("throughput") && {
        throughput: {
          in: taken,
          out: given,
          "in-per-second": rate(taken, before.taken),
          "out-per-second": rate(given, before.given),
          bytes: sum(own.map(({ snapshot }) => (snapshot.kind === "source" ? 0 : snapshot.bytesIn)))
        }
      }),
      ...(isCollected("latency") && { latency: latencyOf(part.at.address) }),
      ...(isCollected("errors") && { errors: own.map(errorsOf).reduce(added) }),
      ...(isCollected("backpressure") && {
        backpressure: {
          ...shared(own.map(({ snapshot }) => snapshot.timeShares)),
          ...own.map(({ snapshot }) => mailboxOf(snapshot)).reduce(held),
          ...(watermarks.length === 0 ? {} : { "watermark-lag": time - Math.min(...watermarks) })
        }
      }),
      actors: own.map(({ address, ...actor }) => ({
        actor: address,
        in: actor.snapshot.itemsIn,
        out: actor.stages.at(-1)!.itemsOut,
        ...(isCollected("latency") && { latency: address === part.at.address ? null : latencyOf(address) }),
        ...(isCollected("errors") && { errors: errorsOf(actor) }),
        ...(isCollected("backpressure") && { backpressure: { ...actor.snapshot.timeShares, ...mailboxOf(actor.snapshot) } })
      }))
    }
  }
}

const errorsOf = ({ snapshot, stages }: { readonly snapshot: ActorSnapshot; readonly stages: ReadonlyArray<StageSnapshot> }): Counts => ({
  failed: sum(stages.map(({ failed }) => failed)),
  skipped: sum(stages.map(({ skipped }) => skipped)),
  retried: sum(stages.map(({ retried }) => retried)),
  "dead-lettered": sum(stages.map(({ quarantined }) => quarantined)),
  dropped: snapshot.mailbox?.dropped.items ?? 0,
  restarts: snapshot.restarts
})

const mailboxOf = ({ mailbox }: ActorSnapshot): Counts => ({
  items: mailbox?.items ?? 0,
  bytes: mailbox?.bytes ?? 0,
  oldest: mailbox?.oldestAgeMs ?? 0,
  waiting: mailbox?.waiting ?? 0,
  pressing: mailbox?.pressing ?? 0
})

const added = (left: Counts, right: Counts): Counts =>
  Object.fromEntries(Object.entries(left).map(([name, count]) => [name, count + right[name]!]))

const held = (left: Counts, right: Counts): Counts => ({ ...added(left, right), oldest: Math.max(left["oldest"]!, right["oldest"]!) })

/** The shares of several actors together, each counting as much as the others. */
const shared = (shares: ReadonlyArray<Counts>): Counts =>
  Object.fromEntries(
    ["busy", "blocked", "idle"].map((name) => [name, sum(shares.map((share) => share[name]!)) / Math.max(1, shares.length)])
  )

const sum = (numbers: ReadonlyArray<number>): number => numbers.reduce((total, number) => total + number, 0)

import type { Actor, ActorSnapshot, StageSnapshot } from "./Actor.ts"
import type { ActorMetrics } from "./ActorMetrics.ts"
import type { Output } from "./OutputPort.ts"

interface Inspected extends Pick<Actor, "address" | "kind" | "lifecycle"> {
  readonly metrics: ActorMetrics
  readonly nodes: ReadonlyArray<{ readonly capability: string }>
  readonly output: Output
}

interface Progress {
  /** What entered each node, and at the end of the list what left the last one. */
  readonly entered: ReadonlyArray<number>
  readonly underWay: number
  readonly counters: (node: number) => Readonly<Record<string, number>>
}

/** What `inspect` shows of an actor. */
export const actorSnapshot = (
  { address, kind, lifecycle, metrics, nodes, output }: Inspected,
  { counters, entered, underWay }: Progress,
  rest: Pick<ActorSnapshot, "mailbox" | "waitsFor">
): ActorSnapshot => ({
  address,
  kind,
  mode: lifecycle.modeName,
  framesIn: metrics.framesIn,
  itemsIn: metrics.itemsIn,
  bytesIn: metrics.bytesIn,
  framesOut: output.frames,
  itemsOut: output.items,
  bytesOut: output.bytes,
  outputs: output.itemsByOutput(),
  restarts: metrics.restarts,
  timeShares: metrics.timeShares,
  underWay,
  stages: nodes.map(({ capability }, node): StageSnapshot => ({
    capability,
    itemsIn: entered[node]!,
    itemsOut: entered[node + 1]!,
    ...metrics.stages[node]!,
    counters: counters(node)
  })),
  ...rest
})

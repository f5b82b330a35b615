import type { BuiltGraph } from "../capabilities/index.ts"
import { type Graph, hashGraph, type StreamFunction } from "../scheduler/index.ts"
import { CheckpointRefused } from "./errors.ts"
import type { StoreName } from "./HostStores.ts"

/** What `stream.with-checkpointing` says for the pipeline that it stands in, or what holds without it for one that acknowledges. */
export interface CheckpointSettings {
  /** Nobody asked for checkpoints: they are there so that a source can acknowledge. */
  readonly isImplicit: boolean
  readonly streamId: string
  readonly intervalMs: number
  readonly everyItems: number | undefined
  readonly timeoutMs: number
  readonly store: StoreName
  readonly onCheckpoint: StreamFunction | undefined
}

/** @param ordinal which of the program's streams it is, from 1 on */
export const checkpointSettings = (built: BuiltGraph, ordinal: number): CheckpointSettings | undefined => {
  const { graph } = built
  const unacknowledged = mostUnacknowledged(built)
  const nodes = graph.nodes.filter(({ capability }) => capability === "stream.with-checkpointing")
  const [node] = nodes
  if (node === undefined) return unacknowledged === undefined ? undefined : implicitSettings(graph, ordinal, unacknowledged)
  if (nodes.length > 1) {
    throw new CheckpointRefused(
      String(node.options["stream-id"] ?? "without a name"),
      `would be taken twice: ${nodes.map(({ id }) => id).join(" and ")} stand in one pipeline`,
      "One :stream.with-checkpointing covers the whole pipeline that is consumed through it: leave the others out."
    )
  }
  const { options } = node
  return {
    isImplicit: false,
    streamId: (options["stream-id"] as string | undefined) ?? nameOf(graph, ordinal),
    intervalMs: options["checkpoint-interval"] as number,
    everyItems: leastOf(options["every-n-items"] as number | undefined, unacknowledged),
    timeoutMs: options["checkpoint-timeout"] as number,
    store: options["checkpoint-store"] as StoreName,
    onCheckpoint: options["on-checkpoint"] as StreamFunction | undefined
  }
}

/** How long an item that is worked off waits for its acknowledgement, at most. */
const acknowledgeMs = 1000

const implicitSettings = (graph: Graph, ordinal: number, unacknowledged: number): CheckpointSettings => ({
  isImplicit: true,
  streamId: nameOf(graph, ordinal),
  intervalMs: acknowledgeMs,
  everyItems: unacknowledged,
  timeoutMs: 10 * 60 * 1000,
  store: "embedded",
  onCheckpoint: undefined
})

/** Of the sources that acknowledge: after so many items one would have to wait for a checkpoint, if none came meanwhile. */
const mostUnacknowledged = ({ graph, specsOf }: BuiltGraph): number | undefined => {
  const specs = graph.nodes.flatMap(({ id }) => specsOf(id))
  const bounds = specs.flatMap((spec) =>
    spec.kind === "async-source" && spec.acknowledges !== undefined ? [spec.acknowledges.atMost] : []
  )
  // Half of them are on their way while the others are acknowledged.
  return bounds.length === 0 ? undefined : Math.max(1, Math.floor(Math.min(...bounds) / 2))
}

const leastOf = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? (a ?? b) : Math.min(a, b)

const nameOf = (graph: Graph, ordinal: number): string => `${hashGraph(graph).slice(0, 16)}-${ordinal}`

import type { BuiltGraph } from "../capabilities/index.ts"
import type { Graph } from "../scheduler/index.ts"
import { decodeValue, encodeValue, valuesEqual } from "../serialization/index.ts"
import { CheckpointOfOtherVersion, CheckpointRefused } from "./errors.ts"
import type { StoredStream } from "./storedStream.ts"

/**
 * What a checkpoint holds: the snapshot of each actor. The graph that made it is kept beside, once for all checkpoints.
 *
 * It is written as msgpack; `format` rises with every change that an older version could not read.
 */
export interface CheckpointRecord {
  readonly format: 1
  readonly stream: string
  readonly status: "running" | "finished"
  /** By the node that gives an actor its name. */
  readonly actors: Readonly<Record<string, ActorRecord>>
  /** Of a finished stream, if it can be kept. */
  readonly result: { readonly value: unknown } | null
}

export interface ActorRecord {
  /** The nodes that the actor consists of. */
  readonly nodes: ReadonlyArray<string>
  readonly snapshot: Uint8Array
}

/** The state of a stage may be far larger than an item; this is what one row of a store holds. */
export const maxStateBytes = 1024 ** 3

export const encodeRecord = (record: CheckpointRecord): Uint8Array => encodeValue(record, { maxBytes: maxStateBytes })

/** **Fails** by throwing `CheckpointOfOtherVersion` for what another version has written. */
export const decodeRecord = (stream: string, bytes: Uint8Array): CheckpointRecord => {
  const record = decodeValue(bytes) as CheckpointRecord
  if (record.format !== 1) throw new CheckpointOfOtherVersion(stream, record.format)
  return record
}

/** What is kept of the stream itself, beside its checkpoints. */
export interface StreamRecord {
  /** The nodes, to be compared. */
  readonly graph: ComparableGraph
  /** The stream, to be made again. */
  readonly stream: StoredStream
}

/** A graph without its functions, and without what only says how it is watched or saved. */
export type ComparableGraph = ReadonlyArray<{
  readonly id: string
  readonly capability: string
  readonly options: Readonly<Record<string, unknown>>
  readonly inputs: ReadonlyArray<string>
}>

export const comparable = (graph: Graph): ComparableGraph =>
  graph.nodes.map(({ capability, id, inputs, options }) => ({
    id,
    capability,
    options: Object.fromEntries(
      Object.entries(options).flatMap(([name, value]) =>
        value === undefined || besideTheWork.has(name) ? [] : [[name, withoutFunctions(value)]]
      )
    ),
    inputs: [...inputs]
  }))

/**
 * Whether a graph can go on with a checkpoint: the same nodes with the same options. Functions may differ, since what
 * they do with a state is their author's business.
 *
 * **Fails** by throwing `CheckpointRefused`, which names the node.
 */
export const checkCompatible = (stream: string, kept: ComparableGraph, { graph }: BuiltGraph): void => {
  const refuse = (problem: string) => {
    throw new CheckpointRefused(
      stream,
      `does not fit the program: ${problem}`,
      "Undo the change to go on, or give the stream another :stream-id to begin anew."
    )
  }
  // As it would be read back, so that like is compared with like.
  const now = decodeValue(encodeValue(comparable(graph))) as ComparableGraph
  for (const node of kept) {
    const same = now.find(({ id }) => id === node.id)
    if (same === undefined) return refuse(`its node ${node.id} (${node.capability}) is not there any more`)
    if (same.capability !== node.capability) refuse(`its node ${node.id} was a ${node.capability} and is a ${same.capability}`)
    if (!valuesEqual(same.inputs, node.inputs)) {
      refuse(`its node ${node.id} takes from ${same.inputs.join(", ")} instead of ${node.inputs.join(", ")}`)
    }
    for (const option of new Set([...Object.keys(node.options), ...Object.keys(same.options)])) {
      if (!valuesEqual(node.options[option] ?? null, same.options[option] ?? null)) {
        refuse(`:${option} of its node ${node.id} (${node.capability}) is another`)
      }
    }
  }
  const added = now.find(({ id }) => !kept.some((node) => node.id === id))
  if (added !== undefined) refuse(`its node ${added.id} (${added.capability}) is new`)
}

/** Options that say how a stream is watched or saved, and nothing of what is done with its items. */
const besideTheWork = new Set([
  "on-complete",
  "on-error",
  "on-checkpoint",
  "checkpoint-interval",
  "every-n-items",
  "checkpoint-store",
  "checkpoint-timeout",
  "shutdown-timeout",
  "drain-strategy",
  "on-shutdown-complete",
  "buffer-size",
  "overflow"
])

const withoutFunctions = (value: unknown): unknown => {
  if (value === undefined) return null
  if (typeof value === "function") return { $function: true }
  if (Array.isArray(value)) return value.map(withoutFunctions)
  if (value !== null && typeof value === "object") {
    if (Object.getPrototypeOf(value) === Object.prototype) {
      return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, withoutFunctions(entry)]))
    }
    try {
      encodeValue(value)
    } catch {
      // An iterable of the host, say: whether it gives the same again is its owner's business.
      return { $here: true }
    }
  }
  return value
}

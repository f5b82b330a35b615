import type { BuiltGraph } from "../capabilities/index.ts"
import { decodeValue, encodeValue, valuesEqual } from "../serialization/index.ts"
import { CheckpointOfOtherVersion, CheckpointRefused } from "./errors.ts"
import { type StoredGraph, storedGraph } from "./storedGraph.ts"

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

export const encodeRecord = (record: CheckpointRecord): Uint8Array => encodeValue(record)

/** **Fails** by throwing `CheckpointOfOtherVersion` for what another version has written. */
export const decodeRecord = (stream: string, bytes: Uint8Array): CheckpointRecord => {
  const record = decodeValue(bytes) as CheckpointRecord
  if (record.format !== 1) throw new CheckpointOfOtherVersion(stream, record.format)
  return record
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

/**
 * Whether a graph can go on with a checkpoint: the same nodes in the same order with the same options. Functions may
 * differ, since what they do with a state is their author's business.
 *
 * **Fails** by throwing `CheckpointRefused`, which names the node.
 */
export const checkCompatible = (stream: string, kept: StoredGraph, built: BuiltGraph): void => {
  const now = storedGraph(built.graph)
  const refuse = (problem: string) => {
    throw new CheckpointRefused(
      stream,
      `does not fit the program: ${problem}`,
      "Undo the change to go on, or give the stream another :stream-id to begin anew."
    )
  }
  for (const node of kept.nodes) {
    const same = now.nodes.find(({ id }) => id === node.id)
    if (same === undefined) refuse(`its node ${node.id} (${node.capability}) is not there any more`)
    if (same!.capability !== node.capability) refuse(`its node ${node.id} was a ${node.capability} and is a ${same!.capability}`)
    if (!valuesEqual(same!.inputs, node.inputs))
      refuse(`its node ${node.id} takes from ${same!.inputs.join(", ")} instead of ${node.inputs.join(", ")}`)
    for (const option of new Set([...Object.keys(node.options), ...Object.keys(same!.options)])) {
      if (besideTheWork.has(option)) continue
      if (!valuesEqual(withoutFunctions(node.options[option]), withoutFunctions(same!.options[option]))) {
        refuse(`:${option} of its node ${node.id} (${node.capability}) is another`)
      }
    }
  }
  const added = now.nodes.find(({ id }) => !kept.nodes.some((node) => node.id === id))
  if (added !== undefined) refuse(`its node ${added.id} (${added.capability}) is new`)
}

const withoutFunctions = (value: unknown): unknown => {
  if (value === undefined) return null
  if (Array.isArray(value)) return value.map(withoutFunctions)
  if (value !== null && typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype) {
    if ("$function" in value) return { $function: true }
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, withoutFunctions(entry)]))
  }
  return value
}

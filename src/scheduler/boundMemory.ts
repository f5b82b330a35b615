import type { GraphNode } from "./Graph.ts"
import type { MailboxBounds, NodeTraits, PlannedEdge } from "./Plan.ts"

/** Less memory than this leaves a spilling mailbox no room for the buffers of its files. */
export const leastSpillBytes = 1024 * 1024

/** A node that bounds what is before it, with what was found there. */
export interface MemoryBound {
  readonly node: string
  /** What was asked for. */
  readonly bytes: number
  /** What the edges before the node, its own among them, and the states before it take at most. */
  readonly planned: number
}

interface Memory {
  readonly edges: ReadonlyArray<PlannedEdge>
  readonly bounds: ReadonlyArray<MemoryBound>
}

/**
 * Makes the mailboxes before each node that bounds memory so small that, with the states there whose bounds are known,
 * they stay within it: half of what is left is for the edges before the node's own, if they need so much, and the rest for
 * its own.
 *
 * Where even the smallest mailboxes are too much they are made all the same; the result tells.
 *
 * @param mailboxBytes what the host gives the pipeline; of two bounds the smaller counts
 */
export const boundMemory = (
  edges: ReadonlyArray<PlannedEdge>,
  nodes: ReadonlyArray<GraphNode>,
  options: {
    readonly traitsOf: (node: GraphNode) => NodeTraits
    readonly addressOf: (node: string) => string
    readonly frameBytes: number
    readonly mailboxBytes: number
  }
): Memory => {
  const { addressOf, frameBytes, mailboxBytes, traitsOf } = options
  const least = ({ overflow }: PlannedEdge) => (overflow === "spill" ? leastSpillBytes : 2 * frameBytes)
  const sum = (all: ReadonlyArray<PlannedEdge>) => all.reduce((total, { bounds }) => total + bounds.maxBytes, 0)
  const bounds: Array<MemoryBound> = []
  let bounded = edges
  for (const node of nodes) {
    const { memory } = traitsOf(node)
    const own = bounded.find(({ to }) => to === addressOf(node.id))
    if (memory === undefined || own === undefined) continue
    const before = bounded.filter((edge) => edge !== own && reaches(bounded, edge.to, own.from))
    const addresses = new Set([own.from, ...before.flatMap(({ from, to }) => [from, to])])
    const states = nodes.reduce((total, other) => total + (addresses.has(addressOf(other.id)) ? (traitsOf(other).state.bytes ?? 0) : 0), 0)
    const spilling: PlannedEdge = { ...own, overflow: memory.spills ? "spill" : own.overflow }
    const room = Math.max(0, Math.min(memory.bytes - states, Math.max(mailboxBytes, least(spilling) + before.length * 2 * frameBytes)))
    const forOthers = Math.max(0, Math.min(room / 2, room - least(spilling)))
    const smaller = new Map(
      before.map((edge) => [edge, smallerBounds(edge.bounds, Math.max(least(edge), Math.floor(forOthers / before.length)), frameBytes)])
    )
    bounded = bounded.map((edge) => (smaller.has(edge) ? { ...edge, bounds: smaller.get(edge)! } : edge))
    const left = room - [...smaller.values()].reduce((total, { maxBytes }) => total + maxBytes, 0)
    const its = { ...spilling, bounds: wideBounds(Math.max(least(spilling), left), frameBytes) }
    bounded = bounded.map((edge) => (edge === own ? its : edge))
    const all = bounded.filter((edge) => edge === its || reaches(bounded, edge.to, own.from))
    bounds.push({ node: node.id, bytes: memory.bytes, planned: sum(all) + states })
  }
  return { edges: bounded, bounds }
}

/** Whether items get from one actor to the other. */
const reaches = (edges: ReadonlyArray<PlannedEdge>, from: string, to: string): boolean =>
  from === to || edges.some((edge) => edge.from === from && reaches(edges, edge.to, to))

/** The same, with at most so many bytes. */
const smallerBounds = (bounds: MailboxBounds, bytes: number, frameBytes: number): MailboxBounds => {
  if (bounds.maxBytes <= bytes) return bounds
  // Levels in items are an order of the program, and there are as many frames as it may take.
  if (bounds.marksIn === "items") return { ...bounds, maxBytes: bytes }
  const maxFrames = Math.max(2, Math.min(bounds.maxFrames, Math.floor(bytes / frameBytes)))
  const highWaterMark = Math.min(bounds.highWaterMark, maxFrames)
  return {
    ...bounds,
    maxFrames,
    maxBytes: bytes,
    highWaterMark,
    lowWaterMark: Math.min(bounds.lowWaterMark, Math.floor(highWaterMark / 2))
  }
}

/** Only the bytes bound: a stream that sends many small frames may use them, too. */
const wideBounds = (bytes: number, frameBytes: number): MailboxBounds => {
  const maxFrames = Math.max(2, Math.floor(bytes / 1024))
  return {
    maxFrames,
    maxItems: maxFrames * Math.ceil(frameBytes / 128),
    maxBytes: bytes,
    highWaterMark: Math.max(2, Math.ceil(maxFrames * 0.8)),
    lowWaterMark: Math.floor(maxFrames / 2)
  }
}

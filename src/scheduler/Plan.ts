import { boundMemory, leastSpillBytes, type MemoryBound } from "./boundMemory.ts"
import type { Graph, GraphNode } from "./Graph.ts"

/** What the planner must know of a node; it does not know what the node does. */
export interface NodeTraits {
  readonly role: "source" | "operator" | "sink"
  /** Where an actor of its own is needed, the reason for it, as `explain` words it. */
  readonly boundary?: string
  /** The buffer that the user put in front: items, and what it does when it is full. */
  readonly buffer?: PlannedBuffer
  /** Of a source: how many of its items may wait for whoever takes them, where that was given no buffer of its own. */
  readonly ahead?: number
  /** It keeps what the mailboxes up to it hold within so many bytes; what is beyond waits, or goes to disk. */
  readonly memory?: { readonly bytes: number; readonly spills: boolean }
  /** It has no code of its own, only consumers: it joins the actor before it, whatever that is. */
  readonly isPassive?: boolean
  /** How its items go to its consumers, which count in the order of their inputs in the graph. */
  readonly routes?: PlannedActor["routes"]
  /** The part of the graph that may fail alone, by name; nodes of different parts share no actor. */
  readonly part?: string
  /** No item may be put aside, even if it ends its actor again and again. */
  readonly keepsAll?: boolean
  /** When its sender gives it up and goes on without it; otherwise never. */
  readonly detaches?: PlannedEdge["detaches"]
  /** Its function may wait for something outside. */
  readonly mayWait?: boolean
  /** Does something when its time has come, whatever the actor waits for. */
  readonly keepsTime?: boolean
  /** May move to the worker pool while it runs, if measured to pay. */
  readonly mayOffload?: boolean
  /** What bounds the state that the node keeps, and its worst case in bytes where that is known. */
  readonly state: {
    readonly verdict: string
    readonly kind?: "none" | "bounded" | "time" | "unbounded"
    readonly bytes?: number
    /** Of what is unbounded: what to do about it. */
    readonly remedy?: string
  }
}

/** A buffer that was asked for. */
export interface PlannedBuffer {
  readonly items: number
  readonly overflow: PlannedEdge["overflow"]
  /** Its levels in items, where its sender is to follow them exactly: demand stops at the high one and comes back at the low one. */
  readonly marks?: { readonly high: number; readonly low: number }
  /** Left out: its share of the pipeline's memory. */
  readonly bytes?: number
}

/** Where and how a graph will run: which nodes share an actor, where mailboxes stand, how large they are, and why. */
export interface Plan {
  readonly graph: Graph
  /** In the order of the data: sources first. */
  readonly actors: ReadonlyArray<PlannedActor>
  readonly edges: ReadonlyArray<PlannedEdge>
  /** The most that all mailboxes together may hold. */
  readonly mailboxBytes: number
  readonly memory: ReadonlyArray<MemoryBound>
}

export interface PlannedActor {
  readonly address: string
  readonly kind: "source" | "processor" | "sink"
  /** The nodes that run in it, fused in this order. */
  readonly nodes: ReadonlyArray<string>
  /** Each of its items goes to one of its outputs, and with `-in-order` the last output is told to which; left out: to all. */
  readonly routes: "one" | "one-in-order" | undefined
  /** No item may be put aside. */
  readonly keepsAll: boolean
  /** The part of the graph that it belongs to, if that may fail alone. */
  readonly part: string | undefined
  readonly mayOffload: ReadonlyArray<string>
}

/** A mailbox edge between two actors. */
export interface PlannedEdge {
  readonly from: string
  readonly to: string
  /** Which ring of the receiver's mailbox. */
  readonly edge: number
  readonly reason: string
  readonly overflow: "backpressure" | "drop-oldest" | "drop-newest" | "fail" | "spill"
  /** When the sender gives the receiver up and goes on without it: once it has failed, or also when its mailbox is full. */
  readonly detaches?: "failed" | "full"
  readonly bounds: MailboxBounds
}

export interface MailboxBounds {
  readonly maxFrames: number
  readonly maxItems: number
  readonly maxBytes: number
  /** Queue levels: demand stops at the high one and comes back at the low one. */
  readonly highWaterMark: number
  readonly lowWaterMark: number
  /** What the levels count; left out: frames. */
  readonly marksIn?: "items"
  /** Whether it takes nothing between them, on the way down. */
  readonly holdsOff?: boolean
  /** What a frame into it may hold at most, where that is less than elsewhere. */
  readonly frame?: { readonly items: number; readonly bytes: number }
}

export interface PlanResources {
  /** What the mailboxes of this pipeline may hold together. */
  readonly mailboxBytes: number
}

/** Frames are at most this large, but for a single item that is larger. */
export const frameLimits = { items: 512, bytes: 64 * 1024 } as const

/** More than this many frames in one mailbox buys no throughput, only latency. */
const mostFrames = 8

/**
 * Decides which nodes are fused into one actor and where mailboxes stand.
 *
 * A node joins the actor of its only input unless one of the two needs an actor of its own. An edge gets an equal share
 * of the pipeline's budget, between one frame and eight. The edges of one actor stand in the order of its consumers.
 *
 * @param graph the nodes in the order of the data: a node comes after its inputs
 */
export const makePlan = (
  pipeline: string,
  graph: Graph,
  traitsOf: (node: GraphNode) => NodeTraits,
  resources: PlanResources
): Plan => {
  const consumers = new Map<string, number>()
  for (const node of graph.nodes) for (const input of node.inputs) consumers.set(input, (consumers.get(input) ?? 0) + 1)

  const islands: Array<{ readonly nodes: Array<GraphNode> }> = []
  const islandOf = new Map<string, { readonly nodes: Array<GraphNode> }>()
  const crossings: Array<{ from: string; to: string; edge: number; reason: string }> = []

  for (const node of graph.nodes) {
    const reasons = node.inputs.map((input) => reasonForBoundary(node, input))
    const only = node.inputs.length === 1 ? node.inputs[0]! : undefined
    if (only !== undefined && reasons[0] === undefined) {
      const island = islandOf.get(only)!
      island.nodes.push(node)
      islandOf.set(node.id, island)
    } else {
      const island = { nodes: [node] }
      islands.push(island)
      islandOf.set(node.id, island)
      node.inputs.forEach((input, edge) => crossings.push({ from: input, to: node.id, edge, reason: reasons[edge]! }))
    }
  }

  const addressOf = (node: string) => `/pipelines/${pipeline}/${islandOf.get(node)!.nodes[0]!.id}`
  const share = boundsFor(resources.mailboxBytes / Math.max(1, crossings.length))
  const wanted = crossings.map(({ edge, from, reason, to }): PlannedEdge => {
    const { buffer = behindSources(to), detaches } = traitsOf(graph.nodes.find(({ id }) => id === to)!)
    return {
      from: addressOf(from),
      to: addressOf(to),
      edge,
      reason,
      overflow: buffer?.overflow ?? "backpressure",
      ...(detaches === undefined ? {} : { detaches }),
      bounds: buffer === undefined ? share : boundsOfBuffer(share, buffer)
    }
  })
  const { bounds: memory, edges } = boundMemory(wanted, graph.nodes, { traitsOf, addressOf, frameBytes: frameLimits.bytes, ...resources })
  return {
    graph,
    memory,
    actors: islands.map(({ nodes }) => ({
      address: addressOf(nodes[0]!.id),
      kind: kindOf(nodes.map((node) => traitsOf(node).role)),
      nodes: nodes.map((node) => node.id),
      routes: traitsOf(nodes.at(-1)!).routes,
      part: traitsOf(nodes[0]!).part,
      keepsAll: nodes.some((node) => traitsOf(node).keepsAll === true),
      mayOffload: nodes.filter((node) => traitsOf(node).mayOffload === true).map((node) => node.id)
    })),
    edges,
    mailboxBytes: edges.reduce((sum, { bounds }) => sum + bounds.maxBytes, 0)
  }

  /** All edges of a mailbox have the same bounds, so the most modest of its sources says. */
  function behindSources(to: string): PlannedBuffer | undefined {
    const senders = crossings.filter((crossing) => crossing.to === to).flatMap(({ from }) => islandOf.get(from)!.nodes)
    const items = Math.min(...senders.map((node) => traitsOf(node).ahead ?? Infinity))
    return items === Infinity ? undefined : { items, overflow: "backpressure" }
  }

  function reasonForBoundary(node: GraphNode, input: string): string | undefined {
    const own = traitsOf(node)
    if (node.inputs.length > 1) return `${node.id} ${own.boundary ?? "takes from several streams"}`
    if ((consumers.get(input) ?? 0) > 1) return `several streams take from ${input}`
    const above = graph.nodes.find((candidate) => candidate.id === input)!
    const theirs = traitsOf(above)
    if (theirs.routes !== undefined) return `${above.id} shares its items out`
    if (own.isPassive === true) return undefined
    // It needs a mailbox in front of it and nothing behind it.
    if (own.buffer !== undefined) return `${node.id} was given a buffer of its own (:buffer-size ${own.buffer.items})`
    if (own.boundary !== undefined) return `${node.id} ${own.boundary}`
    if (own.part !== theirs.part) return `${node.id} may fail without ${above.id}`
    const boundary = islandOf.get(input)!.nodes.map((other) => [other, traitsOf(other).boundary] as const).find(([, why]) => why !== undefined)
    if (boundary !== undefined) return `${boundary[0].id} ${boundary[1]}`
    const waiting = own.keepsTime === true ? islandOf.get(input)!.nodes.find((other) => traitsOf(other).mayWait) : undefined
    return waiting === undefined ? undefined : `${node.id} keeps time while ${waiting.id} may wait`
  }
}

const kindOf = (roles: ReadonlyArray<NodeTraits["role"]>): PlannedActor["kind"] =>
  roles[0] === "source" ? "source" : roles.at(-1) === "sink" ? "sink" : "processor"

const boundsFor = (bytes: number): MailboxBounds => {
  const maxFrames = Math.max(2, Math.min(mostFrames, Math.floor(bytes / frameLimits.bytes)))
  return {
    maxFrames,
    maxItems: maxFrames * frameLimits.items,
    maxBytes: maxFrames * frameLimits.bytes,
    highWaterMark: maxFrames,
    lowWaterMark: Math.floor(maxFrames / 2)
  }
}

/** A buffer of so many items: its frames carry at most as many, so a small buffer means small frames. */
const boundsOfBuffer = (share: MailboxBounds, { bytes = share.maxBytes, items, marks, overflow }: PlannedBuffer): MailboxBounds => {
  const maxBytes = overflow === "spill" ? Math.max(leastSpillBytes, bytes) : bytes
  if (marks === undefined) return { ...share, maxItems: items, maxBytes }
  const frameItems = Math.min(frameLimits.items, items - marks.low)
  return {
    // Twice as many as items, so that with a frame for each item there is room for the signals between them.
    maxFrames: 2 * items,
    maxItems: items,
    maxBytes,
    highWaterMark: marks.high,
    lowWaterMark: marks.low,
    marksIn: "items",
    holdsOff: overflow === "backpressure",
    // What it asks for at the low mark has to fit in, as a whole.
    frame: { items: frameItems, bytes: Math.ceil((maxBytes * frameItems) / items) }
  }
}

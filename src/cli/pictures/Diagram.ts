import type { ExplainedActor, ExplainedBoundary, ExplainedNode, ExplainedPipeline } from "../../host/index.ts"
import { formatSize } from "../quantity.ts"

/** A pipeline as every picture shows it: islands of nodes that run in one loop, and the mailboxes between them. */
export interface Diagram {
  readonly title: string
  readonly islands: ReadonlyArray<Island>
  readonly mailboxes: ReadonlyArray<MailboxEdge>
  /** What bounds all of it, in lines. */
  readonly totals: ReadonlyArray<string>
}

export interface Island {
  readonly address: string
  readonly name: string
  readonly kind: ExplainedActor["kind"]
  /** In the order of the data: each takes from the one before it. */
  readonly nodes: ReadonlyArray<ExplainedNode>
}

export interface MailboxEdge {
  readonly from: string
  readonly fromNode: string
  readonly to: string
  readonly toNode: string
  readonly bounds: string
  readonly reason: string
}

export const diagramOf = (pipeline: ExplainedPipeline): Diagram => {
  const { actors, boundaries, id, mailboxBytes, stateBytes, unknownState } = pipeline
  return {
    title: `pipeline ${id}`,
    islands: actors.map(({ address, kind, nodes }) => ({ address, kind, nodes, name: address.slice(address.lastIndexOf("/") + 1) })),
    mailboxes: actors.flatMap((actor) => into(actor, actors, boundaries)),
    totals: [
      `mailboxes: at most ${formatSize(mailboxBytes)}`,
      `states: at most ${formatSize(stateBytes)}${unknownState.length === 0 ? "" : `, and what is not known in bytes: ${unknownState.join(", ")}`}`
    ]
  }
}

/** How much a mailbox holds, what it does beyond that, and the levels that a program has asked for. */
export const boundsText = ({ highWaterMark, lowWaterMark, marksIn, maxBytes, maxFrames, maxItems, overflow }: ExplainedBoundary): string =>
  [
    ...(marksIn === "items" ? [] : [`${maxFrames} frames`]),
    `${maxItems} items`,
    formatSize(maxBytes),
    overflow,
    ...(marksIn === "items" ? [`pauses at ${highWaterMark}, goes on at ${lowWaterMark}`] : [])
  ].join(", ")

/** What stands below a node's name. */
export const stateLine = ({ state, stateBytes }: ExplainedNode): string | undefined =>
  state === "keeps nothing" ? undefined : `${state}${stateBytes === undefined ? "" : ` (${formatSize(stateBytes)})`}`

/** The inputs of an island are those of its first node, in their order, and so are the boundaries into it. */
const into = (
  { address, nodes }: ExplainedActor,
  actors: ReadonlyArray<ExplainedActor>,
  boundaries: ReadonlyArray<ExplainedBoundary>
): ReadonlyArray<MailboxEdge> => {
  const [first] = nodes as [ExplainedNode]
  return boundaries
    .filter(({ to }) => to === address)
    .map((boundary, input): MailboxEdge => {
      const ofActor = actors.find((actor) => actor.address === boundary.from)!.nodes
      const named = first.inputs[input]
      return {
        from: boundary.from,
        fromNode: ofActor.some(({ id }) => id === named) ? named! : ofActor.at(-1)!.id,
        to: address,
        toNode: first.id,
        bounds: boundsText(boundary),
        reason: boundary.reason
      }
    })
}

import type { ExplainedActor, ExplainedBoundary, ExplainedEffect, ExplainedPipeline, Explanation } from "../host/index.ts"
import { boundsText } from "./pictures/Diagram.ts"
import { formatSize } from "./quantity.ts"
import { alignedRows } from "./alignedRows.ts"

/** A plan as a person reads it: each pipeline from its sources to its sinks, then effects and bounds. */
export const explanationText = ({ effects, mailboxBytes, pipelines, stateBytes, stoppedAt, unbounded }: Explanation): string =>
  [
    ...(pipelines.length === 0 ? ["The program starts no stream.", ""] : pipelines.flatMap(pipelineLines)),
    ...effectLines(effects),
    "",
    `bounds: all mailboxes together hold at most ${formatSize(mailboxBytes)}, states that are bounded in bytes ${formatSize(stateBytes)}`,
    ...unbounded.map(({ node, pipeline, remedy, why }) => `UNBOUNDED: ${node} of ${pipeline}: ${why}. ${remedy}`),
    ...(stoppedAt === undefined ? [] : ["", `What comes after that is not known before it runs: ${stoppedAt}`])
  ].join("\n")

const pipelineLines = (pipeline: ExplainedPipeline): ReadonlyArray<string> => {
  const { actors, boundaries, hash, id, mailboxBytes, stateBytes, supervision, unknownState } = pipeline
  return [
    `pipeline ${id}  (graph ${hash.slice(0, 12)})`,
    ...actors.flatMap((actor) => [
      ...boundaries.filter(({ to }) => to === actor.address).map((boundary) => boundaryLine(boundary, boundaries.length > 1)),
      ...actorLines(actor)
    ]),
    "",
    `  mailboxes    at most ${formatSize(mailboxBytes)}`,
    `  states       at most ${formatSize(stateBytes)}${unknownState.length === 0 ? "" : `, and what is not known in bytes: ${unknownState.join(", ")}`}`,
    `  supervision  ${supervision.strategy}, ${supervision.restarts}`,
    `  starts       ${supervision.startOrder.join(", ")}; stops in the reverse order`,
    ""
  ]
}

const actorLines = ({ address, kind, nodes }: ExplainedActor): ReadonlyArray<string> => [
  `  ${address}  ${kind}${nodes.length > 1 ? `, ${nodes.length} nodes in one loop` : ""}`,
  ...alignedRows(
    nodes.map(({ capability, id, notes, onFailure, state, stateBytes }) => [
      id,
      `:${capability}`,
      `state: ${state}${stateBytes === undefined ? "" : `, at most ${formatSize(stateBytes)}`}`,
      [...(onFailure === "fail" ? [] : [`failing items: ${onFailure}`]), ...notes].join("; ")
    ]),
    "  │   "
  )
]

/** With several ways into one actor, each says where it comes from. */
const boundaryLine = (boundary: ExplainedBoundary, named: boolean): string =>
  `  ▼ mailbox${named ? ` from ${boundary.from}` : ""}: ${boundsText(boundary)}; ${boundary.reason}`

const effectLines = (effects: ReadonlyArray<ExplainedEffect>): ReadonlyArray<string> =>
  effects.length === 0
    ? ["effects: none"]
    : [
        "effects",
        ...alignedRows(
          effects.map(({ capability, effect, granted, target }) => [
            effect,
            target ?? "",
            `:${capability}`,
            granted ? "granted" : "NOT GRANTED"
          ]),
          "  "
        )
      ]

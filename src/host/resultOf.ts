import type { Actor } from "../actors/index.ts"
import type { Plan } from "../scheduler/index.ts"
import type { Parts } from "./Parts.ts"

/** The result of a stream's sink; where there are several, those of all by name, and nil of one that has failed alone. */
export const resultOf = ({ actors: planned, graph }: Plan, actors: ReadonlyArray<Actor>, parts: Parts): unknown => {
  const at = (node: string) => {
    const actor = actors[planned.findIndex(({ nodes }) => nodes.includes(node))]!
    return parts.hasFailed(actor.address) ? null : (actor.result() ?? null)
  }
  const { out } = graph.outputs
  return out === undefined ? Object.fromEntries(Object.entries(graph.outputs).map(([name, node]) => [name, at(node)])) : at(out)
}

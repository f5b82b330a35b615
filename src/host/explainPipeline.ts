import { type BuiltGraph, whyInline } from "../capabilities/index.ts"
import { describePolicy, hashGraph, type Plan, type StreamFunction } from "../scheduler/index.ts"
import type { ExplainedNode, ExplainedPipeline } from "./Explanation.ts"

/** A planned pipeline in the words of `explain`. */
export const explainPipeline = (id: string, built: BuiltGraph, plan: Plan): ExplainedPipeline => ({
  id,
  hash: hashGraph(plan.graph),
  actors: plan.actors.map(({ address, kind, mayOffload, nodes }) => ({
    address,
    kind,
    nodes: nodes.map((node) => explainNode(node, built, plan, mayOffload.includes(node)))
  })),
  boundaries: plan.edges.map(({ bounds, detaches, from, overflow, reason, to }) => ({
    from,
    to,
    reason,
    overflow: detaches === "full" ? "detach" : overflow,
    maxFrames: bounds.maxFrames,
    maxItems: bounds.maxItems,
    maxBytes: bounds.maxBytes
  })),
  mailboxBytes: plan.mailboxBytes,
  supervision: {
    strategy: "one-for-one",
    startOrder: [...plan.actors].reverse().map(({ address }) => address),
    restarts: "3 in 5 s for each actor, 3 × actors in 5 s for the pipeline; an item that fails ends a program that was started by run or eval"
  }
})

const explainNode = (node: string, built: BuiltGraph, plan: Plan, mayOffload: boolean): ExplainedNode => {
  const { capability, onFailure, options } = plan.graph.nodes.find(({ id }) => id === node)!
  const state = built.traitsOf(plan.graph.nodes.find(({ id }) => id === node)!).state
  const fn = (options["transform"] ?? options["predicate"]) as StreamFunction | undefined
  const inline = fn === undefined ? undefined : whyInline(options["offload"] as "auto" | "always" | "never", fn)
  return {
    id: node,
    capability,
    state: state.verdict,
    ...(state.bytes === undefined ? {} : { stateBytes: state.bytes }),
    onFailure: describePolicy(onFailure),
    notes: [
      ...built.valueOf(node).capability.warnings(options),
      ...(inline === undefined ? [] : [inline]),
      ...(mayOffload && fn !== undefined && whyInline("always", fn) === undefined ? ["may move to the worker pool when measured to pay"] : [])
    ]
  }
}

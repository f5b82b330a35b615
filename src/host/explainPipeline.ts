import { type BuiltGraph, whyInline } from "../capabilities/index.ts"
import { describePolicy, hashGraph, type Plan, type StreamFunction } from "../scheduler/index.ts"
import type { ExplainedNode, ExplainedPipeline, UnboundedNode } from "./Explanation.ts"

/** A planned pipeline in the words of `explain`. */
export const explainPipeline = (id: string, built: BuiltGraph, plan: Plan): ExplainedPipeline => {
  const states = plan.graph.nodes.map((node) => ({ id: node.id, state: built.traitsOf(node).state }))
  return {
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
      maxBytes: bounds.maxBytes,
      highWaterMark: bounds.highWaterMark,
      lowWaterMark: bounds.lowWaterMark,
      marksIn: bounds.marksIn ?? "frames"
    })),
    mailboxBytes: plan.mailboxBytes,
    stateBytes: states.reduce((sum, { state }) => sum + (state.bytes ?? 0), 0),
    unknownState: states.filter(({ state }) => state.kind !== "none" && state.bytes === undefined).map((node) => node.id),
    supervision: {
      strategy: "one-for-one",
      startOrder: [...plan.actors].reverse().map(({ address }) => address),
      restarts:
        "3 in 5 s for each actor, 3 × actors in 5 s for the pipeline; an item that fails ends a program that was started by run or eval"
    }
  }
}

/** The nodes of a pipeline that may hold any amount. */
export const unboundedIn = (pipeline: string, built: BuiltGraph): ReadonlyArray<UnboundedNode> =>
  built.graph.nodes.flatMap((node) => {
    const { kind, remedy, verdict } = built.traitsOf(node).state
    if (kind !== "unbounded") return []
    return [
      {
        pipeline,
        node: node.id,
        capability: node.capability,
        why: verdict.replace(/^unbounded: /, ""),
        remedy: remedy ?? `See what bounds it: \`rtfs-streams capabilities ${node.capability}\`.`
      }
    ]
  })

const explainNode = (node: string, built: BuiltGraph, plan: Plan, mayOffload: boolean): ExplainedNode => {
  const { capability, onFailure, options } = plan.graph.nodes.find(({ id }) => id === node)!
  const state = built.traitsOf(plan.graph.nodes.find(({ id }) => id === node)!).state
  const fn = (options["transform"] ?? options["predicate"]) as StreamFunction | undefined
  const inline = fn === undefined ? undefined : whyInline(options["offload"] as "auto" | "always" | "never", fn)
  return {
    id: node,
    capability,
    inputs: plan.graph.nodes.find(({ id }) => id === node)!.inputs,
    state: state.verdict,
    stateKind: state.kind ?? "none",
    ...(state.bytes === undefined ? {} : { stateBytes: state.bytes }),
    onFailure: describePolicy(onFailure),
    notes: [
      ...built.valueOf(node).capability.warnings(options),
      ...(inline === undefined ? [] : [inline]),
      ...(mayOffload && fn !== undefined && whyInline("always", fn) === undefined
        ? ["may move to the worker pool when measured to pay"]
        : [])
    ]
  }
}

import type { NodeObservers, NodeSpec } from "./NodeSpec.ts"

/** A node of the actor as the shell sees it. */
export interface ActorNode {
  readonly kind: NodeSpec["kind"]
  readonly capability: string
  readonly observe?: NodeObservers
}

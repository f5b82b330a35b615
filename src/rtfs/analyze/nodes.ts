import type { Node } from "../Node.ts"
import type { Position } from "../Position.ts"

export const nil: Node = { op: "constant", value: null }

export const constant = (value: unknown): Node => ({ op: "constant", value })

/** A call of a function of the runtime; see `generate/support.ts`. */
export const support = (name: string, items: ReadonlyArray<Node>, at: Position): Node => ({ op: "support", name, items, at })

/** Nodes of which the last gives the value. */
export const sequence = (items: ReadonlyArray<Node>): Node =>
  items.length === 0 ? nil : items.length === 1 ? items[0]! : { op: "do", items }

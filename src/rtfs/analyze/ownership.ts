import type { Binding, LoopNode, Node } from "../Node.ts"
import { childrenOf } from "../childrenOf.ts"

/**
 * Finds the loop variables that only collect: `(loop [acc [] …] … (recur (conj acc x) …) … acc)`. Nobody but the loop
 * ever sees such a vector or map before the loop is done, so `conj` and `assoc` may change it in place; without that a
 * collection of n items would cost n² copies.
 *
 * A variable is owned if it is captured by no function, and each time it occurs it is
 * - the collection of a `conj` or `assoc` that becomes its own next value,
 * - itself its next value, or the value of the loop,
 * - read by a function that gives no more than a part of it.
 */
export const findOwned = (loop: LoopNode): void => {
  const candidates = loop.bindings.map(({ binding }) => binding).filter((binding) => !binding.captured)
  for (const binding of candidates) {
    const use = new Use(loop, binding, candidates)
    if (use.value(loop.body, "result") && use.changes.length > 0) {
      binding.owned = true
      for (const change of use.changes) owned.add(change)
    }
  }
}

const owned = new WeakSet<Node>()

/** Whether a `conj` or `assoc` may change its collection in place. */
export const changesInPlace = (node: Node): boolean => owned.has(node)

/** What becomes of a value: the value of the loop, the next value of the variable, or anything else. */
type Fate = "result" | "next" | "other"

const readers = new Set(["count", "get", "nth", "first", "last", "contains?", "empty?"])

class Use {
  readonly changes: Array<Node> = []
  private readonly loop: LoopNode
  private readonly binding: Binding
  private readonly candidates: ReadonlyArray<Binding>

  constructor(loop: LoopNode, binding: Binding, candidates: ReadonlyArray<Binding>) {
    this.loop = loop
    this.binding = binding
    this.candidates = candidates
  }

  private is(node: Node | undefined): boolean {
    return node?.op === "local" && node.binding === this.binding
  }

  private all(nodes: ReadonlyArray<Node>, fate: Fate = "other"): boolean {
    return nodes.every((node) => this.value(node, fate))
  }

  /** Whether all that happens to the variable in this node is allowed. */
  value(node: Node, fate: Fate): boolean {
    switch (node.op) {
      case "local":
        return !this.is(node) || fate !== "other"
      case "cond":
        return (
          node.clauses.every(({ test, body }) => (this.is(test) || this.value(test, "other")) && this.value(body, fate))
          && this.value(node.otherwise, fate)
        )
      case "do":
        return this.all(node.items.slice(0, -1)) && this.all(node.items.slice(-1), fate)
      case "let":
        return this.all(node.bindings.map(({ value }) => value)) && this.value(node.body, fate)
      case "loop":
        return this.all(node.bindings.map(({ value }) => value)) && this.value(node.body, fate)
      case "recur":
        return this.next(node)
      case "lookup":
        return (this.is(node.map) || this.value(node.map, "other")) && (node.otherwise === undefined || this.value(node.otherwise, "other"))
      case "builtin-call":
        return this.builtin(node, fate)
      default:
        return this.all(childrenOf(node))
    }
  }

  private next(node: Extract<Node, { op: "recur" }>): boolean {
    if (node.target !== this.loop) return this.all(node.values)
    return node.values.every((value, index) => {
      const target = this.loop.bindings[index]!.binding
      if (target === this.binding) return this.value(value, "next")
      // Another variable that may be changed in place must not be computed from this one: it could be too late.
      return this.value(value, "other") && !(this.candidates.includes(target) && this.mentioned(value))
    })
  }

  private mentioned(node: Node): boolean {
    return this.is(node) || childrenOf(node).some((child) => this.mentioned(child))
  }

  private builtin(node: Extract<Node, { op: "builtin-call" }>, fate: Fate): boolean {
    const [first, ...rest] = node.items
    if (!this.is(first)) return this.all(node.items)
    const { name } = node.builtin
    if (fate === "next" && ((name === "conj" && rest.length > 0) || (name === "assoc" && rest.length === 2))) {
      this.changes.push(node)
      return this.all(rest)
    }
    return readers.has(name) && this.all(rest)
  }
}

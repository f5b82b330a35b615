import type { Node } from "./Node.ts"

/** The parts of a node that are evaluated in the same function, in order. */
export const childrenOf = (node: Node): ReadonlyArray<Node> => {
  switch (node.op) {
    case "cond":
      return [...node.clauses.flatMap(({ test, body }) => [test, body]), node.otherwise]
    case "and":
    case "or":
    case "do":
    case "vector":
    case "map":
    case "builtin-call":
    case "support":
      return node.items
    case "let":
    case "loop":
      return [...node.bindings.map(({ value }) => value), node.body]
    case "recur":
      return node.values
    case "call":
      return [node.callee, ...node.items]
    case "host-call":
      return [node.id, ...node.items]
    case "lookup":
      return node.otherwise === undefined ? [node.map] : [node.map, node.otherwise]
    case "try":
      return [node.body, ...node.catches.map(({ body }) => body), ...(node.finally === undefined ? [] : [node.finally])]
    case "match":
      return [
        node.subject.value,
        ...node.clauses.flatMap(({ steps, guard, body }) => [
          ...steps.map((step) => ("test" in step ? step.test : step.value)),
          ...(guard === undefined ? [] : [guard]),
          body
        ])
      ]
    case "each":
      return [node.collection, node.body]
    case "define":
      return [node.value]
    case "step":
      return [node.name, node.body]
    case "hints":
      return [node.hints, node.body]
    default:
      return []
  }
}

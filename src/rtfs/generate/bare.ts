import { childrenOf } from "../childrenOf.ts"
import { isPlainKey } from "../maps.ts"
import type { FunctionNode, Node } from "../Node.ts"
import { isInlined } from "./inline.ts"

/** The number of steps up to which a function may be bare. */
const bareSteps = 64

/** Whether a function is bare; see `FunctionEmitter.bare`. Known before any text of it is generated. */
export const isBare = (node: FunctionNode): boolean =>
  node.weight === 0 && !node.recurs && node.synchronous && bareCost(node.body) <= bareSteps

const bareCost = (node: Node): number => {
  switch (node.op) {
    case "constant":
    case "local":
    case "builtin":
    case "cond":
    case "and":
    case "or":
    case "do":
    case "let":
    case "vector":
    case "lookup":
      break
    case "map":
      if (node.keys.length <= 64 && node.keys.every(isPlainKey)) break
      return Infinity
    case "builtin-call":
      if (isInlined(node.builtin.name)) break
      return Infinity
    default:
      return Infinity
  }
  return childrenOf(node).reduce((sum, child) => sum + bareCost(child), 1)
}

import type { Cell } from "../Cell.ts"
import type { FunctionNode, Node } from "../Node.ts"
import { trusted } from "../Trusted.ts"

/**
 * Finds the functions of a program that can never give a promise: assumes it of all that ask nobody, then takes back
 * until nothing changes.
 *
 * @param defined the globals that the program defines
 */
export const settle = (functions: ReadonlyArray<FunctionNode>, defined: ReadonlyArray<Cell>): void => {
  for (const node of functions) node.synchronous = !node.blocked
  const cells = new Set([...defined, ...functions.flatMap((node) => [...node.cells])])
  for (let changed = true; changed;) {
    changed = false
    for (const cell of cells) cell.synchronous = isSynchronousCell(cell)
    for (const node of functions) {
      if (!node.synchronous || [...node.dependsOn].every((one) => one.synchronous)) continue
      node.synchronous = false
      changed = true
    }
  }
  for (const cell of cells) cell.definitions = []
}

const isSynchronousCell = (cell: Cell): boolean => {
  const current = cell.bound ? trusted(cell.value)?.synchronous === true : cell.definitions.length > 0
  return current && cell.definitions.every((node) => node?.synchronous === true)
}

/** Whether calling this value can never give a promise. Known once the program has been analysed. */
export const isSynchronousCallee = (callee: Node): boolean => {
  switch (callee.op) {
    case "function":
      return callee.node.synchronous
    case "global":
      return callee.cell.synchronous
    case "local":
      return callee.binding.known?.synchronous === true
    case "builtin":
      return callee.builtin.calls.length === 0
    default:
      return callee.op === "constant"
  }
}

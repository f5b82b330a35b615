import type { ServiceStatus } from "../service/index.ts"
import { serviceSummary, type Rates, serviceTree } from "./serviceTree.ts"

export interface TopView {
  readonly url: string
  readonly status: ServiceStatus | undefined
  readonly rates: Rates
  /** Why the last look failed; what was seen before is shown on. */
  readonly problem: string | undefined
  /** How many rows of the tree are above the screen. */
  readonly scrolled: number
}

/** What `top` shows on a screen of that size: exactly `rows` lines, none wider than `columns`. */
export const topFrame = (view: TopView, { columns, rows }: { readonly columns: number; readonly rows: number }): ReadonlyArray<string> => {
  const { problem, rates, scrolled, status, url } = view
  const [header = "", ...tree] = status === undefined ? [] : serviceTree(status, rates)
  const room = Math.max(0, rows - 3)
  const from = Math.min(scrolled, Math.max(0, tree.length - room))
  const shown = tree.slice(from, from + room)
  const title = `${url}  ${status === undefined ? "no answer yet" : serviceSummary(status)}`
  const hidden = tree.length - shown.length
  const footer = problem ?? `q quits${hidden > 0 ? `, arrows scroll (${from + 1} to ${from + shown.length} of ${tree.length})` : ""}`
  const lines = [bold(cut(title, columns)), inverse(cut(header, columns).padEnd(columns)), ...shown.map((line) => cut(line, columns))]
  while (lines.length < rows - 1) lines.push("")
  return [...lines.slice(0, Math.max(0, rows - 1)), cut(footer, columns)]
}

/** How far one can scroll. */
export const mostScrolled = (status: ServiceStatus | undefined, rows: number): number =>
  status === undefined ? 0 : Math.max(0, serviceTree(status).length - 1 - Math.max(0, rows - 3))

const cut = (text: string, columns: number): string => {
  const characters = [...text]
  return characters.length <= columns ? text : `${characters.slice(0, Math.max(0, columns - 1)).join("")}…`
}

const bold = (text: string): string => `\u001b[1m${text}\u001b[0m`
const inverse = (text: string): string => `\u001b[7m${text}\u001b[0m`

import type { FunctionOrigin } from "../scheduler/index.ts"
import { Closure } from "./Closure.ts"
import { failure } from "./errors.ts"
import { type Form, list, symbol, vector } from "./Form.ts"
import { printForm } from "./Printer.ts"
import { trusted } from "./Trusted.ts"

/**
 * The text from which a function can be made again, and the values that it needs.
 *
 * Functions that it refers to come along as text, in one `let` in which all know each other, as long as a name means
 * the same in all of them; other values, and functions for which a name means something else, go into `captured`.
 *
 * **Fails** with `:invalid-argument` where such a function leads back to this one: no text can say that.
 */
export const originOf = (closure: Closure): FunctionOrigin => {
  const { texts, captured } = gather(closure)
  const { form } = closure.site.node
  const self = [...texts].find(([, one]) => one === closure)?.[0]
  return { kind: "rtfs", source: printForm(texts.size === 0 ? form : withFunctions(texts, self, form)), captured }
}

const withFunctions = (texts: ReadonlyMap<string, Closure>, self: string | undefined, form: Form): Form => {
  const { at } = form
  const rows = [...texts].flatMap(([name, one]) => [symbol(name, at), one.site.node.form])
  return list([symbol("let", at), vector(rows, at), self === undefined ? form : symbol(self, at)], at)
}

interface Gathered {
  readonly texts: ReadonlyMap<string, Closure>
  readonly captured: Readonly<Record<string, unknown>>
}

const gather = (closure: Closure): Gathered => {
  const meanings = new Map<string, unknown>(freeNames(closure))
  const texts = new Map<string, Closure>()
  const captured: Record<string, unknown> = {}
  const waiting = [...meanings]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [name, value] = next
    const target = closureOf(value)
    if (target === undefined || texts.has(name)) {
      if (target === undefined) captured[name] = value
      continue
    }
    const free = freeNames(target)
    if (free.some(([other, meaning]) => meanings.has(other) && meanings.get(other) !== meaning)) {
      if (leadsTo(target, closure))
        throw failure.argument(
          `The function ${closure.name} cannot leave this process: it shares a recursion with others that use the same names differently`
        )
      captured[name] = value
      continue
    }
    texts.set(name, target)
    for (const [other, meaning] of free) {
      if (meanings.has(other)) continue
      meanings.set(other, meaning)
      waiting.push([other, meaning])
    }
  }
  return { texts, captured }
}

/** What the free symbols of a function mean: variables it captured, and globals that are no library functions. */
const freeNames = (closure: Closure): ReadonlyArray<readonly [string, unknown]> => {
  const { node } = closure.site
  const locals = node.captures.map((capture, index) => [capture.name, closure.captured[index]] as const)
  const globals = [...node.cells].filter((cell) => cell.bound).map((cell) => [cell.name, cell.value] as const)
  return [...globals.filter(([name]) => !locals.some(([local]) => local === name)), ...locals]
}

const closureOf = (value: unknown): Closure | undefined => {
  const about = trusted(value)
  return about instanceof Closure ? about : undefined
}

const leadsTo = (from: Closure, target: Closure): boolean => {
  const seen = new Set<Closure>()
  const waiting = [from]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (next === target) return true
    if (seen.has(next)) continue
    seen.add(next)
    for (const [, value] of freeNames(next)) {
      const other = closureOf(value)
      if (other !== undefined) waiting.push(other)
    }
  }
  return false
}

import { RtfsError } from "../errors.ts"
import { brace, type BraceForm, type Form, keywordForm, list, type ListForm, symbol } from "../Form.ts"
import type { Position } from "../Position.ts"

/** From a surface form to what it stands for. */
export type Lowering = (form: ListForm, context: LoweringContext) => Form

/** What a lowering may ask about the place where a form stands. */
export interface LoweringContext {
  /** A name that occurs nowhere in the program. */
  readonly fresh: (hint: string) => string
  /** Whether the program or the host gives a name a meaning of its own. */
  readonly isOwn: (name: string) => boolean
  readonly isLocal: (name: string) => boolean
}

/** The failure for a form that is not written as it must be. */
export const malformed = (form: ListForm, expected: string): RtfsError =>
  new RtfsError("syntax-error", `${(form.items[0] as { name: string }).name} is written ${expected}`, {
    kind: "syntax",
    at: form.at,
    expected
  })

export const sym = (name: string, at: Position): Form => symbol(name, at)

export const key = (name: string, at: Position): Form => keywordForm(name, at)

/** A literal map with keyword keys. */
export const map = (at: Position, entries: ReadonlyArray<readonly [string, Form]>): BraceForm =>
  brace(
    entries.flatMap(([name, value]) => [key(name, at), value]),
    at
  )

/** `(call :id options)`. */
export const call = (at: Position, id: string, options: Form): Form => list([sym("call", at), key(id, at), options], at)

/** Entries of a literal map, or undefined for anything else. */
export const literalEntries = (form: Form | undefined): ReadonlyArray<readonly [string, Form]> | undefined => {
  if (form?.kind !== "brace" || form.items.length % 2 !== 0) return undefined
  const entries: Array<readonly [string, Form]> = []
  for (let index = 0; index < form.items.length; index += 2) {
    const name = form.items[index]!
    if (name.kind === "keyword") entries.push([name.name, form.items[index + 1]!])
    else if (name.kind === "literal" && typeof name.value === "string") entries.push([name.value, form.items[index + 1]!])
    else return undefined
  }
  return entries
}

/** `:name value` pairs after the head or subject of a form. */
export const keywordArguments = (form: ListForm, from: number, expected: string): ReadonlyArray<readonly [string, Form]> => {
  const entries: Array<readonly [string, Form]> = []
  for (let index = from; index < form.items.length; index += 2) {
    const name = form.items[index]!
    const value = form.items[index + 1]
    if (name.kind !== "keyword" || value === undefined) throw malformed(form, expected)
    entries.push([name.name, value])
  }
  return entries
}

/** Options that are a literal map are part of the call; any other expression is handed over as `:options`. */
export const withOptions = (options: Form | undefined): ReadonlyArray<readonly [string, Form]> =>
  options === undefined ? [] : (literalEntries(options) ?? [["options", options]])

/** The forms behind the head. **Fails** where there are too few or too many. */
export const argumentsOf = (form: ListForm, minimum: number, maximum: number, expected: string): ReadonlyArray<Form> => {
  const args = form.items.slice(1)
  if (args.length < minimum || args.length > maximum) throw malformed(form, expected)
  return args
}

/** A callback is a function, a quoted symbol, or `{:fn function-or-symbol}`. */
export const callback = (form: Form): Form => {
  const wrapped = literalEntries(form)
  if (wrapped?.length === 1 && wrapped[0]![0] === "fn") return callback(wrapped[0]![1])
  if (
    form.kind === "list"
    && form.items.length === 2
    && form.items[0]?.kind === "symbol"
    && form.items[0].name === "quote"
    && form.items[1]?.kind === "symbol"
  )
    return form.items[1]
  return form
}

/** Options of which those with `on-` in front are callbacks. */
export const callbacks = (entries: ReadonlyArray<readonly [string, Form]>): ReadonlyArray<readonly [string, Form]> =>
  entries.filter(([name]) => name !== "enable-callbacks").map(([name, value]) => [name, name.startsWith("on-") ? callback(value) : value])

import { keyword, Keyword } from "../serialization/index.ts"
import { RtfsError } from "./errors.ts"
import { brace, type BraceForm, type Form, headName, keywordForm, list, literal, symbol, vector } from "./Form.ts"
import { entriesOf, isMap, mapOf, shownKey } from "./maps.ts"
import type { Node } from "./Node.ts"
import type { Position } from "./Position.ts"
import { RtfsSymbol } from "./RtfsSymbol.ts"

/**
 * Forms as values and back: what `quote` gives, what macros take and return.
 *
 * Lists and vectors are both arrays at run time; lists that are code are remembered, so that a macro's result knows
 * calls from vectors. A value that came from a form, unchanged, gives that very form back, with its places.
 */
const lists = new WeakSet<object>()
const origins = new WeakMap<object, Form>()

/** Marks an array as a list of code. */
export const asList = <A extends object>(items: A): A => {
  lists.add(items)
  return items
}

export const isList = (value: unknown): boolean => typeof value === "object" && value !== null && lists.has(value)

/** A form that is no RTFS value, such as `{item => body}`: a macro can only pass it on. */
export class OpaqueForm {
  readonly form: Form

  constructor(form: Form) {
    this.form = form
  }
}

/** A form as data. */
export const formValue = (form: Form): unknown => {
  switch (form.kind) {
    case "literal":
      return form.value
    case "keyword":
      return keyword(form.name)
    case "symbol":
      return remember(new RtfsSymbol(form.name), form)
    case "list":
      return remember(asList(form.items.map(formValue)), form)
    case "vector":
      return remember(form.items.map(formValue), form)
    case "brace":
      return remember(
        isData(form) ? mapOf(pairs(form).map(([key, value]) => [literalKey(key), formValue(value)])) : new OpaqueForm(form),
        form
      )
    default:
      return remember(new OpaqueForm(form), form)
  }
}

const remember = <A extends object>(value: A, form: Form): A => {
  origins.set(value, form)
  return value
}

const isData = (form: BraceForm): boolean => form.items.length % 2 === 0 && pairs(form).every(([key]) => literalKey(key) !== undefined)

const literalKey = (form: Form): unknown =>
  form.kind === "keyword"
    ? form.name
    : form.kind === "literal" && form.value !== null && typeof form.value !== "boolean"
      ? form.value
      : undefined

const pairs = (form: BraceForm): Array<readonly [Form, Form]> => {
  const result: Array<readonly [Form, Form]> = []
  for (let index = 0; index + 1 < form.items.length; index += 2) result.push([form.items[index]!, form.items[index + 1]!])
  return result
}

/** Data as a form. **Fails** for what is no code: functions, streams, errors. */
export const valueForm = (value: unknown, at: Position, depth = 0): Form => {
  if (value === undefined || value === null) return literal(null, at)
  if (typeof value !== "object") {
    if (typeof value === "function") throw notCode("a function", at)
    return literal(value as boolean | number | bigint | string, at)
  }
  const origin = origins.get(value)
  if (origin !== undefined) return origin
  if (depth > 500) throw notCode("a value nested more than 500 deep", at)
  if (value instanceof Keyword) return keywordForm(value.name, at)
  if (value instanceof RtfsSymbol) return symbol(value.name, at)
  if (value instanceof OpaqueForm) return value.form
  if (Array.isArray(value)) {
    const items = value.map((item) => valueForm(item, at, depth + 1))
    return lists.has(value) ? list(items, at) : vector(items, at)
  }
  if (isMap(value))
    return brace(
      entriesOf(value).flatMap(([key, item]) => [valueForm(shownKey(key), at, depth + 1), valueForm(item, at, depth + 1)]),
      at
    )
  throw notCode("a value that has no text", at)
}

const notCode = (what: string, at: Position): RtfsError =>
  new RtfsError("macro-error", `A macro gave ${what} where code is needed`, { kind: "syntax", at })

type Analyze = (form: Form) => Node
type Report = (at: Position, message: string) => Node

/** A quasiquoted form: a copy of it in which `~x` is the value of x, and `~@xs` the items of xs. */
export const quasiquoteNode = (form: Form, analyze: Analyze, report: Report): Node => copy(form, 1, analyze, report)

const copy = (form: Form, level: number, analyze: Analyze, report: Report): Node => {
  if (!hasUnquote(form)) return { op: "constant", value: formValue(form) }
  const head = headName(form)
  if (form.kind === "list" && form.items.length === 2 && head === "unquote") {
    return level === 1 ? analyze(form.items[1]!) : rebuilt("unquote", form.items[1]!, level - 1, form.at, analyze, report)
  }
  if (form.kind === "list" && form.items.length === 2 && head === "unquote-splicing") {
    return level === 1
      ? report(form.at, "~@ must stand inside a list or vector")
      : rebuilt("unquote-splicing", form.items[1]!, level - 1, form.at, analyze, report)
  }
  if (form.kind === "list" && form.items.length === 2 && head === "quasiquote")
    return rebuilt("quasiquote", form.items[1]!, level + 1, form.at, analyze, report)
  switch (form.kind) {
    case "list":
      return { op: "support", name: "asList", items: [row(form.items, level, form.at, analyze, report)], at: form.at }
    case "vector":
      return row(form.items, level, form.at, analyze, report)
    case "brace": {
      if (form.items.length % 2 === 0 && pairs(form).every(([key]) => literalKey(key) !== undefined)) {
        return {
          op: "map",
          keys: pairs(form).map(([key]) => literalKey(key)),
          items: pairs(form).map(([, value]) => copy(value, level, analyze, report))
        }
      }
      return {
        op: "support",
        name: "asBrace",
        items: [row(form.items, level, form.at, analyze, report), { op: "constant", value: form.at }],
        at: form.at
      }
    }
    case "meta":
      return copy(form.form, level, analyze, report)
    default:
      return { op: "constant", value: formValue(form) }
  }
}

const rebuilt = (head: string, inner: Form, level: number, at: Position, analyze: Analyze, report: Report): Node => ({
  op: "support",
  name: "asList",
  items: [{ op: "vector", items: [{ op: "constant", value: new RtfsSymbol(head) }, copy(inner, level, analyze, report)] }],
  at
})

/** The copied items of a list or vector, with spliced rows among them. */
const row = (items: ReadonlyArray<Form>, level: number, at: Position, analyze: Analyze, report: Report): Node => {
  const splices = (item: Form): boolean =>
    level === 1 && item.kind === "list" && item.items.length === 2 && headName(item) === "unquote-splicing"
  if (!items.some(splices)) return { op: "vector", items: items.map((item) => copy(item, level, analyze, report)) }
  const rows = items.map((item): Node =>
    splices(item)
      ? analyze((item as { items: ReadonlyArray<Form> }).items[1]!)
      : { op: "vector", items: [copy(item, level, analyze, report)] }
  )
  return { op: "support", name: "concatenate", items: [{ op: "vector", items: rows }], at }
}

const hasUnquote = (form: Form): boolean => {
  switch (form.kind) {
    case "list":
      return form.items.some(
        (item, index) =>
          (index === 0 && item.kind === "symbol" && (item.name === "unquote" || item.name === "unquote-splicing")) || hasUnquote(item)
      )
    case "vector":
    case "brace":
      return form.items.some(hasUnquote)
    case "meta":
      return hasUnquote(form.form)
    default:
      return false
  }
}

/** Copied brace contents as what they are: a map where they can be one, else a form to pass on. */
export const asBrace = (items: ReadonlyArray<unknown>, at: Position): unknown =>
  formValue(
    brace(
      items.map((item) => valueForm(item, at)),
      at
    )
  )

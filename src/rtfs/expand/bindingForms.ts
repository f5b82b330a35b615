import { type Form, headName, list, type ListForm, vector } from "../Form.ts"
import { Names } from "./Names.ts"

/** What expansion of the parts of a form needs of the expander. */
export interface PartExpander {
  expand(form: Form, names: Names): Form | undefined
  items(forms: ReadonlyArray<Form>, names: Names): Array<Form>
}

type BindingForm = (expander: PartExpander, form: ListForm, names: Names) => Form

/** Expands a special form that binds names: its parts see different names. Undefined for other special forms. */
export const bindingForm = (expander: PartExpander, form: ListForm, name: string, names: Names): Form | undefined => {
  const expand = Object.hasOwn(bindingForms, name) ? bindingForms[name] : undefined
  return expand?.(expander, form, names)
}

/** `[target value target value]`, each value seeing the names before it. Types between a target and its value stay. */
const bindings = (
  expander: PartExpander,
  form: Form | undefined,
  names: Names
): { readonly form: Form | undefined; readonly names: Names } => {
  if (form?.kind !== "vector") return { form: form === undefined ? undefined : expander.expand(form, names), names }
  const items: Array<Form> = []
  let inner = names
  // Functions bound in one let may call each other, so the names of all of them count from the start.
  const functions = form.items.filter((_, index) => headName(form.items[index + 1]) === "fn")
  inner = inner.with(functions)
  for (let index = 0; index < form.items.length; index++) {
    const target = form.items[index]!
    items.push(target)
    if (form.items[index + 1]?.kind === "colon" && form.items[index + 2] !== undefined) {
      items.push(form.items[index + 1]!, form.items[index + 2]!)
      index += 2
    }
    const value = form.items[++index]
    if (value === undefined) break
    items.push(expander.expand(value, inner) ?? value)
    inner = inner.with([target])
  }
  return { form: vector(items, form.at), names: inner }
}

const letLike: BindingForm = (expander, form, names) => {
  const [head, first, ...body] = form.items
  const bound = bindings(expander, first, names)
  return list([head!, ...(bound.form === undefined ? [] : [bound.form]), ...bodyOf(expander, body, bound.names)], form.at)
}

/** A body: what it defines, and macros it defines, count for the whole of it. */
const bodyOf = (expander: PartExpander, body: ReadonlyArray<Form>, names: Names): Array<Form> => {
  const defined = body.flatMap((form) => {
    const name = headName(form) === "def" || headName(form) === "defn" ? (form as ListForm).items[1] : undefined
    return name === undefined ? [] : [name]
  })
  return expander.items(body, names.with(defined))
}

const functionLike: BindingForm = (expander, form, names) => {
  const at = form.items.findIndex((item) => item.kind === "vector" || (item.kind === "meta" && stripped(item).kind === "vector"))
  if (at < 0) return list([form.items[0]!, ...expander.items(form.items.slice(1), names)], form.at)
  const parameters = stripped(form.items[at]!)
  const own = form.items.slice(1, at).filter((item) => item.kind === "symbol")
  const inner = names.with([parameters, ...own])
  return list([...form.items.slice(0, at + 1), ...bodyOf(expander, form.items.slice(at + 1), inner)], form.at)
}

const stripped = (form: Form): Form => (form.kind === "meta" ? stripped(form.form) : form)

const matchLike: BindingForm = (expander, form, names) => {
  const items: Array<Form> = [form.items[0]!, ...expander.items(form.items.slice(1, 2), names)]
  for (let index = 2; index < form.items.length;) {
    const pattern = form.items[index]!
    const guarded = form.items[index + 1]?.kind === "symbol" && (form.items[index + 1] as { name: string }).name === "when"
    const inner = names.with([pattern])
    items.push(pattern)
    if (guarded) items.push(form.items[index + 1]!, ...expander.items(form.items.slice(index + 2, index + 4), inner))
    else items.push(...expander.items(form.items.slice(index + 1, index + 2), inner))
    index += guarded ? 4 : 2
  }
  return list(items, form.at)
}

const tryLike: BindingForm = (expander, form, names) =>
  list(
    form.items.map((item, index) => {
      if (index === 0 || item.kind !== "list") return expander.expand(item, names) ?? item
      if (headName(item) === "finally") return list([item.items[0]!, ...expander.items(item.items.slice(1), names)], item.at)
      if (headName(item) !== "catch") return expander.expand(item, names) ?? list([], item.at)
      const bound = item.items.slice(1, 3)
      const body =
        item.items[1]?.kind === "keyword"
        || (item.items[2]?.kind === "symbol" && /^[A-Z]/.test(String((item.items[1] as { name?: string }).name)))
          ? 3
          : 2
      return list([...item.items.slice(0, body), ...expander.items(item.items.slice(body), names.with(bound.slice(0, body - 1)))], item.at)
    }),
    form.at
  )

/** `case` has constants that are not evaluated between its results. */
const caseLike: BindingForm = (expander, form, names) => {
  const count = form.items.length - 2
  return list(
    form.items.map((item, index) => {
      const constant = index >= 2 && index % 2 === 0 && !(index === form.items.length - 1 && count % 2 === 1)
      return index === 0 || constant ? item : (expander.expand(item, names) ?? item)
    }),
    form.at
  )
}

const plainBody: BindingForm = (expander, form, names) =>
  list(
    [
      form.items[0]!,
      ...(names.isTop ? expander.items(form.items.slice(1), names) : bodyOf(expander, form.items.slice(1), new Names(names)))
    ],
    form.at
  )

const kept: BindingForm = (_, form) => form

const bindingForms: Readonly<Record<string, BindingForm>> = {
  let: letLike,
  loop: letLike,
  for: letLike,
  doseq: letLike,
  dotimes: letLike,
  "if-let": letLike,
  "when-let": letLike,
  fn: functionLike,
  defn: functionLike,
  match: matchLike,
  try: tryLike,
  case: caseLike,
  do: plainBody,
  defstruct: kept
}

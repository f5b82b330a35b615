import { type Keyword, keyword } from "../../serialization/index.ts"
import type { Form, SymbolForm } from "../Form.ts"

/** One target of a binding list, with its type annotation if it has one. */
export interface Annotated {
  readonly target: Form
  readonly type: Form | undefined
}

/**
 * Splits `x:int` at its first colon. Only for symbols where a name is bound: elsewhere a symbol may contain colons.
 */
export const splitGlued = (form: SymbolForm): Annotated => {
  const colon = form.name.indexOf(":")
  if (colon <= 0) return { target: form, type: undefined }
  return {
    target: { ...form, name: form.name.slice(0, colon) },
    type: { kind: "symbol", name: form.name.slice(colon + 1), at: { ...form.at, column: form.at.column + colon + 1 } }
  }
}

/** The target at `index` of a binding list and its annotation, and where the list goes on. */
export const readTarget = (forms: ReadonlyArray<Form>, index: number, keywordsAnnotate: boolean): Annotated & { readonly next: number } => {
  const form = forms[index]!
  const following = forms[index + 1]
  if (following?.kind === "colon" && forms[index + 2] !== undefined) return { target: form, type: forms[index + 2], next: index + 3 }
  if (keywordsAnnotate && following?.kind === "keyword") return { target: form, type: following, next: index + 2 }
  return form.kind === "symbol" ? { ...splitGlued(form), next: index + 1 } : { target: form, type: undefined, next: index + 1 }
}

/** A type expression as the data that the schema compiler takes: symbols are names, as keywords are. */
export const typeData = (form: Form): unknown => {
  switch (form.kind) {
    case "symbol":
    case "keyword":
      return keyword(form.name)
    case "literal":
      return form.value
    case "vector":
    case "list":
      return form.items.map(typeData)
    case "brace": {
      const entries: Array<[Keyword | unknown, unknown]> = []
      for (let index = 0; index + 1 < form.items.length; index += 2)
        entries.push([typeData(form.items[index]!), typeData(form.items[index + 1]!)])
      return new Map(entries)
    }
    case "meta":
      return typeData(form.form)
    case "colon":
      return keyword(":")
  }
}

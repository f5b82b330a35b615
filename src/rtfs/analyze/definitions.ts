import { type Form, headName } from "../Form.ts"

/** Whether a form in a body binds a name for the forms after it. */
export const isDefinition = (form: Form): boolean => {
  const name = headName(form.kind === "meta" ? form.form : form)
  return name === "def" || name === "defn" || name === "defstruct"
}

/** A top-level `do` is a row of top-level forms: a macro can expand to several definitions. */
export const topForms = (form: Form): ReadonlyArray<Form> =>
  form.kind === "list" && headName(form) === "do" && form.items.length > 1 ? form.items.slice(1).flatMap(topForms) : [form]

/** The names that the top-level forms of a program define. */
export const definedNames = (forms: ReadonlyArray<Form>): ReadonlyArray<string> =>
  forms.flatMap(topForms).flatMap((top) => {
    const form = top.kind === "meta" ? top.form : top
    if (!isDefinition(form) || form.kind !== "list") return []
    const name = form.items[1]
    const target = name?.kind === "meta" ? name.form : name
    return target?.kind === "symbol" ? [target.name.split(":")[0]!] : []
  })

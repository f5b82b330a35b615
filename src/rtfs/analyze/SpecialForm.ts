import type { Form, ListForm } from "../Form.ts"
import type { Node } from "../Node.ts"
import type { Analyzer } from "./Analyzer.ts"
import { readTarget } from "./annotations.ts"
import type { Scope, TailTarget } from "./Scope.ts"

/** Analyses one kind of form that is no call. `tail` is where a `recur` in tail position goes. */
export type SpecialForm = (analyzer: Analyzer, form: ListForm, scope: Scope, tail: TailTarget | undefined) => Node

/** What stands behind the head of a form. */
export const parts = (form: ListForm): ReadonlyArray<Form> => form.items.slice(1)

/** One name or pattern of a binding vector, with its type and its value. */
export interface BindingRow {
  readonly target: Form
  readonly type: Form | undefined
  readonly value: Form
}

/** The rows of a binding vector; undefined after reporting that a value is missing. */
export const bindingRows = (analyzer: Analyzer, items: ReadonlyArray<Form>, what: string): Array<BindingRow> | undefined => {
  const rows: Array<BindingRow> = []
  for (let index = 0; index < items.length;) {
    const { target, type, next } = readTarget(items, index, false)
    const value = items[next]
    if (value === undefined) {
      analyzer.error(target.at, `${what} needs a value for each name`, { expected: "an even number of forms in the vector" })
      return undefined
    }
    rows.push({ target, type, value })
    index = next + 1
  }
  return rows
}

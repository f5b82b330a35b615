import type { CapabilityEffect, Marketplace, Touch } from "../capabilities/index.ts"
import { type Form, type Position, readForms } from "../rtfs/index.ts"

/** Something that a program names literally and that needs a permission. */
export interface RequiredPermission {
  readonly capability: string
  readonly effect: CapabilityEffect
  readonly touch: Touch | undefined
  readonly at: Position
}

/**
 * What a program would need, as far as its text tells: each capability that it calls by a literal id, with the paths that
 * or queues that are literals. So a program can be refused before it did anything.
 *
 * Calls inside `try` are left out: a program that tries may go on without.
 */
export const requiredPermissions = (source: string, marketplace: Marketplace, file?: string): ReadonlyArray<RequiredPermission> => {
  const found: Array<RequiredPermission> = []
  const walk = (form: Form): void => {
    if (form.kind === "meta") return walk(form.form)
    if (form.kind !== "list" && form.kind !== "vector" && form.kind !== "brace") return
    const head = form.kind === "list" && form.items[0]?.kind === "symbol" ? form.items[0].name : undefined
    if (head === "try" || head === "quote" || head === "defmacro" || head === "quasiquote") return
    if (head === "call") found.push(...permissionsOf(form.items, marketplace))
    for (const item of form.items) walk(item)
  }
  for (const form of readForms(source, file === undefined ? {} : { file })) walk(form)
  return found
}

const permissionsOf = (items: ReadonlyArray<Form>, marketplace: Marketplace): ReadonlyArray<RequiredPermission> => {
  const [, id, subject] = items
  if (id === undefined || (id.kind !== "keyword" && !(id.kind === "literal" && typeof id.value === "string"))) return []
  const capability = marketplace.find((id.kind === "keyword" ? id.name : String(id.value)).replaceAll("/", "."))
  if (capability === undefined) return []
  const touches =
    capability.kind !== "control" && capability.subject.is === "value" && subject?.kind === "literal" && typeof subject.value === "string"
      ? capability.touches({ [capability.subject.name]: subject.value })
      : []
  return capability.effects.map((effect) => {
    const touch = touches.find((candidate) => candidate.effect === effect)
    return { capability: capability.id, effect, touch, at: id.at }
  })
}

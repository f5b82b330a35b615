import { type Form, list, type ListForm, vector } from "../Form.ts"
import type { Position } from "../Position.ts"
import { call, key, type Lowering, type LoweringContext, malformed, map, sym } from "./building.ts"
import { breakerCall, streamForms } from "./streamForms.ts"

/** What a surface form stands for, or undefined for a plain call. The result may contain further surface forms. */
export const lower = (form: ListForm, context: LoweringContext): Form | undefined => {
  const { name } = form.items[0] as { name: string }
  if (Object.hasOwn(lowerings, name)) return lowerings[name]!(form, context)
  if (name.endsWith(":call") && context.isOwn(name.slice(0, -5))) return breakerCall(form, name.slice(0, -5))
  return undefined
}

/** Whether a head may be that of a surface form. */
export const isLowered = (name: string): boolean => Object.hasOwn(lowerings, name) || name.endsWith(":call")

const resource: Lowering = (form) => {
  const expected = "(with-resource [name Type value] body…)"
  const [bindings, ...body] = form.items.slice(1)
  if (bindings?.kind !== "vector" || body.length === 0) throw malformed(form, expected)
  const { items } = bindings
  if ((items.length !== 3 && items.length !== 2) || items[0]?.kind !== "symbol") throw malformed(form, expected)
  const { at } = form
  const [name] = items
  const close = list([sym("finally", at), call(at, "marketplace.stream.close", map(at, [["handle", name!]]))], at)
  return list([sym("let", at), vector([name!, items.at(-1)!], at), list([sym("try", at), ...body, close], at)], at)
}

const concurrently = (at: Position, branches: ReadonlyArray<Form>): Form =>
  list(
    [
      sym("call", at),
      key("ccos.concurrent.parallel", at),
      vector(
        branches.map((branch) => list([sym("fn", at), vector([], at), branch], at)),
        at
      )
    ],
    at
  )

const stepParallel: Lowering = (form) => concurrently(form.at, form.items.slice(1))

const parallel: Lowering = (form, context) => {
  const { at } = form
  const branches = form.items.slice(1).map((item) => {
    if (item.kind !== "vector" || item.items.length !== 2 || (item.items[0]!.kind !== "symbol" && item.items[0]!.kind !== "keyword"))
      throw malformed(form, "(parallel [name expression] …)")
    return { name: (item.items[0] as { name: string }).name, body: item.items[1]! }
  })
  const results = branches.map(({ name }) => sym(context.fresh(name), at))
  const values = concurrently(
    at,
    branches.map(({ body }) => body)
  )
  return list(
    [
      sym("let", at),
      vector([vector(results, at), values], at),
      map(
        at,
        branches.map(({ name }, index) => [name, results[index]!])
      )
    ],
    at
  )
}

/** `(-> x (f a) g)` is `(g (f x a))`; `->>` puts the value last. */
const thread =
  (last: boolean): Lowering =>
  (form) => {
    const [value, ...steps] = form.items.slice(1)
    if (value === undefined) throw malformed(form, last ? "(->> value step …)" : "(-> value step …)")
    return steps.reduce<Form>((inner, step) => {
      if (step.kind !== "list") return list([step, inner], step.at)
      const [head, ...args] = step.items
      if (head === undefined) throw malformed(form, "with calls or names as steps")
      return list(last ? [head, ...args, inner] : [head, inner, ...args], step.at)
    }, value)
  }

/** The surface forms, by head. */
export const lowerings: Readonly<Record<string, Lowering>> = {
  ...streamForms,
  "->": thread(false),
  "->>": thread(true),
  "with-resource": resource,
  "step-parallel": stepParallel,
  parallel
}

import { type Form, isSymbol, type ListForm } from "../Form.ts"
import { library } from "../library/index.ts"
import type { LetBinding, LoopNode, Node } from "../Node.ts"
import type { Analyzer } from "./Analyzer.ts"
import { constant, nil, sequence, support } from "./nodes.ts"
import { findOwned } from "./ownership.ts"
import { destructure } from "./patterns.ts"
import type { Scope } from "./Scope.ts"
import { bindingRows, parts, type SpecialForm } from "./SpecialForm.ts"

export const loopForm: SpecialForm = (analyzer, form, scope) => {
  const [bindings, ...body] = parts(form)
  if (bindings?.kind !== "vector")
    return analyzer.error(form.at, "loop needs a vector of bindings", { expected: "(loop [name value …] body…)" })
  if (body.length === 0) return analyzer.error(form.at, "loop needs a body", { expected: "at least one form after the bindings" })
  const rows = bindingRows(analyzer, bindings.items, "loop")
  if (rows === undefined) return nil
  const inner = scope.inner()
  const { context } = scope
  context.loops++
  const steps: Array<LetBinding> = []
  const variables = rows.map(({ target, type, value }): LetBinding => {
    const name = target.kind === "symbol" ? target.name : "row"
    const node = analyzer.cast(analyzer.analyze(value, inner, undefined), type, name)
    if (target.kind === "symbol") return { binding: inner.bind(target.name, undefined, target.name === "_"), value: node }
    const binding = inner.bind(name, undefined, true)
    destructure(analyzer, target, { op: "local", binding }, inner, steps)
    return { binding, value: node }
  })
  const node: LoopNode = { op: "loop", at: form.at, bindings: variables, body: nil }
  const turn = analyzer.body(body, inner, { target: node, count: variables.length })
  node.body = steps.length === 0 ? turn : { op: "let", bindings: steps, body: turn, recursive: false }
  context.loops--
  findOwned(node)
  return node
}

/**
 * `(reduce (fn [acc x] …) start items)` as the loop it stands for: no call for each item, and what it collects may be
 * owned. Undefined where the function is not written out, or goes back to its own start.
 */
export const reduceLoop = (analyzer: Analyzer, form: ListForm, scope: Scope): Node | undefined => {
  const [fn, start, items] = parts(form)
  if (fn?.kind !== "list" || start === undefined || items === undefined || form.items.length !== 4) return undefined
  const [head, parameters, ...body] = fn.items
  if (!isSymbol(head, "fn") || parameters?.kind !== "vector" || parameters.items.length !== 2 || body.length === 0 || mentions(fn, "recur"))
    return undefined
  const [acc, item] = parameters.items
  if (!isPlainName(acc) || !isPlainName(item) || acc.name === item.name || (body.length > 1 && body[0]!.kind === "keyword"))
    return undefined
  const outer = scope.inner()
  const { context } = scope
  const hidden = (name: string, value: Node): LetBinding => ({ binding: outer.bind(name, undefined, true), value })
  const first = hidden("start", analyzer.analyze(start, scope, undefined))
  const row = hidden("items", support("sequence", [analyzer.analyze(items, scope, undefined)], form.at))
  context.loops++
  const turns = outer.inner()
  const index = turns.bind("index", undefined, true)
  const result = turns.bind(acc.name, undefined, acc.name === "_")
  const node: LoopNode = {
    op: "loop",
    at: form.at,
    bindings: [
      { binding: index, value: constant(0) },
      { binding: result, value: local(first) }
    ],
    body: nil
  }
  const inner = turns.inner()
  const part = {
    binding: inner.bind(item.name, undefined, item.name === "_"),
    value: support("part", [local(row), { op: "local", binding: index }], form.at)
  }
  const count = analyzer.builtinNode(library.get("count")!, [local(row)], form.at, scope)
  const test = analyzer.builtinNode(library.get("<")!, [{ op: "local", binding: index }, count], form.at, scope)
  const next = analyzer.builtinNode(library.get("inc")!, [{ op: "local", binding: index }], form.at, scope)
  const turn: Node = { op: "recur", target: node, values: [next, analyzer.body(body, inner, undefined)] }
  node.body = {
    op: "cond",
    clauses: [{ test, body: { op: "let", bindings: [part], body: turn, recursive: false } }],
    otherwise: { op: "local", binding: result }
  }
  context.loops--
  findOwned(node)
  return { op: "let", bindings: [first, row], body: node, recursive: false }
}

const local = ({ binding }: LetBinding): Node => ({ op: "local", binding })

const isPlainName = (form: Form | undefined): form is Form & { readonly kind: "symbol" } =>
  form?.kind === "symbol" && !form.name.includes(":") && form.name !== "&"

const mentions = (form: Form, name: string): boolean => {
  if (form.kind === "symbol") return form.name === name
  if (form.kind === "meta") return mentions(form.form, name)
  return "items" in form && form.items.some((item) => mentions(item, name))
}

export const recurForm: SpecialForm = (analyzer, form, scope, tail) => {
  const values = analyzer.items(parts(form), scope)
  if (tail === undefined) return analyzer.error(form.at, "recur is only allowed in tail position of a loop or function")
  if (values.length !== tail.count) return analyzer.error(form.at, `recur needs ${tail.count} values here, got ${values.length}`)
  if (!("op" in tail.target)) tail.target.recurs = true
  return { op: "recur", target: tail.target, values }
}

/** `(for [x xs y ys] body)`: a vector; the rightmost collection goes fastest. */
export const forForm =
  (collect: boolean): SpecialForm =>
  (analyzer, form, scope) => {
    const [bindings, ...body] = parts(form)
    const name = collect ? "for" : "doseq"
    if (bindings?.kind !== "vector" || bindings.items.length === 0)
      return analyzer.error(form.at, `${name} needs a vector of names and collections`, { expected: `(${name} [x xs] body)` })
    if (body.length === 0) return analyzer.error(form.at, `${name} needs a body`)
    const rows = bindingRows(analyzer, bindings.items, name)
    if (rows === undefined) return nil
    const outer = scope.inner()
    const result = outer.bind("result", undefined, true)
    const nested = (index: number, inner: Scope): Node => {
      if (index === rows.length) {
        const value = analyzer.body(body, inner, undefined)
        return collect ? support("push", [{ op: "local", binding: result }, value], form.at) : value
      }
      const { target, type, value } = rows[index]!
      const collection = support("elements", [analyzer.analyze(value, inner, undefined)], value.at)
      const turn = inner.inner()
      turn.context.loops++
      const binding = turn.bind("item", undefined, true)
      const steps: Array<LetBinding> = []
      destructure(analyzer, target, analyzer.cast({ op: "local", binding }, type, name), turn, steps)
      const node: Node = {
        op: "each",
        binding,
        collection,
        body: { op: "let", bindings: steps, body: nested(index + 1, turn), recursive: false },
        at: form.at
      }
      turn.context.loops--
      return node
    }
    const loops = nested(0, outer)
    if (!collect) return loops
    return {
      op: "let",
      bindings: [{ binding: result, value: { op: "vector", items: [] } }],
      body: sequence([loops, { op: "local", binding: result }]),
      recursive: false
    }
  }

export const dotimesForm: SpecialForm = (analyzer, form, scope) => {
  const [bindings, ...body] = parts(form)
  const target = bindings?.kind === "vector" ? bindings.items[0] : undefined
  if (bindings?.kind !== "vector" || bindings.items.length !== 2 || target?.kind !== "symbol") {
    return analyzer.error(form.at, "dotimes needs a name and a count", { expected: "(dotimes [i n] body…)" })
  }
  const collection = support("turns", [analyzer.analyze(bindings.items[1]!, scope, undefined)], bindings.at)
  const inner = scope.inner()
  inner.context.loops++
  const binding = inner.bind(target.name)
  const node: Node = { op: "each", binding, collection, body: analyzer.body(body, inner, undefined), at: form.at }
  inner.context.loops--
  return node
}

import { type Form, list, symbol, vector } from "../Form.ts"
import { library } from "../library/index.ts"
import type { LetBinding, Node } from "../Node.ts"
import type { Analyzer } from "./Analyzer.ts"
import { readTarget } from "./annotations.ts"
import { matchForm, throwForm, tryForm } from "./branches.ts"
import { defForm, defnForm, functionForm, functionOf, letFunctions, structForm } from "./functions.ts"
import { constant, nil, support } from "./nodes.ts"
import { dotimesForm, forForm, loopForm, recurForm } from "./loops.ts"
import { destructure } from "./patterns.ts"
import type { Scope, TailTarget } from "./Scope.ts"
import { type BindingRow, bindingRows, parts, type SpecialForm } from "./SpecialForm.ts"

const ifForm: SpecialForm = (analyzer, form, scope, tail) => {
  const [test, then, otherwise, ...more] = parts(form)
  if (test === undefined || then === undefined || more.length > 0)
    return analyzer.error(form.at, "if takes a test and one or two branches", { expected: "(if test then else)" })
  return {
    op: "cond",
    clauses: [{ test: analyzer.analyze(test, scope, undefined), body: analyzer.analyze(then, scope, tail) }],
    otherwise: otherwise === undefined ? nil : analyzer.analyze(otherwise, scope, tail)
  }
}

const whenForm =
  (negated: boolean): SpecialForm =>
  (analyzer, form, scope, tail) => {
    const [test, ...body] = parts(form)
    if (test === undefined) return analyzer.error(form.at, "when needs a test", { expected: "(when test body…)" })
    const condition = analyzer.analyze(test, scope, undefined)
    const then = analyzer.body(body, scope, tail)
    return { op: "cond", clauses: [{ test: condition, body: negated ? nil : then }], otherwise: negated ? then : nil }
  }

const condForm: SpecialForm = (analyzer, form, scope, tail) => {
  const items = parts(form)
  if (items.length % 2 !== 0) return analyzer.error(form.at, "cond needs a value for each test", { expected: "an even number of forms" })
  const clauses: Array<{ test: Node; body: Node }> = []
  for (let index = 0; index < items.length; index += 2) {
    clauses.push({ test: analyzer.analyze(items[index]!, scope, undefined), body: analyzer.analyze(items[index + 1]!, scope, tail) })
  }
  return clauses.length === 0 ? nil : { op: "cond", clauses, otherwise: nil }
}

const caseForm: SpecialForm = (analyzer, form, scope, tail) => {
  const [subject, ...items] = parts(form)
  if (subject === undefined) return analyzer.error(form.at, "case needs a value", { expected: "(case value constant result … default)" })
  const inner = scope.inner()
  const binding = inner.bind("subject", undefined, true)
  const value = analyzer.analyze(subject, scope, undefined)
  const clauses: Array<{ test: Node; body: Node }> = []
  for (let index = 0; index + 1 < items.length; index += 2) {
    const test = analyzer.builtinNode(
      library.get("=")!,
      [{ op: "local", binding }, analyzer.quoted(items[index]!)],
      items[index]!.at,
      inner
    )
    clauses.push({ test, body: analyzer.analyze(items[index + 1]!, inner, tail) })
  }
  const otherwise =
    items.length % 2 === 1 ? analyzer.analyze(items.at(-1)!, inner, tail) : support("noCase", [{ op: "local", binding }], form.at)
  return {
    op: "let",
    bindings: [{ binding, value }],
    body: clauses.length === 0 ? otherwise : { op: "cond", clauses, otherwise },
    recursive: false
  }
}

const conditionalLet =
  (name: string, many: boolean): SpecialForm =>
  (analyzer, form, scope, tail) => {
    const [bindings, ...body] = parts(form)
    if (bindings?.kind !== "vector" || bindings.items.length < 2)
      return analyzer.error(form.at, `${name} binds one name`, { expected: `(${name} [name value] …)` })
    const { target, type, next } = readTarget(bindings.items, 0, false)
    const valueForm = bindings.items[next]
    if (valueForm === undefined || next + 1 !== bindings.items.length)
      return analyzer.error(bindings.at, `${name} binds one name`, { expected: `(${name} [name value] …)` })
    if (!many && (body.length < 1 || body.length > 2)) return analyzer.error(form.at, `${name} takes one or two branches`)
    const inner = scope.inner()
    const binding = inner.bind("tested", undefined, true)
    const steps: Array<LetBinding> = []
    const value = analyzer.cast(analyzer.analyze(valueForm, scope, undefined), type, "if-let")
    destructure(analyzer, target, { op: "local", binding }, inner, steps)
    const then = many ? analyzer.body(body, inner, tail) : analyzer.analyze(body[0]!, inner, tail)
    const otherwise = many || body[1] === undefined ? nil : analyzer.analyze(body[1], scope, tail)
    return {
      op: "let",
      bindings: [{ binding, value }],
      body: {
        op: "cond",
        clauses: [{ test: { op: "local", binding }, body: { op: "let", bindings: steps, body: then, recursive: false } }],
        otherwise
      },
      recursive: false
    }
  }

const letForm: SpecialForm = (analyzer, form, scope, tail) => {
  const [bindings, ...body] = parts(form)
  if (bindings?.kind !== "vector")
    return analyzer.error(form.at, "let needs a vector of bindings", { expected: "(let [name value …] body…)" })
  if (body.length === 0) return analyzer.error(form.at, "let needs a body", { expected: "at least one form after the bindings" })
  const rows = bindingRows(analyzer, bindings.items, "let")
  if (rows === undefined) return nil
  const inner = scope.inner()
  const named = rows.map(({ target, type, value }) =>
    target.kind === "symbol" && type === undefined && target.name !== "_" && functionOf(value) !== undefined
      ? { name: target.name, value }
      : undefined
  )
  // Functions only, and no name twice: all of them know each other.
  if (rows.length > 0 && named.every((one) => one !== undefined) && new Set(named.map((one) => one.name)).size === named.length) {
    const group = named.map(({ name, value }) => ({
      name,
      fn: functionOf(value)!,
      hints: value.kind === "meta" ? value.entries : undefined
    }))
    const functions = letFunctions(analyzer, group, inner)
    return { op: "let", bindings: functions, body: analyzer.body(body, inner, tail), recursive: true }
  }
  return letRows(analyzer, rows, 0, body, inner, tail)
}

/** Bindings one after the other; a function among them knows itself. */
const letRows = (
  analyzer: Analyzer,
  rows: ReadonlyArray<BindingRow>,
  from: number,
  body: ReadonlyArray<Form>,
  scope: Scope,
  tail: TailTarget | undefined
): Node => {
  const steps: Array<LetBinding> = []
  for (let index = from; index < rows.length; index++) {
    const { target, type, value } = rows[index]!
    const fn = target.kind === "symbol" && type === undefined && target.name !== "_" ? functionOf(value) : undefined
    if (fn === undefined) {
      const node = analyzer.cast(analyzer.analyze(value, scope, undefined), type, target.kind === "symbol" ? target.name : "let")
      destructure(analyzer, target, node, scope, steps)
      continue
    }
    const group = [{ name: (target as { name: string }).name, fn, hints: value.kind === "meta" ? value.entries : undefined }]
    const inner = scope.inner()
    const functions = letFunctions(analyzer, group, inner)
    const rest: Node = { op: "let", bindings: functions, body: letRows(analyzer, rows, index + 1, body, inner, tail), recursive: true }
    return steps.length === 0 ? rest : { op: "let", bindings: steps, body: rest, recursive: false }
  }
  const node = analyzer.body(body, scope, tail)
  return steps.length === 0 ? node : { op: "let", bindings: steps, body: node, recursive: false }
}

const logicForm =
  (op: "and" | "or"): SpecialForm =>
  (analyzer, form, scope, tail) => {
    const forms = parts(form)
    const items = forms.map((item, index) => analyzer.analyze(item, scope, index === forms.length - 1 ? tail : undefined))
    return items.length === 1 ? items[0]! : items.length === 0 ? constant(op === "and") : { op, items }
  }

const quoteForm: SpecialForm = (analyzer, form) =>
  form.items.length === 2 ? analyzer.quoted(form.items[1]!) : analyzer.error(form.at, "quote takes one form", { expected: "(quote form)" })

const quasiquoteForm: SpecialForm = (analyzer, form, scope) =>
  form.items.length === 2 ? analyzer.quasiquoted(form.items[1]!, scope) : analyzer.error(form.at, "quasiquote takes one form")

const callForm: SpecialForm = (analyzer, form, scope) => {
  const [id, ...args] = parts(form)
  if (id === undefined) return analyzer.error(form.at, "call needs the id of a capability", { expected: "(call :capability.id argument…)" })
  return analyzer.hostCall(analyzer.analyze(id, scope, undefined), args, form.at, scope)
}

const referenceForm: SpecialForm = (analyzer, form, scope) => {
  const [name, ...more] = parts(form)
  if (name?.kind !== "literal" || typeof name.value !== "string" || more.length > 0)
    return analyzer.error(form.at, "resource:ref takes one string", { expected: '(resource:ref "name")' })
  scope.context.node.blocked = true
  scope.context.node.asksHost = true
  return { op: "reference", name: name.value, at: form.at }
}

const stepForm: SpecialForm = (analyzer, form, scope) => {
  const [name, ...body] = parts(form)
  if (name === undefined) return analyzer.error(form.at, "step needs a name", { expected: '(step "name" body…)' })
  scope.context.node.blocked = true
  scope.context.node.asksHost = true
  // Options between the name and the body, such as :expose-context true, are for hosts that keep a context.
  let start = 0
  while (body[start]?.kind === "keyword" && body[start + 1] !== undefined && body.length > start + 2) start += 2
  return {
    op: "step",
    name: analyzer.analyze(name, scope, undefined),
    body: analyzer.body(body.slice(start), scope, undefined),
    at: form.at
  }
}

/** `(step-if test then else)` and `(step-loop test body)` notify the host under their own names. */
const stepIfForm: SpecialForm = (analyzer, form, scope) => {
  const { at } = form
  return stepForm(
    analyzer,
    list([symbol("step", at), { kind: "literal", value: "step-if", at }, list([symbol("if", at), ...parts(form)], at)], at),
    scope,
    undefined
  )
}

const stepLoopForm: SpecialForm = (analyzer, form, scope) => {
  const { at } = form
  const [test, ...body] = parts(form)
  if (test === undefined || body.length === 0)
    return analyzer.error(at, "step-loop needs a test and a body", { expected: "(step-loop test body…)" })
  const turn = list([symbol("when", at), test, ...body, list([symbol("recur", at)], at)], at)
  return stepForm(
    analyzer,
    list([symbol("step", at), { kind: "literal", value: "step-loop", at }, list([symbol("loop", at), vector([], at), turn], at)], at),
    scope,
    undefined
  )
}

const refused =
  (why: string): SpecialForm =>
  (analyzer, form) =>
    analyzer.error(form.at, why)

/** All forms that are no calls. Their names cannot be shadowed. */
export const specialForms: ReadonlyMap<string, SpecialForm> = new Map<string, SpecialForm>([
  ["def", defForm],
  ["defn", (analyzer, form, scope) => defnForm(analyzer, form, scope)],
  ["defstruct", structForm],
  ["fn", (analyzer, form, scope) => functionForm(analyzer, form, scope)],
  ["let", letForm],
  ["if", ifForm],
  ["do", (analyzer, form, scope, tail) => analyzer.body(parts(form), scope, tail)],
  ["when", whenForm(false)],
  ["when-not", whenForm(true)],
  ["cond", condForm],
  ["case", caseForm],
  ["if-let", conditionalLet("if-let", false)],
  ["when-let", conditionalLet("when-let", true)],
  ["loop", loopForm],
  ["recur", recurForm],
  ["and", logicForm("and")],
  ["or", logicForm("or")],
  ["quote", quoteForm],
  ["quasiquote", quasiquoteForm],
  ["unquote", refused("~ is only allowed inside a quasiquote (`)")],
  ["unquote-splicing", refused("~@ is only allowed inside a quasiquote (`)")],
  ["call", callForm],
  ["resource:ref", referenceForm],
  ["try", tryForm],
  ["catch", refused("catch is only allowed inside try")],
  ["finally", refused("finally is only allowed inside try")],
  ["throw", throwForm],
  ["match", matchForm],
  ["for", forForm(true)],
  ["doseq", forForm(false)],
  ["dotimes", dotimesForm],
  ["step", stepForm],
  ["step-if", stepIfForm],
  ["step-loop", stepLoopForm],
  ["set!", refused("RTFS has no set!: values never change. Use loop and recur, or reduce.")],
  ["deref", refused("RTFS has no deref: there are no atoms")],
  // Gone after expansion; met here only where they were malformed.
  ["defmacro", refused("defmacro is only allowed at the top level or directly in a body")],
  ["->", refused("-> needs a value")],
  ["->>", refused("->> needs a value")]
])

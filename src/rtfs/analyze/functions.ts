import type { Form, ListForm } from "../Form.ts"
import { list, symbol } from "../Form.ts"
import type { Binding, FunctionNode, LetBinding, Node } from "../Node.ts"
import type { Position } from "../Position.ts"
import type { Analyzer } from "./Analyzer.ts"
import { readTarget, splitGlued } from "./annotations.ts"
import { constant, nil, support } from "./nodes.ts"
import { destructure } from "./patterns.ts"
import { type FunctionContext, newFunction, Scope, type TailTarget } from "./Scope.ts"
import { specialNames } from "./specialNames.ts"

interface FunctionParts {
  /** The name in front of the parameters, by which the function knows itself. */
  readonly name: string | undefined
  readonly parameters: ReadonlyArray<Form>
  readonly returns: Form | undefined
  readonly body: ReadonlyArray<Form>
  readonly hints: ReadonlyArray<Form>
}

/** Takes `(fn name? [parameters] : type? body…)` or the same after `defn` apart. */
const partsOf = (analyzer: Analyzer, form: ListForm): FunctionParts | undefined => {
  const hints: Array<Form> = []
  let index = 1
  const next = (): Form | undefined => {
    let item = form.items[index]
    while (item?.kind === "meta") {
      hints.push(item.entries)
      item = item.form
    }
    return item
  }
  let name: string | undefined
  const first = next()
  if (first?.kind === "symbol") {
    name = splitGlued(first).target.kind === "symbol" ? first.name : undefined
    index++
  }
  const parameters = next()
  if (parameters?.kind !== "vector") {
    analyzer.error((parameters ?? form).at, "A function needs a vector of parameters", { expected: "(fn [x y] body…)" })
    return undefined
  }
  index++
  let returns: Form | undefined
  const after = form.items[index]
  if (after?.kind === "colon") {
    returns = form.items[index + 1]
    index += 2
  } else if (after?.kind === "keyword" && form.items.length > index + 1) {
    returns = after
    index++
  }
  const body = form.items.slice(index)
  if (body.length === 0) {
    analyzer.error(form.at, "A function needs a body", { expected: "at least one form after the parameters" })
    return undefined
  }
  return { name, parameters: parameters.items, returns, body, hints }
}

/** `(fn …)`, or `(defn …)` where metadata stands before it. */
export const functionForm = (analyzer: Analyzer, form: ListForm, scope: Scope, hints?: Node): Node => {
  if ((form.items[0] as { name?: string }).name === "defn") return defnForm(analyzer, form, scope, hints)
  const parts = partsOf(analyzer, form)
  if (parts === undefined) return nil
  if (parts.name === undefined) return { op: "function", node: analyzeFunction(analyzer, open("fn", form, scope), parts, scope, hints) }
  // A function that knows itself by name: a let of its own.
  const inner = scope.inner()
  const context = open(parts.name, asFn(form), inner)
  const binding = inner.bind(parts.name, context.node)
  const node = analyzeFunction(analyzer, context, parts, inner, hints)
  return { op: "let", bindings: [{ binding, value: { op: "function", node } }], body: { op: "local", binding }, recursive: true }
}

const open = (name: string, form: Form, scope: Scope): FunctionContext => newFunction(name, form.at, form, scope.context)

const analyzeFunction = (
  analyzer: Analyzer,
  context: FunctionContext,
  parts: FunctionParts,
  outer: Scope,
  outerHints?: Node
): FunctionNode => {
  const { node } = context
  analyzer.functions.push(node)
  const scope = new Scope(context, outer)
  const steps: Array<LetBinding> = []
  const { fixed, rest } = parameterList(analyzer, parts.parameters)
  for (const { target, type } of fixed) {
    if (target.kind === "symbol" && type === undefined && target.name !== "_") node.parameters.push(parameterBinding(scope, target.name))
    else {
      const binding = scope.bind("argument", undefined, true)
      node.parameters.push(binding)
      const value = analyzer.cast({ op: "local", binding }, type, target.kind === "symbol" ? `parameter ${target.name}` : "parameter")
      destructure(analyzer, target, value, scope, steps)
    }
  }
  if (rest !== undefined) node.rest = parameterBinding(scope, rest)
  const tail: TailTarget = { target: node, count: node.parameters.length + (node.rest === undefined ? 0 : 1) }
  const hints = [
    outerHints,
    ...parts.hints.map((entries) => (entries.kind === "brace" ? analyzer.runtimeHints(entries, scope) : undefined))
  ].filter((one) => one !== undefined)
  // What stands around the body must see its value, so then it has no tail position.
  const plain = hints.length === 0 && parts.returns === undefined
  let body = analyzer.body(parts.body, scope, plain ? tail : undefined)
  body = analyzer.cast(body, parts.returns, `result of ${node.name}`)
  for (const one of hints) body = { op: "hints", hints: one, body, at: node.at }
  node.body = steps.length === 0 ? body : { op: "let", bindings: steps, body, recursive: false }
  if (node.recurs) for (const binding of context.owned) binding.inLoop = true
  return node
}

/** A parameter; the name `_` may stand for several. */
const parameterBinding = (scope: Scope, name: string): Binding => scope.bind(name, undefined, name === "_")

const parameterList = (
  analyzer: Analyzer,
  forms: ReadonlyArray<Form>
): { fixed: Array<{ target: Form; type: Form | undefined }>; rest: string | undefined } => {
  const fixed: Array<{ target: Form; type: Form | undefined }> = []
  for (let index = 0; index < forms.length;) {
    const form = forms[index]!
    if (form.kind === "symbol" && form.name === "&") {
      const target = forms[index + 1]
      const { next } = target === undefined ? { next: forms.length } : readTarget(forms, index + 1, true)
      if (target?.kind !== "symbol" || next < forms.length) {
        analyzer.error(form.at, "& must be followed by one symbol, at the end of the parameters")
        return { fixed, rest: undefined }
      }
      return { fixed, rest: (splitGlued(target).target as { name: string }).name }
    }
    const { target, type, next } = readTarget(forms, index, true)
    fixed.push({ target, type })
    index = next
  }
  return { fixed, rest: undefined }
}

const arityOf = (node: FunctionNode) => ({
  minimum: node.parameters.length,
  maximum: node.rest === undefined ? node.parameters.length : Infinity
})

/** `(defn name [parameters] body…)` at the top level. Inside bodies see `defineNode`. */
export const defnForm = (analyzer: Analyzer, form: ListForm, scope: Scope, hints?: Node): Node => {
  const parts = partsOf(analyzer, form)
  if (parts === undefined) return nil
  if (parts.name === undefined) return analyzer.error(form.at, "defn needs a name", { expected: "(defn name [x] body…)" })
  if (!definable(analyzer, parts.name, form.at)) return nil
  if (!scope.isTop) return misplaced(analyzer, form)
  const context = open(parts.name, asFn(form), scope)
  // Known before the body is analysed, so that calls of itself are checked too.
  const node = analyzeFunction(analyzer, context, parts, scope, hints)
  analyzer.noteArity(parts.name, arityOf(node))
  analyzer.noteDefinition(parts.name, node)
  return { op: "define", cell: analyzer.engine.cell(parts.name), value: { op: "function", node } }
}

/** The `(fn …)` form of a `(defn name …)` or `(fn name …)` form: what can be bound to a name again. */
const asFn = (form: ListForm): Form => {
  const [, name, ...rest] = form.items
  const head = symbol("fn", form.at)
  // Metadata between defn and the parameters may stand before the name too.
  return list(name?.kind === "meta" ? [head, ...rest] : [head, ...rest], form.at)
}

const misplaced = (analyzer: Analyzer, form: Form): Node =>
  analyzer.error(form.at, "def and defn must stand at the top level or directly in a body")

const definable = (analyzer: Analyzer, name: string, at: Position): boolean => {
  if (!specialNames.has(name)) return true
  analyzer.error(at, `${name} is a special form: it cannot be defined`)
  return false
}

/** `(def name value)`. */
export const defForm = (analyzer: Analyzer, form: ListForm, scope: Scope): Node => {
  const parts = definition(analyzer, form)
  if (parts === undefined) return nil
  if (!scope.isTop) return misplaced(analyzer, form)
  const value = namedValue(analyzer, parts.name, parts.value, scope, undefined)
  const cast = analyzer.cast(value, parts.type, parts.name)
  const node = cast.op === "function" ? cast.node : undefined
  if (node !== undefined) analyzer.noteArity(parts.name, arityOf(node))
  analyzer.noteDefinition(parts.name, node)
  return { op: "define", cell: analyzer.engine.cell(parts.name), value: cast }
}

const definition = (
  analyzer: Analyzer,
  form: ListForm
): { readonly name: string; readonly type: Form | undefined; readonly value: Form } | undefined => {
  const target = form.items[1]?.kind === "meta" ? form.items[1].form : form.items[1]
  if (target?.kind !== "symbol" || form.items.length < 3) {
    analyzer.error(form.at, "def needs a symbol and a value", { expected: "(def name value)" })
    return undefined
  }
  const spaced = form.items[2]!.kind === "colon"
  const glued = splitGlued(target)
  const name = (glued.target as { name: string }).name
  const value = form.items[spaced ? 4 : 2]
  if (value === undefined || form.items.length !== (spaced ? 5 : 3)) {
    analyzer.error(form.at, "def takes exactly a symbol and a value", { expected: "(def name value)" })
    return undefined
  }
  return definable(analyzer, name, form.at) ? { name, type: spaced ? form.items[3] : glued.type, value } : undefined
}

/** The function form behind a value, if it is one: `(fn …)`, perhaps with metadata. */
export const functionOf = (form: Form): ListForm | undefined => {
  const inner = form.kind === "meta" ? form.form : form
  return inner.kind === "list" && inner.items[0]?.kind === "symbol" && inner.items[0].name === "fn" && inner.items[1]?.kind !== "symbol"
    ? inner
    : undefined
}

/** Analyses a value that gets a name: a function takes the name for messages. */
export const namedValue = (analyzer: Analyzer, name: string, form: Form, scope: Scope, context: FunctionContext | undefined): Node => {
  const fn = functionOf(form)
  if (fn === undefined) return analyzer.analyze(form, scope, undefined)
  const parts = partsOf(analyzer, fn)
  if (parts === undefined) return nil
  const hints = form.kind === "meta" ? analyzer.runtimeHints(form.entries, scope) : undefined
  return { op: "function", node: analyzeFunction(analyzer, context ?? open(name, fn, scope), parts, scope, hints) }
}

/** The start of a function that others may call before it is analysed, with the arity they can be checked against. */
export const announce = (name: string, form: ListForm, scope: Scope): FunctionContext => open(name, form, scope)

/** `def` and `defn` inside a body: they bind for the forms after them; neighbouring functions know each other. */
export const defineNode = (analyzer: Analyzer, forms: ReadonlyArray<Form>, scope: Scope, tail: TailTarget | undefined): Node => {
  const group: Array<{ name: string; fn: ListForm; hints: Form | undefined }> = []
  let index = 0
  for (; index < forms.length; index++) {
    const outer = forms[index]!
    const form = outer.kind === "meta" ? outer.form : outer
    if (form.kind !== "list") break
    const head = form.items[0]
    const name = form.items[1]
    if (head?.kind !== "symbol" || name?.kind !== "symbol") break
    const fn =
      head.name === "defn"
        ? (asFn(form) as ListForm)
        : head.name === "def" && form.items.length === 3
          ? functionOf(form.items[2]!)
          : undefined
    if (fn === undefined || specialNames.has(name.name)) break
    group.push({ name: name.name, fn, hints: outer.kind === "meta" ? outer.entries : undefined })
  }
  if (group.length > 0) {
    const bindings = letFunctions(analyzer, group, scope)
    const rest = forms.slice(index)
    const body = rest.length === 0 ? ({ op: "local", binding: bindings.at(-1)!.binding } as const) : analyzer.body(rest, scope, tail)
    return { op: "let", bindings, body, recursive: true }
  }
  const form = (forms[0]!.kind === "meta" ? forms[0]!.form : forms[0]!) as ListForm
  const rest = forms.slice(1)
  if ((form.items[0] as { name: string }).name === "defstruct") {
    const struct = structParts(analyzer, form)
    if (struct === undefined) return nil
    const value = structFunction(analyzer, struct, form, scope)
    const binding = scope.bind(struct.name)
    return {
      op: "let",
      bindings: [{ binding, value }],
      body: rest.length === 0 ? { op: "local", binding } : analyzer.body(rest, scope, tail),
      recursive: false
    }
  }
  const parts = (form.items[0] as { name: string }).name === "def" ? definition(analyzer, form) : undefined
  if (parts === undefined) return defnForm(analyzer, form, scope)
  const value = analyzer.cast(analyzer.analyze(parts.value, scope, undefined), parts.type, parts.name)
  const inner = scope.inner()
  const binding = inner.bind(parts.name)
  return {
    op: "let",
    bindings: [{ binding, value }],
    body: rest.length === 0 ? { op: "local", binding } : analyzer.body(rest, inner, tail),
    recursive: false
  }
}

/** Functions that know themselves and each other. */
export const letFunctions = (
  analyzer: Analyzer,
  group: ReadonlyArray<{ readonly name: string; readonly fn: ListForm; readonly hints: Form | undefined }>,
  scope: Scope
): Array<LetBinding> => {
  const opened = group.map(({ name, fn, hints }) => {
    const context = announce(name, fn, scope)
    return { name, fn, hints, context, binding: scope.bind(name, context.node) }
  })
  return opened.map(({ name, fn, hints, context, binding }) => {
    const form: Form = hints?.kind === "brace" ? { kind: "meta", entries: hints, form: fn, at: fn.at } : fn
    return { binding, value: namedValue(analyzer, name, form, scope, context) }
  })
}

interface StructParts {
  readonly name: string
  readonly fields: ReadonlyArray<readonly [string, Form]>
}

const structParts = (analyzer: Analyzer, form: ListForm): StructParts | undefined => {
  const name = form.items[1]
  const fields = form.items.slice(2)
  if (name?.kind !== "symbol" || fields.length % 2 !== 0 || fields.some((field, index) => index % 2 === 0 && field.kind !== "keyword")) {
    analyzer.error(form.at, "defstruct needs a name and fields with types", { expected: "(defstruct Point :x Int :y Int)" })
    return undefined
  }
  const pairs: Array<readonly [string, Form]> = []
  for (let index = 0; index < fields.length; index += 2) pairs.push([(fields[index] as { name: string }).name, fields[index + 1]!])
  return { name: name.name, fields: pairs }
}

const structFunction = (analyzer: Analyzer, struct: StructParts, form: ListForm, scope: Scope): Node => {
  const at = form.at
  const type: Form = {
    kind: "vector",
    at,
    items: [
      { kind: "keyword", name: "map", at },
      ...struct.fields.map(([name, field]): Form => ({ kind: "vector", at, items: [{ kind: "keyword", name, at }, field] }))
    ]
  }
  const validator = analyzer.validator(type)
  const parameter = symbol("fields", at)
  // Printed as a function that casts its argument, which reads back as the same.
  const fn = list([symbol("fn", at), { kind: "vector", at, items: [parameter, { kind: "colon", at }, type] }, parameter], at)
  const context = open(struct.name, fn, scope)
  analyzer.functions.push(context.node)
  const binding = new Scope(context, scope).bind("fields")
  context.node.parameters.push(binding)
  context.node.body =
    validator === undefined ? nil : support("struct", [{ op: "local", binding }, constant(validator), constant(struct.name)], at)
  return { op: "function", node: context.node }
}

/** `(defstruct Point :x Int :y Int)`: a constructor that takes a map and checks each field. */
export const structForm = (analyzer: Analyzer, form: ListForm, scope: Scope): Node => {
  const struct = structParts(analyzer, form)
  if (struct === undefined) return nil
  if (!scope.isTop) return misplaced(analyzer, form)
  const value = structFunction(analyzer, struct, form, scope)
  const node = value.op === "function" ? value.node : undefined
  if (node !== undefined) analyzer.noteArity(struct.name, arityOf(node))
  analyzer.noteDefinition(struct.name, node)
  return { op: "define", cell: analyzer.engine.cell(struct.name), value }
}

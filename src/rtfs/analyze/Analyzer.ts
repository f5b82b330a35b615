import { compileType, type Validator } from "../../capabilities/schemas/index.ts"
import { keyword, nearest } from "../../serialization/index.ts"
import { capabilityId, type Engine } from "../Engine.ts"
import { type Diagnostic, failure } from "../errors.ts"
import { type BraceForm, type Form, headName, type ListForm, type SymbolForm, symbol } from "../Form.ts"
import type { Builtin } from "../library/Builtin.ts"
import { library } from "../library/index.ts"
import { heldKey } from "../maps.ts"
import type { FunctionNode, Node } from "../Node.ts"
import type { Cell } from "../Cell.ts"
import type { Position } from "../Position.ts"
import { prelude } from "../prelude.ts"
import { formValue, quasiquoteNode } from "../quotation.ts"
import { arityText, trusted } from "../Trusted.ts"
import { typeData } from "./annotations.ts"
import { definedNames, isDefinition, topForms } from "./definitions.ts"
import { defineNode, functionForm } from "./functions.ts"
import { reduceLoop } from "./loops.ts"
import { constant, nil, sequence, support } from "./nodes.ts"
import { newFunction, Scope, type TailTarget } from "./Scope.ts"
import { specialForms } from "./specialForms.ts"
import { isSynchronousCallee, settle } from "./synchrony.ts"

const maximumDepth = 500

export interface Program {
  /** One function without parameters for each top-level form. */
  readonly tops: ReadonlyArray<FunctionNode>
  readonly functions: ReadonlyArray<FunctionNode>
  /** What makes the program impossible to compile. */
  readonly errors: ReadonlyArray<Diagnostic>
  /** What will fail when it is evaluated: unknown names, wrong numbers of arguments. */
  readonly findings: ReadonlyArray<Diagnostic>
}

/** Makes resolved nodes of expanded forms. Goes on after a mistake, so that all are reported. */
export class Analyzer {
  readonly engine: Engine
  readonly functions: Array<FunctionNode> = []
  readonly errors: Array<Diagnostic> = []
  readonly findings: Array<Diagnostic> = []
  private readonly defined: ReadonlySet<string>
  private readonly definedArity = new Map<string, { readonly minimum: number; readonly maximum: number } | undefined>()
  private readonly capabilityIds: ReadonlySet<string> | undefined
  private depth = 0

  constructor(engine: Engine, forms: ReadonlyArray<Form>) {
    this.engine = engine
    this.defined = new Set(definedNames(forms))
    this.capabilityIds =
      engine.host.capabilityIds === undefined ? undefined : new Set([...engine.host.capabilityIds].map((id) => capabilityId(id)))
  }

  program(forms: ReadonlyArray<Form>): Program {
    for (const name of this.defined) this.freshCell(name)
    const tops = forms.flatMap(topForms).map((form) => this.top(form))
    settle(
      this.functions,
      [...this.defined].map((name) => this.engine.cell(name))
    )
    return { tops, functions: this.functions, errors: this.errors, findings: this.findings }
  }

  /**
   * A program that defines a name again gives it a new cell: functions of earlier programs keep the definitions they
   * were compiled against, so that what is known of them (such as being synchronous) stays true.
   */
  private freshCell(name: string): void {
    const { engine } = this
    const before = engine.cell(name)
    if (!before.bound) {
      before.definitions = []
      return
    }
    const cell = engine.newCell(name)
    cell.set(before.value)
    engine.cells.set(name, cell)
  }

  private top(form: Form): FunctionNode {
    const context = newFunction("", form.at, form, undefined)
    this.functions.push(context.node)
    context.node.body = this.analyze(form, new Scope(context, undefined), undefined)
    return context.node
  }

  // Diagnostics.

  /** Reports what makes the program impossible to compile. */
  error(at: Position, message: string, more: { readonly expected?: string; readonly suggestion?: string | undefined } = {}): Node {
    this.errors.push({ severity: "error", kind: "syntax", type: "syntax-error", message, at, ...more })
    return nil
  }

  private finding(severity: "error" | "warning", type: string, at: Position, message: string, suggestion?: string): void {
    this.findings.push({ severity, kind: "syntax", type, message, at, suggestion })
  }

  // Forms.

  analyze(form: Form, scope: Scope, tail: TailTarget | undefined): Node {
    if (this.depth >= maximumDepth) return this.error(form.at, `The program is nested more than ${maximumDepth} deep`)
    this.depth++
    try {
      return this.form(form, scope, tail)
    } finally {
      this.depth--
    }
  }

  private form(form: Form, scope: Scope, tail: TailTarget | undefined): Node {
    switch (form.kind) {
      case "literal":
        return { op: "constant", value: form.value }
      case "keyword":
        return { op: "constant", value: keyword(form.name) }
      case "symbol":
        return this.symbol(form, scope)
      case "vector":
        return { op: "vector", items: form.items.map((item) => this.analyze(item, scope, undefined)) }
      case "brace":
        return this.map(form, scope)
      case "list":
        return this.list(form, scope, tail)
      case "meta":
        return this.meta(form.entries, form.form, scope, tail)
      case "colon":
        return this.error(form.at, "A lone : is only allowed before a type, as in [x : int]")
    }
  }

  private symbol(form: SymbolForm, scope: Scope): Node {
    const { name, at } = form
    const binding = scope.find(name)
    if (binding !== undefined) return { op: "local", binding }
    if (specialForms.has(name)) return this.error(at, `${name} is a special form: it cannot stand alone`, { expected: `(${name} …)` })
    if (name.startsWith(".")) return this.error(at, `${name} is no value`, { expected: `(${name} …)` })
    const builtin = this.builtinNamed(name)
    if (builtin !== undefined) return { op: "builtin", builtin }
    return { op: "global", cell: this.global(name, at, scope), at }
  }

  /** The library function of that name, unless the program or the host has another meaning for it. */
  private builtinNamed(name: string): Builtin | undefined {
    return this.isUserGlobal(name) ? undefined : library.get(name)
  }

  private isUserGlobal(name: string): boolean {
    if (this.defined.has(name) || this.engine.host.globals.has(name)) return true
    const cell = this.engine.cells.get(name)
    return cell !== undefined && cell.bound && !(library.has(name) && cell.value === this.engine.native(library.get(name)!))
  }

  private global(name: string, at: Position, scope: Scope): Cell {
    const cell = this.engine.cell(name)
    if (!cell.bound && !this.defined.has(name)) {
      const suggestion = nearest(name, [...scope.visible(), ...this.defined, ...this.engine.knownNames(), ...specialForms.keys()])
      this.finding("error", "undefined-symbol", at, `Undefined symbol: ${name}`, suggestion)
    }
    scope.noteGlobal(cell)
    return cell
  }

  private map(form: BraceForm, scope: Scope): Node {
    const { items } = form
    const arrow = items.findIndex((item) => item.kind === "symbol" && item.name === "=>")
    if (arrow >= 0) return this.error(form.at, "{item => body} is only allowed in stream-consume and stream-interact")
    if (items.length % 2 !== 0) return this.error(form.at, "A map needs a value for each key", { expected: "an even number of forms" })
    const keys: Array<unknown> = []
    const values: Array<Node> = []
    for (let index = 0; index < items.length; index += 2) {
      keys.push(this.mapKey(items[index]!))
      values.push(this.analyze(items[index + 1]!, scope, undefined))
    }
    return { op: "map", keys, items: values }
  }

  /** The held key of a literal map. */
  mapKey(form: Form): unknown {
    if (form.kind === "keyword") return form.name
    if (
      form.kind === "literal"
      && (typeof form.value === "string"
        || typeof form.value === "bigint"
        || (typeof form.value === "number" && Number.isInteger(form.value)))
    ) {
      return heldKey(form.value)
    }
    this.error(form.at, "The key of a map must be a keyword, a string or an integer")
    return ""
  }

  private meta(entries: BraceForm, form: Form, scope: Scope, tail: TailTarget | undefined): Node {
    const hints = this.runtimeHints(entries, scope)
    const head = headName(form)
    if (head === "fn" || head === "defn") return functionForm(this, form as ListForm, scope, hints)
    if (hints === undefined) return this.analyze(form, scope, tail)
    return { op: "hints", hints, body: this.analyze(form, scope, undefined), at: entries.at }
  }

  /** The `runtime.*` entries of metadata as a map node; undefined when there are none. */
  runtimeHints(entries: BraceForm, scope: Scope): Node | undefined {
    if (entries.items.length % 2 !== 0) {
      this.error(entries.at, "Metadata needs a value for each key")
      return undefined
    }
    const keys: Array<unknown> = []
    const items: Array<Node> = []
    for (let index = 0; index < entries.items.length; index += 2) {
      const key = entries.items[index]!
      const name = key.kind === "keyword" ? key.name : key.kind === "literal" ? key.value : undefined
      if (typeof name !== "string" || !name.startsWith("runtime.")) continue
      keys.push(name)
      items.push(this.analyze(entries.items[index + 1]!, scope, undefined))
    }
    return keys.length === 0 ? undefined : { op: "map", keys, items }
  }

  private list(form: ListForm, scope: Scope, tail: TailTarget | undefined): Node {
    const head = form.items[0]
    if (head === undefined) return { op: "vector", items: [] }
    if (head.kind === "symbol") {
      // (.m x y) is (m x y): never an access to anything of the host language.
      const name = head.name.startsWith(".") ? head.name.slice(1) : head.name
      const special = specialForms.get(name)
      if (special !== undefined) return special(this, form, scope, tail)
      const known = name === head.name ? head : symbol(name, head.at)
      if (!scope.has(name)) {
        const builtin = this.builtinNamed(name)
        if (builtin !== undefined) return this.builtinCall(builtin, form, scope)
        if (prelude.has(name) && !this.isUserGlobal(name))
          return this.hostCall({ op: "constant", value: prelude.get(name)! }, form.items.slice(1), form.at, scope)
      }
      return this.call(known, form, scope)
    }
    if (head.kind === "keyword") return this.keywordCall(head.name, form, scope)
    return this.call(head, form, scope)
  }

  items(forms: ReadonlyArray<Form>, scope: Scope): Array<Node> {
    return forms.map((item) => this.analyze(item, scope, undefined))
  }

  private keywordCall(key: string, form: ListForm, scope: Scope): Node {
    const [map, otherwise, ...more] = this.items(form.items.slice(1), scope)
    if (map === undefined || more.length > 0) return this.arityFailure(`:${key}`, "1 to 2", form)
    return { op: "lookup", key, map, otherwise, at: form.at }
  }

  private arityFailure(name: string, expected: string, form: ListForm): Node {
    const got = form.items.length - 1
    this.finding("error", "arity-error", form.at, failure.arity(name, expected, got).message)
    return { op: "fail", error: () => failure.arity(name, expected, got), at: form.at }
  }

  builtinCall(builtin: Builtin, form: ListForm, scope: Scope): Node {
    const count = form.items.length - 1
    if (count < builtin.minimum || count > builtin.maximum) return this.arityFailure(builtin.name, arityText(builtin), form)
    if (builtin.name === "reduce") {
      const loop = reduceLoop(this, form, scope)
      if (loop !== undefined) return loop
    }
    const items = this.items(form.items.slice(1), scope)
    return this.builtinNode(builtin, items, form.at, scope)
  }

  builtinNode(builtin: Builtin, items: ReadonlyArray<Node>, at: Position, scope: Scope): Node {
    const { node } = scope.context
    const callees = builtin.calls.map((index) => items[index]).filter((item) => item !== undefined)
    if (callees.length > 0) node.weight = 2
    for (const callee of callees) this.depend(node, callee)
    return { op: "builtin-call", builtin, items, at, synchronous: () => callees.every(isSynchronousCallee) }
  }

  /** Notes what calling this value means for the function that does it. */
  private depend(node: FunctionNode, callee: Node): void {
    if (callee.op === "function") node.dependsOn.add(callee.node)
    else if (callee.op === "global") node.dependsOn.add(callee.cell)
    else if (callee.op === "local" && callee.binding.known !== undefined) node.dependsOn.add(callee.binding.known)
    else if (callee.op === "builtin" ? callee.builtin.calls.length > 0 : callee.op !== "constant") node.blocked = true
  }

  private call(head: Form, form: ListForm, scope: Scope): Node {
    const callee = this.analyze(head, scope, undefined)
    const items = this.items(form.items.slice(1), scope)
    const { node } = scope.context
    if (node.weight === 0) node.weight = 1
    this.depend(node, callee)
    this.checkArity(callee, head, form)
    return { op: "call", callee, items, at: form.at }
  }

  private checkArity(callee: Node, head: Form, form: ListForm): void {
    const count = form.items.length - 1
    const about =
      callee.op === "local" && callee.binding.known !== undefined
        ? {
            minimum: callee.binding.known.parameters.length,
            maximum: callee.binding.known.rest === undefined ? callee.binding.known.parameters.length : Infinity
          }
        : callee.op === "global"
          ? this.defined.has(callee.cell.name)
            ? this.definedArity.get(callee.cell.name)
            : trusted(callee.cell.value)
          : undefined
    if (about === undefined || head.kind !== "symbol" || (count >= about.minimum && count <= about.maximum)) return
    this.finding("error", "arity-error", form.at, failure.arity(head.name, arityText(about), count).message)
  }

  hostCall(id: Node, args: ReadonlyArray<Form>, at: Position, scope: Scope): Node {
    const { node } = scope.context
    node.blocked = true
    node.asksHost = true
    if (id.op === "constant") this.checkCapability(id.value, at)
    return { op: "host-call", id, items: this.items(args, scope), at }
  }

  private checkCapability(id: unknown, at: Position): void {
    if (this.capabilityIds === undefined) return
    let name: string
    try {
      name = capabilityId(id)
    } catch (error) {
      return this.finding("error", "type-error", at, (error as Error).message)
    }
    if (!this.capabilityIds.has(name)) {
      this.finding("warning", "unknown-capability", at, `Unknown capability: ${name}`, nearest(name, this.capabilityIds))
    }
  }

  // Bodies.

  /** Several forms of which the last gives the value. `def` and `defn` among them bind for the forms after them. */
  body(forms: ReadonlyArray<Form>, scope: Scope, tail: TailTarget | undefined): Node {
    const index = scope.isTop ? -1 : forms.findIndex(isDefinition)
    if (index < 0)
      return sequence(forms.map((form, position) => this.analyze(form, scope, position === forms.length - 1 ? tail : undefined)))
    const before = forms.slice(0, index).map((form) => this.analyze(form, scope, undefined))
    return sequence([...before, defineNode(this, forms.slice(index), scope.inner(), tail)])
  }

  /** A body that must have a form. */
  requiredBody(forms: ReadonlyArray<Form>, at: Position, what: string, scope: Scope, tail: TailTarget | undefined): Node {
    if (forms.length === 0) return this.error(at, `${what} needs a body`, { expected: "at least one form" })
    return this.body(forms, scope, tail)
  }

  /** A quoted form as a constant. */
  quoted(form: Form): Node {
    return { op: "constant", value: formValue(form) }
  }

  quasiquoted(form: Form, scope: Scope): Node {
    return quasiquoteNode(
      form,
      (inner) => this.analyze(inner, scope, undefined),
      (at, message) => this.error(at, message)
    )
  }

  /** The validator of a type expression; undefined after reporting what is wrong with it. */
  validator(type: Form): Validator | undefined {
    try {
      return compileType(typeData(type))
    } catch (error) {
      this.error(type.at, (error as Error).message)
      return undefined
    }
  }

  /** A checked cast of a node. */
  cast(value: Node, type: Form | undefined, what: string): Node {
    const validator = type === undefined ? undefined : this.validator(type)
    if (type === undefined || validator === undefined) return value
    return support("cast", [value, constant(validator), constant(what)], type.at)
  }

  noteDefinition(name: string, node: FunctionNode | undefined): void {
    this.engine.cell(name).definitions.push(node)
  }

  /** What a definition further down will take, for calls that stand before it. */
  noteArity(name: string, about: { readonly minimum: number; readonly maximum: number }): void {
    this.definedArity.set(name, this.definedArity.has(name) ? undefined : about)
  }
}

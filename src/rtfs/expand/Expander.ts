import { definedNames, specialNames } from "../analyze/index.ts"
import type { Engine } from "../Engine.ts"
import { type Diagnostic, RtfsError } from "../errors.ts"
import { type Form, list, type ListForm, vector } from "../Form.ts"
import { defaultLimits } from "../Meter.ts"
import type { Position } from "../Position.ts"
import { diagnosticsError } from "../Reader.ts"
import { bindingForm } from "./bindingForms.ts"
import { isLowered, lower } from "./lowering.ts"
import { definesFunction, MacroRunner } from "./Macro.ts"
import { Names } from "./Names.ts"

const maximumExpansions = 10_000
const maximumDepth = 500

/** Replaces macro calls, `->` and the stream forms by what they stand for. One for each evaluator: macros stay defined. */
export class Expander {
  private readonly engine: Engine | undefined
  private readonly runner: MacroRunner
  private readonly top = new Names(undefined)
  private globals: ReadonlySet<string> = new Set()
  private forms: ReadonlyArray<Form> = []
  private used: ReadonlySet<string> | undefined
  private diagnostics: Array<Diagnostic> = []
  private expansions = 0
  private depth = 0
  private fresh = 0

  constructor(engine?: Engine) {
    this.engine = engine
    this.runner = new MacroRunner(engine?.limits ?? defaultLimits)
  }

  /** Expands the forms of a program in order. **Fails** with all that is wrong. */
  expandProgram(forms: ReadonlyArray<Form>): ReadonlyArray<Form> {
    const { forms: expanded, diagnostics } = this.expandAll(forms)
    if (diagnostics.length > 0) throw diagnosticsError(diagnostics)
    return expanded
  }

  /** Expands the forms of a program in order; what fails stays as it was and is reported. */
  expandAll(forms: ReadonlyArray<Form>): { readonly forms: ReadonlyArray<Form>; readonly diagnostics: ReadonlyArray<Diagnostic> } {
    this.globals = new Set(definedNames(forms))
    this.forms = forms
    this.used = undefined
    this.diagnostics = []
    this.expansions = 0
    this.runner.begin()
    for (const name of this.globals) this.top.define(name, undefined)
    return { forms: forms.flatMap((form) => this.topForm(form)), diagnostics: this.diagnostics }
  }

  private topForm(form: Form): ReadonlyArray<Form> {
    // Most forms hold nothing to replace; looking is ten times faster than rebuilding them.
    const expanded = this.concerns(form) ? this.expand(form, this.top) : form
    if (expanded === undefined) return []
    if (definesFunction(expanded)) this.runner.note(expanded)
    return [expanded]
  }

  /** Whether a form holds a head that may stand for something else. */
  private concerns(form: Form): boolean {
    switch (form.kind) {
      case "list": {
        const head = form.items[0]
        if (head?.kind === "symbol" && (head.name === "defmacro" || isLowered(head.name) || this.top.macro(head.name) !== undefined))
          return true
        return form.items.some((item) => this.concerns(item))
      }
      case "vector":
      case "brace":
        return form.items.some((item) => this.concerns(item))
      case "meta":
        return this.concerns(form.form) || this.concerns(form.entries)
      default:
        return false
    }
  }

  /** Whether the program gives a name a meaning of its own. */
  private isOwn(name: string, names: Names): boolean {
    if (names.has(name) || this.globals.has(name)) return true
    return this.engine !== undefined && (this.engine.host.globals.has(name) || this.engine.cells.get(name)?.bound === true)
  }

  report(at: Position, message: string): void {
    this.diagnostics.push({ severity: "error", kind: "syntax", type: "syntax-error", message, at })
  }

  /** A symbol that occurs nowhere in the program, for what a lowering has to name. */
  freshName(hint: string): string {
    this.used ??= new Set(this.forms.flatMap((form) => [...symbolsOf(form)]))
    let name: string
    do name = `${hint}--${++this.fresh}`
    while (this.used.has(name))
    return name
  }

  /** The expanded form; undefined for one that leaves nothing behind. */
  expand(form: Form, names: Names): Form | undefined {
    if (this.depth >= maximumDepth) {
      this.report(form.at, `The program is nested more than ${maximumDepth} deep after expansion`)
      return form
    }
    this.depth++
    try {
      return this.expandForm(form, names)
    } catch (error) {
      if (!(error instanceof RtfsError) || error.kind === "limit") throw error
      this.diagnostics.push({
        severity: "error",
        kind: "syntax",
        type: error.type,
        message: error.message,
        at: error.at ?? form.at,
        expected: error.expected,
        suggestion: error.suggestion
      })
      return form
    } finally {
      this.depth--
    }
  }

  items(forms: ReadonlyArray<Form>, names: Names): Array<Form> {
    return forms.flatMap((form) => this.expand(form, names) ?? [])
  }

  private expandForm(form: Form, names: Names): Form | undefined {
    switch (form.kind) {
      case "vector":
        return vector(this.items(form.items, names), form.at)
      case "brace":
        return { ...form, items: this.items(form.items, names) }
      case "meta": {
        const inner = this.expand(form.form, names)
        return inner === undefined
          ? undefined
          : { ...form, entries: { ...form.entries, items: this.items(form.entries.items, names) }, form: inner }
      }
      case "list":
        return this.expandList(form, names)
      default:
        return form
    }
  }

  private expandList(form: ListForm, names: Names): Form | undefined {
    const head = form.items[0]
    if (head?.kind !== "symbol") return list(this.items(form.items, names), form.at)
    const { name } = head
    if (name === "quote") return form
    if (name === "quasiquote" && form.items.length === 2) return list([head, this.expandQuasiquote(form.items[1]!, names, 1)], form.at)
    if (name === "defmacro") return this.defineMacro(form, names)
    if (!specialNames.has(name) || name === "->" || name === "->>") {
      const macro = names.macro(name)
      if (macro !== undefined && !this.isLocalVariable(name, names)) return this.again(form, () => macro(form), names)
      const lowered = this.isOwn(name, names)
        ? undefined
        : lower(form, {
            fresh: (hint) => this.freshName(hint),
            isOwn: (other) => this.isOwn(other, names),
            isLocal: (other) => names.has(other)
          })
      if (lowered !== undefined) return this.again(form, () => lowered, names)
      return list([head, ...this.items(form.items.slice(1), names)], form.at)
    }
    return bindingForm(this, form, name, names) ?? list([head, ...this.items(form.items.slice(1), names)], form.at)
  }

  private isLocalVariable(name: string, names: Names): boolean {
    return names.macro(name) === undefined && names.has(name)
  }

  /** Expands a result again, until no head is left that stands for something else. */
  private again(form: ListForm, next: () => Form, names: Names): Form | undefined {
    if (++this.expansions > maximumExpansions) {
      throw new RtfsError("macro-error", `The program needs more than ${maximumExpansions} expansions. Does a macro expand to itself?`, {
        kind: "limit",
        at: form.at
      })
    }
    return this.expand(next(), names)
  }

  /** Inside a quasiquote only what is unquoted is code. */
  private expandQuasiquote(form: Form, names: Names, level: number): Form {
    switch (form.kind) {
      case "list": {
        const head = form.items[0]
        const name = head?.kind === "symbol" && form.items.length === 2 ? head.name : ""
        if (name === "unquote" || name === "unquote-splicing") {
          const inner = form.items[1]!
          const expanded = level === 1 ? this.expand(inner, names) : this.expandQuasiquote(inner, names, level - 1)
          return expanded === undefined ? form : list([head!, expanded], form.at)
        }
        const deeper = name === "quasiquote" ? level + 1 : level
        return list(
          form.items.map((item) => this.expandQuasiquote(item, names, deeper)),
          form.at
        )
      }
      case "vector":
        return vector(
          form.items.map((item) => this.expandQuasiquote(item, names, level)),
          form.at
        )
      case "brace":
        return { ...form, items: form.items.map((item) => this.expandQuasiquote(item, names, level)) }
      default:
        return form
    }
  }

  private defineMacro(form: ListForm, names: Names): undefined {
    const [name, parameters, ...body] = form.items.slice(1)
    if (name?.kind !== "symbol" || parameters?.kind !== "vector" || body.length === 0) {
      this.report(form.at, "defmacro needs a name, parameters and a body: (defmacro name [form & more] template)")
      return
    }
    if (specialNames.has(name.name)) {
      this.report(form.at, `${name.name} is a special form: it cannot be defined`)
      return
    }
    const inner = names.with([parameters])
    names.define(name.name, this.runner.compile(name.name, parameters, this.items(body, inner), form.at))
  }
}

const symbolsOf = function* (form: Form): Iterable<string> {
  if (form.kind === "symbol") yield form.name
  else if (form.kind === "list" || form.kind === "vector" || form.kind === "brace") for (const item of form.items) yield* symbolsOf(item)
  else if (form.kind === "meta") {
    yield* symbolsOf(form.entries)
    yield* symbolsOf(form.form)
  }
}

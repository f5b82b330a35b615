import { Analyzer } from "../analyze/Analyzer.ts"
import { compileTops } from "../compiler.ts"
import { Engine } from "../Engine.ts"
import { RtfsError } from "../errors.ts"
import { type Form, headName, list, type ListForm, symbol, vector } from "../Form.ts"
import type { Limits } from "../Meter.ts"
import type { Position } from "../Position.ts"
import { asList, formValue, valueForm } from "../quotation.ts"
import { attempting, Log, needsAsync } from "../Log.ts"
import { diagnosticsError } from "../Reader.ts"

/** From the forms of a macro call to the form that takes its place. */
export type Macro = (call: ListForm) => Form

/**
 * Runs the bodies of macros: an evaluation of its own, without a host, on the library and on the functions that the
 * program has defined so far.
 */
export class MacroRunner {
  private readonly engine: Engine
  private readonly pending: Array<Form> = []

  constructor(limits: Limits) {
    const refuse = (): never => {
      throw new RtfsError("macro-error", "A macro cannot call the host: expansion has no effects")
    }
    this.engine = new Engine({ call: refuse, reference: refuse, step: refuse, globals: new Map() }, limits)
  }

  /** Starts the budget of one program. */
  begin(): void {
    this.engine.meter.begin()
  }

  /** Notes a function of the program, for macros after it. Compiled only when a macro is defined. */
  note(definition: Form): void {
    this.pending.push(definition)
  }

  /** Compiles `(defmacro name [parameters] body…)`, its body already expanded. */
  compile(name: string, parameters: Form, body: ReadonlyArray<Form>, at: Position): Macro {
    this.defineHelpers()
    const { fixed, rest } = splitParameters(parameters)
    // The forms behind & come as one list, so that (cons 'do forms) is code again.
    const all = vector(rest === undefined ? fixed : [...fixed, rest], at)
    const run = this.run(list([symbol("fn", at), all, ...body], at)) as (...args: ReadonlyArray<unknown>) => unknown
    return (call) => {
      const args = call.items.slice(1)
      if (args.length < fixed.length || (rest === undefined && args.length > fixed.length)) {
        throw new RtfsError(
          "macro-error",
          `The macro ${name} got ${args.length} forms, expected ${fixed.length}${rest === undefined ? "" : " or more"}`,
          { kind: "syntax", at: call.at }
        )
      }
      const values = args.map(formValue)
      const given = rest === undefined ? values : [...values.slice(0, fixed.length), asList(values.slice(fixed.length))]
      return valueForm(
        this.guarded(name, call.at, () => run(...given)),
        call.at
      )
    }
  }

  private run(form: Form): unknown {
    const program = new Analyzer(this.engine, [form]).program([form])
    if (program.errors.length > 0) throw diagnosticsError(program.errors)
    return attempting(new Log(), compileTops(this.engine, program.tops)[0]!)
  }

  private defineHelpers(): void {
    for (const form of this.pending.splice(0)) {
      try {
        this.run(form)
      } catch {
        // What is wrong with the definition is reported where the program itself is compiled.
      }
    }
  }

  private guarded(name: string, at: Position, expand: () => unknown): unknown {
    try {
      return attempting(new Log(), expand)
    } catch (error) {
      const reason = error === needsAsync ? "it waits for the host" : (error as Error).message
      if (error instanceof RtfsError && error.kind === "limit") {
        error.at ??= at
        throw error
      }
      throw new RtfsError("macro-error", `The macro ${name} failed: ${reason}`, { kind: "syntax", at })
    }
  }
}

const splitParameters = (parameters: Form): { readonly fixed: ReadonlyArray<Form>; readonly rest: Form | undefined } => {
  const items = parameters.kind === "vector" ? parameters.items : []
  const mark = items.findIndex((item) => item.kind === "symbol" && item.name === "&")
  if (mark < 0) return { fixed: items, rest: undefined }
  const rest = items[mark + 1]
  if (rest === undefined || items.length !== mark + 2) {
    throw new RtfsError("syntax-error", "& must be followed by one symbol, at the end of the parameters", {
      kind: "syntax",
      at: items[mark]!.at
    })
  }
  return { fixed: items.slice(0, mark), rest }
}

/** Whether a top-level form defines a function, so that macros after it may call it. */
export const definesFunction = (form: Form): boolean =>
  headName(form) === "defn" || (headName(form) === "def" && form.kind === "list" && headName(form.items[2]) === "fn")

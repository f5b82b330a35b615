import { headName, type ListForm } from "../Form.ts"
import type { CatchSelector, LetBinding, MatchStep, Node } from "../Node.ts"
import type { Analyzer } from "./Analyzer.ts"
import { support } from "./nodes.ts"
import { matchSteps } from "./patterns.ts"
import type { Scope } from "./Scope.ts"
import { parts, type SpecialForm } from "./SpecialForm.ts"

export const throwForm: SpecialForm = (analyzer, form, scope) => {
  const [value, ...more] = parts(form)
  if (value === undefined || more.length > 0) return analyzer.error(form.at, "throw takes one value", { expected: "(throw value)" })
  return support("raise", [analyzer.analyze(value, scope, undefined)], form.at)
}

const classes: Readonly<Record<string, CatchSelector>> = { RuntimeError: "runtime", HostError: "host", ValidationError: "validation" }

export const tryForm: SpecialForm = (analyzer, form, scope) => {
  const items = parts(form)
  const first = items.findIndex((item) => headName(item) === "catch" || headName(item) === "finally")
  if (first < 0) return analyzer.error(form.at, "try needs a catch or a finally", { expected: "(try body… (catch e …) (finally …))" })
  const body = analyzer.body(items.slice(0, first), scope, undefined)
  const catches: Array<{ selector: CatchSelector; binding: LetBinding["binding"]; body: Node }> = []
  let final: Node | undefined
  for (const item of items.slice(first)) {
    if (final !== undefined || item.kind !== "list") {
      analyzer.error(item.at, "Only catch clauses and one finally, in this order, may follow the body of try")
      continue
    }
    if (headName(item) === "finally") final = analyzer.body(item.items.slice(1), scope, undefined)
    else if (headName(item) === "catch") {
      const clause = catchClause(analyzer, item, scope)
      if (clause !== undefined) catches.push(clause)
    } else analyzer.error(item.at, "Only catch clauses and one finally, in this order, may follow the body of try")
  }
  return { op: "try", body, catches, finally: final }
}

const catchClause = (
  analyzer: Analyzer,
  form: ListForm,
  scope: Scope
): { selector: CatchSelector; binding: LetBinding["binding"]; body: Node } | undefined => {
  const [first, second] = parts(form)
  const named = first?.kind === "symbol" && second?.kind === "symbol" && /^[A-Z]/.test(first.name)
  const typed = first?.kind === "keyword"
  const target = named || typed ? second : first
  if (target?.kind !== "symbol") {
    analyzer.error(form.at, "catch needs a name for the error", {
      expected: "(catch e body…), (catch HostError e body…) or (catch :type e body…)"
    })
    return undefined
  }
  const selector: CatchSelector = typed ? { type: first.name } : named && Object.hasOwn(classes, first.name) ? classes[first.name]! : "all"
  const inner = scope.inner()
  const binding = inner.bind(target.name)
  return { selector, binding, body: analyzer.body(form.items.slice(named || typed ? 3 : 2), inner, undefined) }
}

export const matchForm: SpecialForm = (analyzer, form, scope, tail) => {
  const [subject, ...items] = parts(form)
  if (subject === undefined) return analyzer.error(form.at, "match needs a value", { expected: "(match value pattern body …)" })
  const outer = scope.inner()
  const binding = outer.bind("subject", undefined, true)
  const value = analyzer.analyze(subject, scope, undefined)
  const clauses: Array<{ steps: ReadonlyArray<MatchStep>; guard: Node | undefined; body: Node }> = []
  for (let index = 0; index < items.length;) {
    const pattern = items[index]!
    const inner = outer.inner()
    const steps: Array<MatchStep> = []
    matchSteps(analyzer, pattern, binding, inner, steps)
    const guarded = items[index + 1]?.kind === "symbol" && (items[index + 1] as { name: string }).name === "when"
    const body = items[index + (guarded ? 3 : 1)]
    if (body === undefined) return analyzer.error(pattern.at, "This pattern has no body", { expected: "a form after the pattern" })
    const guard = guarded ? analyzer.analyze(items[index + 2]!, inner, undefined) : undefined
    clauses.push({ steps, guard, body: analyzer.analyze(body, inner, tail) })
    index += guarded ? 4 : 2
  }
  return { op: "match", subject: { binding, value }, clauses, at: form.at }
}

import { keyword } from "../../serialization/index.ts"
import type { BraceForm, Form, VectorForm } from "../Form.ts"
import { library } from "../library/index.ts"
import type { Binding, LetBinding, MatchStep, Node } from "../Node.ts"
import type { Analyzer } from "./Analyzer.ts"
import { splitGlued } from "./annotations.ts"
import { constant, support } from "./nodes.ts"
import type { Scope } from "./Scope.ts"

const local = (binding: Binding): Node => ({ op: "local", binding })

/** Appends the steps that bind the names of a pattern to the parts of a value. Missing parts are nil. */
export const destructure = (analyzer: Analyzer, pattern: Form, value: Node, scope: Scope, steps: Array<LetBinding>): void => {
  switch (pattern.kind) {
    case "symbol": {
      const { target, type } = splitGlued(pattern)
      const name = (target as { name: string }).name
      const cast = analyzer.cast(value, type, name)
      steps.push({ binding: scope.bind(name, undefined, name === "_"), value: cast })
      return
    }
    case "vector":
      return destructureVector(analyzer, pattern, value, scope, steps)
    case "brace":
      return destructureMap(analyzer, pattern, value, scope, steps)
    case "meta":
      return destructure(analyzer, pattern.form, value, scope, steps)
    default:
      analyzer.error(pattern.at, "This cannot be bound", { expected: "a symbol, or a pattern such as [a b] or {:keys [a b]}" })
  }
}

const hidden = (scope: Scope, value: Node, steps: Array<LetBinding>): Binding => {
  const binding = scope.bind("part", undefined, true)
  steps.push({ binding, value })
  return binding
}

const bindSymbol = (analyzer: Analyzer, form: Form | undefined, after: Form, value: Node, scope: Scope, steps: Array<LetBinding>): void => {
  if (form?.kind === "symbol") steps.push({ binding: scope.bind(form.name, undefined, form.name === "_"), value })
  else analyzer.error(after.at, "& and :as must be followed by a plain symbol")
}

const isRest = (form: Form): boolean => form.kind === "symbol" && form.name === "&"
const isAs = (form: Form): boolean => form.kind === "keyword" && form.name === "as"

const destructureVector = (analyzer: Analyzer, pattern: VectorForm, value: Node, scope: Scope, steps: Array<LetBinding>): void => {
  const { items, at } = pattern
  const row = hidden(scope, support("row", [value], at), steps)
  for (let index = 0, position = 0; index < items.length; index++) {
    const item = items[index]!
    if (isRest(item)) bindSymbol(analyzer, items[++index], item, support("partsFrom", [local(row), constant(position)], at), scope, steps)
    else if (isAs(item)) bindSymbol(analyzer, items[++index], item, local(row), scope, steps)
    else destructure(analyzer, item, support("part", [local(row), constant(position++)], at), scope, steps)
  }
}

const destructureMap = (analyzer: Analyzer, pattern: BraceForm, value: Node, scope: Scope, steps: Array<LetBinding>): void => {
  const { items, at } = pattern
  const map = hidden(scope, support("mapping", [value], at), steps)
  const part = (key: unknown): Node => support("mapPart", [local(map), constant(key)], at)
  const keys: Array<unknown> = []
  for (let index = 0; index < items.length; index++) {
    const item = items[index]!
    const next = items[index + 1]
    if (isRest(item)) {
      bindSymbol(analyzer, next, item, support("partsWithout", [local(map), constant(keys)], at), scope, steps)
      index++
    } else if (isAs(item)) {
      bindSymbol(analyzer, next, item, local(map), scope, steps)
      index++
    } else if (item.kind === "keyword" && item.name === "keys" && next?.kind === "vector") {
      for (const form of next.items) {
        if (form.kind !== "symbol") {
          analyzer.error(form.at, ":keys takes symbols", { expected: "{:keys [a b]}" })
          continue
        }
        const name = (splitGlued(form).target as { name: string }).name
        keys.push(name)
        destructure(analyzer, form, part(name), scope, steps)
      }
      index++
    } else if (item.kind === "symbol") {
      analyzer.error(item.at, "A map pattern has its keys first", { expected: "{:keys [a b]} or {:key pattern}" })
      return
    } else {
      const key = analyzer.mapKey(item)
      keys.push(key)
      if (next === undefined) analyzer.error(item.at, "This key has no pattern", { expected: "a name after the key" })
      // A missing part makes the parts of a nested pattern nil too.
      else if (next.kind === "vector" || next.kind === "brace") destructure(analyzer, next, orEmpty(part(key), next), scope, steps)
      else destructure(analyzer, next, part(key), scope, steps)
      index++
    }
  }
}

const orEmpty = (value: Node, pattern: Form): Node => ({
  op: "or",
  items: [value, pattern.kind === "vector" ? { op: "vector", items: [] } : { op: "map", keys: [], items: [] }]
})

/** The steps that test a value against a pattern of `match`, and bind the names in it. */
export const matchSteps = (analyzer: Analyzer, pattern: Form, subject: Binding, scope: Scope, steps: Array<MatchStep>): void => {
  const value = local(subject)
  switch (pattern.kind) {
    case "symbol":
      if (pattern.name !== "_") steps.push({ binding: scope.bind(pattern.name), value })
      return
    case "literal":
      steps.push({ test: analyzer.builtinNode(library.get("=")!, [value, constant(pattern.value)], pattern.at, scope) })
      return
    case "keyword":
      steps.push({ test: analyzer.builtinNode(library.get("=")!, [value, constant(keyword(pattern.name))], pattern.at, scope) })
      return
    case "vector":
      return matchVector(analyzer, pattern, subject, scope, steps)
    case "brace":
      return matchMap(analyzer, pattern, subject, scope, steps)
    case "list":
      if (pattern.items.length === 2 && pattern.items[0]?.kind === "symbol" && pattern.items[0].name === "quote") {
        steps.push({ test: analyzer.builtinNode(library.get("=")!, [value, analyzer.quoted(pattern.items[1]!)], pattern.at, scope) })
        return
      }
      analyzer.error(pattern.at, "This is no pattern", { expected: "a literal, a name, [a & rest] or {:key pattern}" })
      return
    default:
      analyzer.error(pattern.at, "This is no pattern", { expected: "a literal, a name, [a & rest] or {:key pattern}" })
  }
}

const hiddenPart = (scope: Scope, value: Node, steps: Array<MatchStep>): Binding => {
  const binding = scope.bind("part", undefined, true)
  steps.push({ binding, value })
  return binding
}

const matchVector = (analyzer: Analyzer, pattern: VectorForm, subject: Binding, scope: Scope, steps: Array<MatchStep>): void => {
  const { items, at } = pattern
  const rest = items.findIndex(isRest)
  const fixed = rest < 0 ? items : items.slice(0, rest)
  steps.push({ test: support("isRow", [local(subject), constant(fixed.length), constant(rest < 0)], at) })
  fixed.forEach((item, index) => {
    matchSteps(analyzer, item, hiddenPart(scope, support("part", [local(subject), constant(index)], at), steps), scope, steps)
  })
  if (rest < 0) return
  const target = items[rest + 1]
  if (target?.kind !== "symbol" || rest + 2 !== items.length)
    analyzer.error(items[rest]!.at, "& must be followed by one symbol, at the end of the pattern")
  else if (target.name !== "_")
    steps.push({ binding: scope.bind(target.name), value: support("partsFrom", [local(subject), constant(fixed.length)], at) })
}

const matchMap = (analyzer: Analyzer, pattern: BraceForm, subject: Binding, scope: Scope, steps: Array<MatchStep>): void => {
  const { items, at } = pattern
  const rest = items.findIndex(isRest)
  const fixed = rest < 0 ? items : items.slice(0, rest)
  if (fixed.length % 2 !== 0) {
    analyzer.error(at, "A map pattern needs a pattern for each key")
    return
  }
  const keys: Array<unknown> = []
  for (let index = 0; index < fixed.length; index += 2) keys.push(analyzer.mapKey(fixed[index]!))
  // Without & rest a map pattern is closed: no other keys.
  steps.push({ test: support("isMapping", [local(subject), constant(new Set(keys).size), constant(rest < 0)], at) })
  keys.forEach((key, index) => {
    steps.push({ test: support("hasPart", [local(subject), constant(key)], at) })
    matchSteps(
      analyzer,
      fixed[index * 2 + 1]!,
      hiddenPart(scope, support("mapPart", [local(subject), constant(key)], at), steps),
      scope,
      steps
    )
  })
  if (rest < 0) return
  const target = items[rest + 1]
  if (target?.kind !== "symbol" || rest + 2 !== items.length)
    analyzer.error(items[rest]!.at, "& must be followed by one symbol, at the end of the pattern")
  else if (target.name !== "_")
    steps.push({ binding: scope.bind(target.name), value: support("partsWithout", [local(subject), constant(keys)], at) })
}

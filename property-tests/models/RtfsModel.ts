import { type Form, readForms } from "../../src/rtfs/index.ts"

/**
 * A reference for the core of RTFS: walks the forms, knows one kind of number (the bigint) and one kind of map, performs
 * host functions as it meets them. It shares the reader with the implementation and nothing else.
 *
 * Covers integers, strings, keywords, booleans, nil, vectors, maps with keyword keys, `let fn if cond and or do loop recur
 * try throw match for -> def defn`, closures, and the functions in `library`.
 */
export interface ModelOutcome {
  /** The printed value, or `!type` for a failure that nobody caught. */
  readonly text: string
  /** What host functions were called with, in order. */
  readonly effects: ReadonlyArray<string>
}

type Value = null | boolean | bigint | string | Named | Caught | ReadonlyArray<Value> | Map<string, Value> | Callable
type Callable = (args: ReadonlyArray<Value>) => Value

class Named {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

/** A failure of evaluation as `catch` binds it. Its message is nothing the model knows. */
class Caught {
  readonly type: string
  constructor(type: string) {
    this.type = type
  }
}

/** The program does something of which the model knows no outcome. */
export class BeyondModel extends Error {}

class Failure {
  readonly type: string
  readonly payload: Value | undefined
  constructor(type: string, payload?: Value) {
    this.type = type
    this.payload = payload
  }
}

class Recur {
  readonly values: ReadonlyArray<Value>
  constructor(values: ReadonlyArray<Value>) {
    this.values = values
  }
}

const beyond = (): never => {
  throw new BeyondModel()
}

const fail = (type: string): never => {
  throw new Failure(type)
}

const show = (value: Value): string => {
  if (value === null) return "nil"
  if (typeof value === "string") return `"${value}"`
  if (typeof value === "function") return "#<function>"
  if (value instanceof Named) return `:${value.name}`
  if (value instanceof Caught) return "#<error>"
  if (value instanceof Map) return `{${[...value].map(([key, item]) => `:${key} ${show(item)}`).join(", ")}}`
  return Array.isArray(value) ? `[${value.map(show).join(" ")}]` : String(value)
}

const same = (a: Value, b: Value): boolean => {
  if (a instanceof Caught && b instanceof Caught) throw new BeyondModel()
  if (a instanceof Named) return b instanceof Named && a.name === b.name
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, index) => same(item, b[index] as Value))
  if (a instanceof Map) return b instanceof Map && a.size === b.size && [...a].every(([key, item]) => b.has(key) && same(item, b.get(key)!))
  return a === b
}

const truthy = (value: Value): boolean => value !== null && value !== false
const integer = (value: Value | undefined): bigint => (typeof value === "bigint" ? value : fail("type-error"))
const row = (value: Value | undefined): ReadonlyArray<Value> => (Array.isArray(value) ? value : fail("type-error"))
/** Strings go as their characters. */
const sequence = (value: Value | undefined): ReadonlyArray<Value> => (typeof value === "string" ? [...value] : row(value))
const arity = (args: ReadonlyArray<Value>, least: number, most = least): void => {
  if (args.length < least || args.length > most) fail("arity-error")
}

const apply = (callee: Value, args: ReadonlyArray<Value>): Value => {
  if (typeof callee === "function") return callee(args)
  if (!(callee instanceof Named)) return fail("not-callable")
  const [map, otherwise = null] = args
  if (map === null) return otherwise
  if (map instanceof Caught) return otherwise
  return map instanceof Map ? (map.has(callee.name) ? map.get(callee.name)! : otherwise) : fail("type-error")
}

const fold =
  (operate: (a: bigint, b: bigint) => bigint): Callable =>
  (args) => {
    arity(args, 1, Infinity)
    return args.map(integer).reduce(operate)
  }

const compare =
  (test: (a: bigint, b: bigint) => boolean): Callable =>
  (args) => {
    arity(args, 2)
    // Strings compare too, but generated programs do not get that right often enough to matter.
    if (args.every((arg) => typeof arg === "string")) return test(args[0]! < args[1]! ? -1n : args[0] === args[1] ? 0n : 1n, 0n)
    return test(integer(args[0]), integer(args[1]))
  }

const library: Readonly<Record<string, Callable>> = {
  "+": fold((a, b) => a + b),
  "*": fold((a, b) => a * b),
  "-": (args) => (args.length === 1 ? -integer(args[0]) : fold((a, b) => a - b)(args)),
  inc: (args) => (arity(args, 1), integer(args[0]) + 1n),
  dec: (args) => (arity(args, 1), integer(args[0]) - 1n),
  mod: (args) => {
    arity(args, 2)
    const [a, b] = args.map(integer) as [bigint, bigint]
    return b === 0n ? fail("division-by-zero") : a % b
  },
  "<": compare((a, b) => a < b),
  ">=": compare((a, b) => a >= b),
  "=": (args) => (arity(args, 1, Infinity), args.slice(1).every((arg) => same(arg, args[0]!))),
  not: (args) => (arity(args, 1), !truthy(args[0]!)),
  count: ([value]) =>
    value instanceof Map ? BigInt(value.size) : typeof value === "string" ? BigInt([...value].length) : BigInt(row(value).length),
  first: ([value]) => (typeof value === "string" ? ([...value][0] ?? null) : (row(value)[0] ?? null)),
  rest: ([value]) => sequence(value).slice(1),
  conj: ([target, ...items]) => [...row(target), ...items],
  get: ([target, key, otherwise = null]) => {
    if (target instanceof Caught) return otherwise
    if (target instanceof Map) return key instanceof Named ? (target.has(key.name) ? target.get(key.name)! : otherwise) : otherwise
    const items = row(target)
    const index = Number(integer(key))
    return index >= 0 && index < items.length ? items[index]! : otherwise
  },
  assoc: ([target, key, value]) => {
    if (target instanceof Map) return key instanceof Named ? new Map(target).set(key.name, value!) : beyond()
    const items = row(target)
    const index = Number(integer(key))
    return index >= 0 && index < items.length ? items.with(index, value!) : fail("index-out-of-bounds")
  },
  map: ([f, items]) => sequence(items).map((item) => apply(f!, [item])),
  filter: ([f, items]) => sequence(items).filter((item) => truthy(apply(f!, [item]))),
  reduce: ([f, start, items]) => sequence(items).reduce<Value>((acc, item) => apply(f!, [acc, item]), start!),
  str: (args) => args.map((arg) => (typeof arg === "string" ? arg : show(arg))).join("")
}

class Scope {
  readonly names = new Map<string, Value>()
  readonly parent: Scope | undefined
  constructor(parent?: Scope) {
    this.parent = parent
  }
  get(name: string): Value | undefined {
    return this.names.has(name) ? this.names.get(name)! : this.parent?.get(name)
  }
}

const bind = (pattern: Form, value: Value, scope: Scope): void => {
  if (pattern.kind === "symbol") scope.names.set(pattern.name, value)
  else if (pattern.kind === "vector") {
    const items = row(value)
    pattern.items.forEach((item, index) => bind(item, items[index] ?? null, scope))
  } else if (pattern.kind === "brace") {
    if (!(value instanceof Map || value instanceof Caught)) fail("type-error")
    const map = value instanceof Map ? value : new Map<string, Value>()
    for (const name of (pattern.items[1] as { items: ReadonlyArray<{ name: string }> }).items)
      scope.names.set(name.name, map.get(name.name) ?? null)
  }
}

const body = (forms: ReadonlyArray<Form>, scope: Scope): Value => forms.reduce<Value>((_, form) => evaluate(form, scope), null)

const makeFunction = (parameters: Form, forms: ReadonlyArray<Form>, scope: Scope): Callable => {
  const { items } = parameters as { items: ReadonlyArray<Form> }
  return (args) => {
    if (args.length !== items.length) fail("arity-error")
    for (let values = args; ;) {
      const inner = new Scope(scope)
      items.forEach((item, index) => bind(item, values[index]!, inner))
      const result = body(forms, inner) as Value | Recur
      if (!(result instanceof Recur)) return result
      values = result.values
    }
  }
}

const special: Readonly<Record<string, (args: ReadonlyArray<Form>, scope: Scope) => Value>> = {
  do: body,
  if: ([test, then, otherwise], scope) =>
    truthy(evaluate(test!, scope)) ? evaluate(then!, scope) : otherwise === undefined ? null : evaluate(otherwise, scope),
  cond: (clauses, scope) => {
    for (let index = 0; index < clauses.length; index += 2)
      if (truthy(evaluate(clauses[index]!, scope))) return evaluate(clauses[index + 1]!, scope)
    return null
  },
  and: (items, scope) => {
    let value: Value = true
    for (const item of items) if (!truthy((value = evaluate(item, scope)))) return value
    return value
  },
  or: (items, scope) => {
    let value: Value = false
    for (const item of items) if (truthy((value = evaluate(item, scope)))) return value
    return value
  },
  let: ([bindings, ...forms], scope) => {
    const inner = new Scope(scope)
    const { items } = bindings as { items: ReadonlyArray<Form> }
    let current = inner
    for (let index = 0; index < items.length; index += 2) {
      const value = evaluate(items[index + 1]!, current)
      current = new Scope(current)
      bind(items[index]!, value, current)
    }
    return body(forms, current)
  },
  fn: ([parameters, ...forms], scope) => makeFunction(parameters!, forms, scope),
  def: ([name, value], scope) => {
    const result = evaluate(value!, scope)
    scope.names.set((name as { name: string }).name, result)
    return result
  },
  defn: ([name, parameters, ...forms], scope) => {
    const result = makeFunction(parameters!, forms, scope)
    scope.names.set((name as { name: string }).name, result)
    return result
  },
  loop: ([bindings, ...forms], scope) => {
    const { items } = bindings as { items: ReadonlyArray<Form> }
    const names = items.filter((_, index) => index % 2 === 0)
    let start = new Scope(scope)
    items.forEach((item, index) => {
      if (index % 2 === 1) return
      const value = evaluate(items[index + 1]!, start)
      start = new Scope(start)
      bind(item, value, start)
    })
    for (let inner = start; ;) {
      const result = body(forms, inner) as Value | Recur
      if (!(result instanceof Recur)) return result
      inner = new Scope(scope)
      names.forEach((name, index) => bind(name, result.values[index]!, inner))
    }
  },
  recur: (items, scope) => new Recur(items.map((item) => evaluate(item, scope))) as unknown as Value,
  for: ([bindings, ...forms], scope) => {
    const [name, items] = (bindings as { items: ReadonlyArray<Form> }).items
    return row(evaluate(items!, scope)).map((item) => {
      const inner = new Scope(scope)
      bind(name!, item, inner)
      return body(forms, inner)
    })
  },
  throw: ([value], scope) => {
    const thrown = evaluate(value!, scope)
    throw thrown instanceof Caught ? new Failure(thrown.type) : new Failure("thrown", thrown)
  },
  try: (forms, scope) => {
    const clause = (head: string) =>
      forms.find((form) => form.kind === "list" && (form.items[0] as { name?: string }).name === head) as
        | { items: ReadonlyArray<Form> }
        | undefined
    const [handler, last] = [clause("catch"), clause("finally")]
    const run = (): Value => {
      try {
        return body(
          forms.filter((form) => form !== (handler as unknown) && form !== (last as unknown)),
          scope
        )
      } catch (error) {
        if (!(error instanceof Failure) || handler === undefined) throw error
        const inner = new Scope(scope)
        inner.names.set((handler.items[1] as { name: string }).name, error.payload === undefined ? new Caught(error.type) : error.payload)
        return body(handler.items.slice(2), inner)
      }
    }
    let value: Value
    try {
      value = run()
    } catch (error) {
      if (error instanceof Failure && last !== undefined) body(last.items.slice(1), scope)
      throw error
    }
    if (last !== undefined) body(last.items.slice(1), scope)
    return value
  },
  match: ([subject, ...clauses], scope) => {
    const value = evaluate(subject!, scope)
    for (let index = 0; index < clauses.length; index += 2) {
      const inner = new Scope(scope)
      if (matches(clauses[index]!, value, inner)) return evaluate(clauses[index + 1]!, inner)
    }
    return fail("match-error")
  }
}

const matches = (pattern: Form, value: Value, scope: Scope): boolean => {
  switch (pattern.kind) {
    case "symbol":
      if (pattern.name !== "_") scope.names.set(pattern.name, value)
      return true
    case "vector":
      return (
        Array.isArray(value)
        && value.length === pattern.items.length
        && pattern.items.every((item, index) => matches(item, value[index] as Value, scope))
      )
    case "brace":
      return (
        value instanceof Map
        && value.size === pattern.items.length / 2
        && pattern.items.every(
          (item, index) =>
            index % 2 === 1
            || (value.has((item as { name: string }).name)
              && matches(pattern.items[index + 1]!, value.get((item as { name: string }).name)!, scope))
        )
      )
    default:
      return same(evaluate(pattern, scope), value)
  }
}

const evaluate = (form: Form, scope: Scope): Value => {
  switch (form.kind) {
    case "literal":
      return typeof form.value === "number" ? BigInt(form.value) : (form.value as Value)
    case "keyword":
      return new Named(form.name)
    case "symbol":
      return (
        scope.get(form.name)
        ?? (scope.get(form.name) === null ? null : Object.hasOwn(library, form.name) ? library[form.name]! : fail("undefined-symbol"))
      )
    case "vector":
      return form.items.map((item) => evaluate(item, scope))
    case "brace": {
      const map = new Map<string, Value>()
      for (let index = 0; index < form.items.length; index += 2)
        map.set((form.items[index] as { name: string }).name, evaluate(form.items[index + 1]!, scope))
      return map
    }
    case "list": {
      const [head, ...args] = form.items
      if (head?.kind === "symbol" && Object.hasOwn(special, head.name)) return special[head.name]!(args, scope)
      const callee = evaluate(head!, scope)
      return apply(
        callee,
        args.map((arg) => evaluate(arg, scope))
      )
    }
    default:
      throw new Error(`The model has no ${form.kind}`)
  }
}

/** Evaluates a program. Its host has `tick` (adds one, as an effect) and `refuse` (fails). */
export const evaluateModel = (source: string): ModelOutcome => {
  const effects: Array<string> = []
  const scope = new Scope()
  scope.names.set("tick", ([value]) => {
    effects.push(show(value ?? null))
    return typeof value === "bigint" ? value + 1n : (value ?? null)
  })
  scope.names.set("refuse", ([value]) => {
    effects.push(`refuse ${show(value ?? null)}`)
    return fail("host-error")
  })
  try {
    return { text: show(body(readForms(source), scope)), effects }
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    return { text: `!${error.type}`, effects }
  }
}

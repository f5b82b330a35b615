import { type Keyword, isKeyword } from "../../serialization/index.ts"
import { isPlainKey } from "../maps.ts"
import { library } from "../library/index.ts"
import type { Node } from "../Node.ts"
import type { Position } from "../Position.ts"
import type { ExpressionEmitter } from "./ExpressionEmitter.ts"

/**
 * Library functions as text in place: `typeof` guards and the plain operation, the runtime only where a guard fails.
 *
 * This is what makes an RTFS lambda about as fast as one of JavaScript; a shared runtime function per operation would
 * see the shapes of all programs and be several times slower.
 */
// Whatever decides that there is no inline text comes first: an argument must be generated once only.
type Inline = (emitter: ExpressionEmitter, items: ReadonlyArray<Node>, at: Position) => string | undefined

/**
 * Whether a result of exact integers is one: beyond 2^53 the runtime decides. Small integers are asked for first; the
 * engine then keeps them as such and needs no boxed number.
 */
const exact = (name: string): string => `(${name}|0)===${name}||${name}<=9007199254740991&&${name}>=-9007199254740991`

const isNumber = (node: Node): node is Node & { op: "constant"; value: number } => node.op === "constant" && typeof node.value === "number"

const guard = (node: Node, code: string): string => (isNumber(node) ? "" : `typeof ${code}==="number"&&`)

/** `a op b`; the runtime function does what numbers cannot. */
const arithmetic = (
  emitter: ExpressionEmitter,
  operator: string,
  slow: "add" | "subtract" | "multiply",
  a: Node,
  b: Node,
  at: Position,
  name?: string
): string => {
  const left = emitter.atom(a)
  const right = emitter.atom(b)
  const result = emitter.temporary()
  // Adding zero turns -0 into 0: no arithmetic gives -0.
  const plain = operator === "*" ? `${left.code}*${right.code}+0` : `${left.code}${operator}${right.code}`
  const label = name === undefined ? [] : [JSON.stringify(name)]
  return (
    `(${left.first}${right.first}${guard(a, left.code)}${guard(b, right.code)}(${result}=${plain},${exact(result)})?${result}:`
    + `${emitter.step(at, emitter.support(slow), [emitter.module.meterName, left.code, right.code, ...label])})`
  )
}

const folded =
  (operator: string, slow: "add" | "subtract" | "multiply"): Inline =>
  (emitter, items, at) => {
    if (items.length < 2) return undefined
    return items.slice(1).reduce<{ node: Node; code: string }>(
      (left, right) => {
        const code = arithmetic(emitter, operator, slow, left.node, right, at)
        return { node: raw(code), code }
      },
      { node: items[0]!, code: "" }
    ).code
  }

/** Text of ours in the place of a node. */
const raw = (code: string): Node => ({ op: "raw", code }) as unknown as Node

const number = (value: number): Node => ({ op: "constant", value })

const comparison =
  (operator: string): Inline =>
  (emitter, [a, b], at) => {
    const counted = countAgainstZero(emitter, operator, a!, b!)
    if (counted !== undefined) return counted
    const left = emitter.atom(a!)
    const right = emitter.atom(b!)
    return (
      `(${left.first}${right.first}${(guard(a!, left.code) + guard(b!, right.code)).slice(0, -2) || "true"}`
      + `?${left.code}${operator}${right.code}:${emitter.step(at, emitter.support("order"), [JSON.stringify(operator), left.code, right.code])}${operator}0)`
    )
  }

/** `(> (count s) 0)` and its like need no counting of characters. */
const countAgainstZero = (emitter: ExpressionEmitter, operator: string, a: Node, b: Node): string | undefined => {
  if (a.op !== "builtin-call" || a.builtin.name !== "count" || !isNumber(b) || b.value !== 0 || a.items[0]!.op === "constant")
    return undefined
  const subject = emitter.atom(a.items[0]!)
  return `(${subject.first}(typeof ${subject.code}==="string"||Array.isArray(${subject.code})?${subject.code}.length:${count(emitter, subject.code, a.at)})${operator}0)`
}

const count = (emitter: ExpressionEmitter, code: string, at: Position): string =>
  emitter.step(at, run(emitter, "count"), [emitter.module.engineName, code])

const equality = (emitter: ExpressionEmitter, a: Node, b: Node, at: Position): string => {
  if (a.op === "constant" && b.op !== "constant") return equality(emitter, b, a, at)
  if (b.op === "constant") {
    const subject = emitter.atom(a)
    if (b.value === null) return `(${subject.first}${subject.code}==null)`
    const simple =
      typeof b.value === "string" || typeof b.value === "boolean" || (typeof b.value === "number" && Number.isSafeInteger(b.value))
    // Keywords are interned.
    if (simple || isKeyword(b.value)) return `(${subject.first}${subject.code}===${emitter.module.constant(b.value)})`
  }
  const left = emitter.atom(a)
  const right = emitter.atom(b)
  return (
    `(${left.first}${right.first}${left.code}===${right.code}&&typeof ${left.code}!=="object"||(typeof ${left.code}==="object"||typeof ${left.code}==="bigint"||typeof ${right.code}==="bigint")&&`
    + `${emitter.step(at, emitter.support("equal"), [emitter.module.meterName, left.code, right.code])})`
  )
}

/** One argument, a JavaScript test of it. */
const predicate =
  (build: (code: string) => string): Inline =>
  (emitter, [a]) => {
    const subject = emitter.atom(a!)
    return `(${subject.first}${build(subject.code)})`
  }

/** One number, a JavaScript test of it; anything else goes to the library. */
const numeric =
  (build: (code: string) => string, name: string, whole = false): Inline =>
  (emitter, [a], at) => {
    const subject = emitter.atom(a!)
    return `(${subject.first}${whole ? `Number.isInteger(${subject.code})` : `typeof ${subject.code}==="number"`}?${build(subject.code)}:${emitter.step(at, run(emitter, name), [emitter.module.engineName, subject.code])})`
  }

const run = (emitter: ExpressionEmitter, name: string): string => emitter.module.constant(library.get(name)!.run)

const inlines: Readonly<Record<string, Inline>> = {
  "+": folded("+", "add"),
  "*": folded("*", "multiply"),
  "-": (emitter, items, at) =>
    items.length === 1 ? arithmetic(emitter, "-", "subtract", number(0), items[0]!, at) : folded("-", "subtract")(emitter, items, at),
  inc: (emitter, [a], at) => arithmetic(emitter, "+", "add", a!, number(1), at, "inc"),
  dec: (emitter, [a], at) => arithmetic(emitter, "-", "subtract", a!, number(1), at, "dec"),
  mod: (emitter, [a, b], at) => {
    const left = emitter.atom(a!)
    const right = emitter.atom(b!)
    const result = emitter.temporary()
    const slow = emitter.step(at, emitter.support("remainder"), [emitter.module.meterName, left.code, right.code])
    // NaN, from a division by zero or an infinity, is not equal to itself and goes to the runtime.
    return `(${left.first}${right.first}${guard(a!, left.code)}${guard(b!, right.code)}(${result}=${left.code}%${right.code}+0)===${result}?${result}:${slow})`
  },
  "/": (emitter, items, at) => {
    if (items.length !== 2) return undefined
    const left = emitter.atom(items[0]!)
    const right = emitter.atom(items[1]!)
    const slow = emitter.step(at, emitter.support("divide"), [emitter.module.meterName, left.code, right.code])
    return `(${left.first}${right.first}${guard(items[0]!, left.code)}${guard(items[1]!, right.code)}${right.code}!==0?${left.code}/${right.code}+0:${slow})`
  },
  "<": comparison("<"),
  ">": comparison(">"),
  "<=": comparison("<="),
  ">=": comparison(">="),
  "=": (emitter, items, at) => (items.length === 2 ? equality(emitter, items[0]!, items[1]!, at) : undefined),
  "!=": (emitter, [a, b], at) => `(!${equality(emitter, a!, b!, at)})`,
  "not=": (emitter, [a, b], at) => `(!${equality(emitter, a!, b!, at)})`,
  not: (emitter, [a]) => `(!${emitter.test(a!)})`,
  "nil?": predicate((code) => `${code}==null`),
  "string?": predicate((code) => `typeof ${code}==="string"`),
  "number?": predicate((code) => `(typeof ${code}==="number"||typeof ${code}==="bigint")`),
  "bool?": predicate((code) => `typeof ${code}==="boolean"`),
  "vector?": predicate((code) => `Array.isArray(${code})`),
  "zero?": numeric((code) => `${code}===0`, "zero?"),
  "pos?": numeric((code) => `${code}>0`, "pos?"),
  "neg?": numeric((code) => `${code}<0`, "neg?"),
  "even?": numeric((code) => `${code}%2===0`, "even?", true),
  "odd?": numeric((code) => `${code}%2!==0`, "odd?", true),
  count: (emitter, [a], at) => {
    if (a!.op === "constant") return undefined
    const subject = emitter.atom(a!)
    return `(${subject.first}Array.isArray(${subject.code})?${subject.code}.length:${count(emitter, subject.code, at)})`
  },
  get: (emitter, items, at) => {
    const key = items[1]!
    // A keyword that is a constant: as the keyword in front, except that nil is an error here.
    if (key.op !== "constant" || !isKeyword(key.value) || items[0]!.op === "constant") return undefined
    const { name } = key.value as Keyword
    if (!isSafeProperty(name)) return undefined
    const subject = emitter.atom(items[0]!)
    const rest = items[2] === undefined ? { first: "", code: "null" } : emitter.atom(items[2])
    const found = emitter.temporary()
    return (
      `(${subject.first}${rest.first}${subject.code}!=null&&${subject.code}.constructor===Object&&(${found}=${subject.code}[${JSON.stringify(name)}])!==undefined?${found}:`
      + `${emitter.step(at, run(emitter, "get"), [emitter.module.engineName, subject.code, emitter.module.constant(key.value), rest.code])})`
    )
  },
  assoc: (emitter, items, at) => {
    const [target, ...pairs] = items
    if (pairs.length !== 2 || target!.op === "constant") return undefined
    const [key, value] = pairs as [Node, Node]
    const { meterName } = emitter.module
    const name = key.op !== "constant" ? undefined : isKeyword(key.value) ? (key.value as Keyword).name : key.value
    if (typeof name !== "string" || !isSafeProperty(name)) return undefined
    const subject = emitter.atom(target!)
    const part = emitter.atom(value)
    const plain = `{...${subject.code},${JSON.stringify(name)}:${part.code}}`
    const big = emitter.support("bigMap")
    return (
      `(${subject.first}${part.first}${subject.code}!=null&&${subject.code}.constructor===Object&&${subject.code}[${big}]===undefined?${plain}:`
      + `${emitter.step(at, emitter.support("assoc"), [meterName, subject.code, JSON.stringify(name), part.code])})`
    )
  }
}

/** Whether a name is no property that every JavaScript object inherits. */
const isSafeProperty = (name: string): boolean => !(name in Object.prototype) && isPlainKey(name)

const booleans = new Set([
  "<",
  ">",
  "<=",
  ">=",
  "=",
  "!=",
  "not=",
  "not",
  "nil?",
  "string?",
  "number?",
  "bool?",
  "vector?",
  "zero?",
  "pos?",
  "neg?",
  "even?",
  "odd?",
  "int?",
  "float?",
  "keyword?",
  "symbol?",
  "list?",
  "map?",
  "fn?",
  "empty?",
  "contains?",
  "every?",
  "some?",
  "starts-with?",
  "ends-with?",
  "string-contains",
  "string-contains?"
])

/** Whether a library function gives true or false, whatever it is given. */
export const isBooleanBuiltin = (name: string): boolean => booleans.has(name)

/** Whether a library function has a text of its own, which calls the runtime only where a guard fails. */
export const isInlined = (name: string): boolean => Object.hasOwn(inlines, name)

/** The call of a library function as text in place, or undefined where it has none. */
export const inlineBuiltin = (emitter: ExpressionEmitter, name: string, items: ReadonlyArray<Node>, at: Position): string | undefined =>
  Object.hasOwn(inlines, name) ? inlines[name]!(emitter, items, at) : undefined

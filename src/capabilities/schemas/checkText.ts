import type { Check } from "./Check.ts"

/** Writes a check as an expression over `value`, an identifier of ours that is safe to read several times. */
export type CheckText = (value: string, scope: CheckScope) => string

/** What the text of a check may use. No text of a program gets into it: names are ours, literals are encoded, values are bound. */
export interface CheckScope {
  /** An identifier for a value. */
  readonly bind: (value: unknown) => string
  /** An identifier that can be assigned to. */
  readonly local: () => string
  /** The text of a check inside this one. */
  readonly expression: (check: Check, value: string) => string
}

/** A schema that makes more text than this is checked without. */
const longestText = 100_000

/**
 * The test of a check as one function of generated code: reads of known keys, comparisons, no calls in between.
 *
 * @returns `check.test` itself where code can't be made, or would be too long
 *
 * **Cost** some 50 µs once; then a tenth of what the closures cost (`benchmarks/micro-schema.bench.ts`).
 */
export const compileTest = (check: Check): ((value: unknown) => boolean) => {
  if (check.code === undefined) return check.test
  const bound: Array<unknown> = []
  let locals = 0
  const scope: CheckScope = {
    bind: (value) => `b${bound.push(value) - 1}`,
    local: () => `l${locals++}`,
    expression: (inner, value) => inner.code?.(value, scope) ?? `${scope.bind(inner.test)}(${value})`
  }
  const body = check.code("value", scope)
  if (body.length > longestText) return check.test
  const constants = bound.map((_, index) => `const b${index} = b[${index}]`).join("\n")
  const variables = locals === 0 ? "" : `let ${Array.from({ length: locals }, (_, index) => `l${index}`).join(", ")}`
  try {
    return new Function("b", `"use strict"\n${constants}\nreturn (value) => {\n${variables}\nreturn ${body}\n}`)(bound) as (
      value: unknown
    ) => boolean
  } catch (error) {
    // Where a host forbids generated code, or nesting is too deep for the parser.
    if (error instanceof EvalError || error instanceof RangeError) return check.test
    throw error
  }
}

const onPrototype = (name: string): boolean => name in Object.prototype

/**
 * The own property of a plain map: `undefined` where it has none. Names that every object has are looked up with care.
 *
 * @param object an identifier that holds an object whose prototype is `Object.prototype` or null
 */
export const propertyText = (object: string, name: string, scope: CheckScope): string => {
  const key = JSON.stringify(name)
  return onPrototype(name) ? `(${scope.bind(Object.hasOwn)}(${object}, ${key}) ? ${object}[${key}] : undefined)` : `${object}[${key}]`
}

/**
 * Whether a value is a map, and then `inner` for a plain one; a `Map`, whose keys are found differently, takes the slow way.
 *
 * @param slow tests the whole value
 */
export const mapText = (value: string, scope: CheckScope, inner: () => string, slow: (value: never) => boolean): string => {
  const prototype = scope.local()
  const plain = `(${prototype} = ${scope.bind(Object.getPrototypeOf)}(${value})) === ${scope.bind(Object.prototype)} || ${prototype} === null`
  return `(typeof ${value} === "object" && ${value} !== null && (${plain} ? (${inner()}) : ${value} instanceof ${scope.bind(Map)} && ${scope.bind(slow)}(${value})))`
}

import { HostObject, isKeyword, type Keyword, keyword } from "../../serialization/index.ts"
import type { CheckText } from "./checkText.ts"

/** Where in a value: keywords and indexes from its root. */
export type Path = ReadonlyArray<Keyword | number>

/** Told that the value at a place fails a check, and why if that is not its type. */
export type Report = (path: Path, check: Check, value: unknown, reason?: string) => void

/** What a value must be, or a part of what it must be. Its three forms agree on every value. */
export interface Check {
  readonly expected: Keyword | string
  /** Reports all that is wrong with the value. */
  readonly run: (value: unknown, path: Path, report: Report) => void
  /** Whether nothing is. */
  readonly test: (value: unknown) => boolean
  /** The same as the text of an expression, where that is faster. */
  readonly code?: CheckText | undefined
}

/** Whether a value is an RTFS map. Of a map only own properties are looked at. */
export const isObject = (value: unknown): value is Record<string, unknown> | Map<unknown, unknown> => {
  if (typeof value !== "object" || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null || value instanceof Map
}

export const read = (object: Record<string, unknown> | Map<unknown, unknown>, name: string): unknown => {
  if (!(object instanceof Map)) return Object.hasOwn(object, name) ? object[name] : undefined
  return object.has(name) ? object.get(name) : object.get(keyword(name))
}

export const entries = (object: Record<string, unknown> | Map<unknown, unknown>): Array<[unknown, unknown]> =>
  object instanceof Map ? [...object.entries()] : Object.entries(object)

const isInteger = (value: unknown): boolean => typeof value === "bigint" || Number.isInteger(value)

export const isNumeric = (value: unknown): value is number | bigint => typeof value === "bigint" || typeof value === "number"

export const kindOf = (value: unknown): string => {
  if (value === null || value === undefined) return "nil"
  if (isNumeric(value)) return isInteger(value) ? "integer" : "float"
  if (Array.isArray(value)) return "vector"
  if (isKeyword(value)) return "keyword"
  if (isObject(value)) return "map"
  if (value instanceof Date) return "timestamp"
  return typeof value === "object" ? (value instanceof HostObject ? "resource" : "object") : typeof value
}

export const describeValue = (value: unknown): string =>
  typeof value === "string"
    ? JSON.stringify(value.slice(0, 50))
    : isNumeric(value) || typeof value === "boolean" || isKeyword(value)
      ? String(value)
      : kindOf(value)

/** The name of a keyword or symbol. */
export const nameOf = (value: unknown): string | undefined => {
  if (isKeyword(value)) return value.name
  return typeof value === "object" && value !== null && !isObject(value) && typeof (value as { name?: unknown }).name === "string"
    ? (value as { name: string }).name
    : undefined
}

/** The name of a key in a schema. **Fails** for a key that is no keyword, symbol or string. */
export const keyName = (key: unknown): string => {
  const name = typeof key === "string" ? key : nameOf(key)
  if (name === undefined) throw new Error(`${show(key)} cannot be the key of a typed map`)
  return name
}

/** The keyword or index for a key of a value, as part of a path. */
export const step = (key: unknown): Keyword | number => (typeof key === "number" ? key : isKeyword(key) ? key : keyword(String(key)))

/** A type or part of one as text. */
export const show = (type: unknown): string => {
  if (isKeyword(type)) return type.name
  if (Array.isArray(type)) return `[${type.map((part) => (isKeyword(part) ? `:${part.name}` : show(part))).join(" ")}]`
  if (isObject(type))
    return `{${entries(type)
      .map(([key, value]) => `${isKeyword(key) ? `:${key.name}` : String(key)} ${show(value)}`)
      .join(" ")}}`
  if (typeof type === "function") return type.name === "" ? "a function" : type.name
  return typeof type === "string" ? JSON.stringify(type) : String(type)
}

/** What a check expects, as text. */
export const text = (check: Check): string => (typeof check.expected === "string" ? check.expected : check.expected.name)

/** A type with a name and a test. */
export const simple = (name: string, test: (value: unknown) => boolean, code?: CheckText): Check => {
  const check: Check = {
    expected: keyword(name),
    test,
    code,
    run: (value, path, report) => {
      if (!test(value)) report(path, check, value)
    }
  }
  return check
}

/** A check of the whole value, then of its parts. */
export const structured = <Whole>(
  expected: string,
  is: (value: unknown) => boolean,
  parts: {
    readonly run: (value: Whole, path: Path, report: Report) => void
    readonly test: (value: Whole) => boolean
    readonly code?: CheckText | undefined
  }
): Check => {
  const check: Check = {
    expected,
    test: (value) => is(value) && parts.test(value as Whole),
    code: parts.code,
    run: (value, path, report) => {
      if (is(value)) parts.run(value as Whole, path, report)
      else report(path, check, value)
    }
  }
  return check
}

/** A condition whose failure shows the value. */
export const tested = (expected: string, test: (value: unknown) => boolean, code?: CheckText): Check => {
  const check: Check = {
    expected,
    test,
    code,
    run: (value, path, report) => {
      if (!test(value)) report(path, check, value, describeValue(value))
    }
  }
  return check
}

/** The type, or nil. */
export const optional = (check: Check): Check => ({
  expected: `${text(check)}?`,
  test: (value) => value === null || value === undefined || check.test(value),
  code: (value, scope) => `(${value} == null || ${scope.expression(check, value)})`,
  run: (value, path, report) => {
    if (value !== null && value !== undefined) check.run(value, path, report)
  }
})

const timestamp = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$/

const typeofIs =
  (type: string): CheckText =>
  (value) =>
    `typeof ${value} === "${type}"`
const integerText: CheckText = (value, scope) =>
  `(typeof ${value} === "number" ? ${scope.bind(Number.isInteger)}(${value}) : typeof ${value} === "bigint")`
const numberText: CheckText = (value) => `(typeof ${value} === "number" || typeof ${value} === "bigint")`

/** The types that have a name. */
export const primitives: ReadonlyMap<string, Check> = new Map(
  (
    [
      ["int", isInteger, integerText],
      ["integer", isInteger, integerText],
      ["float", isNumeric, numberText],
      ["number", isNumeric, numberText],
      ["string", (value) => typeof value === "string", typeofIs("string")],
      ["bool", (value) => typeof value === "boolean", typeofIs("boolean")],
      ["boolean", (value) => typeof value === "boolean", typeofIs("boolean")],
      ["nil", (value) => value === null || value === undefined, (value) => `${value} == null`],
      ["keyword", isKeyword],
      ["symbol", (value) => kindOf(value) === "object" && typeof (value as { name?: unknown }).name === "string"],
      ["any", () => true, () => "true"],
      ["never", () => false, () => "false"],
      ["map", isObject],
      ["vector", Array.isArray],
      ["list", Array.isArray],
      ["fn", (value) => typeof value === "function"],
      ["function", (value) => typeof value === "function"],
      ["stream", (value) => value instanceof HostObject],
      ["resource", (value) => value instanceof HostObject],
      ["timestamp", (value) => value instanceof Date || (typeof value === "string" && timestamp.test(value))]
    ] satisfies ReadonlyArray<readonly [string, (value: unknown) => boolean, CheckText?]>
  ).map(([name, test, code]) => [name, simple(name, test, code)])
)

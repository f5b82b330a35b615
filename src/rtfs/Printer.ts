import { ErrorValue, HostObject, Keyword, keyword } from "../serialization/index.ts"
import { failure, maximumNesting } from "./errors.ts"
import type { Form } from "./Form.ts"
import { entriesOf, isMap } from "./maps.ts"
import { isKeywordName } from "./Reader.ts"
import { RtfsSymbol } from "./RtfsSymbol.ts"

/** Told how many characters were written since the last time, so that printing large values is paid for. */
export type Charge = (characters: number) => void

/**
 * A value as text that reads back as it, except for functions, streams, errors and other opaque things, which show
 * as `#<…>`.
 */
export const print = (value: unknown, charge?: Charge): string => printAt(value, charge, 0)

/** A value as `str` shows it: strings raw at the top, and integral floats without a point. */
export const toText = (value: unknown, charge?: Charge): string => {
  if (typeof value === "string") {
    charge?.(value.length)
    return value
  }
  return printAt(value, charge, 0)
}

const printAt = (value: unknown, charge: Charge | undefined, depth: number): string => {
  const simple = printSimple(value)
  if (simple !== undefined) {
    charge?.(simple.length)
    return simple
  }
  if (depth > maximumNesting) throw failure.nesting()
  charge?.(2)
  if (Array.isArray(value)) return `[${value.map((item) => printAt(item, charge, depth + 1)).join(" ")}]`
  if (isMap(value)) {
    return `{${entriesOf(value)
      .map(([key, item]) => `${printKey(key, charge, depth)} ${printAt(item, charge, depth + 1)}`)
      .join(", ")}}`
  }
  return printOpaque(value as object)
}

const printKey = (key: unknown, charge: Charge | undefined, depth: number): string =>
  printAt(typeof key === "string" && isKeywordName(key) ? keyword(key) : key, charge, depth + 1)

const printSimple = (value: unknown): string | undefined => {
  switch (typeof value) {
    case "undefined":
      return "nil"
    case "boolean":
      return String(value)
    case "number":
      return printNumber(value)
    case "bigint":
      return value.toString()
    case "string":
      return printString(value)
    case "function":
      return "#<function>"
    default:
  }
  if (value === null) return "nil"
  if (value instanceof Keyword) return isKeywordName(value.name) ? `:${value.name}` : `#<keyword ${printString(value.name)}>`
  return value instanceof RtfsSymbol ? value.name : undefined
}

const printOpaque = (value: object): string => {
  if (value instanceof Error || value instanceof ErrorValue) return `#<error: ${value.message}>`
  if (value instanceof HostObject) return `#<${value.label}>`
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "#<timestamp>" : printString(value.toISOString())
  return value instanceof Uint8Array ? `#<bytes ${value.length}>` : "#<object>"
}

/** Shortest digits that read back as the same number; the reader wants a fraction before an exponent. */
export const printNumber = (value: number): string => {
  if (Object.is(value, -0)) return "-0.0"
  if (value === Infinity) return "##Inf"
  if (value === -Infinity) return "##-Inf"
  if (Number.isNaN(value)) return "##NaN"
  const text = String(value)
  if (text.includes("e")) return text.includes(".") ? text : text.replace("e", ".0e")
  // An integral number this large is a float: as digits alone it would read back as an exact integer.
  return Math.abs(value) > 2 ** 53 ? `${text}.0` : text
}

const printString = (text: string): string => `"${text.replace(/[\\"\n\t\r]/g, (character) => escapes[character]!)}"`

const escapes: Readonly<Record<string, string>> = { "\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r" }

const prefixes: Readonly<Record<string, string>> = { quote: "'", quasiquote: "`", unquote: "~", "unquote-splicing": "~@" }

/** A form as text that reads back as the same form. */
export const printForm = (form: Form): string => {
  switch (form.kind) {
    case "list": {
      const head = form.items[0]
      const prefix =
        form.items.length === 2 && head?.kind === "symbol" && Object.hasOwn(prefixes, head.name) ? prefixes[head.name] : undefined
      return prefix === undefined ? `(${printForms(form.items)})` : prefix + printForm(form.items[1]!)
    }
    case "vector":
      return `[${printForms(form.items)}]`
    case "brace":
      return `{${printForms(form.items)}}`
    case "symbol":
      return form.name
    case "keyword":
      return `:${form.name}`
    case "colon":
      return ":"
    case "meta":
      return `^${printForm(form.entries)} ${printForm(form.form)}`
    case "literal":
      return typeof form.value === "string" ? printString(form.value) : print(form.value)
  }
}

const printForms = (forms: ReadonlyArray<Form>): string => forms.map(printForm).join(" ")

const width = 100

/** A form over several lines where one would be too long: each further part on a line of its own. */
export const layOut = (form: Form, indent = 0): string => {
  const flat = printForm(form)
  if (
    indent + flat.length <= width
    || form.kind === "symbol"
    || form.kind === "literal"
    || form.kind === "keyword"
    || form.kind === "colon"
  )
    return flat
  if (form.kind === "meta") return `^${printForm(form.entries)} ${layOut(form.form, indent)}`
  const [open, close] = form.kind === "list" ? ["(", ")"] : form.kind === "vector" ? ["[", "]"] : ["{", "}"]
  const inner = indent + (form.kind === "list" ? 2 : 1)
  const gap = `\n${" ".repeat(inner)}`
  if (form.kind === "brace" && form.items.length % 2 === 0) {
    const pairs: Array<string> = []
    for (let index = 0; index < form.items.length; index += 2) {
      const key = printForm(form.items[index]!)
      pairs.push(`${key} ${layOut(form.items[index + 1]!, inner + key.length + 1)}`)
    }
    return open + pairs.join(gap) + close
  }
  // The head of a list and what names the thing it defines stay on the first line.
  const first = form.kind === "list" ? headLength(form.items) : 1
  const head = form.items
    .slice(0, first)
    .map((item) => layOut(item, inner))
    .join(" ")
  return open + [head, ...form.items.slice(first).map((item) => layOut(item, inner))].join(gap) + close
}

const headLength = (items: ReadonlyArray<Form>): number => {
  let length = 1
  while (length < items.length && length < 3 && printForm(items[length]!).length < 40) length++
  return length
}

import { failure } from "../errors.ts"
import { print, toText } from "../Printer.ts"
import { compileRegex, type Regex } from "../../capabilities/schemas/index.ts"
import { typeName } from "../typeName.ts"
import { builtin, type Builtin, type Context } from "./Builtin.ts"

/** Pays for a text of that length before it is made. */
export const chargeText = (context: Context, length: number): void => {
  context.meter.charge(1 + (length >> 4))
  context.meter.allocate(length)
}

export const requireString = (name: string, value: unknown): string => {
  if (typeof value !== "string") throw failure.type(`Type error in ${name}: expected string, got ${typeName(value)}`)
  return value
}

/** The characters of a string: code points, a lone surrogate counting as one. */
export const characters = (context: Context, text: string): Array<string> => {
  context.meter.charge(text.length)
  context.meter.allocate(text.length * 16)
  return Array.from(text)
}

const surrogates = /[\ud800-\udfff]/

/** How many characters a string has. */
export const countCharacters = (context: Context, text: string): number => {
  if (text.length > 256) context.meter.charge(text.length >> 4)
  if (!surrogates.test(text)) return text.length
  let count = 0
  for (const _ of text) count++
  return count
}

const str = (context: Context, args: ReadonlyArray<unknown>): string => {
  const charge = (length: number) => chargeText(context, length)
  let text = ""
  for (const arg of args) text += toText(arg, charge)
  return text
}

const index = (name: string, value: unknown): number => {
  if (typeof value !== "number" || !Number.isInteger(value))
    throw failure.type(`Type error in ${name}: expected integer, got ${typeName(value)}`)
  return value
}

const substring = (context: Context, value: unknown, from: unknown, to: unknown): string => {
  const text = requireString("substring", value)
  const length = countCharacters(context, text)
  const start = index("substring", from)
  const end = to === undefined ? length : index("substring", to)
  if (start < 0 || end > length || start > end)
    throw failure.bounds(`substring ${start} to ${end} is out of bounds for a string of ${length} characters`)
  chargeText(context, end - start)
  return length === text.length ? text.slice(start, end) : characters(context, text).slice(start, end).join("")
}

const join =
  (name: string) =>
  (context: Context, separator: unknown, items: unknown): string => {
    const between = requireString(name, separator)
    if (!Array.isArray(items)) throw failure.type(`Type error in ${name}: expected vector, got ${typeName(items)}`)
    const charge = (length: number) => chargeText(context, length)
    charge(between.length * items.length)
    return items.map((item) => toText(item, charge)).join(between)
  }

const split = (context: Context, value: unknown, separator: unknown): Array<string> => {
  const text = requireString("split", value)
  const between = requireString("split", separator)
  context.meter.charge(text.length)
  if (between === "") return characters(context, text)
  context.meter.allocate(text.length * 4)
  return text.split(between)
}

const changed = (name: string, change: (text: string) => string): Builtin =>
  builtin(name, 1, 1, (context, value) => {
    const text = requireString(name, value)
    chargeText(context, text.length)
    return change(text)
  })

const tested = (name: string, test: (text: string, part: string) => boolean): Builtin =>
  builtin(name, 2, 2, (context, value, part) => {
    const text = requireString(name, value)
    const sought = requireString(name, part)
    context.meter.charge(1 + (text.length >> 4))
    return test(text, sought)
  })

/** Compiled patterns of one context: programs use few, and the same ones for each item. */
const patterns = new WeakMap<Context, Map<string, Regex>>()

const regex = (context: Context, name: string, pattern: unknown): Regex => {
  const source = requireString(name, pattern)
  let known = patterns.get(context)
  if (known === undefined) patterns.set(context, (known = new Map()))
  let compiled = known.get(source)
  if (compiled === undefined) {
    context.meter.charge(1 + source.length)
    compiled = compiledRegex(source)
    if (known.size >= 64) known.clear()
    known.set(source, compiled)
  }
  return compiled
}

const compiledRegex = (source: string): Regex => {
  try {
    return compileRegex(source)
  } catch (error) {
    throw failure.argument((error as Error).message)
  }
}

const searching = (context: Context) => (steps: number) => context.meter.charge(steps)

export const strings: ReadonlyArray<Builtin> = [
  builtin("str", 0, Infinity, (context, ...args) => str(context, args)),
  builtin("pr-str", 0, Infinity, (context, ...args) => args.map((arg) => print(arg, (length) => chargeText(context, length))).join(" ")),
  builtin("substring", 2, 3, substring),
  builtin("string-length", 1, 1, (context, text) => countCharacters(context, requireString("string-length", text))),
  tested("string-contains", (text, part) => text.includes(part)),
  tested("string-contains?", (text, part) => text.includes(part)),
  tested("ends-with?", (text, part) => text.endsWith(part)),
  builtin("starts-with?", 2, 2, (_, text, part) =>
    text === null || text === undefined ? false : requireString("starts-with?", text).startsWith(requireString("starts-with?", part))
  ),
  builtin("split", 2, 2, split),
  builtin("join", 2, 2, join("join")),
  builtin("string-join", 2, 2, join("string-join")),
  builtin("string-replace", 3, 3, (context, value, from, to) => {
    const text = requireString("string-replace", value)
    const sought = requireString("string-replace", from)
    const replacement = requireString("string-replace", to)
    context.meter.charge(text.length)
    if (sought === "") throw failure.argument("string-replace needs a text to look for")
    const pieces = text.split(sought)
    chargeText(context, text.length + pieces.length * replacement.length)
    return pieces.join(replacement)
  }),
  changed("string-upper", (text) => text.toUpperCase()),
  changed("string-lower", (text) => text.toLowerCase()),
  changed("string-trim", (text) => text.trim()),
  changed("string/upper-case", (text) => text.toUpperCase()),
  changed("string/lower-case", (text) => text.toLowerCase()),
  changed("string/trim", (text) => text.trim()),
  builtin("re-find", 2, 2, (context, pattern, text) => {
    const match = regex(context, "re-find", pattern).find(requireString("re-find", text), 0, searching(context))
    return match === undefined ? null : match.groups[0]
  }),
  builtin("re-seq", 2, 2, (context, pattern, value) => {
    const compiled = regex(context, "re-seq", pattern)
    const text = requireString("re-seq", value)
    const result: Array<unknown> = []
    for (let from = 0; from <= text.length;) {
      const match = compiled.find(text, from, searching(context))
      if (match === undefined) break
      context.meter.allocate(16)
      result.push(match.groups[0])
      // After an empty match the search goes on one character further.
      from = match.end > match.start ? match.end : match.end + (text.codePointAt(match.end)! > 0xffff ? 2 : 1)
    }
    return result
  }),
  builtin("re-matches", 2, 2, (context, pattern, text) => {
    const match = regex(context, "re-matches", pattern).matches(requireString("re-matches", text), searching(context))
    return match === undefined ? null : match.groups[0]
  })
]

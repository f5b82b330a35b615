import { isPlainKey } from "../../serialization/index.ts"
import { maxJsonDepth } from "./JsonScanner.ts"

/** Text is no JSON. `index` counts UTF-16 units from its start. */
export class JsonSyntaxError extends Error {
  readonly index: number

  constructor(problem: string, index: number) {
    super(problem)
    this.index = index
  }
}

/** Digits that an integer may have: turning them into a bigint takes more than linear time. */
const maxIntegerDigits = 10_000

/**
 * Reads JSON as `JSON.parse` does, but keeps what that loses: integers outside ±2^53 become bigints, and a map with a
 * key that is `__proto__` or digits only becomes a `Map`, in the order of the text. Of equal keys the last one counts.
 *
 * **Fails** with `JsonSyntaxError` for what is no JSON, more than 512 levels, more than 10,000 digits in an integer and
 * half a surrogate pair.
 * **Cost** little more than that of `JSON.parse`, which reads all text that it reads alike; some five times that for other text.
 */
export const parseJson = (text: string): unknown => {
  if (isNative(text)) {
    try {
      return JSON.parse(text)
    } catch {
      // What is wrong with it, and where, is said below.
    }
  }
  const parser = new JsonParser(text)
  const value = parser.value(0)
  parser.expectEnd()
  return value
}

/** Whether `JSON.parse` gives what we promise. When in doubt it does not. */
const isNative = (text: string): boolean => !needsCare.test(text) && text.isWellFormed() && opened(text) <= maxJsonDepth

/** An escape that may be half a surrogate pair, an integer beyond 2^53, a key that is `__proto__` or digits only. */
const needsCare = /\\u|\d{16}|"(?:\d+|__proto__)"\s*:/

/** How many brackets open in it, also within strings; 0 for a text that is too short to be nested too deep. */
const opened = (text: string): number => {
  if (text.length < 2 * maxJsonDepth) return 0
  let count = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 0x5b || code === 0x7b) count++
  }
  return count
}

const escapes: Readonly<Record<string, string>> = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" }
const numberPattern = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y
// eslint-disable-next-line no-control-regex -- JSON has control characters escaped
const stringPattern = /[^"\\\u0000-\u001f]*/y

class JsonParser {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  value(depth: number): unknown {
    this.#skipSpace()
    const first = this.#text[this.#at]
    switch (first) {
      case "{":
        return this.#map(this.#deeper(depth))
      case "[":
        return this.#vector(this.#deeper(depth))
      case '"':
        return this.#string()
      case "t":
        return this.#word("true", true)
      case "f":
        return this.#word("false", false)
      case "n":
        return this.#word("null", null)
      default:
        return this.#number()
    }
  }

  expectEnd(): void {
    this.#skipSpace()
    if (this.#at < this.#text.length) throw this.#unexpected("nothing after the value")
  }

  #deeper(depth: number): number {
    if (depth >= maxJsonDepth) throw new JsonSyntaxError(`it is nested deeper than ${maxJsonDepth} levels`, this.#at)
    return depth + 1
  }

  #map(depth: number): unknown {
    this.#at++
    const plain: Record<string, unknown> = {}
    let map: Map<string, unknown> | undefined
    this.#skipSpace()
    if (this.#text[this.#at] === "}") {
      this.#at++
      return plain
    }
    for (;;) {
      this.#skipSpace()
      if (this.#text[this.#at] !== '"') throw this.#unexpected("a key in quotes")
      const key = this.#string()
      if (map === undefined && !isPlainKey(key)) map = new Map(Object.entries(plain))
      this.#skipSpace()
      if (this.#text[this.#at] !== ":") throw this.#unexpected('":" after a key')
      this.#at++
      const value = this.value(depth)
      if (map === undefined) plain[key] = value
      else map.set(key, value)
      if (!this.#goesOn("}")) return map ?? plain
    }
  }

  #vector(depth: number): ReadonlyArray<unknown> {
    this.#at++
    const items: Array<unknown> = []
    this.#skipSpace()
    if (this.#text[this.#at] === "]") {
      this.#at++
      return items
    }
    do items.push(this.value(depth))
    while (this.#goesOn("]"))
    return items
  }

  /** Takes a comma, which says that more follows, or the closing bracket. */
  #goesOn(close: string): boolean {
    this.#skipSpace()
    const next = this.#text[this.#at]
    if (next !== "," && next !== close) throw this.#unexpected(`"," or "${close}"`)
    this.#at++
    return next === ","
  }

  #string(): string {
    const start = this.#at++
    let value = ""
    for (;;) {
      stringPattern.lastIndex = this.#at
      const run = stringPattern.exec(this.#text)![0]
      value += run
      this.#at += run.length
      const stop = this.#text[this.#at]
      if (stop === '"') break
      if (stop !== "\\") throw stop === undefined ? this.#unexpected("a closing quote") : this.#unexpected("control characters escaped")
      value += this.#escape()
    }
    this.#at++
    if (!value.isWellFormed()) throw new JsonSyntaxError("the string holds half a surrogate pair", start)
    return value
  }

  #escape(): string {
    const letter = this.#text[this.#at + 1]
    if (letter === "u") {
      const hex = this.#text.slice(this.#at + 2, this.#at + 6)
      if (!/^[0-9a-fA-F]{4}$/.test(hex)) throw this.#unexpected("four hexadecimal digits after \\u")
      this.#at += 6
      return String.fromCharCode(Number.parseInt(hex, 16))
    }
    if (letter === undefined || !Object.hasOwn(escapes, letter)) throw this.#unexpected("an escape that JSON has")
    this.#at += 2
    return escapes[letter]!
  }

  #number(): number | bigint {
    numberPattern.lastIndex = this.#at
    const match = numberPattern.exec(this.#text)
    if (match === null) throw this.#unexpected("a value")
    const [digits, fraction, exponent] = match
    const value = Number(digits)
    if (fraction === undefined && exponent === undefined && Math.abs(value) >= 2 ** 53) {
      if (digits.length > maxIntegerDigits) throw new JsonSyntaxError(`an integer has more than ${maxIntegerDigits} digits`, this.#at)
      this.#at += digits.length
      const exact = BigInt(digits)
      return exact === BigInt(value) && Math.abs(value) === 2 ** 53 ? value : exact
    }
    this.#at += digits.length
    return value
  }

  #word<Value>(word: string, value: Value): Value {
    if (!this.#text.startsWith(word, this.#at)) throw this.#unexpected("a value")
    this.#at += word.length
    return value
  }

  #skipSpace(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at)
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return
      this.#at++
    }
  }

  #unexpected(expected: string): JsonSyntaxError {
    const found = this.#text.codePointAt(this.#at)
    const shown = found === undefined ? "the end" : JSON.stringify(String.fromCodePoint(found))
    return new JsonSyntaxError(`expected ${expected}, found ${shown}`, this.#at)
  }
}

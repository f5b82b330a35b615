import { isAscii, isUtf8 } from "node:buffer"
import { jsonLinesMemory, jsonLinesModule } from "./jsonLinesModule.ts"
import { maxDepth } from "./limits.ts"
import { canInstantiate, instantiate } from "./wasm.ts"

/**
 * Parses lines of JSON together, which takes half the time of parsing each.
 *
 * @param bytes whole lines, of which the last one ends with a line feed, too
 * @returns a value for each line, as `JSON.parse` gives it for that line alone; or `undefined` where that can't be
 *   promised, which is no failure: then they have to be looked at one by one. So it is where a line is blank or no JSON, or
 *   where `JSON.parse` loses something: for an integer outside ±2^53, a key that is `__proto__` or digits only, half a
 *   surrogate pair, more than 512 levels
 *
 * **Cost** 0.3 ns for a byte beside decoding and `JSON.parse`.
 * **Bounds** more than `mostJsonLineBytes` are never parsed together.
 */
export const parseJsonLines = (bytes: Uint8Array, encoding: "utf8" | "latin1" | "ascii"): Array<unknown> | undefined => {
  const { length } = bytes
  if (length === 0 || length > mostJsonLineBytes || bytes[length - 1] !== lineFeed) return undefined
  if (!canInstantiate()) return undefined
  scanner ??= makeScanner()
  const { lines, memory } = scanner
  const past = input + length
  memory.set(bytes, input)
  const padding = -length & 63
  if (padding > 0) memory.fill(0, past, past + padding)
  memory[input - 1] = opening
  const count = lines(past + padding)
  if (count === -1) return undefined
  memory[past - 1] = closing
  const text = textOf(memory.subarray(input - 1, past), encoding)
  if (text === undefined || text.includes("__proto__") || (text.includes("\\u") && mayChangeMeaning.test(text))) return undefined
  try {
    // Every line ends outside of strings and brackets, so that each comma in place of its end stands between two values.
    const values = JSON.parse(text) as Array<unknown>
    return values.length === count ? values : undefined
  } catch {
    return undefined
  }
}

const { input } = jsonLinesMemory

/** The most bytes that are parsed together. */
export const mostJsonLineBytes: number = jsonLinesMemory.inputBytes

/** An escape that stands for half a surrogate pair, or for a digit or an underscore, which may make a key of another kind. */
const mayChangeMeaning = /\\u(?:[dD][89a-fA-F]|00[35])/

const [opening, closing, lineFeed] = [0x5b, 0x5d, 10]

const textOf = (bytes: Buffer, encoding: "utf8" | "latin1" | "ascii"): string | undefined => {
  if (encoding === "latin1" || isAscii(bytes)) return bytes.toString("latin1")
  return encoding === "utf8" && isUtf8(bytes) ? bytes.toString("utf8") : undefined
}

interface Scanner {
  readonly memory: Buffer
  readonly lines: (past: number) => number
}

/** One for the whole thread: nothing stays in it from one call to the next. */
let scanner: Scanner | undefined

const makeScanner = (): Scanner => {
  const { buffer, functions } = instantiate(jsonLinesModule(maxDepth))
  return { memory: Buffer.from(buffer), lines: functions["lines"]! }
}

import { isAscii, isUtf8 } from "node:buffer"
import { encodeValue } from "./Codec.ts"
import { compileRecords, type RecordMaker } from "./ColumnCode.ts"
import { jsonLinesMemory, jsonLinesModule } from "./jsonLinesModule.ts"
import { maxDepth } from "./limits.ts"
import { isPlainKey, isPlainMap } from "./MapKey.ts"
import type { ValueReader } from "./ValueReader.ts"
import type { ValueWriter } from "./ValueWriter.ts"
import { canInstantiate, instantiate } from "./wasm.ts"

/** Lines of JSON in UTF-8, of which `JSON.parse` loses nothing. */
export interface JsonLines {
  /** Whole lines, the last one with its line feed, too. */
  readonly block: Uint8Array
  /** Where in the block the line feed of each line stands. */
  readonly lineEnds: Uint32Array
}

/**
 * Parses lines of JSON together, which takes a third to a half of the time of parsing each.
 *
 * It learns from block to block how the records look: of maps with the same keys, `JSON.parse` gets the values only.
 *
 * **Cost** 0.5 ns for a byte beside decoding and `JSON.parse`.
 * **Bounds** more than `mostJsonLineBytes` are never parsed together.
 */
export class JsonLineParser {
  readonly #encoding: JsonEncoding
  #shape: RecordShape | undefined
  /** Blocks in a row that did not have the shape, and how many pass before another one is looked for. */
  #misses = 0
  #pause = 0

  constructor(encoding: JsonEncoding) {
    this.#encoding = encoding
  }

  /**
   * @param bytes whole lines, of which the last one ends with a line feed, too
   * @returns a value for each line, as `JSON.parse` gives it for that line alone, and where the lines end; or `undefined`
   *   where that can't be promised, which is no failure: then they have to be looked at one by one. So it is where a line is
   *   blank or no JSON, or where `JSON.parse` loses something: for an integer outside ±2^53, a key that is `__proto__` or
   *   digits only, half a surrogate pair, more than 512 levels
   */
  parse(bytes: Uint8Array): ParsedLines | undefined {
    const { length } = bytes
    if (length === 0 || length > mostJsonLineBytes || bytes[length - 1] !== lineFeed || !canInstantiate()) return undefined
    scanner ??= makeScanner()
    load(scanner, bytes)
    return this.#records(scanner, length) ?? this.#lines(scanner, length)
  }

  #records(scanner: Scanner, length: number): ParsedLines | undefined {
    if (this.#shape === undefined) return undefined
    const { keys, make } = this.#shape
    const { ends, memory, records, written } = scanner
    memory.set(keys, jsonLinesMemory.keys)
    const count = records(padded(length), jsonLinesMemory.keys + keys.length)
    const values = count === -1 ? undefined : parsed(memory, jsonLinesMemory.values, written[0]!, this.#encoding)
    if (values?.length === count * (keys.length / keySize)) {
      this.#misses = 0
      return { values: make(values, count), lineEnds: ends.slice(0, count) }
    }
    if (++this.#misses === mostMisses) {
      this.#shape = undefined
      this.#pause = missPause
    }
    return undefined
  }

  #lines({ ends, lines, memory }: Scanner, length: number): ParsedLines | undefined {
    // Every line ends outside of strings and brackets, so that each comma in place of its end stands between two values.
    const count = lines(padded(length), 0)
    const values = count === -1 ? undefined : parsed(memory, input, input + length, this.#encoding)
    if (values === undefined || values.length !== count) return undefined
    if (this.#shape === undefined && this.#pause-- <= 0) {
      this.#shape = shapeOf(values[0], memory.subarray(input, input + ends[0]!))
      this.#misses = 0
      this.#pause = missPause
    }
    return { values, lineEnds: ends.slice(0, count) }
  }
}

export type JsonEncoding = "utf8" | "latin1" | "ascii"

const mostMisses = 2
const missPause = 64

/** Maps with these keys, as the text has them. */
interface RecordShape {
  /** As `jsonLinesMemory` says. */
  readonly keys: Uint8Array
  readonly make: RecordMaker
}

const { input, keyBytes, keySize, mostKeys } = jsonLinesMemory

/** The shape of a record, written without spaces or with one behind each colon and comma. */
const shapeOf = (record: unknown, text: Buffer): RecordShape | undefined => {
  if (typeof record !== "object" || record === null || !isPlainMap(record)) return undefined
  const names = Object.keys(record)
  if (names.length === 0 || names.length > mostKeys || !names.every(isPlainKey)) return undefined
  const quoted = names.map((name) => JSON.stringify(name))
  const space = text.toString("utf8").startsWith(`{${quoted[0]!}: `) ? " " : ""
  const keys = Buffer.alloc(names.length * keySize)
  for (const [i, name] of quoted.entries()) {
    const before = Buffer.from(`${i === 0 ? "{" : `,${space}`}${name}:${space}`)
    if (before.length > keyBytes) return undefined
    const at = i * keySize
    keys.writeUint32LE(before.length, at)
    before.copy(keys, at + 16)
    keys.fill(0xff, at + 16 + keyBytes, at + 16 + keyBytes + before.length)
  }
  return { keys, make: compileRecords(names) }
}

const load = ({ memory }: Scanner, bytes: Uint8Array): void => {
  memory[input - 1] = opening
  memory.set(bytes, input)
  memory.fill(0, input + bytes.length, padded(bytes.length))
}

const padded = (length: number): number => input + length + (-length & 63)

/** What is between two addresses as an array; what stands behind its last value becomes the closing bracket. */
const parsed = (memory: Buffer, from: number, to: number, encoding: JsonEncoding): ReadonlyArray<unknown> | undefined => {
  memory[from - 1] = opening
  memory[to - 1] = closing
  const text = textOf(memory.subarray(from - 1, to), encoding)
  if (text === undefined || text.includes("__proto__") || (text.includes("\\u") && mayChangeMeaning.test(text))) return undefined
  try {
    return JSON.parse(text) as ReadonlyArray<unknown>
  } catch {
    return undefined
  }
}

export interface ParsedLines {
  readonly values: ReadonlyArray<unknown>
  readonly lineEnds: Uint32Array
}

/** How many bytes lines `from` up to and without `to` take in a frame. */
export const jsonLinesBytes = ({ lineEnds }: JsonLines, from: number, to: number): number =>
  headBytes + lineEnds[to - 1]! + 1 - startOf(lineEnds, from)

/** Writes lines `from` up to and without `to`, at least one, as the body of a frame: their bytes as they are. */
export const writeJsonLines = (lines: JsonLines, from: number, to: number, writer: ValueWriter): void => {
  writer.reserve(jsonLinesBytes(lines, from, to))
  const block = lines.block.subarray(startOf(lines.lineEnds, from), lines.lineEnds[to - 1]! + 1)
  const { bytes, position, view } = writer
  bytes[position] = 0xc6
  view.setUint32(position + 1, block.length)
  bytes.set(block, position + headBytes)
  writer.position = position + headBytes + block.length
}

/** The values of a frame, from bytes that anybody may have made. */
export const readJsonLines = (reader: ValueReader, count: number): Array<unknown> => {
  const block = reader.view()
  const values = canInstantiate() ? new JsonLineParser("utf8").parse(block)?.values : parseEach(block)
  if (values?.length !== count || !reader.isAtEnd) return reader.fail("the lines of JSON are not as their frame says")
  return values as Array<unknown>
}

/** Without WebAssembly, what lines hold that somebody else has looked at. */
const parseEach = (block: Uint8Array): Array<unknown> | undefined => {
  const text = isUtf8(block) ? Buffer.from(block.buffer, block.byteOffset, block.length).toString("utf8") : ""
  if (!text.endsWith("\n")) return undefined
  try {
    return text
      .slice(0, -1)
      .split("\n")
      .map((line) => {
        const value: unknown = JSON.parse(line)
        // Refuses what is nested too deep.
        encodeValue(value)
        return value
      })
  } catch {
    return undefined
  }
}

const startOf = (lineEnds: Uint32Array, line: number): number => (line === 0 ? 0 : lineEnds[line - 1]! + 1)
const headBytes = 5

/** The most bytes that are parsed together. */
export const mostJsonLineBytes: number = jsonLinesMemory.inputBytes

/** An escape that stands for half a surrogate pair, or for a digit or an underscore, which may make a key of another kind. */
const mayChangeMeaning = /\\u(?:[dD][89a-fA-F]|00[35])/

const [opening, closing, lineFeed] = [0x5b, 0x5d, 10]

const textOf = (bytes: Buffer, encoding: JsonEncoding): string | undefined => {
  if (encoding === "latin1" || isAscii(bytes)) return bytes.toString("latin1")
  return encoding === "utf8" && isUtf8(bytes) ? bytes.toString("utf8") : undefined
}

interface Scanner {
  readonly memory: Buffer
  readonly ends: Uint32Array
  readonly written: Uint32Array
  readonly lines: (past: number, unused: number) => number
  readonly records: (past: number, pastKeys: number) => number
}

/** One for the whole thread: nothing stays in it from one call to the next. */
let scanner: Scanner | undefined

const makeScanner = (): Scanner => {
  const { buffer, functions } = instantiate(jsonLinesModule(maxDepth))
  const ends = new Uint32Array(buffer, jsonLinesMemory.ends, jsonLinesMemory.inputBytes)
  const written = new Uint32Array(buffer, jsonLinesMemory.written, 1)
  return { memory: Buffer.from(buffer), ends, written, lines: functions["lines"]!, records: functions["records"]! }
}

import { scanMemory, scanModule } from "./scanModule.ts"
import { canInstantiate, instantiate } from "./wasm.ts"

/**
 * Bytes that are whole lines, and where each one ends.
 *
 * A line ends with LF or CR LF, which is no part of it; the last one may end with the block instead. Line `i` ends with
 * the line feed at `lineEnds[i]`, so that the next one starts one byte behind it. `cuts[i]` says the same of the text that
 * the block is, in UTF-16 units: twice the place where the line ends, and 1 more where it is CR LF that ends it.
 */
export interface LineBlock {
  /** Checked to be what `encoding` says. */
  readonly block: Uint8Array
  readonly encoding: "latin1" | "utf8"
  readonly lineEnds: Uint32Array
  readonly cuts: Uint32Array
}

/** Finds the ends of lines; what it gave is overwritten when it is asked again. */
export type LineScanner = (block: Uint8Array, encoding: LineBlock["encoding"]) => LineBlock

/**
 * Makes the scanner of one reader of lines.
 *
 * @param how `portable` does without WebAssembly, more slowly
 *
 * **Cost** 7 ns for a line of 64 bytes where each is a character, else 12 ns.
 * **Bounds** 8 bytes for each line of the largest block.
 */
export const makeLineScanner = (how: "fastest" | "portable" = "fastest"): LineScanner => {
  const found = new LineEnds()
  const scan = how === "portable" || !canInstantiate() ? textScan : vectorScan()
  return (block, encoding) => {
    found.count = 0
    const units = scan(block, encoding, found)
    if (block.length > 0 && block[block.length - 1] !== lineFeed) found.add([block.length], [2 * units])
    return { block, encoding, lineEnds: found.ends.subarray(0, found.count), cuts: found.cuts.subarray(0, found.count) }
  }
}

const lineFeed = 10
const carriageReturn = 13

/** Two arrays that grow together. */
class LineEnds {
  ends = new Uint32Array(2048)
  cuts = new Uint32Array(2048)
  count = 0

  add(ends: ArrayLike<number>, cuts: ArrayLike<number>): void {
    const count = this.count + ends.length
    if (count > this.ends.length) {
      const size = Math.max(count, 2 * this.ends.length)
      this.ends = grown(this.ends, size)
      this.cuts = grown(this.cuts, size)
    }
    this.ends.set(ends, this.count)
    this.cuts.set(cuts, this.count)
    this.count = count
  }
}

const grown = (array: Uint32Array<ArrayBuffer>, size: number): Uint32Array<ArrayBuffer> => {
  const larger = new Uint32Array(size)
  larger.set(array)
  return larger
}

/** Adds the lines that end with a line feed. @returns how many UTF-16 units the block is */
type Scan = (block: Uint8Array, encoding: LineBlock["encoding"], found: LineEnds) => number

/** Searches in texts, which costs less to call than searching in buffers. */
const textScan: Scan = (block, encoding, found) => {
  const bytes = Buffer.from(block.buffer, block.byteOffset, block.length)
  const latin = bytes.toString("latin1")
  const text = encoding === "latin1" ? latin : bytes.toString("utf8")
  let at = 0
  for (let end = latin.indexOf("\n"); end !== -1; end = latin.indexOf("\n", end + 1)) {
    const feed = text.indexOf("\n", at)
    found.add([end], [block[end - 1] === carriageReturn ? 2 * (feed - 1) + 1 : 2 * feed])
    at = feed + 1
  }
  return text.length
}

let shared: Scan | undefined

/** One for the whole thread: nothing stays in it from one call to the next. */
const vectorScan = (): Scan => (shared ??= makeVectorScan())

const makeVectorScan = (): Scan => {
  const { buffer, functions } = instantiate(scanModule())
  const scanOf = functions as Readonly<Record<LineBlock["encoding"], (past: number, base: number, units: number) => number>>
  const { input, inputBytes } = scanMemory
  const bytes = new Uint8Array(buffer)
  const unitsAfter = new Uint32Array(buffer, scanMemory.units, 1)
  const ends = new Uint32Array(buffer, scanMemory.ends, inputBytes)
  const cuts = new Uint32Array(buffer, scanMemory.cuts, inputBytes)
  return (block, encoding, found) => {
    const scan = scanOf[encoding]
    let units = 0
    for (let from = 0; from < block.length; from += inputBytes) {
      const to = Math.min(from + inputBytes, block.length)
      bytes[input - 1] = from === 0 ? 0 : block[from - 1]!
      bytes.set(block.subarray(from, to), input)
      const past = input + to - from
      // A zero is no line feed, and one unit of text.
      const padding = -(to - from) & 63
      if (padding > 0) bytes.fill(0, past, past + padding)
      const count = scan(past + padding, from - input, units) / 4
      units = unitsAfter[0]! - padding
      found.add(ends.subarray(0, count), cuts.subarray(0, count))
    }
    return encoding === "utf8" ? units : block.length
  }
}

import type { Symbols } from "./ColumnCode.ts"
import { at } from "./ColumnShape.ts"
import { detachString } from "./Detach.ts"
import { Keyword } from "./Keyword.ts"
import { ValueWriter } from "./ValueWriter.ts"

const maxSymbols = 255
const maxTableChars = 2048

/**
 * The texts and keywords that a column repeats, each with a code from 1 on. A sender keeps its table from frame to
 * frame and each frame holds all of it, so it is kept small.
 */
export class SymbolTable implements Symbols {
  readonly codes = new Map<unknown, number>()
  /** There was no room for another one: the column holds other things than symbols. */
  isFull = false
  #chars = 0
  #written: Uint8Array | undefined

  add(value: unknown): number {
    if (typeof value !== "string" && !(value instanceof Keyword)) return -1
    if (!(typeof value === "string" ? value : value.name).isWellFormed()) return -1
    this.#chars += typeof value === "string" ? value.length : value.name.length
    if (this.codes.size >= maxSymbols || this.#chars > maxTableChars) {
      this.isFull = true
      return -1
    }
    const code = this.codes.size + 1
    // Detached, since it outlives its frame.
    this.codes.set(typeof value === "string" ? detachString(value) : value, code)
    this.#written = undefined
    return code
  }

  bytes(): Uint8Array {
    return (this.#written ??= tableBytes(Array.from(this.codes.keys())))
  }
}

const tableBytes = (symbols: ReadonlyArray<unknown>): Uint8Array => {
  const table = new ValueWriter({ canonical: false, size: 256 })
  table.value(symbols)
  return table.copy(0)
}

/** Whether a text column says the same few things again and again. */
export const isRepetitive = (items: ReadonlyArray<unknown>, from: number, to: number, path: ReadonlyArray<string>): boolean => {
  const distinct = new Set<unknown>()
  let chars = 0
  for (let i = from; i < to; i++) {
    const value = at(items[i], path)
    if (distinct.has(value)) continue
    distinct.add(value)
    if (typeof value === "string") chars += value.length
    // Half of the table, since others will come.
    if (distinct.size > maxSymbols / 2 || chars > maxTableChars / 2 || distinct.size > (to - from) * 0.6) return false
  }
  return true
}

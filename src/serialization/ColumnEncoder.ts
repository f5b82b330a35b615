import type { ColumnParts, ColumnViews, Layout } from "./ColumnCode.ts"
import { isLittleEndian } from "./ColumnDecoder.ts"
import { type Shape, shapeOf, withSymbols } from "./ColumnShape.ts"
import { compiledShape, type CompiledShape } from "./CompiledShape.ts"
import type { KeptItems } from "./Frame.ts"
import { isRepetitive, SymbolTable } from "./SymbolTable.ts"
import type { TextBuffer, ValueWriter } from "./ValueWriter.ts"

/** Below this many items, what all columns cost together is more than what they save. */
export const minColumnItems = 16

/** Not where the host was started with --disallow-code-generation-from-strings; its frames hold rows. */
const mayCompile = ((): boolean => {
  try {
    return new Function("return true")() as boolean
  } catch {
    return false
  }
})()

/**
 * Writes the frames of one sender as columns, where its items are alike.
 *
 * It learns the shape from the sender's first full frame and compiles it with the second, so that a short stream pays
 * for no code. An item of another kind widens the shape (integers to doubles, nil to nullable); where that fails too
 * often the sender is left alone with rows for a while.
 */
export class ColumnEncoder {
  #shape: CompiledShape | undefined
  #symbols: Array<SymbolTable | undefined> = []
  readonly #parts: ColumnParts = { texts: [], values: [] }
  #views: { bytes: Uint8Array; columns: ColumnViews } | undefined
  #failures = 0
  #framesToSkip = 0

  /**
   * Writes at the writer's position, which is a multiple of 8.
   *
   * @returns false if the items are not alike, or can't be written at all; the writer's position is then as before
   */
  write(items: ReadonlyArray<unknown>, from: number, to: number, writer: ValueWriter): boolean {
    if (to - from < minColumnItems || !isLittleEndian || !mayCompile) return false
    if (this.#framesToSkip > 0) {
      this.#framesToSkip--
      return false
    }
    if (this.#shape === undefined) return this.#learn(items, from, to)
    const start = writer.position
    // Twice, because the items that were unlike may have widened the shape.
    for (let attempt = 0; attempt < 2; attempt++) {
      const stopped = this.#writeAs(this.#shape, items, from, to, writer)
      this.#parts.texts.length = this.#parts.values.length = 0 // they would keep the items alive
      if (stopped === to) {
        this.#failures = 0
        return true
      }
      writer.rewind(start)
      if (!this.#widen(items, stopped, to)) break
    }
    this.#giveUp()
    return false
  }

  /**
   * Copies of items that have the shape learnt so far, as bytes would give them back.
   *
   * @returns `undefined` where one has another shape, no bytes, or parts that bytes do more for; `write` deals with those
   */
  copy(items: ReadonlyArray<unknown>, from: number, to: number): KeptItems | undefined {
    const into = new Array<unknown>(to - from)
    const bytes = this.#shape?.copier?.(items, from, to, into)
    return bytes === undefined || bytes < 0 ? undefined : { items: into, bytes }
  }

  #learn(items: ReadonlyArray<unknown>, from: number, to: number): boolean {
    const shape = shapeOf(items, from, to)
    if (shape.kind === "any") this.#giveUp()
    else if (!this.#use(withSymbols(shape, (path) => isRepetitive(items, from, to, path)))) this.#giveUp()
    return false
  }

  /** @returns whether it is another shape than before, and one that may be used */
  #use(shape: Shape): boolean {
    const before = this.#shape
    const compiled = compiledShape(shape)
    if (compiled === undefined || compiled === before) return false
    this.#shape = compiled
    this.#symbols = []
    for (const leaf of compiled.layout.leaves) if (leaf.kind === "symbol") this.#symbols[leaf.tail] = new SymbolTable()
    return true
  }

  /** @returns whether there is another shape to try */
  #widen(items: ReadonlyArray<unknown>, from: number, to: number): boolean {
    const { leaves, shape } = this.#shape!.layout
    // A column of symbols that is full takes texts from now on.
    const full = leaves.map((leaf) => this.#symbols[leaf.tail]?.isFull === true)
    const wider = shapeOf(items, from, to, full.includes(true) ? withoutSymbols(shape, full.values()) : shape)
    return wider.kind !== "any" && this.#use(wider)
  }

  #giveUp(): void {
    this.#failures++
    if (this.#failures < 2) return
    this.#framesToSkip = 64
    this.#shape = undefined
    this.#failures = 0
  }

  #writeAs(shape: CompiledShape, items: ReadonlyArray<unknown>, from: number, to: number, writer: ValueWriter): number {
    const { layout, prefix } = shape
    const count = to - from
    const size = layout.doubles * count * 8 + layout.integers * count * 4 + layout.bytes * count
    writer.reserve(prefix.length + 9 + size)
    const begin = writer.position + prefix.length + 9
    const columns = this.#columnsOf(writer.bytes)
    place(columns, layout, count, begin)
    for (const leaf of layout.leaves) if (leaf.kind === "any" || leaf.kind === "bytes") this.#parts.values[leaf.tail] = []
    const stopped = shape.writer(items, from, to, columns, this.#symbols, this.#parts)
    if (stopped !== to) return stopped
    writer.bytes.set(prefix, writer.position)
    writer.view.setUint32(begin - 9, count)
    writer.bytes[begin - 5] = 0xc6
    writer.view.setUint32(begin - 4, size)
    writer.position = begin + size
    return this.#writeTails(layout, count, columns.integersFrom, writer) ? to : from
  }

  /** @returns whether each item has a place in its column; else rows find out which one has none, and why */
  #writeTails(layout: Layout, count: number, integersFrom: number, writer: ValueWriter): boolean {
    const { texts, values } = this.#parts
    try {
      for (const leaf of layout.leaves) {
        const { tail } = leaf
        if (leaf.kind === "text") {
          const { integers } = this.#columnsOf(writer.bytes)
          if (!writeText(texts[tail]!, integers, integersFrom + leaf.integer * count, count, writer)) return false
        } else if (leaf.kind === "symbol") writer.raw(this.#symbols[tail]!.bytes())
        else if (leaf.kind === "bytes") writeBytes(values[tail] as ReadonlyArray<Uint8Array | null>, writer)
        else if (leaf.kind === "any") writeValues(values[tail]!, leaf.path.length, writer)
      }
      return true
    } catch {
      return false
    }
  }

  /** The views of the writer's block, made again only when the block is another. */
  #columnsOf(bytes: TextBuffer): ColumnViews {
    if (this.#views?.bytes !== bytes) {
      const { buffer, byteLength } = bytes
      const columns = {
        doubles: new Float64Array(buffer, 0, byteLength >> 3),
        doublesFrom: 0,
        integers: new Int32Array(buffer, 0, byteLength >> 2),
        integersFrom: 0,
        bytes,
        bytesFrom: 0
      }
      this.#views = { bytes, columns }
    }
    return this.#views.columns
  }
}

const place = (columns: ColumnViews, layout: Layout, count: number, begin: number): void => {
  columns.doublesFrom = begin >> 3
  columns.integersFrom = (begin >> 2) + layout.doubles * count * 2
  columns.bytesFrom = begin + layout.doubles * count * 8 + layout.integers * count * 4
}

/** Writes the text of all rows as one. @returns whether each row's part is Unicode by itself */
const writeText = (text: string, lengths: Int32Array, lengthsFrom: number, count: number, writer: ValueWriter): boolean => {
  // Measured first: three bytes for each unit, which is safe, would nearly always be more than the block has left.
  const length = Buffer.byteLength(text)
  writer.reserve(5 + length)
  writer.bytes.utf8Write(text, writer.position + 5)
  writer.bytes[writer.position] = 0xdb
  writer.view.setUint32(writer.position + 1, length)
  writer.position += 5 + length
  if (length === text.length) return true // ASCII
  if (!text.isWellFormed()) return false
  // Halves of a pair at the end of one row and the start of the next look like a pair from here.
  for (let i = 0, end = 0; i < count; i++) {
    end += lengths[lengthsFrom + i]!
    if ((text.charCodeAt(end - 1) & 0xfc00) === 0xd800) return false
  }
  return true
}

const writeBytes = (values: ReadonlyArray<Uint8Array | null>, writer: ValueWriter): void => {
  const length = values.reduce((sum, bytes) => sum + (bytes?.length ?? 0), 0)
  writer.reserve(5 + length)
  writer.bytes[writer.position] = 0xc6
  writer.view.setUint32(writer.position + 1, length)
  writer.position += 5
  for (const bytes of values) if (bytes !== null) writer.raw(bytes)
}

const writeValues = (values: ReadonlyArray<unknown>, depth: number, writer: ValueWriter): void => {
  writer.reserve(5)
  writer.head(values.length, 0x90, 0x10, 0)
  for (const value of values) writer.nested(value, depth)
}

/** The same shape with texts in the columns that `full` says of, leaf by leaf. */
const withoutSymbols = (shape: Shape, full: Iterator<boolean>): Shape => {
  if (shape.kind === "map") return { ...shape, shapes: shape.shapes.map((inner) => withoutSymbols(inner, full)) }
  return full.next().value === true ? { kind: "text", nullable: shape.nullable } : shape
}

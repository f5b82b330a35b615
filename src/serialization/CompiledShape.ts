import { type ColumnReader, type ColumnWriter, compileReader, compileWriter, type Layout, layoutOf } from "./ColumnCode.ts"
import { compileCopier, type ItemCopier } from "./CopyCode.ts"
import { type Shape, shapeFromText, shapeToText } from "./ColumnShape.ts"

/*
 * The body of a frame of columns is one msgpack array:
 *
 *   [shape as text, count, columns as bin32, tail of each text, symbol, bytes or any column…]
 *
 * The shape is padded with spaces so that the columns (doubles, then 32-bit integers, then bytes) begin at a multiple
 * of 8. The tail of a text column is one str32, of bytes one bin32, of symbols and any an array.
 */

const maxShapes = 512
const maxShapeText = 8192 // its bytes, at most three times as many, must fit a str16

/** What is known about one shape in this process: the order of its columns and the code for it. */
export class CompiledShape {
  readonly layout: Layout
  /** The shape as each frame names it, padded. */
  readonly text: string
  /** The bytes of a frame before the count. */
  readonly prefix: Uint8Array
  #writer: ColumnWriter | undefined
  #reader: ColumnReader | undefined
  #copier: ItemCopier | null | undefined

  constructor(shape: Shape, text: string) {
    this.layout = layoutOf(shape)
    this.text = text
    const length = 3 + this.layout.tails
    const array = length < 0x10 ? [0x90 | length] : [0xdc, length >> 8, length & 0xff]
    const named = Buffer.from(text)
    this.prefix = Buffer.concat([Buffer.from([...array, 0xda, named.length >> 8, named.length & 0xff]), named, Buffer.from([0xce])])
  }

  get writer(): ColumnWriter {
    return (this.#writer ??= compileWriter(this.layout))
  }

  get reader(): ColumnReader {
    return (this.#reader ??= compileReader(this.layout))
  }

  /** `undefined` for shapes with values that are copied one by one. */
  get copier(): ItemCopier | undefined {
    if (this.#copier === undefined) this.#copier = compileCopier(this.layout) ?? null
    return this.#copier ?? undefined
  }
}

// By their text. Bounded, since shapes may come from outside; the oldest is forgotten first.
const known = new Map<string, CompiledShape>()

/** The shape as a sender uses it, or `undefined` if it is too large for a frame to name. */
export const compiledShape = (shape: Shape): CompiledShape | undefined => {
  const text = paddedText(shape)
  return text.length > maxShapeText ? undefined : (known.get(text) ?? remember(text, shape))
}

/** The shape that a frame names, or `undefined` for a text that no sender wrote. */
export const shapeNamed = (text: string): CompiledShape | undefined => {
  const found = known.get(text)
  if (found !== undefined || text.length > maxShapeText) return found
  const shape = shapeFromText(text)
  return shape === undefined ? undefined : remember(text, shape)
}

const remember = (text: string, shape: Shape): CompiledShape => {
  const made = new CompiledShape(shape, text)
  if (known.size >= maxShapes) known.delete(known.keys().next().value!)
  known.set(text, made)
  return made
}

/** The text of a shape, with spaces behind it so that the columns begin at a multiple of 8. */
const paddedText = (shape: Shape): string => {
  const text = shapeToText(shape)
  const before = layoutOf(shape).tails + 3 < 0x10 ? 1 : 3
  // Beside the text: the headers of the array and the text, the count, the header of the columns.
  return text + " ".repeat(7 & -(before + 3 + Buffer.byteLength(text) + 5 + 5))
}

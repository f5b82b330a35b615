import { endianness } from "node:os"
import type { ColumnViews, Layout } from "./ColumnCode.ts"
import type { ColumnKind } from "./ColumnShape.ts"
import { shapeNamed } from "./CompiledShape.ts"
import type { ValueReader } from "./ValueReader.ts"

/** Columns are read and written in place, so their numbers are in the order of the processor; ours is little-endian. */
export const isLittleEndian = endianness() === "LE"

/** The items of a frame of columns, from bytes that anybody may have made. */
export const readColumns = (reader: ValueReader, count: number, into: Array<unknown>): void => {
  const parts = reader.arrayHeader()
  const text = reader.ownText()
  const shape = shapeNamed(text) ?? reader.fail("the shape of the columns is malformed")
  const { layout } = shape
  const written = reader.value()
  const columns = reader.view()
  const size = layout.doubles * count * 8 + layout.integers * count * 4 + layout.bytes * count
  if (written !== count || parts !== 3 + layout.tails || columns.length !== size || !isLittleEndian)
    reader.fail("the columns are not as their shape says")
  const tails: Array<unknown> = []
  for (const leaf of layout.leaves) if (leaf.tail >= 0) tails.push(readTail(leaf.kind, reader))
  if (!reader.isAtEnd) reader.fail("more bytes follow the columns")
  if (!shape.reader(count, viewsOf(columns, layout, count), tails, into)) reader.fail("the columns are damaged")
}

const readTail = (kind: ColumnKind, reader: ValueReader): unknown => {
  if (kind === "text") return reader.ownText()
  // Copied once, since items may be changed by those who get them, and a frame must not.
  if (kind === "bytes") return new Uint8Array(reader.view())
  // Code 0 is nil. The items are read one by one, since their column is no level of their own nesting.
  const values: Array<unknown> = kind === "symbol" ? [null] : []
  for (let left = reader.arrayHeader(); left > 0; left--) values.push(reader.value())
  return values
}

const viewsOf = (columns: Uint8Array, layout: Layout, count: number): ColumnViews => {
  const aligned = columns.byteOffset % 8 === 0 ? columns : new Uint8Array(columns)
  const { buffer, byteOffset } = aligned
  const doubles = layout.doubles * count
  const integers = layout.integers * count
  return {
    doubles: doubles === 0 ? noDoubles : new Float64Array(buffer, byteOffset, doubles),
    doublesFrom: 0,
    integers: integers === 0 ? noIntegers : new Int32Array(buffer, byteOffset + doubles * 8, integers),
    integersFrom: 0,
    bytes: aligned,
    bytesFrom: doubles * 8 + integers * 4
  }
}

const noDoubles = new Float64Array(0)
const noIntegers = new Int32Array(0)

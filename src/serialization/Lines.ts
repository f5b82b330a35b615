import type { LineBlock } from "./LineScanner.ts"
import type { ValueReader } from "./ValueReader.ts"
import type { TextBuffer, ValueWriter } from "./ValueWriter.ts"

/*
 * The body of a frame of lines is one msgpack array: [encoding, count, cuts as bin32, block as bin32]. The cuts are 32-bit
 * integers as in `LineBlock`, so that the receiver decodes the block once and cuts strings out of it. The block begins with
 * the first line and ends before the last line feed. The two numbers are written in 5 bytes each, which puts the integers
 * at a multiple of 8.
 */
const oneByte = 0
const utf8 = 1
const headBytes = 1 + 5 + 5 + 5

/** How many bytes lines `from` up to and without `to` take in a frame. */
export const linesBytes = ({ lineEnds }: LineBlock, from: number, to: number): number =>
  headBytes + (to - from) * 4 + 5 + (to === from ? 0 : lineEnds[to - 1]! - (from === 0 ? 0 : lineEnds[from - 1]! + 1))

/** Writes lines `from` up to and without `to` at the writer's position, which is a multiple of 8. */
export const writeLines = (lines: LineBlock, from: number, to: number, writer: ValueWriter): void => {
  const { cuts, encoding, lineEnds } = lines
  const count = to - from
  const start = from === 0 ? 0 : lineEnds[from - 1]! + 1
  const block = lines.block.subarray(start, count === 0 ? start : lineEnds[to - 1]!)
  writer.reserve(linesBytes(lines, from, to))
  const { bytes, position, view } = writer
  bytes[position] = 0x94
  bytes[position + 1] = 0xce
  view.setUint32(position + 2, encoding === "latin1" ? oneByte : utf8)
  bytes[position + 6] = 0xce
  view.setUint32(position + 7, count)
  bytes[position + 11] = 0xc6
  view.setUint32(position + 12, count * 4)
  const places = new Uint32Array(bytes.buffer, position + headBytes, count)
  const skipped = from === 0 ? 0 : 2 * startAfter(cuts[from - 1]!)
  for (let i = 0; i < count; i++) places[i] = cuts[from + i]! - skipped
  writer.position = position + headBytes + count * 4
  bytes[writer.position] = 0xc6
  view.setUint32(writer.position + 1, block.length)
  bytes.set(block, writer.position + 5)
  writer.position += 5 + block.length
}

/** Where the next line starts, in UTF-16 units. */
const startAfter = (cut: number): number => (cut >>> 1) + 1 + (cut & 1)

/** The lines of a frame, from bytes that anybody may have made. */
export const readLines = (reader: ValueReader, count: number, into: Array<unknown>): void => {
  const parts = reader.arrayHeader()
  const encoding = reader.value()
  const written = reader.value()
  const places = reader.view()
  const block = reader.view()
  if (parts !== 4 || written !== count || places.length !== count * 4 || (encoding !== oneByte && encoding !== utf8) || !reader.isAtEnd)
    reader.fail("the lines are not as their frame says")
  const bytes = Buffer.from(block.buffer, block.byteOffset, block.length) as TextBuffer
  const text = encoding === oneByte ? bytes.latin1Slice(0, bytes.length) : reader.utf8(reader.position - block.length, reader.position)
  const aligned = places.byteOffset % 4 === 0 ? places : new Uint8Array(places)
  const cuts = new Uint32Array(aligned.buffer, aligned.byteOffset, count)
  let start = 0
  for (let i = 0; i < count; i++) {
    const cut = cuts[i]!
    const end = cut >>> 1
    if (end < start) reader.fail("the lines are damaged")
    into[i] = text.slice(start, end)
    start = startAfter(cut)
  }
  // Behind the last line stands the line feed that was left out.
  if (start !== (count === 0 ? 0 : text.length + 1)) reader.fail("the lines are damaged")
}

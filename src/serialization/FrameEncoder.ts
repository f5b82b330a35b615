import { ColumnEncoder, minColumnItems } from "./ColumnEncoder.ts"
import { Frame, type FrameKind, type FrameLayout, signalFrame } from "./Frame.ts"
import { type JsonLines, jsonLinesBytes, writeJsonLines } from "./JsonLines.ts"
import { linesBytes, writeLines } from "./Lines.ts"
import type { LineBlock } from "./LineScanner.ts"
import { refusal } from "./Refusal.ts"
import { ValueWriter } from "./ValueWriter.ts"

/**
 * Makes the frames of one sender.
 *
 * It learns from frame to frame how the sender's items look, to write the next ones faster; no frame needs what it
 * learned to be read.
 */
export class FrameEncoder {
  readonly stream: string
  /** The sequence number that the next frame gets. */
  sequence: number
  #writer: ValueWriter | undefined
  readonly #columns = new ColumnEncoder()
  #blockBytes = 2048
  #expectedBytes = 512

  constructor(options: { readonly stream: string; readonly sequence?: number }) {
    this.stream = options.stream
    this.sequence = options.sequence ?? 0
  }

  /**
   * A data frame of `items[from]` up to and without `items[to]`.
   *
   * @param time by the sender's clock, in milliseconds since 1970
   *
   * **Fails** with `UnencodableValue`, whose `index` is the item's place in `items`; no frame was made then and no
   * sequence number used, so the caller may deal with that item and encode the others.
   */
  encode(items: ReadonlyArray<unknown>, from: number, to: number, time: number): Frame {
    const writer = this.#room()
    const start = writer.position
    if (to - from >= minColumnItems && this.#columns.write(items, from, to, writer))
      return this.#frame("columns", to - from, time, start, writer)
    let i = from
    try {
      writer.head(to - from, 0x90, 0x10, 0)
      for (; i < to; i++) writer.value(items[i])
    } catch (error) {
      writer.rewind(start)
      this.#writer ??= writer
      throw refusal(error, items[i], `item[${i}]`, { index: i })
    }
    return this.#frame("rows", to - from, time, start, writer)
  }

  /**
   * The same for a receiver in this process that only reads: copies of the items, which become bytes when somebody needs
   * those. What the copies could not be told from bytes by is encoded.
   */
  keep(items: ReadonlyArray<unknown>, from: number, to: number, time: number): Frame {
    const kept = to - from < minColumnItems ? undefined : this.#columns.copy(items, from, to)
    if (kept === undefined) return this.encode(items, from, to, time)
    return new Frame({ kind: "data", layout: "rows", stream: this.stream, sequence: this.sequence++, count: to - from, time, body: kept })
  }

  /** A data frame of the lines from `from` up to and without `to`, each one a string to its receiver: no string is made here. */
  encodeLines(lines: LineBlock, from: number, to: number, time: number): Frame {
    this.#expectedBytes = Math.max(this.#expectedBytes, linesBytes(lines, from, to))
    const writer = this.#room()
    const start = writer.position
    writeLines(lines, from, to, writer)
    return this.#frame("lines", to - from, time, start, writer)
  }

  /** A data frame of what lines of JSON stand for, from `from` up to and without `to`: their bytes are copied. */
  encodeJsonLines(lines: JsonLines, from: number, to: number, time: number): Frame {
    this.#expectedBytes = Math.max(this.#expectedBytes, jsonLinesBytes(lines, from, to))
    const writer = this.#room()
    const start = writer.position
    writeJsonLines(lines, from, to, writer)
    return this.#frame("json", to - from, time, start, writer)
  }

  /** A frame without items, next in this sender's order. See `signalFrame`. */
  signal(kind: Exclude<FrameKind, "data">, time: number, value?: unknown): Frame {
    const frame = signalFrame({ kind, stream: this.stream, sequence: this.sequence, time, value })
    this.sequence++
    return frame
  }

  /** A writer whose block probably has room for one more frame. Taken out meanwhile: a getter of an item may encode, too. */
  #room(): ValueWriter {
    const writer = this.#writer
    this.#writer = undefined
    if (writer !== undefined && writer.bytes.length - writer.position >= this.#expectedBytes) return writer
    // Blocks grow with use, since most of very many senders say little.
    this.#blockBytes = Math.min(this.#blockBytes * 2, maxBlockBytes)
    return new ValueWriter({ canonical: false, size: Math.max(this.#blockBytes, this.#expectedBytes) })
  }

  #frame(layout: FrameLayout, count: number, time: number, start: number, writer: ValueWriter): Frame {
    const end = writer.position
    const frame = new Frame({
      kind: "data",
      layout,
      stream: this.stream,
      sequence: this.sequence++,
      count,
      time,
      body: writer.bytes.subarray(start, end)
    })
    this.#expectedBytes = Math.min(end - start + ((end - start) >> 2) + 64, maxBlockBytes)
    // Bodies start at multiples of 8, where columns of numbers can be read in place.
    writer.rewind((end + 7) & ~7)
    writer.start = writer.position
    this.#writer ??= writer
    return frame
  }
}

const maxBlockBytes = 256 * 1024

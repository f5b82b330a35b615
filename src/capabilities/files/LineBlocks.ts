import { type LineBlock, makeLineScanner } from "../../serialization/index.ts"
import type { Decoder, RecordPosition } from "./Decoder.ts"
import { checkedAscii, type RecordEncoding } from "./Encoding.ts"
import { MalformedFile } from "./errors.ts"
import type { ByteWindow } from "./ByteWindow.ts"

const lineFeed = 10

/** As much as one read brings: it takes 0.1 ms, and to hand over a batch costs as much as some hundred lines. */
const lineBatchBytes = 256 * 1024

/**
 * Cuts text into blocks of whole lines, which become frames without being decoded here.
 *
 * A line ends with LF or CR LF, which is no part of it. Empty lines count; after the last line end there is no line.
 * A block is a view of the window and its ends are in arrays that are used again: they have to be worked off before the
 * next call.
 *
 * **Fails** with `MalformedFile` for a line over `maxRecordBytes` and for text that the encoding does not allow.
 */
export const lineBlocks = (options: {
  readonly path: string
  readonly encoding: RecordEncoding
  readonly maxRecordBytes: number
  readonly from?: RecordPosition | undefined
}): Decoder => {
  const { encoding, maxRecordBytes, path } = options
  const cutter = lineCutter(path, maxRecordBytes)
  const scan = makeLineScanner()
  let lines = options.from?.lines ?? 0

  return {
    take: (window) => {
      const whole = cutter(window, lines)
      if (whole === "more" || whole === null) return whole
      const { ascii, cut } = cutBeforeMalformed(window, whole, encoding, path, lines)
      const batch = scan(window.bytes.subarray(window.start, cut), ascii ? "latin1" : "utf8")
      refuseLongLines(batch, lines, path, maxRecordBytes)
      lines += batch.lineEnds.length
      window.start = cut
      return { ...batch, bytes: batch.block.length }
    },
    position: () => ({ lines, items: lines })
  }
}

/** Checks the encoding of a batch. The lines before a malformed one go out first; alone at the start, it is the failure. */
const cutBeforeMalformed = (
  window: ByteWindow,
  cut: number,
  encoding: RecordEncoding,
  path: string,
  lines: number
): { readonly ascii: boolean; readonly cut: number } => {
  try {
    return { ascii: checkedAscii(window, window.start, cut, encoding, path), cut }
  } catch (error) {
    if (!(error instanceof MalformedFile) || error.byte === undefined) throw error
    const at = window.start + (error.byte - window.offsetAt(window.start))
    const before = window.bytes.lastIndexOf(lineFeed, at - 1) + 1
    if (at === window.start || before <= window.start) throw error.inItem(lines + 1, lines + 1)
    return { ascii: checkedAscii(window, window.start, before, encoding, path), cut: before }
  }
}

/** Finds where a batch of whole lines ends: the index behind its last line end, or the end of the file. */
const lineCutter = (path: string, maxRecordBytes: number) => {
  /** Bytes after the window's start that are known to hold no line end. */
  let searched = 0
  return (window: ByteWindow, lines: number): number | "more" | null => {
    const { bytes, end, start } = window
    const near = Math.min(end, start + lineBatchBytes)
    let cut = searched < near - start ? bytes.lastIndexOf(lineFeed, near - 1) + 1 : 0
    // A line longer than a batch is a batch of its own.
    if (cut <= start) cut = bytes.indexOf(lineFeed, Math.max(near, start + searched)) + 1
    if (cut > start && cut <= end) {
      searched = 0
      return cut
    }
    if (end - start > maxRecordBytes) throw tooLong(path, lines + 1, maxRecordBytes)
    if (window.ended) return start === end ? null : end
    searched = end - start
    return "more"
  }
}

const refuseLongLines = ({ cuts, lineEnds }: LineBlock, lines: number, path: string, maxRecordBytes: number): void => {
  // Most often all lines of a batch together are shorter than the bound.
  if (lineEnds.length === 0 || lineEnds[lineEnds.length - 1]! <= maxRecordBytes) return
  let start = 0
  for (const [index, end] of lineEnds.entries()) {
    const bytes = end - start - (cuts[index]! & 1)
    if (bytes > maxRecordBytes) throw tooLong(path, lines + index + 1, maxRecordBytes)
    start = end + 1
  }
}

const tooLong = (path: string, line: number, maxRecordBytes: number): MalformedFile =>
  new MalformedFile({
    path,
    line,
    item: line,
    problem: `the line is longer than ${maxRecordBytes} bytes`,
    fix: "Raise :max-record-size if it is meant to be, or check that the file has lines."
  })

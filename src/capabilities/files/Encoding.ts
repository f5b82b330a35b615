import { isAscii, isUtf8 } from "node:buffer"
import type { ByteSource } from "./ByteSource.ts"
import type { ByteWindow } from "./ByteWindow.ts"
import { MalformedFile } from "./errors.ts"

export const encodings = ["utf8", "utf16le", "latin1", "ascii", "binary"] as const
export type Encoding = (typeof encodings)[number]

/** How the bytes under a record format are read. UTF-16 has become UTF-8 before. */
export type RecordEncoding = "utf8" | "latin1" | "ascii"

/**
 * The text of the window's bytes from `start` to `end`, which must not cut a character.
 *
 * **Fails** with `MalformedFile` at the first byte that the encoding does not allow: nothing becomes U+FFFD.
 */
export const decodeText = (window: ByteWindow, start: number, end: number, encoding: RecordEncoding, path: string): string =>
  checkedAscii(window, start, end, encoding, path) ? window.bytes.toString("latin1", start, end) : window.bytes.toString("utf8", start, end)

/** Checks the bytes of `decodeText` without decoding them, and says whether each byte is one character. */
export const checkedAscii = (window: ByteWindow, start: number, end: number, encoding: RecordEncoding, path: string): boolean => {
  if (encoding === "latin1") return true
  const bytes = window.bytes.subarray(start, end)
  if (isAscii(bytes)) return true
  if (encoding === "utf8" && isUtf8(bytes)) return false
  const at = encoding === "utf8" ? firstInvalidUtf8(bytes) : bytes.findIndex((byte) => byte > 0x7f)
  const byte = window.offsetAt(start + at)
  throw new MalformedFile({
    path,
    byte,
    problem: `0x${bytes[at]!.toString(16).padStart(2, "0")} is no ${encoding === "utf8" ? "UTF-8" : "ASCII"} text there`,
    fix:
      byte < 2 && bytes[at]! >= 0xfe
        ? "The file starts like UTF-16: use :encoding :utf16le."
        : "Name the file's :encoding (:utf8 :utf16le :latin1 :ascii), or read it with :encoding :binary."
  })
}

/** The index of the first byte that begins no well-formed UTF-8 sequence (Unicode, table 3-7), or -1. */
export const firstInvalidUtf8 = (bytes: Uint8Array): number => {
  const within = (byte: number | undefined, low: number, high: number) => byte !== undefined && byte >= low && byte <= high
  for (let i = 0; i < bytes.length;) {
    const lead = bytes[i]!
    if (lead < 0x80) {
      i++
      continue
    }
    const length = sequenceLength(lead)
    if (length === 1) return i
    // The second byte rules out overlong forms, surrogates and what lies beyond U+10FFFF.
    const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80
    const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf
    if (!within(bytes[i + 1], low, high)) return i
    for (let k = 2; k < length; k++) if (!within(bytes[i + k], 0x80, 0xbf)) return i
    i += length
  }
  return -1
}

/** How many bytes the sequence of a lead byte has; 1 for bytes that lead none. */
const sequenceLength = (lead: number): number => (lead < 0xc2 || lead > 0xf4 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4)

/** The largest index up to `end` that does not cut a UTF-8 sequence; where the bytes are malformed, `end`. */
export const cutBetweenUtf8 = (bytes: Uint8Array, start: number, end: number): number => {
  for (let back = 1; back <= 3 && end - back >= start; back++) {
    const byte = bytes[end - back]!
    if ((byte & 0xc0) === 0x80) continue
    return sequenceLength(byte) > back ? end - back : end
  }
  return end
}

/** Moves the window past a byte order mark; it needs the first three bytes, or all there are. */
export const skipByteOrderMark = (window: ByteWindow, encoding: Encoding): void => {
  const { bytes, end, start } = window
  if (encoding === "utf8" && end - start >= 3 && bytes[start] === 0xef && bytes[start + 1] === 0xbb && bytes[start + 2] === 0xbf) {
    window.start += 3
  }
  if (encoding === "utf16le" && end - start >= 2 && bytes[start] === 0xff && bytes[start + 1] === 0xfe) window.start += 2
}

/** The failure for UTF-16 with half a surrogate pair or half a unit. */
export const malformedUtf16 = (path: string, byte: number, problem: string): MalformedFile =>
  new MalformedFile({ path, byte, problem, fix: "The file is damaged, cut off, or not UTF-16 (little-endian): name its :encoding." })

/** The index of the first half surrogate pair in text that is not well formed. */
export const firstLoneSurrogate = (text: string): number => {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0xd800 || unit > 0xdfff) continue
    const next = text.charCodeAt(i + 1)
    if (unit > 0xdbff || !(next >= 0xdc00 && next <= 0xdfff)) return i
    i++
  }
  return -1
}

/** UTF-16 (little-endian) as UTF-8, for the record formats. A byte order mark is dropped. */
export const utf8OfUtf16 = (source: ByteSource, path: string): ByteSource => {
  const raw = Buffer.allocUnsafe(32 * 1024)
  let held = 0
  let offset = 0
  let ready: Buffer = Buffer.alloc(0)

  const decodeMore = async (): Promise<boolean> => {
    for (;;) {
      const count = await source.read(raw, held, raw.length)
      const end = held + count
      if (count === 0 && end > 0) throw malformedUtf16(path, offset, "it ends inside a character")
      if (count === 0) return false
      let whole = end & ~1
      const last = whole >= 2 ? raw.readUInt16LE(whole - 2) : 0
      if (last >= 0xd800 && last <= 0xdbff) whole -= 2
      const text = raw.toString("utf16le", 0, whole)
      if (!text.isWellFormed()) throw malformedUtf16(path, offset + 2 * firstLoneSurrogate(text), "it has half a surrogate pair")
      ready = Buffer.from(offset === 0 && text.startsWith("\ufeff") ? text.slice(1) : text, "utf8")
      raw.copy(raw, 0, whole, end)
      held = end - whole
      offset += whole
      if (ready.length > 0) return true
    }
  }

  return {
    read: async (into, from, to) => {
      if (ready.length === 0 && !(await decodeMore())) return 0
      const count = ready.copy(into, from, 0, to - from)
      ready = ready.subarray(count)
      return count
    }
  }
}

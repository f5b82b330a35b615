import type { ByteWindow } from "./ByteWindow.ts"
import { batchBytes, type Decoder } from "./Decoder.ts"
import { cutBetweenUtf8, decodeText, type Encoding, firstLoneSurrogate, malformedUtf16 } from "./Encoding.ts"

/**
 * Cuts a file into chunks of `chunkBytes`: text, or with the encoding `binary` bytes.
 *
 * No character is cut: a chunk of UTF-8 may be up to 3 bytes shorter, and one that could not hold a single character
 * holds one. All chunks but the last are as long as that allows, whatever the reads gave.
 *
 * @param options.isEager takes what there is, so that a chunk may be shorter: for what comes slowly
 *
 * **Fails** with `MalformedFile` for bytes that the encoding does not allow.
 * **Bounds** a batch holds chunks of 64 KiB together, or one that is larger.
 */
export const textChunks = (options: {
  readonly path: string
  readonly encoding: Encoding
  readonly chunkBytes: number
  readonly isEager?: boolean
}): Decoder => {
  const { chunkBytes, isEager = false } = options
  const take = (window: ByteWindow) => {
    const items: Array<unknown> = []
    let bytes = 0
    while (bytes < batchBytes) {
      const held = window.end - window.start
      // One byte more than the chunk tells whether a character is cut at its end.
      if (held === 0 || (!isEager && held <= chunkBytes + 3 && !window.ended)) break
      const cut = cutChunk(window, options.encoding, chunkBytes)
      // The rest of a character is still to come.
      if (isEager && !window.ended && cut - window.start < 4 && cut === window.end && !isWhole(window, options.encoding)) break
      try {
        items.push(chunkOf(window, cut, options))
      } catch (error) {
        // What is whole goes out first; the next call fails on the same chunk.
        if (items.length > 0) break
        throw error
      }
      bytes += cut - window.start
      window.start = cut
    }
    if (items.length > 0) return { items, bytes }
    return window.ended && window.start === window.end ? null : "more"
  }
  return { take, position: () => null }
}

const cutChunk = (window: ByteWindow, encoding: Encoding, chunkBytes: number): number => {
  const { bytes, end, start } = window
  const wished = Math.min(end, start + chunkBytes)
  if (encoding === "utf8") {
    const cut = cutBetweenUtf8(bytes, start, wished)
    if (cut > start || wished === end) return cut > start ? cut : wished
    // Not even one character fits: take it whole.
    let whole = wished
    while (whole < end && (bytes[whole]! & 0xc0) === 0x80 && whole - start < 4) whole++
    return whole
  }
  if (encoding !== "utf16le" || wished === end) return wished
  let cut = Math.max(start + 2, wished - ((wished - start) & 1))
  if (isHighSurrogate(bytes, cut - 2)) cut += cut - 2 > start ? -2 : 2
  return Math.min(cut, end)
}

/** Whether what a window holds ends behind a character. */
const isWhole = ({ bytes, end, start }: ByteWindow, encoding: Encoding): boolean =>
  encoding !== "utf8" || cutBetweenUtf8(bytes, start, end) === end

const isHighSurrogate = (bytes: Buffer, at: number): boolean => (bytes[at + 1]! & 0xfc) === 0xd8

const chunkOf = (window: ByteWindow, cut: number, options: { readonly path: string; readonly encoding: Encoding }): unknown => {
  const { bytes, start } = window
  if (options.encoding === "binary") return new Uint8Array(bytes.subarray(start, cut))
  if (options.encoding !== "utf16le") return decodeText(window, start, cut, options.encoding, options.path)
  if (((cut - start) & 1) === 1) throw malformedUtf16(options.path, window.offsetAt(cut - 1), "it ends inside a character")
  const text = bytes.toString("utf16le", start, cut)
  if (!text.isWellFormed()) {
    throw malformedUtf16(options.path, window.offsetAt(start + 2 * firstLoneSurrogate(text)), "it has half a surrogate pair")
  }
  return text
}

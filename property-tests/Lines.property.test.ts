import assert from "node:assert/strict"
import fc from "fast-check"
import { describe, it } from "vitest"
import { ByteWindow } from "../src/capabilities/files/ByteWindow.ts"
import type { Encoding } from "../src/capabilities/files/Encoding.ts"
import { skipByteOrderMark, utf8OfUtf16 } from "../src/capabilities/files/Encoding.ts"
import { MalformedFile } from "../src/capabilities/files/errors.ts"
import { lineBlocks } from "../src/capabilities/files/LineBlocks.ts"
import { textChunks } from "../src/capabilities/files/TextChunks.ts"
import { decodeAll, inPieces, itemsOf } from "../tests/capabilities/files/fileStreams.ts"
import { pieces } from "./arbitraries/Pieces.ts"

const numRuns = Number(process.env["FC_RUNS"] ?? 300)

const textOf = (parts: ReadonlyArray<string>) => fc.array(fc.constantFrom(...parts), { maxLength: 30 }).map((chosen) => chosen.join(""))
const text = textOf(["a", "line", "é", "€", "😀", "\n", "\n", "\r\n", "\r", "\0", "\u2028", "\ufeff", "\u{10ffff}"])

/** The lines of a text, said once more: LF and CR LF end one, and after the last end there is none. */
const linesOf = (content: string): ReadonlyArray<string> => {
  const lines = content.split(/\r?\n/)
  if (lines.at(-1) === "") lines.pop()
  return lines
}

const lineDecoder = () => lineBlocks({ path: "f", encoding: "utf8", maxRecordBytes: 1000 })

describe("lines", () => {
  it("SE-R5: any split of the bytes gives the same lines", () =>
    fc.assert(
      fc.asyncProperty(text, pieces, async (content, { pieces, sizes }) => {
        const outcome = await decodeAll(inPieces(Buffer.from(content), pieces), lineDecoder(), sizes)
        assert.deepStrictEqual(outcome, { items: linesOf(content), failure: undefined })
      }),
      { numRuns, examples: [["a\r\n\r\nb\r", { pieces: [1], sizes: { block: 1, headroom: 0 } }]] }
    ))

  it("SE-R5: a byte order mark at the start is no part of the first line, one elsewhere is text", () =>
    fc.assert(
      fc.asyncProperty(text, pieces, async (content, { pieces, sizes }) => {
        const window = new ByteWindow(inPieces(Buffer.from(`\ufeff${content}`), pieces), { sizes })
        while (window.end - window.start < 3 && !window.ended) await window.fill()
        skipByteOrderMark(window, "utf8")
        const decoder = lineDecoder()
        const items: Array<unknown> = []
        for (let batch = decoder.take(window); batch !== null; batch = decoder.take(window)) {
          if (batch === "more") await window.fill()
          else items.push(...itemsOf(batch))
        }
        assert.deepStrictEqual(items, linesOf(content))
      }),
      { numRuns }
    ))

  it("SE-R5: UTF-16 gives the same lines as UTF-8", () =>
    fc.assert(
      fc.asyncProperty(text, fc.boolean(), pieces, async (content, marked, { pieces, sizes }) => {
        const source = utf8OfUtf16(inPieces(Buffer.from((marked ? "\ufeff" : "") + content, "utf16le"), pieces), "f")
        // Without a mark of its own, the first character may look like one.
        const expected = !marked && content.startsWith("\ufeff") ? content.slice(1) : content
        assert.deepStrictEqual(await decodeAll(source, lineDecoder(), sizes), { items: linesOf(expected), failure: undefined })
      }),
      { numRuns }
    ))

  it("SE-R4: the first byte that is no UTF-8 fails by its offset, after the lines before it", () => {
    const byte = fc.constantFrom(
      0x0a,
      0x0a,
      0x41,
      0x80,
      0xbf,
      0xc0,
      0xc3,
      0xa9,
      0xe0,
      0xe2,
      0x82,
      0xac,
      0xed,
      0xa0,
      0xf0,
      0x9f,
      0x98,
      0x80,
      0xf4,
      0x90,
      0xff
    )
    return fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 12 }),
        fc.array(byte, { maxLength: 25 }),
        pieces,
        async (any, chosen, { pieces, sizes }) => {
          const bytes = Buffer.from([...chosen, ...any])
          const { failure, items } = await decodeAll(inPieces(bytes, pieces), lineDecoder(), sizes)
          const invalid = firstInvalid(bytes)
          if (invalid === -1) return assert.deepStrictEqual({ failure, items }, { failure: undefined, items: linesOf(bytes.toString()) })
          assert.ok(failure instanceof MalformedFile)
          assert.equal(failure.byte, invalid)
          const before = bytes.subarray(0, bytes.lastIndexOf(0x0a, invalid - 1) + 1)
          assert.deepStrictEqual(items, invalid === 0 ? [] : linesOf(before.toString()))
          assert.equal(failure.line, items.length + 1)
        }
      ),
      { numRuns: numRuns * 2 }
    )
  })

  it("chunks of text hold the text, are as long as asked for and cut no character", () =>
    fc.assert(
      fc.asyncProperty(
        text,
        fc.constantFrom<Encoding>("utf8", "utf16le", "binary"),
        fc.integer({ min: 1, max: 20 }),
        pieces,
        async (content, encoding, chunkBytes, { pieces, sizes }) => {
          const bytes = Buffer.from(content, encoding === "binary" ? "utf8" : encoding)
          const { failure, items } = await decodeAll(inPieces(bytes, pieces), textChunks({ path: "f", encoding, chunkBytes }), sizes)
          assert.equal(failure, undefined)
          const lengths = items.map(
            (item) => (item instanceof Uint8Array ? item : Buffer.from(item as string, encoding as BufferEncoding)).length
          )
          const joined = encoding === "binary" ? Buffer.concat(items as ReadonlyArray<Uint8Array>).toString() : items.join("")
          assert.equal(joined, content)
          const slack = encoding === "binary" ? 0 : 3
          for (const [index, length] of lengths.entries()) {
            assert.ok(length > 0 && length <= Math.max(chunkBytes, slack + 1), `chunk ${index} has ${length} bytes`)
            if (index < lengths.length - 1) assert.ok(length >= chunkBytes - slack, `chunk ${index} has ${length} of ${chunkBytes} bytes`)
          }
        }
      ),
      { numRuns }
    ))
})

/** Said once more with the platform's decoder: the longest prefix that some ending makes whole. */
const firstInvalid = (bytes: Uint8Array): number => {
  const isValid = (part: Uint8Array) => {
    try {
      new TextDecoder("utf-8", { fatal: true }).decode(part)
      return true
    } catch {
      return false
    }
  }
  if (isValid(bytes)) return -1
  let valid = 0
  for (let end = 1; end <= bytes.length; end++) if (isValid(bytes.subarray(0, end))) valid = end
  return valid
}

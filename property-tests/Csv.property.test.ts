import assert from "node:assert/strict"
import fc from "fast-check"
import { describe, it } from "vitest"
import { csvParser } from "../src/capabilities/files/CsvParser.ts"
import { CsvWriter } from "../src/capabilities/files/CsvWriter.ts"
import { MalformedFile } from "../src/capabilities/files/errors.ts"
import { decodeAll, inPieces } from "../tests/capabilities/files/fileStreams.ts"
import { type Pieces, pieces } from "./arbitraries/Pieces.ts"

const numRuns = Number(process.env["FC_RUNS"] ?? 300)

const separator = fc.constantFrom(",", ";", "\t", "|", ".", "^")
const field = fc
  .array(fc.constantFrom("a", "é", "😀", '"', ",", ";", "\t", "|", "\n", "\r\n", "\r", " ", "=", "'", "0", "\ufeff"), { maxLength: 5 })
  .map((parts) => parts.join(""))
const name = fc.oneof(fc.constantFrom("id", "a,b", 'a"b', "__proto__", "constructor", "7", "", "x\ny"), field)

/** Rows of like length under names that are all different. */
const table = fc
  .uniqueArray(name, { minLength: 1, maxLength: 4 })
  .chain((names) => fc.record({ names: fc.constant(names), rows: fc.array(fc.tuple(...names.map(() => field)), { maxLength: 6 }) }))

const read = (text: string, split: Pieces, options: { readonly separator: string; readonly header: boolean }) =>
  decodeAll(
    inPieces(Buffer.from(text), split.pieces),
    csvParser({ path: "f", encoding: "utf8", maxRecordBytes: 10_000, ...options }),
    split.sizes
  )

const mapOf = (names: ReadonlyArray<string>, row: ReadonlyArray<string>): unknown => {
  const entries = names.map((key, index) => [key, row[index]!] as const)
  return names.some((key) => key === "__proto__" || /^\d+$/.test(key)) ? new Map(entries) : Object.fromEntries(entries)
}

describe("CSV", () => {
  it("maps that are written are read again, however they are split", () =>
    fc.assert(
      fc.asyncProperty(table, separator, pieces, async ({ names, rows }, separator, split) => {
        const writer = new CsvWriter({ separator, header: true, escapeFormulas: false })
        const items = rows.map((row) => mapOf(names, row))
        const text = items.map((item) => writer.row(item)).join("")
        assert.deepStrictEqual(await read(text, split, { separator, header: true }), { items, failure: undefined })
      }),
      { numRuns }
    ))

  it("vectors that are written are read again, with LF or CR LF", () =>
    fc.assert(
      fc.asyncProperty(table, separator, fc.boolean(), pieces, async ({ rows }, separator, crLf, split) => {
        const writer = new CsvWriter({ separator, header: true, escapeFormulas: false })
        const text = rows.map((row) => (crLf ? writer.row(row).replace(/\n$/, "\r\n") : writer.row(row))).join("")
        assert.deepStrictEqual(await read(text, split, { separator, header: false }), { items: rows, failure: undefined })
      }),
      { numRuns }
    ))

  it("any text is read as a plain reader of RFC 4180 reads it, or fails in the same row", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom("a", '"', '"', ",", "\n", "\r\n", "\r", "é"), { maxLength: 25 }),
        pieces,
        async (parts, split) => {
          const text = parts.join("")
          const { failure, items } = await read(text, split, { separator: ",", header: false })
          const model = readPlainly(text)
          assert.deepStrictEqual(items, model.rows)
          assert.equal(failure instanceof MalformedFile ? failure.line : failure, model.badLine)
        }
      ),
      { numRuns: numRuns * 5 }
    ))

  it("no cell starts a formula when they are escaped", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.tuple(fc.constantFrom("=", "+", "-", "@", "\t", "\r", "a", "'"), field).map((parts) => parts.join("")),
          { minLength: 1, maxLength: 4 }
        ),
        async (row) => {
          const text = new CsvWriter({ separator: ",", header: false, escapeFormulas: true }).row(row)
          const { items } = await read(text, { pieces: [100], sizes: { block: 100, headroom: 10 } }, { separator: ",", header: false })
          for (const cell of items[0] as ReadonlyArray<string>) assert.ok(!/^[=+\-@\t\r]/.test(cell), JSON.stringify(cell))
        }
      ),
      { numRuns }
    ))
})

/** RFC 4180, one character after the other. */
const readPlainly = (text: string): { readonly rows: ReadonlyArray<ReadonlyArray<string>>; readonly badLine: number | undefined } => {
  const rows: Array<ReadonlyArray<string>> = []
  let at = 0
  let line = 1
  const lineEnd = () => (text[at] === "\n" ? 1 : text.startsWith("\r\n", at) ? 2 : 0)
  while (at < text.length) {
    if (lineEnd() > 0) {
      at += lineEnd()
      line++
      continue
    }
    const row: Array<string> = []
    for (;;) {
      let cell = ""
      if (text[at] === '"') {
        const opened = line
        at++
        for (;;) {
          if (at >= text.length) return { rows, badLine: opened }
          if (text[at] === '"' && text[at + 1] === '"') at++
          else if (text[at] === '"') break
          if (text[at] === "\n") line++
          cell += text[at++]
        }
        at++
        if (at < text.length && text[at] !== "," && lineEnd() === 0) return { rows, badLine: line }
      } else {
        while (at < text.length && text[at] !== "," && lineEnd() === 0) {
          if (text[at] === '"') return { rows, badLine: line }
          cell += text[at++]
        }
      }
      row.push(cell)
      if (text[at] !== ",") break
      at++
    }
    at += lineEnd()
    if (rows.length > 0 && row.length !== rows[0]!.length) return { rows, badLine: line }
    rows.push(row)
    line++
  }
  return { rows, badLine: undefined }
}

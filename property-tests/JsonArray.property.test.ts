import assert from "node:assert/strict"
import fc from "fast-check"
import { describe, it } from "vitest"
import { MalformedFile } from "../src/capabilities/files/errors.ts"
import { jsonArrayParser } from "../src/capabilities/files/JsonArrayParser.ts"
import { ndjsonParser } from "../src/capabilities/files/NdjsonParser.ts"
import { jsonText } from "../src/capabilities/files/JsonText.ts"
import { parseJson } from "../src/capabilities/files/JsonValue.ts"
import { decodeAll, inPieces } from "../tests/capabilities/files/fileStreams.ts"
import { jsonDocument, jsonLine } from "./arbitraries/JsonDocument.ts"
import { type Pieces, pieces } from "./arbitraries/Pieces.ts"

const numRuns = Number(process.env["FC_RUNS"] ?? 300)
const options = { path: "f", encoding: "utf8", maxRecordBytes: 100_000 } as const

const readArray = (text: string, { pieces, sizes }: Pieces) =>
  decodeAll(inPieces(Buffer.from(text), pieces), jsonArrayParser(options), sizes)
const readLines = (text: string, { pieces, sizes }: Pieces) => decodeAll(inPieces(Buffer.from(text), pieces), ndjsonParser(options), sizes)

/** What `JSON.parse` makes of the same text. */
const asJsonParse = (value: unknown): unknown => {
  if (typeof value === "bigint") return Number(value)
  if (Array.isArray(value)) return value.map(asJsonParse)
  if (value instanceof Map) return entriesOf(value)
  if (typeof value === "object" && value !== null) return entriesOf(Object.entries(value))
  return value
}
const entriesOf = (entries: Iterable<readonly [string, unknown]>): unknown =>
  new Map([...entries].map(([key, value]) => [key, asJsonParse(value)] as const).toSorted(([a], [b]) => (a < b ? -1 : 1)))

const jsonParse = (text: string): { readonly value?: unknown } => {
  try {
    return { value: asJsonParse(JSON.parse(text)) }
  } catch {
    return {}
  }
}

/** Half a surrogate pair, which JSON.parse lets through and we don't; whole ones as escapes are left out with it. */
const holdsHalfPair = (text: string): boolean => !text.isWellFormed() || /\\u[dD][89a-fA-F]/.test(text)

const separated = (documents: ReadonlyArray<{ readonly text: string }>, by: string) => documents.map(({ text }) => text).join(by)

describe("JSON files", () => {
  it("an array gives its elements, exactly, however it is spaced and split", () =>
    fc.assert(
      fc.asyncProperty(fc.array(jsonDocument, { maxLength: 8 }), pieces, async (documents, split) => {
        const outcome = await readArray(` [${separated(documents, ",")}]\n`, split)
        assert.deepStrictEqual(outcome, { items: documents.map(({ value }) => value), failure: undefined })
      }),
      { numRuns: numRuns * 2 }
    ))

  it("any other value is one item", () =>
    fc.assert(
      fc.asyncProperty(jsonDocument, pieces, async (document, split) => {
        const { failure, items } = await readArray(`\n${document.text} `, split)
        assert.equal(failure, undefined)
        assert.deepStrictEqual(items, Array.isArray(document.value) ? document.value : [document.value])
      }),
      { numRuns }
    ))

  it("one value a line gives the values, however it is split; blank lines count as nothing", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.option(jsonLine, { nil: { text: " ", value: undefined } }), { maxLength: 8 }),
        fc.constantFrom("\n", "\r\n"),
        pieces,
        async (documents, end, split) => {
          const outcome = await readLines(separated(documents, end), split)
          assert.deepStrictEqual(outcome, {
            items: documents.filter(({ text }) => text !== " ").map(({ value }) => value),
            failure: undefined
          })
        }
      ),
      { numRuns: numRuns * 2 }
    ))

  /** A document with a few characters exchanged, inserted or cut out, by which it may or may not stay JSON. */
  const damaged = fc
    .tuple(
      jsonDocument,
      fc.array(fc.tuple(fc.nat(200), fc.nat(2), fc.constantFrom(...'[]{},:"\\u0-+.eE1 \n\u0001\u00e9tn')), { minLength: 1, maxLength: 2 })
    )
    .map(([{ text }, changes]) =>
      changes.reduce((now, [at, cut, put]) => now.slice(0, at % (now.length + 1)) + put + now.slice((at % (now.length + 1)) + cut), text)
    )

  it("reads what JSON.parse reads, and refuses what it refuses", () =>
    fc.assert(
      fc.property(damaged, (text) => {
        fc.pre(!holdsHalfPair(text))
        let ours: { readonly value?: unknown }
        try {
          ours = { value: asJsonParse(parseJson(text)) }
        } catch {
          ours = {}
        }
        assert.deepStrictEqual(ours, jsonParse(text))
      }),
      { numRuns: numRuns * 5 }
    ))

  it("a damaged element fails the array as it fails JSON.parse, after the elements before it", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(jsonDocument, { maxLength: 4 }),
        damaged,
        fc.array(jsonDocument, { maxLength: 2 }),
        pieces,
        async (before, broken, after, split) => {
          fc.pre(!holdsHalfPair(broken))
          const text = `[${separated([...before, { text: broken }, ...after], ",")}]`
          const { failure, items } = await readArray(text, split)
          const whole = jsonParse(text)
          if ("value" in whole)
            return assert.deepStrictEqual({ failure, items: items.map(asJsonParse) }, { failure: undefined, items: whole.value })
          assert.ok(failure instanceof MalformedFile)
          // The damage may also begin behind the array, where it closes it.
          assert.ok(items.length >= before.length)
          assert.deepStrictEqual(
            items.slice(0, before.length),
            before.map(({ value }) => value)
          )
          assert.ok(failure.byte! <= Buffer.byteLength(text))
        }
      ),
      { numRuns: numRuns * 2 }
    ))

  it("a damaged line fails by its number, after the lines before it", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(jsonLine, { maxLength: 4 }),
        damaged,
        fc.array(jsonLine, { maxLength: 2 }),
        pieces,
        async (before, broken, after, split) => {
          fc.pre(!holdsHalfPair(broken))
          const { failure, items } = await readLines(separated([...before, { text: broken }, ...after], "\n"), split)
          const lines = broken.split("\n")
          const bad = lines.findIndex((line) => line.trim() !== "" && !("value" in jsonParse(line)))
          if (bad === -1) return assert.equal(failure, undefined)
          assert.ok(failure instanceof MalformedFile)
          assert.equal(failure.line, before.length + bad + 1)
          assert.equal(failure.item, items.length + 1)
          assert.deepStrictEqual(
            items.slice(0, before.length),
            before.map(({ value }) => value)
          )
        }
      ),
      { numRuns: numRuns * 2 }
    ))

  it("written and read again, a value is the same", () =>
    fc.assert(
      // 1e400 is read as infinity, as JSON.parse does, and refused when written.
      fc.property(
        jsonDocument.filter(({ text }) => !text.includes("1e400")),
        ({ value }) => assert.deepStrictEqual(parseJson(jsonText(value)), value)
      ),
      { numRuns }
    ))
})

import assert from "node:assert/strict"
import fc from "fast-check"
import { describe, it } from "vitest"
import { MalformedFile } from "../src/capabilities/files/errors.ts"
import { parseJson } from "../src/capabilities/files/JsonValue.ts"
import { ndjsonParser } from "../src/capabilities/files/NdjsonParser.ts"
import { decodeFrame, FrameEncoder, frameFromBytes, frameToBytes, JsonLineParser, MalformedBytes } from "../src/serialization/index.ts"
import { decodeAll, inPieces } from "../tests/capabilities/files/fileStreams.ts"
import { type JsonDocument, jsonLine } from "./arbitraries/JsonDocument.ts"

const numRuns = Number(process.env["FC_RUNS"] ?? 400)

/** Values of which JSON.parse loses nothing. */
const plainValue = fc.oneof(
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e14, max: 1e14 }).map((value) => (Object.is(value, -0) ? 0 : value)),
  fc.boolean(),
  fc.constant(null),
  fc.string({ unit: fc.constantFrom(...'ab9 {}[],:"\\\n_é東😀') }),
  fc.array(fc.constantFrom(1, "x", "{", "]", ","), { maxLength: 3 }),
  fc.record({ inner: fc.array(fc.record({ deep: fc.string() }), { maxLength: 2 }) })
)
const plainDocument: fc.Arbitrary<JsonDocument> = plainValue.map((value) => ({ text: JSON.stringify(value), value }))
const keys = fc.uniqueArray(fc.constantFrom("a", "id", "name", "é", "a,b", "{", 'q"q', "x".repeat(40), "x".repeat(70)), {
  minLength: 1,
  maxLength: 5
})

/** Maps with the same keys in the same spelling, one a line; `of` is what stands in them. */
const records = (of: fc.Arbitrary<JsonDocument>) =>
  fc
    .tuple(keys, fc.constantFrom("", " "), fc.nat(30))
    .chain(([names, space, count]) =>
      fc
        .array(fc.tuple(...names.map(() => of)), { minLength: count, maxLength: count })
        .map((rows) =>
          rows.map((values) => `{${names.map((name, i) => `${JSON.stringify(name)}:${space}${values[i]!.text}`).join(`,${space}`)}}`)
        )
    )

/** A few characters exchanged, inserted or cut out, in one of the lines. */
const changes = fc.array(
  fc.tuple(
    fc.nat(),
    fc.nat(300),
    fc.nat(2),
    fc.constantFrom(...'[]{},:"\\0-. \n\r_', "},{", '","', '"7":', "1234567890123456", '"__proto__":')
  ),
  { maxLength: 3 }
)
const damagedLines = fc
  .tuple(fc.oneof(records(plainDocument), records(jsonLine), fc.array(jsonLine.map(({ text }) => text))), changes)
  .map(([lines, some]) => {
    const all = [...lines]
    for (const [line, at, cut, put] of some) {
      const index = line % (all.length + 1)
      const text = all[index] ?? ""
      const place = at % (text.length + 1)
      all[index] = text.slice(0, place) + put + text.slice(place + cut)
    }
    return all.join("\n").toWellFormed().split("\n")
  })

/** What a line is, read by itself. */
const read = (line: string): { readonly value?: unknown } => {
  try {
    return { value: parseJson(line) }
  } catch {
    return {}
  }
}

const lineEndsOf = (block: Uint8Array): ReadonlyArray<number> => [...block.entries()].filter(([, byte]) => byte === 10).map(([at]) => at)

/** As many values as lines, though not one on each; and what stands where 64 bytes end. */
const hard: ReadonlyArray<Array<Array<string>>> = [
  [["[1", "2]", "3,4"]],
  [['"a', 'b"', "1,2"]],
  [['["]"', '"["]', "1,2"]],
  [["1]", "[2"]],
  ...[53, 54, 55, 56].flatMap((length) => [
    [[`{"p":"${"x".repeat(length)}","77":1}`]],
    [[`{"p":"${"x".repeat(length)}","7777777777777777777":1}`]],
    [[`{"p":"${"x".repeat(length)}\\\\","7":"\\""}`, '"]"', "[1]"]],
    [[`{"p":"${"x".repeat(length - 8)}","q":12345678901234567}`]]
  ]),
  [['{"a":1,"b":2}'], ['{"a":1,"b":2},{"a":3,"b":4}', '{"a":5', ',"b":6}']],
  [['{"a":1,"b":2}'], ['[{"a":1,"b":2}', '{"a":1,"b":2}]']],
  [['{"a":1,"b":2}'], ['{"a":1}', '{"a":1,"b":2,"b":3}']]
]

const splits = fc.record({
  pieces: fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 6 }),
  sizes: fc.record({ block: fc.integer({ min: 1, max: 600 }), headroom: fc.integer({ min: 0, max: 200 }) })
})

describe("lines of JSON", () => {
  it("SE-R6: together they are what each is by itself, or it is not said what they are", () =>
    fc.assert(
      fc.property(fc.array(damagedLines, { minLength: 1, maxLength: 5 }), (blocks) => {
        const parser = new JsonLineParser("utf8")
        for (const lines of blocks) {
          const block = Buffer.from(`${lines.join("\n")}\n`)
          const parsed = parser.parse(block)
          if (parsed === undefined) continue
          assert.deepStrictEqual(
            parsed.values,
            lines.map((line) => read(line).value)
          )
          assert.deepStrictEqual([...parsed.lineEnds], lineEndsOf(block))
        }
      }),
      { numRuns: numRuns * 5, examples: hard.map((blocks) => [blocks]) }
    ))

  it("SE-R6: where JSON.parse loses nothing it is said, also of maps whose keys are known", () =>
    fc.assert(
      fc.property(fc.array(records(plainDocument), { minLength: 1, maxLength: 4 }), (blocks) => {
        const parser = new JsonLineParser("utf8")
        for (const lines of blocks.filter(({ length }) => length > 0)) {
          const block = Buffer.from(`${lines.join("\n")}\n`)
          // A string of digits before a space could be a key, as could one that is `__proto__`, and an escape of a digit may be in one.
          fc.pre(!/"\d+"\s|__proto__|\\u00[35]|\\u[dD]/.test(block.toString()))
          assert.deepStrictEqual(
            parser.parse(block)?.values,
            lines.map((line) => read(line).value)
          )
        }
      }),
      { numRuns }
    ))

  it("a reader gives the lines up to the first that is broken, however they are split", () =>
    fc.assert(
      fc.asyncProperty(damagedLines, splits, async (lines, { pieces, sizes }) => {
        const parser = ndjsonParser({ path: "f", encoding: "utf8", maxRecordBytes: 100_000 })
        const { failure, items } = await decodeAll(inPieces(Buffer.from(lines.join("\n")), pieces), parser, sizes)
        const written = lines
          .map((line, index) => ({ index, isBlank: /^[ \t\r]*$/.test(line), ...read(line) }))
          .filter(({ isBlank }) => !isBlank)
        const bad = written.findIndex((line) => !("value" in line))
        assert.deepStrictEqual(
          items,
          written.slice(0, bad === -1 ? undefined : bad).map(({ value }) => value)
        )
        if (bad === -1) return assert.equal(failure, undefined)
        assert.ok(failure instanceof MalformedFile)
        assert.deepStrictEqual([failure.line, failure.item], [written[bad]!.index + 1, bad + 1])
      }),
      { numRuns: numRuns * 2 }
    ))

  it("SE-R1: a frame of them gives them again; damaged, it gives them or says so", () =>
    fc.assert(
      fc.property(
        records(plainDocument).filter(({ length }) => length > 0),
        fc.nat(30),
        fc.nat(30),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (lines, first, second, at, flip) => {
          const block = Buffer.from(`${lines.join("\n")}\n`)
          const parsed = new JsonLineParser("utf8").parse(block)
          fc.pre(parsed !== undefined)
          const [from, to] = [first % lines.length, (second % lines.length) + 1].toSorted((a, b) => a - b) as [number, number]
          fc.pre(from < to)
          const bytes = frameToBytes(new FrameEncoder({ stream: "s" }).encodeJsonLines({ block, lineEnds: parsed!.lineEnds }, from, to, 0))
          assert.deepStrictEqual(decodeFrame(frameFromBytes(bytes)), parsed!.values.slice(from, to))
          const damaged = bytes.slice()
          damaged[at % damaged.length]! ^= flip
          try {
            decodeFrame(frameFromBytes(damaged))
          } catch (error) {
            assert.ok(error instanceof MalformedBytes)
          }
        }
      ),
      { numRuns }
    ))
})

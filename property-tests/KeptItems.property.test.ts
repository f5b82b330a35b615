import assert from "node:assert/strict"
import fc from "fast-check"
import { describe, it } from "vitest"
import {
  decodeFrame,
  FrameEncoder,
  frameFromBytes,
  frameToBytes,
  keyword,
  takeItems,
  UnencodableValue
} from "../src/serialization/index.ts"
import { items } from "./arbitraries/Items.ts"

const numRuns = Number(process.env["FC_RUNS"] ?? 200)

/** Records of all kinds that have copies, and one change that makes no difference, widens the shape, or has no bytes. */
const record = (i: number) => ({
  id: i,
  name: `n${i}é`,
  note: i % 2 === 0 ? null : "x",
  at: { x: i / 2, nothing: null },
  moment: new Date(i),
  is: i % 3 === 0,
  mark: i % 2 === 0 ? keyword("even") : "odd"
})
class Point {
  x = 1
  nothing = null
}
const changes: ReadonlyArray<readonly [string, unknown]> = [
  ["id", -0],
  ["id", 1.5],
  ["id", "1"],
  ["id", undefined],
  ["name", "\ud83d"],
  ["name", "€😀"],
  ["name", 7],
  ["note", undefined],
  ["note", "\ude00x"],
  ["at", { nothing: null, x: 1 }],
  ["at", { x: 1, nothing: undefined }],
  ["at", { x: 1 }],
  ["at", { x: 1, nothing: null, more: 1 }],
  ["at", new Point()],
  ["at", null],
  ["moment", new Date(Number.NaN)],
  ["moment", 7],
  ["is", null],
  ["is", Symbol("x")],
  ["mark", keyword("third")],
  ["mark", "\udc00"],
  ["mark", () => 1],
  ["other", 1]
]

const outcome = <A>(work: () => A): A | { readonly refused: number | undefined } => {
  try {
    return work()
  } catch (error) {
    assert.ok(error instanceof UnencodableValue)
    return { refused: error.index }
  }
}

/** What a sender's frames give their receivers, bytes in between or not. */
const both = (batches: ReadonlyArray<ReadonlyArray<unknown>>): number => {
  const [encoding, keeping] = [new FrameEncoder({ stream: "s" }), new FrameEncoder({ stream: "s" })]
  let kept = 0
  for (const batch of batches) {
    const encoded = outcome(() => encoding.encode(batch, 0, batch.length, 1))
    const frame = outcome(() => keeping.keep(batch, 0, batch.length, 1))
    if ("refused" in encoded || "refused" in frame) {
      assert.deepEqual(frame, encoded)
      continue
    }
    const expected = decodeFrame(encoded)
    const { byteLength } = frame
    assert.deepEqual([frame.sequence, frame.count, frame.kind, frame.time], [encoded.sequence, encoded.count, "data", 1])
    assert.deepStrictEqual(takeItems(frame), expected)
    assert.deepStrictEqual(decodeFrame(frame), expected, "who asks for bytes gets the same")
    assert.deepStrictEqual(decodeFrame(frameFromBytes(frameToBytes(frame))), expected)
    assert.equal(frame.byteLength, byteLength, "what a mailbox adds it takes away again")
    if (frame.kept === undefined) continue
    kept++
    // A unit of text counts two bytes, and has three at most; a keyword and a map have some around it.
    assert.ok(byteLength * 2 >= frame.body.length, `${byteLength} for ${frame.body.length} bytes`)
  }
  return kept
}

describe("KeptItems", () => {
  it("SE-R7: a frame that keeps items gives what its bytes would, of any shapes", () =>
    fc.assert(
      fc.property(fc.array(items, { minLength: 1, maxLength: 4 }), (batches) => void both(batches.flatMap((batch) => [batch, batch]))),
      { numRuns }
    ))

  it("SE-R7: an item that is unlike the others crosses as it would in bytes, or is refused with the same index", () =>
    fc.assert(
      fc.property(fc.nat(39), fc.nat(39), fc.constantFrom(...changes), fc.constantFrom(...changes), (at, then, one, other) => {
        const usual = Array.from({ length: 40 }, (_, i) => record(i))
        const changed = usual.with(at, { ...record(at), [one[0]]: one[1] })
        const twice = changed.with(then, { ...record(then), [other[0]]: other[1] })
        assert.ok(both([usual, usual, changed, changed, twice, twice, usual]) >= 1)
      }),
      { numRuns: numRuns * 2 }
    ))

  it("SE-R7: what becomes of an item afterwards, its frame knows nothing of", () => {
    const encoder = new FrameEncoder({ stream: "s" })
    const own = Array.from({ length: 40 }, (_, i) => record(i))
    encoder.keep(own, 0, 40, 0)
    const frame = encoder.keep(own, 0, 40, 0)
    assert.notEqual(frame.kept, undefined)
    for (const item of own) {
      item.moment.setTime(1)
      item.at.x = -1
      item.name = "changed"
    }
    const expected = Array.from({ length: 40 }, (_, i) => record(i))
    const taken = takeItems(frame)
    assert.deepStrictEqual(taken, expected)
    taken.length = 0
    assert.deepStrictEqual(takeItems(frame), expected)
    assert.deepStrictEqual(decodeFrame(frame), expected)
  })
})

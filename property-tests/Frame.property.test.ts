import assert from "node:assert/strict"
import fc from "fast-check"
import { describe, it } from "vitest"
import {
  decodeFrame,
  decodeValue,
  encodeValue,
  Frame,
  FrameEncoder,
  frameFromBytes,
  frameToBytes,
  makeLineScanner,
  MalformedBytes,
  signalValue,
  UnencodableValue
} from "../src/serialization/index.ts"
import { items } from "./arbitraries/Items.ts"
import { atom, text, value } from "./arbitraries/Value.ts"

const numRuns = Number(process.env["FC_RUNS"] ?? 200)

/** Moves a frame through its bytes, at an address that is not what columns like. */
const moved = (frame: Frame, shift: number): Frame => {
  const block = new Uint8Array(frameToBytes(frame).length + shift)
  block.set(frameToBytes(frame), shift)
  return frameFromBytes(block.subarray(shift))
}

const holdsUndefined = (part: unknown): boolean =>
  typeof part === "object" && part !== null && !(part instanceof Uint8Array) ? Object.values(part).some(holdsUndefined) : part === undefined

/** Lines of all kinds of characters and ends, also longer than what a scanner looks at in one go. */
const lineText = fc
  .array(
    fc.oneof(
      {
        weight: 12,
        arbitrary: fc.constantFrom("a", "line", "\r", "\n", "\n", "\r\n", "é", "ÿ", "€", "😀", "\0", "\u2028", "\ufffd", "\u{10ffff}")
      },
      {
        weight: 1,
        arbitrary: fc
          .tuple(fc.constantFrom("x", "é", "😀", "\n", "\r\n"), fc.integer({ min: 1, max: 5000 }))
          .map(([unit, times]) => unit.repeat(times))
      }
    ),
    { maxLength: 60 }
  )
  .chain((parts) =>
    // Now and then a long first line brings the others to the border between two scans.
    fc.oneof(
      { weight: 2, arbitrary: fc.constant(parts.join("")) },
      { weight: 1, arbitrary: fc.nat(8).map((before) => "x".repeat(16 * 1024 - before) + parts.join("")) }
    )
  )

describe("Frame", () => {
  it("SE-R1: one sender's frames of any shapes give their items back, also by way of bytes", () =>
    fc.assert(
      fc.property(fc.array(items, { minLength: 1, maxLength: 4 }), fc.nat(7), (batches, shift) => {
        const encoder = new FrameEncoder({ stream: "/pipelines/orders/ünï", sequence: 7 })
        // All are made before the first is read: no frame may need or change another one.
        const frames = batches.flatMap((batch) => [
          encoder.encode(batch, 0, batch.length, 1),
          encoder.encode(batch, batch.length >> 2, batch.length, 2)
        ])
        for (const [i, batch] of batches.entries()) {
          const [whole, part] = [frames[i * 2]!, frames[i * 2 + 1]!]
          assert.deepStrictEqual(decodeFrame(whole), batch)
          assert.deepStrictEqual(decodeFrame(whole), batch, "a frame can be delivered again")
          const there = moved(part, shift)
          assert.deepStrictEqual(decodeFrame(there), batch.slice(batch.length >> 2))
          assert.deepEqual([there.sequence, there.stream, there.time, there.kind], [8 + i * 2, encoder.stream, 2, "data"])
          assert.ok(frameToBytes(part).length <= part.byteLength + 8)
        }
      }),
      { numRuns }
    ))

  it("an item that can't be encoded is named, costs no sequence number and leaves the others intact", () =>
    fc.assert(
      fc.property(
        items.filter((batch) => batch.length > 0),
        fc.nat(),
        fc.constantFrom<unknown>(() => 1, "\ud800", Symbol("x"), { a: ["\udc00x"] }, new Set([1])),
        fc.nat(3),
        (batch, at, stranger, warm) => {
          const encoder = new FrameEncoder({ stream: "s" })
          for (let i = 0; i < warm; i++) encoder.encode(batch, 0, batch.length, 0)
          const before = encoder.encode(batch, 0, batch.length, 0)
          const index = at % batch.length
          const spoiled = batch.with(index, stranger)
          assert.throws(
            () => encoder.encode(spoiled, 0, spoiled.length, 0),
            (error) => error instanceof UnencodableValue && error.index === index
          )
          const after = encoder.encode(batch, 0, batch.length, 0)
          assert.equal(after.sequence, before.sequence + 1)
          assert.deepStrictEqual(decodeFrame(before), batch)
          assert.deepStrictEqual(decodeFrame(after), batch)
        }
      ),
      { numRuns }
    ))

  it("SE-R1: a sender that has learned how its records look notices the one that looks otherwise", () =>
    fc.assert(
      fc.property(
        fc.nat(39),
        fc.constantFrom("id", "name", "note", "at"),
        fc.oneof(atom, fc.constantFrom<unknown>(-0, undefined, [], {}, { x: 1 })),
        fc.nat(6),
        (at, key, other, change) => {
          const record = (i: number) => ({ id: i, name: `n${i}`, note: i % 2 === 0 ? null : "x", at: { x: i / 2, nothing: null } })
          const encoder = new FrameEncoder({ stream: "s" })
          const usual = Array.from({ length: 40 }, (_, i) => record(i))
          encoder.encode(usual, 0, 40, 0)
          assert.equal(encoder.encode(usual, 0, 40, 0).layout, "columns")
          const { [key as "id"]: removed, ...rest } = record(at)
          const changes: ReadonlyArray<unknown> = [
            { ...rest, [key]: other },
            rest,
            { ...rest, other: removed },
            { ...rest, [key]: removed, other },
            Object.assign(Object.create(null), record(at)),
            other ?? null,
            { ...record(at), at: { x: 1, other: null } }
          ]
          const strange = usual.with(at, changes[change] as never)
          const expected = strange.map((item) => (item === changes[change] ? decodeValue(encodeValue(item)) : item))
          for (let times = 0; times < 3; times++) assert.deepStrictEqual(decodeFrame(encoder.encode(strange, 0, 40, 0)), expected)
          assert.deepStrictEqual(decodeFrame(encoder.encode(usual, 0, 40, 0)), usual)
        }
      ),
      { numRuns: numRuns * 3 }
    ))

  it("SE-R1: what is accepted in a column can be read from it, up to 512 levels", () =>
    fc.assert(
      fc.property(fc.integer({ min: 505, max: 515 }), fc.nat(39), (depth, at) => {
        const records = Array.from({ length: 40 }, (_, i) => ({ id: i, inner: { list: [i] as Array<unknown> } }))
        const encoder = new FrameEncoder({ stream: "s" })
        for (let i = 0; i < 2; i++) encoder.encode(records, 0, 40, 0)
        let list: Array<unknown> = []
        for (let i = 1; i < depth - 2; i++) list = [list]
        const deep = records.with(at, { id: at, inner: { list } })
        if (depth <= 512) assert.deepStrictEqual(decodeFrame(encoder.encode(deep, 0, 40, 0)), deep)
        else assert.throws(() => encoder.encode(deep, 0, 40, 0), { name: "UnencodableValue", index: at })
      }),
      { numRuns: 50 }
    ))

  it("SE-R1: keys that look like paths of keys are told from them", () => {
    const records = Array.from({ length: 40 }, (_, i) => ({ "a\u0000b": i, a: { b: `text ${i}`, 'c","d': i / 2 }, "a.b": null }))
    const encoder = new FrameEncoder({ stream: "s" })
    encoder.encode(records, 0, 40, 0)
    const frame = encoder.encode(records, 0, 40, 0)
    assert.equal(frame.layout, "columns")
    assert.deepStrictEqual(decodeFrame(frame), records)
  })

  it("SE-R1: texts that repeat at first and then do not cross as well, in frames that stay small", () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 5, max: 300 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 }),
        (length, distincts) => {
          const encoder = new FrameEncoder({ stream: "s" })
          for (const [round, distinct] of [2, 2, ...distincts, 2].entries()) {
            const records = Array.from({ length: 40 }, (_, i) => ({ colour: `${round * 40 + (i % distinct)}`.padStart(length, "x") }))
            const frame = encoder.encode(records, 0, 40, 0)
            assert.deepStrictEqual(decodeFrame(frame), records)
            assert.ok(frame.byteLength < 40 * (length + 20) + 3000)
          }
        }
      ),
      { numRuns: 50 }
    ))

  it("a host object that looks like a record is refused, also after the sender has learned the record", () => {
    class Point {
      x = 1
      y = 2
    }
    const points = Array.from({ length: 40 }, () => ({ x: 1, y: 2 }))
    const encoder = new FrameEncoder({ stream: "s" })
    for (let i = 0; i < 3; i++) encoder.encode(points, 0, 40, 0)
    assert.throws(() => encoder.encode(points.with(5, new Point()), 0, 40, 0), { name: "UnencodableValue", index: 5 })
  })

  it("SE-R4: half a surrogate pair is refused in any row, also where its neighbour holds the other half", () =>
    fc.assert(
      fc.property(fc.array(text, { minLength: 30, maxLength: 60, size: "max" }), fc.nat(28), fc.boolean(), (texts, at, inNeighbours) => {
        const encoder = new FrameEncoder({ stream: "s" })
        const unlike = texts.map((line, i) => line + i)
        for (let i = 0; i < 3; i++) encoder.encode(unlike, 0, unlike.length, 0)
        const halves = inNeighbours ? unlike.with(at, "x\ud83d").with(at + 1, "\ude00") : unlike.with(at, "x\ud83dx")
        assert.throws(() => encoder.encode(halves, 0, halves.length, 0), { name: "UnencodableValue", index: at })
      }),
      { numRuns }
    ))

  it("SE-R3: a length that was changed in a column of texts is noticed", () =>
    fc.assert(
      fc.property(
        fc.array(fc.string({ maxLength: 30 }), { minLength: 20, maxLength: 40, size: "max" }),
        fc.nat(),
        fc.integer(),
        fc.boolean(),
        (texts, at, length, compensate) => {
          const encoder = new FrameEncoder({ stream: "s" })
          const unlike = texts.map((line, i) => line + i)
          encoder.encode(unlike, 0, unlike.length, 0)
          const bytes = frameToBytes(encoder.encode(unlike, 0, unlike.length, 0))
          const frame = frameFromBytes(bytes)
          assert.equal(frame.layout, "columns")
          const lengths = new Int32Array(bytes.buffer, frame.body.byteOffset + 24, unlike.length)
          assert.deepEqual(
            Array.from(lengths),
            unlike.map((line) => line.length)
          )
          const row = at % (unlike.length - 1)
          const change = length - lengths[row]!
          lengths[row]! += change
          // Two wrong lengths may add up to the right text, but not if one of them is negative.
          if (compensate && length < 0) lengths[row + 1]! -= change
          if (change !== 0) assert.throws(() => decodeFrame(frame), MalformedBytes)
        }
      ),
      { numRuns }
    ))

  it("SE-R3: damaged frames give items or a typed error", () =>
    fc.assert(
      fc.property(
        items,
        fc.nat(),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 3 }),
        (batch, cut, changes) => {
          const encoder = new FrameEncoder({ stream: "s" })
          encoder.encode(batch, 0, batch.length, 0)
          const intact = frameToBytes(encoder.encode(batch, 0, batch.length, 0))
          const read = (damaged: Uint8Array) => {
            try {
              const frame = frameFromBytes(damaged)
              if (frame.kind === "data") {
                const found = decodeFrame(frame)
                assert.equal(found.length, frame.count)
                assert.ok(!holdsUndefined(found), "bytes made a value that is none")
              } else signalValue(frame)
            } catch (error) {
              assert.ok(error instanceof MalformedBytes, String(error))
            }
          }
          const changed = intact.slice()
          for (const [at, byte] of changes) changed[at % changed.length] = byte
          read(changed)
          const short = intact.subarray(0, cut % intact.length)
          assert.throws(() => decodeFrame(frameFromBytes(short)), MalformedBytes)
        }
      ),
      { numRuns: numRuns * 3 }
    ))

  it("SE-R5: lines cross as the strings they are, in any encoding and however they are cut into frames", () =>
    fc.assert(
      fc.property(
        lineText,
        fc.boolean(),
        fc.boolean(),
        fc.integer({ min: 1, max: 9 }),
        fc.nat(7),
        (content, isLatin, isPortable, most, shift) => {
          const encoding = isLatin ? "latin1" : "utf8"
          const block = Buffer.from(content, encoding)
          const text = block.toString(encoding)
          const expected = text.split(/\r?\n/)
          if (expected.at(-1) === "") expected.pop()
          const lines = makeLineScanner(isPortable ? "portable" : "fastest")(block, encoding)
          const encoder = new FrameEncoder({ stream: "s" })
          const frames: Array<Frame> = []
          for (let from = 0; from < lines.lineEnds.length; from += most)
            frames.push(encoder.encodeLines(lines, from, Math.min(from + most, lines.lineEnds.length), 5))
          block.fill(0)
          lines.cuts.fill(0)
          assert.deepStrictEqual(
            frames.flatMap((frame) => decodeFrame(frame)),
            expected
          )
          assert.deepStrictEqual(
            frames.flatMap((frame) => decodeFrame(moved(frame, shift))),
            expected
          )
          for (const frame of frames) assert.ok(frameToBytes(frame).length <= frame.byteLength + 8)
        }
      ),
      { numRuns: numRuns * 2 }
    ))

  it("SE-R3: a frame of lines that was changed gives as many lines or a typed error", () =>
    fc.assert(
      fc.property(lineText, fc.nat(), fc.nat(), (content, at, byte) => {
        const lines = makeLineScanner()(Buffer.from(content), "utf8")
        const count = lines.lineEnds.length
        const bytes = frameToBytes(new FrameEncoder({ stream: "s" }).encodeLines(lines, 0, count, 0))
        const { body } = frameFromBytes(bytes)
        body[at % body.length] = byte
        try {
          const found = decodeFrame(frameFromBytes(bytes))
          assert.equal(found.length, count)
          assert.ok(found.every((line) => typeof line === "string"))
        } catch (error) {
          assert.ok(error instanceof MalformedBytes, String(error))
        }
      }),
      { numRuns: numRuns * 2 }
    ))

  it("SE-R3: line ends that fall or do not end with the text, and a false count, are noticed", () =>
    fc.assert(
      fc.property(
        lineText.filter((content) => content !== ""),
        fc.nat(),
        fc.integer({ min: 1, max: 1 << 30 }),
        (content, at, by) => {
          const lines = makeLineScanner()(Buffer.from(content), "utf8")
          const count = lines.lineEnds.length
          const { body, ...fields } = new FrameEncoder({ stream: "s" }).encodeLines(lines, 0, count, 0)
          const damaged = (line: number, change: number) => {
            const bytes = new Uint8Array(body)
            new Uint32Array(bytes.buffer, 16, count)[line]! += 2 * change
            return new Frame({ ...fields, body: bytes })
          }
          assert.throws(() => decodeFrame(damaged(count - 1, by)), MalformedBytes)
          assert.throws(() => decodeFrame(new Frame({ ...fields, count: 2 ** 40, body })), MalformedBytes)
          if (count > 1) assert.throws(() => decodeFrame(damaged(at % (count - 1), content.length + 1)), MalformedBytes)
        }
      ),
      { numRuns }
    ))

  it("signals carry their value in the order of their sender", () =>
    fc.assert(
      fc.property(value, fc.constantFrom("watermark", "barrier", "directive", "error", "end"), (carried, kind) => {
        const encoder = new FrameEncoder({ stream: "s" })
        encoder.encode([1], 0, 1, 0)
        const frame = moved(encoder.signal(kind, 9, carried), 3)
        assert.deepEqual([frame.kind, frame.sequence, frame.count, frame.time], [kind, 1, 0, 9])
        assert.deepStrictEqual(signalValue(frame), carried)
        assert.deepEqual(Buffer.from(frame.body), Buffer.from(encodeValue(carried)))
        assert.equal(encoder.encode([1], 0, 1, 0).sequence, 2)
      }),
      { numRuns }
    ))
})

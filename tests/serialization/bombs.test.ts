import { describe, expect, it } from "vitest"
import { decodeFrame, encodeValue, FrameEncoder, keyOf } from "../../src/serialization/index.ts"

// A value that uses a part of itself twice, and that part one of itself, and so on: small in memory, endless on paper.
const doubled = (times: number, of: unknown): unknown => (times === 0 ? of : doubled(times - 1, [of, of]))
const doubledMap = (times: number, of: unknown): unknown => (times === 0 ? of : doubledMap(times - 1, { x: of, y: of }))

describe("a value that is far larger as bytes than it is in memory", () => {
  const megabyte = "x".repeat(1024 * 1024)

  it("can't be encoded beyond 64 MB", () => {
    expect(() => encodeValue(doubled(40, megabyte))).toThrow(/takes more than 64 MB; a part that is used in several places/)
    expect(() => encodeValue(doubledMap(40, megabyte))).toThrow(/takes more than 64 MB/)
    expect(encodeValue(doubled(5, megabyte)).length).toBeGreaterThan(32 * 1024 * 1024)
  })

  it("is named by its place in a frame, and its neighbours are not refused with it", () => {
    const encoder = new FrameEncoder({ stream: "test" })
    const items = [1, 2, doubled(40, megabyte), 4]
    expect(() => encoder.encode(items, 0, 4, 0)).toThrow(expect.objectContaining({ index: 2 }))
    expect(decodeFrame(encoder.encode(items, 3, 4, 0))).toEqual([4])
  })

  it("does not make its neighbours in columns fail in another way", () => {
    const encoder = new FrameEncoder({ stream: "test" })
    const rows = Array.from({ length: 40 }, (_, id) => ({ id, extra: id % 2 === 0 ? "a" : [id] }) as { id: number; extra: unknown })
    for (let i = 0; i < 3; i++) encoder.encode(rows, 0, 40, 0)
    rows[7]!.extra = doubled(40, megabyte)
    expect(() => encoder.encode(rows, 0, 40, 0)).toThrow(expect.objectContaining({ _tag: "UnencodableValue", index: 7 }))
  })

  it("is no key beyond a million parts", () => {
    expect(() => keyOf(doubled(60, 1))).toThrow(expect.objectContaining({ _tag: "ValueTooLarge" }))
    expect(() => keyOf(doubledMap(60, 1))).toThrow(/more than 1000000 parts/)
    expect(keyOf(doubled(8, 1))).toBe(keyOf(doubled(8, 1n)))
  })
})

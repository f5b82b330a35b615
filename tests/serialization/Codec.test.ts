import { Packr } from "msgpackr"
import { describe, expect, it } from "vitest"
import {
  decodeFrame,
  decodeValue,
  detachString,
  encodeValue,
  ErrorValue,
  FrameEncoder,
  frameFromBytes,
  frameToBytes,
  HostObject,
  keyOf,
  keyword,
  valuesEqual
} from "../../src/serialization/index.ts"

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

class Resource extends HostObject {
  override get label() {
    return "stream orders"
  }
  override toJSON() {
    return { stream: "orders" }
  }
}

describe("Codec", () => {
  // What a release has written, every later one must read. These bytes are not to be changed, only added to.
  it.each<[string, unknown, string]>([
    ["nil", null, "c0"],
    ["−0", -0, "cb8000000000000000"],
    ["NaN", NaN, "cb7ff8000000000000"],
    ["a number beyond 32 bits", 2 ** 53, "cb4340000000000000"],
    ["a big integer", 2n ** 53n + 1n, "cf0020000000000001"],
    ["a bigger one", -(2n ** 64n), "c70a0201010000000000000000"],
    ["a keyword", keyword("a/b"), "c70301612f62"],
    ["text", "häß", "a568c3a4c39f"],
    ["bytes", Uint8Array.of(1, 2), "c4020102"],
    ["a time", new Date(1), "d7ff003d090000000000"],
    ["a map", { b: 1, a: [true] }, "82a16191c3a16201"],
    ["a map with a digit key", new Map([["1", 2]]), "81a13102"],
    ["an error", new ErrorValue({ type: keyword("t"), message: "m" }), "d70394d40174a16dc0c0"]
  ])("reads and writes %s as the first release did", (_, value, written) => {
    expect(hex(encodeValue(value))).toBe(written)
    expect(decodeValue(Buffer.from(written, "hex"))).toStrictEqual(value)
  })

  it("names what can't cross and where it stands", () => {
    expect(() => encodeValue({ orders: [{ source: new Resource() }] })).toThrow(
      "value.orders[0].source can't leave its actor: it is #<stream orders>"
    )
    expect(() => encodeValue([() => 1])).toThrow("value[0] can't leave its actor: it is a function")
    expect(() =>
      encodeValue(
        new Map<unknown, unknown>([
          ["a", 1],
          [keyword("a"), 2]
        ])
      )
    ).toThrow("two of its keys are the same to RTFS")
    expect(() => encodeValue({ at: new Date(NaN) })).toThrow("value.at can't leave its actor: it is an invalid date")
    expect(() => encodeValue({ tags: new Set() })).toThrow("it is an instance of Set")
    const cycle: Array<unknown> = []
    cycle.push(cycle)
    expect(() => encodeValue(cycle)).toThrow("nests deeper than 512 levels, or holds itself")
  })

  it("keeps the order of a map's entries in frames, and sorts them where equal values are to give equal bytes", () => {
    const map = new Map<unknown, unknown>([[7, 1], ["b", 2], [keyword("a"), 3], [[1], 4], [-3, 5]])
    const crossed = decodeFrame(new FrameEncoder({ stream: "s" }).encode([map], 0, 1, 0))[0] as Map<unknown, unknown>
    expect([...crossed.values()]).toEqual([1, 2, 3, 4, 5])
    expect(hex(encodeValue(map))).toBe(hex(encodeValue(new Map([...map].toReversed()))))
  })

  it("is not confused by a getter that encodes", () => {
    const nosy = {
      a: 1,
      get b() {
        return encodeValue({ inner: [1, 2, 3] }).length
      },
      c: 3
    }
    expect(decodeValue(encodeValue(nosy))).toEqual({ a: 1, b: 11, c: 3 })
  })

  it("refuses the extensions of other writers", () => {
    const others = new Packr({ moreTypes: true, structuredClone: true })
    for (const value of [/x/, new Set([1]), new Error("x"), new Float64Array(2)])
      expect(() => decodeValue(others.pack(value))).toThrow("none of the extension types")
    expect(() => decodeValue(new Packr({ structures: [] }).pack({ a: 1 }))).toThrow("Malformed msgpack")
    expect(() => decodeValue(Uint8Array.of(0xc1))).toThrow("0xc1 starts no value")
  })

  it("is plain msgpack to others, values and frames alike", () => {
    const reader = new Packr({ useRecords: false })
    const value = { id: 7, name: "häß", list: [1.5, null, true], at: new Date(1234), bytes: Uint8Array.of(1, 2) }
    expect(reader.unpack(encodeValue(value))).toEqual({ ...value, bytes: expect.objectContaining({ 0: 1, 1: 2, length: 2 }) })
    const encoder = new FrameEncoder({ stream: "s" })
    const items = Array.from({ length: 20 }, (_, i) => ({ id: i, name: `n${i}` }))
    encoder.encode(items, 0, 20, 5)
    const columns = reader.unpack(frameToBytes(encoder.encode(items, 0, 20, 5))) as Array<unknown>
    expect(columns.slice(0, 7)).toEqual([1, 0, 2, "s", 1, 20, 5])
    expect((columns[8] as Array<unknown>).slice(0, 2)).toEqual([expect.stringMatching(/^\["id","i","name","t"\] *$/), 20])
  })

  it("reads a frame that the first release wrote", () => {
    const written = "99010001a173000301c40500000000009301a161d4016b"
    const frame = frameFromBytes(Buffer.from(written, "hex"))
    expect(decodeFrame(frame)).toStrictEqual([1, "a", keyword("k")])
    expect(hex(frameToBytes(frame))).toBe(written)
    expect(() => frameFromBytes(Buffer.from(written.replace("9901", "9902"), "hex"))).toThrow("frames of version 2 are unknown here")
  })
})

describe("valuesEqual and keyOf", () => {
  it("tell apart what RTFS tells apart, and nothing else", () => {
    expect(valuesEqual("a", keyword("a"))).toBe(false)
    expect(valuesEqual({ a: 1, b: 2 }, { b: 2, a: 1 })).toBe(true)
    expect(valuesEqual(NaN, NaN)).toBe(false)
    expect(valuesEqual(-0, 0)).toBe(true)
    expect(valuesEqual({ a: null }, {})).toBe(false)
    expect(valuesEqual(1e20, 10n ** 20n)).toBe(false)
    const held = [NaN]
    expect(valuesEqual(held, held)).toBe(false)
    const seen = new Set(
      [1, 1n, "1", keyword("1"), [1], ["1"], NaN, NaN, "__proto__", "constructor", { a: 1 }, new Map([["a", 1]])].map(keyOf)
    )
    expect(seen.size).toBe(9)
  })

  it("know functions and host objects by themselves, also inside of others", () => {
    const [one, other] = [() => 1, () => 1]
    expect(valuesEqual([one], [one])).toBe(true)
    expect(keyOf([one])).toBe(keyOf([one]))
    expect(keyOf([one])).not.toBe(keyOf([other]))
    const resource = new Resource()
    expect(keyOf({ resource })).toBe(keyOf({ resource }))
    expect(keyOf({ resource })).not.toBe(keyOf({ resource: new Resource() }))
  })
})

describe("detachString", () => {
  it("gives the same text, whatever its characters", () => {
    for (const text of ["", "short", "a".repeat(5000), "é".repeat(30), "漢字".repeat(3000), "half \ud800 of a pair, kept as it is"])
      expect(detachString(text)).toBe(text)
  })

  it("lets go of the text that it was cut out of", () => {
    // Strings of this size live in the heap; buffers are outside of it, and the collector frees those when it likes.
    globalThis.gc?.()
    const before = process.memoryUsage().heapUsed
    const kept: Array<string> = []
    for (let i = 0; i < 300; i++)
      kept.push(
        detachString(
          Buffer.alloc(200_000, "x")
            .toString("latin1")
            .substring(i, i + 20)
        )
      )
    globalThis.gc?.()
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(20_000_000)
    expect(kept.length).toBe(300)
  })
})

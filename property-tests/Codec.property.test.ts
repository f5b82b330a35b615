import assert from "node:assert/strict"
import { isUtf8 } from "node:buffer"
import fc from "fast-check"
import { describe, it } from "vitest"
import {
  decodeValue,
  detach,
  encodeValue,
  isPlainKey,
  isPlainMap,
  keyOf,
  keyword,
  MalformedBytes,
  valuesEqual
} from "../src/serialization/index.ts"
import { text, twin, value } from "./arbitraries/Value.ts"

const numRuns = Number(process.env["FC_RUNS"] ?? 200)

/** Runs `read` on bytes that may be anything: it gives a value or the typed error, and never something else. */
const readable = (read: () => unknown): boolean => {
  try {
    read()
    return true
  } catch (error) {
    assert.ok(error instanceof MalformedBytes, `not a typed error: ${String(error)}`)
    return false
  }
}

/** Whether any part of a value is NaN, the only one that equals nothing. */
const holdsNaN = (part: unknown): boolean =>
  typeof part === "object" && part !== null && !(part instanceof Uint8Array || part instanceof Date)
    ? part instanceof Map
      ? Array.from(part).some(([, held]) => holdsNaN(held))
      : Object.values(part).some(holdsNaN)
    : Number.isNaN(part)

/** −0 equals 0 but keeps its sign on the way, so it is the one case where equal values differ in bytes. */
const holdsNegativeZero = (part: unknown): boolean =>
  typeof part === "object" && part !== null && !(part instanceof Uint8Array || part instanceof Date)
    ? part instanceof Map
      ? Array.from(part).flat().some(holdsNegativeZero)
      : Object.values(part).some(holdsNegativeZero)
    : Object.is(part, -0)

describe("Codec", () => {
  it("SE-R1: decoding an encoded value gives the value", () =>
    fc.assert(
      fc.property(value, (original) => assert.deepStrictEqual(decodeValue(encodeValue(original)), original)),
      { numRuns: numRuns * 3 }
    ))

  it("SE-R1: nesting of up to 512 levels crosses, more does not", () =>
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 700 }), fc.boolean(), (depth, inMaps) => {
        let nested: unknown = 7
        for (let i = 0; i < depth; i++) nested = inMaps ? { a: nested } : [nested]
        if (depth <= 512) assert.deepStrictEqual(decodeValue(encodeValue(nested)), nested)
        else assert.throws(() => encodeValue(nested), { name: "UnencodableValue" })
      }),
      { numRuns }
    ))

  it("SE-R2: equal values have equal bytes, whatever their form", () =>
    fc.assert(
      fc.property(value, (original) => {
        const other = twin(original)
        assert.equal(valuesEqual(original, other), !holdsNaN(original))
        assert.deepEqual(encodeValue(other), encodeValue(original))
      }),
      { numRuns: numRuns * 2 }
    ))

  it("SE-R2: values with equal bytes are equal, and values with other bytes are not", () =>
    fc.assert(
      fc.property(value, value, (a, b) => {
        if (holdsNaN(a) || holdsNaN(b) || holdsNegativeZero(a) || holdsNegativeZero(b)) return
        assert.equal(Buffer.compare(encodeValue(a), encodeValue(b)) === 0, valuesEqual(a, b))
      }),
      { numRuns: numRuns * 2 }
    ))

  it("SE-R3: any bytes give a value or a typed error", () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        assert.ok(typeof readable(() => decodeValue(bytes)) === "boolean")
      }),
      { numRuns: numRuns * 10 }
    ))

  it("SE-R3: bytes that were changed or cut give a value or a typed error, and what is read can be written", () =>
    fc.assert(
      fc.property(value, fc.nat(), fc.integer({ min: 0, max: 255 }), fc.nat(), (original, at, byte, cut) => {
        const bytes = encodeValue(original)
        const changed = bytes.slice()
        changed[at % changed.length] = byte
        if (readable(() => decodeValue(changed)))
          // Foreign bytes may hold two keys that are one to RTFS; reading keeps one of them, so writing works.
          encodeValue(decodeValue(changed))
        assert.equal(
          readable(() => decodeValue(bytes.subarray(0, cut % bytes.length))),
          false
        )
        assert.equal(
          readable(() => decodeValue(Buffer.concat([bytes, bytes]))),
          false
        )
      }),
      { numRuns: numRuns * 3 }
    ))

  it("SE-R3: announced lengths cost no memory before their bytes are there", () =>
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), fc.constantFrom("array", "map", "text", "bytes", "extension"), (times, innermost) => {
        // Each level announces as many items as there are bytes, which is all that can be checked at its start.
        const size = 60_000
        const bytes = Buffer.alloc(size)
        for (let i = 0; i < times; i++) bytes.set([0xdc, (size - times * 3 - 10) >> 8, (size - times * 3 - 10) & 0xff], i * 3)
        bytes.set([{ array: 0xdd, map: 0xdf, text: 0xdb, bytes: 0xc6, extension: 0xc9 }[innermost], 0x7f, 0xff, 0xff, 0xff], times * 3)
        const before = process.memoryUsage().heapUsed
        assert.equal(
          readable(() => decodeValue(bytes)),
          false
        )
        bytes.fill(0, times * 3)
        assert.equal(
          readable(() => decodeValue(bytes)),
          false
        )
        assert.ok(process.memoryUsage().heapUsed - before < 20_000_000)
      }),
      { numRuns: 50 }
    ))

  it("SE-R4: text that is not UTF-8 is refused and never repaired", () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), text, fc.nat(), (noise, around, at) => {
        const good = Buffer.from(around)
        const payload = Buffer.concat([good.subarray(0, at % (good.length + 1)), noise])
        const bytes = Buffer.concat([Buffer.from([0xda, payload.length >> 8, payload.length & 0xff]), payload])
        if (isUtf8(payload)) assert.deepEqual(Buffer.from(decodeValue(bytes) as string), payload)
        else assert.throws(() => decodeValue(bytes), MalformedBytes)
      }),
      { numRuns }
    ))

  it("SE-R4: half a surrogate pair anywhere is refused, with its place", () =>
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.nat(3), fc.string({ minLength: 1, unit: "grapheme-ascii" }).filter(isPlainKey)), { maxLength: 5 }),
        text,
        fc.boolean(),
        (path, around, low) => {
          let inner: unknown = around + (low ? "\udc00" : "\ud800") + "x"
          let place = ""
          for (const step of path) {
            inner = typeof step === "number" ? [...Array.from({ length: step }, () => 0), inner] : { ok: 1, [step]: inner }
            place = (typeof step === "number" ? `[${step}]` : `.${step}`) + place
          }
          assert.throws(() => encodeValue(inner), { name: "UnencodableValue", path: `value${place}` })
        }
      ),
      { numRuns }
    ))

  it("never gives a value another prototype than its own kind has", () =>
    fc.assert(
      fc.property(value, (original) => {
        const check = (part: unknown): void => {
          if (typeof part !== "object" || part === null || part instanceof Uint8Array) return
          if (part instanceof Map) return Array.from(part).flat().forEach(check)
          if (isPlainMap(part)) assert.equal(Object.getPrototypeOf(part), Object.prototype)
          Object.values(part).forEach(check)
        }
        check(decodeValue(encodeValue({ wrapped: original })))
        assert.equal(({} as { polluted?: unknown }).polluted, undefined)
      }),
      { numRuns }
    ))
})

describe("keyOf", () => {
  it("DI-1: keys are the same exactly when the values are equal, and NaN is one key", () =>
    fc.assert(
      fc.property(value, value, (a, b) => {
        const sameKey = (left: unknown, right: unknown) => new Set([keyOf(left), keyOf(right)]).size === 1
        assert.ok(sameKey(a, twin(a)))
        assert.ok(sameKey(NaN, a) === Number.isNaN(a))
        if (!holdsNaN(a) && !holdsNaN(b)) assert.equal(sameKey(a, b), valuesEqual(a, b))
      }),
      { numRuns: numRuns * 3 }
    ))

  it("DI-1: a text that looks like the key of a composite is another key", () =>
    fc.assert(
      fc.property(value, (original) => {
        const key = keyOf([original])
        assert.notEqual(keyOf(key), key)
        assert.notEqual(keyOf("a"), keyOf(keyword("a")))
        assert.notEqual(keyOf([original, "a"]), keyOf([original, keyword("a")]))
      }),
      { numRuns }
    ))
})

describe("detach", () => {
  it("gives an equal value of the same form that shares no memory", () =>
    fc.assert(
      fc.property(value, (original) => {
        const copy = detach(original)
        assert.deepStrictEqual(copy, original)
        if (original instanceof Uint8Array && original.length > 0) assert.notEqual((copy as Uint8Array).buffer, original.buffer)
      }),
      { numRuns }
    ))
})

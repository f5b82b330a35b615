import fc from "fast-check"
import { ErrorValue, isPlainKey, isPlainMap, Keyword, keyOf, keyword } from "../../src/serialization/index.ts"

/** Map keys that JavaScript treats specially, or that an implementation built on objects gets wrong. */
export const oddKey = fc.constantFrom(
  "__proto__",
  "constructor",
  "prototype",
  "hasOwnProperty",
  "toString",
  "toJSON",
  "valueOf",
  "then",
  "length",
  "0",
  "1",
  "42",
  "4294967295",
  "007",
  "-1",
  "1.5",
  "",
  " ",
  "a/b",
  "😀",
  "\u2028",
  "\u0000"
)

/** Well-formed text of any script, short and long, sometimes one that looks like something else. */
export const text: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: fc.string({ unit: "grapheme-ascii", maxLength: 20 }) },
  { weight: 3, arbitrary: fc.string({ unit: "binary", maxLength: 20 }) },
  { weight: 1, arbitrary: fc.string({ unit: "grapheme", maxLength: 12 }) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constantFrom("a", "é", "漢", "😀"), fc.integer({ min: 20, max: 300 })).map(([unit, times]) => unit.repeat(times))
  },
  { weight: 1, arbitrary: fc.constantFrom("\uFFFD", "\uFEFFbom", "\u0000cx", "\u0000", ":a", "nil") },
  { weight: 1, arbitrary: oddKey }
)

export const keywordValue: fc.Arbitrary<Keyword> = fc
  .oneof(fc.constantFrom("a", "b", "a/b", "com.acme:v1.0/feed", "ready?"), text)
  .map(keyword)

const unsafe = 2n ** 53n

/** Every number of RTFS: big integers only where a number is not exact. */
export const numeric: fc.Arbitrary<number | bigint> = fc.oneof(
  { weight: 4, arbitrary: fc.integer() },
  { weight: 3, arbitrary: fc.double() },
  {
    weight: 3,
    arbitrary: fc.constantFrom<number | bigint>(
      -0,
      0,
      NaN,
      Infinity,
      -Infinity,
      2 ** 53 - 1,
      2 ** 53,
      1 - 2 ** 53,
      -(2 ** 53),
      2 ** 31,
      2 ** 31 - 1,
      -(2 ** 31),
      -(2 ** 31) - 1,
      2 ** 32 - 1,
      2 ** 32,
      127,
      128,
      255,
      256,
      65535,
      65536,
      -32,
      -33,
      -128,
      -129,
      -32768,
      -32769,
      1e300,
      5e-324,
      unsafe + 1n,
      -unsafe - 1n,
      2n ** 63n - 1n,
      2n ** 63n,
      -(2n ** 63n),
      -(2n ** 63n) - 1n,
      2n ** 64n - 1n,
      2n ** 64n,
      10n ** 400n,
      -(10n ** 40n)
    )
  },
  { weight: 1, arbitrary: fc.bigInt({ min: unsafe + 1n, max: 2n ** 200n }) },
  { weight: 1, arbitrary: fc.bigInt({ min: -(2n ** 200n), max: -unsafe - 1n }) }
)

const instant = fc.date({ noInvalidDate: true })

export const bytes: fc.Arbitrary<Uint8Array> = fc.uint8Array({ maxLength: 40 }).map((array) => Uint8Array.from(array))

/** Values without parts. */
export const atom: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 2, arbitrary: fc.constant(null) },
  { weight: 2, arbitrary: fc.boolean() },
  { weight: 5, arbitrary: numeric },
  { weight: 5, arbitrary: text },
  { weight: 2, arbitrary: keywordValue },
  { weight: 1, arbitrary: instant },
  { weight: 1, arbitrary: bytes }
)

/** A map in the form that RTFS gives it: a plain object where its keys allow that, else a `Map`. */
export const mapOf = (entries: ReadonlyArray<readonly [unknown, unknown]>): unknown => {
  const named = entries.map(([key, value]) => [key instanceof Keyword ? key.name : key, value] as const)
  return named.every(([key]) => typeof key === "string" && isPlainKey(key)) ? Object.fromEntries(named) : new Map(named)
}

const entriesOf = (key: fc.Arbitrary<unknown>, value: fc.Arbitrary<unknown>) =>
  fc.uniqueArray(fc.tuple(key, value), {
    maxLength: 6,
    selector: ([held]) => keyOf(held instanceof Keyword ? held.name : held),
    comparator: "SameValueZero"
  })

/** Any RTFS value that may cross a frame, in the form that RTFS gives it. */
export const value: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 4, withCrossShrink: true }, { weight: 4, arbitrary: atom }, { weight: 3, arbitrary: tie("compound") }),
  compound: fc.oneof(
    fc.array(tie("value"), { maxLength: 6 }),
    entriesOf(fc.oneof(fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 6 }), oddKey), tie("value")).map(mapOf),
    entriesOf(tie("value"), tie("value")).map(mapOf),
    fc.record({ type: keywordValue, message: text, data: tie("value"), name: fc.option(text) }).map((fields) => new ErrorValue(fields))
  )
})).value

/**
 * The same value in another form, so that laws about equality do not only meet identical twins: entries in reverse
 * order, maps as `Map` or without a prototype, small integers as `bigint`, nil as `undefined`.
 */
export const twin = (original: unknown): unknown => {
  if (original === null) return undefined
  if (typeof original === "number" && Number.isSafeInteger(original) && !Object.is(original, -0)) return BigInt(original)
  if (typeof original !== "object") return original
  if (Array.isArray(original)) return original.map(twin)
  if (original instanceof Map) return new Map(Array.from(original, ([key, held]) => [twin(key) ?? null, twin(held)] as const).reverse())
  if (original instanceof ErrorValue)
    return new ErrorValue({ type: original.type, message: original.message, data: twin(original.data), name: original.name })
  if (original instanceof Uint8Array) return Buffer.from(original)
  if (original instanceof Keyword || original instanceof Date || !isPlainMap(original)) return original
  const entries = Object.entries(original)
    .map(([key, held]) => [key, twin(held)] as const)
    .reverse()
  return entries.length % 2 === 0 ? new Map(entries) : Object.assign(Object.create(null), Object.fromEntries(entries))
}

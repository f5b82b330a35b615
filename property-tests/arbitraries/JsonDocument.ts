import fc from "fast-check"

/** A JSON value as text that is written with odd but legal spacing, and what we promise to read it as. */
export interface JsonDocument {
  readonly text: string
  readonly value: unknown
}

const space = fc.constantFrom("", "", "", " ", "\n", "\r\n", "\t", "  \n ")
/** White space that ends no line. */
const inlineSpace = fc.constantFrom("", "", "", " ", "\t", "\r")

const key = fc.constantFrom(
  "a",
  "b",
  "name",
  "é",
  "😀",
  "",
  "__proto__",
  "constructor",
  "toString",
  "0",
  "12",
  "1a",
  "-1",
  "__proto",
  "k e y",
  '"\\\n'
)
const text = fc.oneof(
  fc.constantFrom("", "plain", "é😀", '"', "\\", "\n\t\u0000", "12", "2024-05-06", "__proto__", "[1,2]", '{"a":1}', "a,b", ":", "}"),
  fc.string({ unit: "grapheme", maxLength: 8 })
)

/** Some characters as escapes, which JSON allows for all of them. */
const quoted = (content: string, escaped: boolean): string =>
  escaped
    ? `"${Array.from({ length: content.length }, (_, i) => `\\u${content.charCodeAt(i).toString(16).padStart(4, "0")}`).join("")}"`
    : JSON.stringify(content)

const integer = fc.oneof(
  fc.maxSafeInteger().map(String),
  fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }).map(String),
  fc.constantFrom("0", "-0", "9007199254740992", "9007199254740993", "-9007199254740992", "1234567890123456")
)
const number = fc.oneof(
  integer.map((written) => {
    const exact = BigInt(written)
    const isBig = exact > 2n ** 53n || exact < -(2n ** 53n)
    return { text: written, value: isBig ? exact : written === "-0" ? -0 : Number(exact) }
  }),
  fc
    .oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
      fc.constantFrom("1e3", "1E-2", "-0.5e+1", "0.12345678901234567", "12345678901234567890.5", "1e400")
    )
    .map((written) => {
      // String() writes integers and exponents as JSON does; an integer it is only if it looks like one.
      const isInteger = /^-?\d+$/.test(written)
      return isInteger && Math.abs(Number(written)) > 2 ** 53
        ? { text: written, value: BigInt(written) }
        : { text: written, value: Number(written) }
    })
)

const leaf: fc.Arbitrary<JsonDocument> = fc.oneof(
  number,
  fc.constantFrom(null, true, false).map((value) => ({ text: String(value), value })),
  fc.tuple(text, fc.boolean()).map(([value, escaped]) => ({ text: quoted(value, escaped), value }))
)

const arrayOf = (elements: ReadonlyArray<readonly [JsonDocument, string, string]>, inner: string): JsonDocument => ({
  text: elements.length === 0 ? `[${inner}]` : `[${elements.map(([{ text }, before, after]) => before + text + after).join(",")}]`,
  value: elements.map(([{ value }]) => value)
})

type Entry = readonly [key: string, escaped: boolean, value: JsonDocument, before: string, after: string]

const mapOf = (entries: ReadonlyArray<Entry>, inner: string): JsonDocument => {
  const isPlain = entries.every(([name]) => name !== "__proto__" && !/^\d+$/.test(name))
  const pairs = new Map(entries.map(([name, , { value }]) => [name, value]))
  return {
    text:
      entries.length === 0
        ? `{${inner}}`
        : `{${entries.map(([name, escaped, { text }, before, after]) => `${before}${quoted(name, escaped)}${after}:${before}${text}${after}`).join(",")}}`,
    value: isPlain ? Object.fromEntries(pairs) : pairs
  }
}

const documents = (spacing: fc.Arbitrary<string>) =>
  fc.letrec<{ document: JsonDocument }>((tie) => ({
    document: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      leaf,
      fc
        .tuple(fc.array(fc.tuple(tie("document"), spacing, spacing), { maxLength: 4 }), spacing)
        .map(([elements, inner]) => arrayOf(elements, inner)),
      fc
        .tuple(fc.array(fc.tuple(key, fc.boolean(), tie("document"), spacing, spacing), { maxLength: 4 }), spacing)
        .map(([entries, inner]) => mapOf(entries, inner))
    )
  })).document

/** Any JSON value, with line ends between its tokens. */
export const jsonDocument = documents(space)

/** Any JSON value on one line. */
export const jsonLine = documents(inlineSpace)

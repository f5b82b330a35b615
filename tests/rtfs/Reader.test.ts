import { describe, expect, it } from "vitest"
import { printForm, readForms, type RtfsError } from "../../src/rtfs/index.ts"
import { readProgram } from "../../src/rtfs/Reader.ts"
import { outcome, rows } from "./evaluation.ts"

const read = (source: string): string => {
  try {
    return readForms(source).map(printForm).join(" ")
  } catch (error) {
    return `!${(error as RtfsError).message}`
  }
}

describe("Reader", () => {
  it.each(
    rows(String.raw`
    1, 2 ⇒ 1 2
    007 ⇒ 7
    +5 -5 ⇒ 5 -5
    9007199254740993 ⇒ 9007199254740993
    1.50 2.5e3 1.0E-2 ⇒ 1.5 2500 0.01
    ##Inf ##-Inf ##NaN ⇒ ##Inf ##-Inf ##NaN
    true false nil nilly truex ⇒ true false nil nilly truex
    - + -> ->> <= a-b ⇒ - + -> ->> <= a-b
    com.acme:v1.2/name stream.map string/upper-case timestamp:now ⇒ com.acme:v1.2/name stream.map string/upper-case timestamp:now
    :ready? :ccos.io/println :com.acme:v1.0/feed ⇒ :ready? :ccos.io/println :com.acme:v1.0/feed
    (λ [x] x) ⇒ (fn [x] x)
    () [] {} ⇒ () [] {}
    {item => body} ⇒ {item => body}
    #(+ % 1) ⇒ (fn [%1] (+ %1 1))
    #(+ %2 %1) ⇒ (fn [%1 %2] (+ %2 %1))
    #(f) ⇒ (fn [] (f))
    ^:delegation (f) ⇒ ^{:delegation true} (f)
    ^{:runtime.timeout 5} (f) ⇒ ^{:runtime.timeout 5} (f)
    @name @:key ⇒ (resource:ref "name") (resource:ref ":key")
    2024-05-06T07:08:09Z ⇒ "2024-05-06T07:08:09Z"
    123e4567-e89b-12d3-a456-426614174000 ⇒ "123e4567-e89b-12d3-a456-426614174000"
    resource://a/b ⇒ "resource://a/b"
    "a\nb\t\"\\" ⇒ "a\nb\t\"\\"
    "😀 é" ⇒ "😀 é"
    [x : int] ⇒ [x : int]
    1 ; comment ( ⇒ 1
    1 #| ( [ |# 2 ⇒ 1 2
  `)
  )("reads %s", (source, expected) => {
    expect(read(source)).toBe(expected)
  })

  it("reads quotes and quasiquotes as the forms they stand for", () => {
    const text = "'a `(b ~c ~@d)"
    expect(read(text)).toBe(text)
    expect(readForms("'a")).toMatchObject([{ kind: "list", items: [{ name: "quote" }, { name: "a" }] }])
  })

  it.each([
    ".5",
    "1.",
    "0x1F",
    "1_000",
    "12abc",
    "1e5",
    "-.5",
    "1/2",
    '"\\u0041"',
    '"\\q"',
    '"open',
    "#_ 1",
    "#{1}",
    '#"re"',
    "\\c",
    ":",
    "::k",
    ":1k",
    "~x",
    "~@x",
    "(",
    "[1",
    "{1",
    ")",
    "(]",
    "#| open",
    "'",
    "^{:a 1}",
    "^5 x",
    "#(#(1))",
    "##Nan",
    "a'b",
    "é",
    "@",
    "x:"
  ])("refuses %s", (source) => {
    expect(read(source)).toMatch(/^!/)
  })

  it("evaluates an empty program, or only comments, to nil", async () => {
    expect(await outcome("")).toBe("nil")
    expect(await outcome("; nothing\n#| more |#")).toBe("nil")
  })

  it("knows line and column of each form", () => {
    const [first, second] = readForms('(a\n  b)\r\n\r\n  "x\ny" c', { file: "f.rtfs" })
    expect(first?.at).toEqual({ file: "f.rtfs", line: 1, column: 1 })
    expect(first?.kind === "list" && first.items[1]?.at).toEqual({ file: "f.rtfs", line: 2, column: 3 })
    expect(second?.at).toEqual({ file: "f.rtfs", line: 4, column: 3 })
    expect(readForms('"x\ny" c')[1]?.at).toMatchObject({ line: 2, column: 4 })
  })

  it("reports every mistake of a text at once", () => {
    const { diagnostics } = readProgram('(a 12x)\n(b "\\q")\n(c ::k')
    expect(diagnostics.map(({ at }) => [at.line, at.column])).toEqual([
      [1, 4],
      [2, 5],
      [3, 4],
      [3, 1]
    ])
  })

  it("says what is wrong, where, and what was expected", () => {
    try {
      readForms("(let [x 1]\n  (+ x 1", { file: "sum.rtfs" })
      expect.unreachable()
    } catch (error) {
      expect((error as RtfsError).kind).toBe("read")
      expect((error as RtfsError).render("(let [x 1]\n  (+ x 1")).toBe(
        "Cannot read the program: This ( is never closed\n  at sum.rtfs:2:3\n  2 |   (+ x 1\n        ^\n  expected )\n"
          + "This ( is never closed\n  at sum.rtfs:1:1\n  1 | (let [x 1]\n      ^\n  expected )"
      )
    }
  })

  it("refuses nesting that nothing after it could walk", () => {
    expect(read("(".repeat(100_000))).toMatch(/nested more than 500 deep/)
    expect(read("'".repeat(100_000) + "a")).toMatch(/nested more than 500 deep/)
    expect(read("[".repeat(400) + "]".repeat(400))).toMatch(/^\[\[/)
  })
})

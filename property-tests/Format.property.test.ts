import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { format } from "../src/rtfs/format/format.ts"
import { type Form, readForms } from "../src/rtfs/index.ts"
import { programText } from "./arbitraries/Program.ts"

const numRuns = Number(process.env["FC_RUNS"] ?? 500)

/** Comments in their order. What the formatter may change of one: blanks at its end. */
const commentsOf = (source: string): ReadonlyArray<string> =>
  [...source.matchAll(/"(?:\\.|[^"\\])*"|;[^\n\r]*|#\|[\s\S]*?\|#/g)]
    .map(([text]) => text.trimEnd())
    .filter((text) => !text.startsWith('"'))

const withoutPositions = (forms: ReadonlyArray<Form>): unknown =>
  JSON.parse(
    JSON.stringify(forms, (key, value: unknown) =>
      key === "at" ? undefined : typeof value === "number" || typeof value === "bigint" ? `number ${value}` : value
    )
  )

describe("format", () => {
  it("changes nothing the second time", () =>
    fc.assert(
      fc.property(programText, (source) => {
        const once = format(source)
        expect(format(once)).toBe(once)
      }),
      { numRuns }
    ))

  it("never changes what the reader reads", () =>
    fc.assert(
      fc.property(programText, (source) => {
        expect(withoutPositions(readForms(format(source)))).toEqual(withoutPositions(readForms(source)))
      }),
      { numRuns }
    ))

  it("keeps all comments, in their order", () =>
    fc.assert(
      fc.property(programText, (source) => {
        expect(commentsOf(format(source))).toEqual(commentsOf(source))
      }),
      { numRuns }
    ))

  it("leaves no blanks at line ends, no two blank lines, and one line break at the end", () =>
    fc.assert(
      fc.property(programText, (source) => {
        // What is inside strings and block comments is the author's.
        const outside = format(source).replaceAll(/"(?:\\.|[^"\\])*"|#\|[\s\S]*?\|#/g, "x")
        expect(outside).not.toMatch(/[ \t]\n|\n\n\n|\r|^\n|\n\n$/)
        if (outside !== "") expect(outside).toMatch(/\n$/)
      }),
      { numRuns }
    ))
})

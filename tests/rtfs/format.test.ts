import { globSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { format } from "../../src/rtfs/format/format.ts"
import { RtfsError } from "../../src/rtfs/index.ts"

/** A text between marks, so that indentation in this file does not count. */
const text = (marked: string): string => marked.replace(/^\n/, "").replaceAll(/^ *\|/gm, "").replace(/\n *$/, "\n")

const formats = (written: string, expected: string): void => {
  expect(format(text(written))).toBe(text(expected))
  expect(format(text(expected))).toBe(text(expected))
}

describe("format", () => {
  it("indents bodies by two and aligns arguments", () => {
    formats(
      `
      |(defn f [x]
      |(let [a 1
      |b 2]
      |(if (> a b)
      |(println a
      |b)
      |b)))
      |`,
      `
      |(defn f [x]
      |  (let [a 1
      |        b 2]
      |    (if (> a b)
      |      (println a
      |               b)
      |      b)))
      |`
    )
  })

  it("puts each part on a line of its own where a line is too long", () => {
    formats(
      `
      |(def numbers {:from-collection [1 2 3 4 5 6 7 8 9 10] :with-a-long-name (fn [x] (* x x)) :and-a-text "of some more length"})
      |(-> (call :stream.from-collection [1 2 3 4 5 6 7 8 9 10]) (stream.filter even?) (stream.map square) (stream.batch 10))
      |(cond (< temperature 10) "it is rather cold today" (< temperature 20) "it is fine today" :else "it is hot, so drink a lot!")
      |`,
      `
      |(def numbers
      |  {:from-collection [1 2 3 4 5 6 7 8 9 10] :with-a-long-name (fn [x] (* x x)) :and-a-text "of some more length"})
      |(-> (call :stream.from-collection [1 2 3 4 5 6 7 8 9 10]) (stream.filter even?) (stream.map square) (stream.batch 10))
      |(cond
      |  (< temperature 10) "it is rather cold today"
      |  (< temperature 20) "it is fine today"
      |  :else "it is hot, so drink a lot!")
      |`
    )
    formats(
      `
      |{:on-result (fn [totals] (println "there are" (count totals) "of them")) :reducer (fn [totals item] (conj totals item)) :initial []}
      |(-> (call :stream.from-collection [1 2 3 4 5 6 7 8 9 10]) (stream.filter even?) (stream.map square) (stream.batch 10) (stream.map count))
      |`,
      `
      |{:on-result (fn [totals] (println "there are" (count totals) "of them"))
      | :reducer (fn [totals item] (conj totals item))
      | :initial []}
      |(-> (call :stream.from-collection [1 2 3 4 5 6 7 8 9 10])
      |    (stream.filter even?)
      |    (stream.map square)
      |    (stream.batch 10)
      |    (stream.map count))
      |`
    )
  })

  it("aligns the values of a map or of bindings if the author did", () => {
    formats(
      `
      |{:a   1
      | :bbbb 2
      | :cc 3}
      |(let [x  1
      |      long 2] x)
      |{:a 1
      | :bbbb 2}
      |`,
      `
      |{:a    1
      | :bbbb 2
      | :cc   3}
      |(let [x    1
      |      long 2] x)
      |{:a 1
      | :bbbb 2}
      |`
    )
  })

  it("keeps comments with what they are about, and one blank line", () => {
    formats(
      `
      |;; head
      |
      |
      |(f ; about f
      |  ;; about a
      |  a   ; trailing
      |
      |
      |  #| b |# b
      |  ;; the end
      |  )   ; behind
      |`,
      `
      |;; head
      |
      |(f ; about f
      | ;; about a
      | a   ; trailing
      |
      | #| b |# b
      | ;; the end
      | )   ; behind
      |`
    )
  })

  it("leaves what is in strings as it is", () => {
    formats('(println   "a  b\n   c ; no comment" )\n', '(println "a  b\n   c ; no comment")\n')
  })

  it("takes commas and line ends of Windows away, and gives one line break at the end", () => {
    expect(format("{:a 1, :b 2}\r\n\r\n\r\n(f\r\n1)")).toBe("{:a 1 :b 2}\n\n(f\n 1)\n")
    expect(format("")).toBe("")
    expect(format("\n ; only this\n\n")).toBe("; only this\n")
  })

  it("does not turn ~ @name into ~@name", () => {
    expect(format("`(a ~  @b ~@c)")).toBe("`(a ~ @b ~@c)\n")
  })

  it("fails for a text that cannot be read, and says where", () => {
    expect(() => format("(f", { file: "a.rtfs" })).toThrow(RtfsError)
  })

  it("has formatted all examples", () => {
    const root = fileURLToPath(new URL("../../", import.meta.url))
    const files = globSync("examples/**/*.rtfs", { cwd: root })
    expect(files.length).toBeGreaterThan(1)
    for (const file of files) {
      const source = readFileSync(root + file, "utf8")
      expect(format(source), `${file}: run rtfs-streams fmt --write ${file}`).toBe(source)
    }
  })
})

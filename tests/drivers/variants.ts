import { gunzipSync } from "node:zlib"
import { checkLines, type LineCheck, repeatDistance } from "./numberedLines.ts"

/** One kind of output of the program that is killed. */
export interface Variant {
  /** In the folder `out`. */
  readonly file: string
  /** What the file holds before. */
  readonly before?: string
  /** The stages behind `unique`, and the options of `file.write`. */
  readonly stages: string
  readonly options: string
  /** The lines in the file, or what is wrong with it beside its lines. */
  readonly linesOf: (bytes: Buffer) => ReadonlyArray<string>
}

const textLines = (bytes: Buffer): ReadonlyArray<string> => {
  const lines = bytes.toString("utf8").split("\n")
  // What stands behind the last line end is torn, and shows as such.
  return lines.at(-1) === "" ? lines.slice(0, -1) : lines
}

interface Batch {
  readonly lines: ReadonlyArray<string>
  readonly sum: number
}

const numberOf = (line: string): number => Number.parseInt(line, 10)

/** A batch with a wrong sum counts as one torn line. */
const linesOfBatches = (bytes: Buffer): ReadonlyArray<string> =>
  textLines(bytes).flatMap((text) => {
    const { lines, sum } = JSON.parse(text) as Batch
    return lines.reduce((total, line) => total + numberOf(line), 0) === sum ? lines : [...lines, "a wrong sum"]
  })

/** A line with a wrong total counts as torn. */
const linesWithTotals = (totals: ReadonlyArray<{ readonly line: string; readonly sum: number }>): ReadonlyArray<string> => {
  let before = 0
  return totals.map(({ line, sum }) => {
    before += numberOf(line)
    return sum === before ? line : "a wrong total"
  })
}

const heading = "here before\nthe second of them\n"

export const variants = {
  plain: { file: "copy.txt", stages: "unique", options: ":format :lines", linesOf: textLines },
  gzip: { file: "copy.txt.gz", stages: "unique", options: ":format :lines", linesOf: (bytes) => textLines(gunzipSync(bytes)) },
  ndjson: {
    file: "copy.ndjson",
    stages: "(stream.map unique (fn [line] {:line line}))",
    options: ":format :ndjson",
    linesOf: (bytes) => textLines(bytes).map((text) => (JSON.parse(text) as { readonly line: string }).line)
  },
  totals: {
    file: "totals.ndjson",
    stages: `(call :stream.stateful unique
      {:initial-state 0
       :processor (fn [sum line] (let [next (+ sum (number-of line))] [next {:line line :sum next}]))})`,
    options: ":format :ndjson",
    linesOf: (bytes) => linesWithTotals(textLines(bytes).map((text) => JSON.parse(text) as { readonly line: string; readonly sum: number }))
  },
  append: {
    file: "copy.txt",
    before: heading,
    stages: "unique",
    options: ":format :lines :mode :append",
    linesOf: (bytes) => {
      const text = bytes.toString("utf8")
      return [
        ...(text.startsWith(heading) ? [] : ["what was there before is not as it was"]),
        ...textLines(Buffer.from(text.slice(heading.length)))
      ]
    }
  },
  batch: {
    file: "batches.ndjson",
    stages:
      "(stream.map (call :stream.batch unique {:size 300 :timeout 5}) (fn [lines] {:lines lines :sum (reduce + 0 (map number-of lines))}))",
    options: ":format :ndjson",
    linesOf: linesOfBatches
  },
  pool: {
    file: "copy.txt",
    stages: "(call :stream.map unique {:transform (fn [line] (str line)) :offload :always :parallelism 2})",
    options: ":format :lines",
    linesOf: textLines
  }
} as const satisfies Readonly<Record<string, Variant>>

export type VariantName = keyof typeof variants

export const variantNames = Object.keys(variants) as ReadonlyArray<VariantName>

/** A copy of the lines without their repeats, and beside it their number and sum, as two checkpointed streams. */
export const programOf = ({ file, options, stages }: Variant, intervalMs: number): string => `
(defn number-of [line] (parse-int (first (split line ":"))))

(def lines (call :stream.file.read "in.txt" {:format :lines}))

(defn saved [id]
  (call :stream.with-checkpointing lines {:stream-id id :checkpoint-interval ${intervalMs}}))

(defn without-repeats [stream]
  (call :stream.distinct stream {:max-keys ${repeatDistance * 3}}))

(def unique (without-repeats (saved "copy")))

(def copy
  (call :stream.file.write "out/${file}" {:data-source ${stages} ${options}}))

(def total
  (call :stream.reduce (without-repeats (saved "total"))
    {:initial {:items 0 :sum 0}
     :reducer (fn [total line] {:items (inc (:items total)) :sum (+ (:sum total) (number-of line))})
     :on-result (fn [total] total)}))

(call :stream.await copy)
(call :stream.await total)
`

export const checkOutput = ({ linesOf }: Variant, bytes: Buffer, count: number): LineCheck => {
  try {
    return checkLines(linesOf(bytes), count)
  } catch {
    // It can't even be decompressed or parsed.
    return { lost: 0, doubled: 0, torn: 1, reordered: 0 }
  }
}

import { type CsvColumns, CsvWriter } from "./CsvWriter.ts"
import type { Encoding } from "./Encoding.ts"
import { UnwritableValue } from "./errors.ts"
import { jsonText, nameOf } from "./JsonText.ts"

/** How items become what a file holds. */
export interface ItemFormat {
  /**
   * What is appended for an item; `first` says that nothing was appended before.
   *
   * **Fails** with `UnwritableValue` where the item has no form in the format, and is as before then.
   */
  readonly append: (item: unknown, first: boolean) => string | Uint8Array
  /** What is appended behind the last item. */
  readonly end: (items: number) => string
  /** Columns of rows, for a writer that goes on. */
  readonly columns: () => CsvColumns | undefined
}

export interface ItemFormatOptions {
  readonly format: "text" | "lines" | "ndjson" | "csv" | "json"
  readonly separator: string
  readonly header: boolean
  readonly escapeFormulas: boolean
  readonly columns?: CsvColumns | undefined
  /** Throws `UnwritableValue` for text that the file's encoding lacks. */
  readonly check: (text: string) => void
}

export const itemFormat = (options: ItemFormatOptions): ItemFormat => {
  const checked = (piece: string): string => {
    options.check(piece)
    return piece
  }
  const plain = (append: (item: unknown) => string | Uint8Array): ItemFormat => ({
    append: (item) => {
      const piece = append(item)
      return typeof piece === "string" ? checked(piece) : piece
    },
    end: () => "",
    columns: () => undefined
  })
  switch (options.format) {
    case "text":
      return plain((item) => (typeof item === "string" || item instanceof Uint8Array ? item : notText(item, "text")))
    case "lines":
      return plain(line)
    case "ndjson":
      return plain((item) => `${jsonText(item)}\n`)
    case "json":
      return {
        append: (item, first) => checked((first ? "[\n" : ",\n") + jsonText(item)),
        end: (items) => (items === 0 ? "[]\n" : "\n]\n"),
        columns: () => undefined
      }
    case "csv": {
      const writer = new CsvWriter(options, options.columns)
      return { append: (item) => writer.row(item), end: () => "", columns: () => writer.columns }
    }
  }
}

const line = (item: unknown): string => {
  if (typeof item !== "string") return notText(item, "lines")
  // The reader would take either for two lines, or for a line without its last character.
  if (item.includes("\n") || item.endsWith("\r")) {
    throw new UnwritableValue("the line holds a line end", "Split it, or write records with :format :ndjson.")
  }
  return `${item}\n`
}

const notText = (item: unknown, format: string): never => {
  const kind = item === null || item === undefined ? "nil" : typeof item === "object" ? nameOf(item) : `a ${typeof item}`
  throw new UnwritableValue(
    `:format :${format} takes strings${format === "text" ? " and bytes" : ""}, not ${kind}`,
    "Use (str item), or write records with :format :ndjson."
  )
}

/** Refuses text that the encoding has no bytes for: nothing is replaced by a question mark. */
export const refuseUnencodable = (text: string, encoding: Encoding): void => {
  const encodable =
    encoding === "latin1"
      ? !/[^\u0000-\u00ff]/.test(text)
      : encoding === "ascii"
        ? !/[^\u0000-\u007f]/.test(text)
        : encoding !== "binary" && text.isWellFormed()
  if (encodable) return
  throw encoding === "binary"
    ? new UnwritableValue(
        "with :encoding :binary the items are bytes, not text",
        "Name the text's encoding (:utf8 :utf16le :latin1 :ascii)."
      )
    : new UnwritableValue(
        `the text has a character that :${encoding} does not have`,
        encoding === "latin1" || encoding === "ascii" ? "Use :encoding :utf8." : "It holds half a surrogate pair: mend it where it was cut."
      )
}

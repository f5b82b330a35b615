import { readFile } from "node:fs/promises"
import { text } from "node:stream/consumers"

/** A program's text, and the name that its errors show. */
export interface Program {
  readonly source: string
  readonly file: string
}

/** **Fails** with the error of the operating system; an `-` for the file is standard input. */
export const readProgram = async (operand: string): Promise<Program> =>
  operand === "-"
    ? { source: await text(process.stdin), file: "standard input" }
    : { source: withoutMark(await readFile(operand, "utf8")), file: operand }

/** Some editors put a byte order mark before the text. */
const withoutMark = (text: string): string => (text.startsWith("\ufeff") ? text.slice(1) : text)

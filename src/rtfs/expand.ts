import { Expander } from "./expand/Expander.ts"
import { layOut } from "./Printer.ts"
import { readForms } from "./Reader.ts"

/**
 * A program after its macros and stream forms have been replaced by what they stand for, as text that reads back as
 * the same program. Nothing is evaluated but the bodies of macros.
 *
 * **Fails** with `RtfsError` for a text that cannot be read or expanded.
 */
export const expand = (source: string, options: { readonly file?: string } = {}): string =>
  new Expander()
    .expandProgram(readForms(source, options))
    .map((form) => layOut(form))
    .join("\n\n")

import { failure } from "./errors.ts"
import type { Charge } from "./Printer.ts"

const mostCharacters = 16 * 1024 * 1024

/**
 * What stops a text from growing without end where no program pays for it: a line that the host prints. A value of a few
 * parts, each used twice by the next, would fill any memory.
 */
export const textLimit = (): Charge => {
  let left = mostCharacters
  return (characters) => {
    left -= characters
    if (left < 0) throw failure.argument(`The value takes more than ${mostCharacters} characters as text; print a part of it`)
  }
}

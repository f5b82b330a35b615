import { type Diagnostic, readForms, RtfsError } from "../../rtfs/index.ts"

/** Whether more lines may make a text readable: a bracket, string or comment is open, or a prefix waits for its form. */
export const isIncomplete = (source: string): boolean => {
  const problems = problemsOf(source)
  if (problems.length === 0) return false
  // Behind a lone quote the reader misses a form; any form shows whether that was all.
  return problems.every(isOpenEnded) || problemsOf(`${source}\n0`).every(isOpenEnded)
}

/**
 * The top-level forms of a text, each padded with blanks, so that errors name its place in the whole text.
 *
 * **Fails** with `RtfsError` for a text that cannot be read.
 */
export const formTexts = (source: string, file: string): ReadonlyArray<string> => {
  const starts = readForms(source, { file }).map(({ at }) => at)
  const lines = lineStarts(source)
  const offsets = starts.map(({ column, line }) => lines[line - 1]! + column - 1)
  return starts.map(
    ({ column, line }, index) => "\n".repeat(line - 1) + " ".repeat(column - 1) + source.slice(offsets[index], offsets[index + 1])
  )
}

const problemsOf = (source: string): ReadonlyArray<Diagnostic> => {
  try {
    readForms(source)
    return []
  } catch (error) {
    if (error instanceof RtfsError) return error.diagnostics
    throw error
  }
}

const isOpenEnded = ({ message }: Diagnostic): boolean => message.endsWith("is never closed")

const lineStarts = (source: string): ReadonlyArray<number> => [
  0,
  ...[...source.matchAll(/\r\n|\n|\r/g)].map((match) => match.index + match[0].length)
]

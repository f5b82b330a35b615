import { loadFormatter, print } from "../../rtfs/index.ts"

const maximumLines = 24
const maximumCharacters = 3000

/** A value for a person: over several lines where it is long, and cut where it is very long, with a note of how much is missing. */
export const shownValue = async (value: unknown, columns: number): Promise<string> => {
  const text = print(value)
  // More than this is cut anyway, and laying it out would take long.
  const laidOut = text.length > columns && text.length <= 50 * maximumCharacters ? await laidOutText(text, columns) : text
  const lines = laidOut.split("\n")
  const shown = lines.slice(0, maximumLines).join("\n").slice(0, maximumCharacters)
  return shown.length === laidOut.length ? laidOut : `${shown}\n… and ${laidOut.length - shown.length} more characters`
}

const laidOutText = async (text: string, width: number): Promise<string> => {
  const format = await loadFormatter()
  try {
    return format(text, { width }).trimEnd()
  } catch {
    // Functions and handles show as what cannot be read.
    return text
  }
}

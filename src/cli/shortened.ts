/** In one line, and no longer than that. */
export const shortened = (text: string, most: number): string => {
  const line = text.replaceAll(/\s+/g, " ")
  return line.length > most ? `${line.slice(0, most - 1)}…` : line
}

/** Where something stands in a program. Lines and columns count from 1, columns in UTF-16 units. */
export interface Position {
  readonly file: string
  readonly line: number
  readonly column: number
}

/** The position as a person reads it: `orders.rtfs:3:14`. */
export const positionText = (at: Position): string => `${at.file}:${at.line}:${at.column}`

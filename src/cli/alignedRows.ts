/** Rows of text as lines with aligned columns; a column that is empty in every row is left out. */
export const alignedRows = (rows: ReadonlyArray<ReadonlyArray<string>>, indent: string): ReadonlyArray<string> => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows.map((row) =>
    (
      indent
      + row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .filter((_, column) => widths[column]! > 0)
        .join("  ")
    ).trimEnd()
  )
}

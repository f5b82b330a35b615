/**
 * Why a text is no single query, if it is none. What a statement may do is for the database to say, which is asked within a
 * read-only transaction; this keeps out what that does not: a second statement, which SQLite's driver leaves out without a
 * word, and statements that are no queries, such as `ATTACH`.
 */
export const problemOfQuery = (text: string): string | undefined => {
  const bare = withoutLiterals(text).trim().replace(/;\s*$/, "")
  if (bare === "") return "is empty"
  if (bare.includes(";")) return "has more than one statement"
  const [first = ""] = /^[(\s]*([a-z]+)/i.exec(bare)?.slice(1) ?? []
  return /^(select|with|values|table)$/i.test(first)
    ? undefined
    : `begins with ${first === "" ? JSON.stringify(bare.slice(0, 10)) : first.toUpperCase()}, but is to read: SELECT, WITH or VALUES`
}

/** Without a semicolon at the end, so that it can stand in parentheses. */
export const bareQuery = (text: string): string =>
  withoutLiterals(text).trimEnd().endsWith(";") ? text.slice(0, text.lastIndexOf(";")) : text

/** Comments become spaces, quoted text `''`. What is not closed goes on to the end. */
const withoutLiterals = (text: string): string =>
  text.replace(
    /--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|'(?:[^']|'')*(?:'|$)|"(?:[^"]|"")*(?:"|$)|`[^`]*(?:`|$)|(?<![\w$])\$([a-z_]\w*)?\$[\s\S]*?(?:\$\1\$|$)/gi,
    (match) => (match.startsWith("-") || match.startsWith("/") ? " " : "''")
  )

/** An identifier as one, whatever is in it. */
export const quoted = (name: string, quote: '"' | "`" = '"'): string => `${quote}${name.replaceAll(quote, quote + quote)}${quote}`

/** Rows in the order of a key, behind one of its values. */
export const inOrder = (
  text: string,
  { after, key }: { readonly key: string; readonly after: unknown },
  placeholder: string,
  quote?: "`"
): string => {
  const column = quoted(key, quote)
  const behind = after === undefined ? "" : ` WHERE rows_in_order.${column} > ${placeholder}`
  // On a line of its own, because the query may end in a comment.
  return `SELECT * FROM (\n${bareQuery(text)}\n) AS rows_in_order${behind} ORDER BY rows_in_order.${column}`
}

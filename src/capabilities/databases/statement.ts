import type { DatabaseInsert, DatabaseQuery } from "../../actors/index.ts"
import { DatabaseFailure } from "./errors.ts"

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

/** `sales.orders`, or `orders` in the usual schema. */
export const schemaAndTable = (name: string): { readonly schema: string | null; readonly table: string } => {
  const dot = name.indexOf(".")
  return dot < 0 ? { schema: null, table: name } : { schema: name.slice(0, dot), table: name.slice(dot + 1) }
}

/** A query as its driver gets it: with an order, its rows behind the last one. */
export const driverQuery = <Value>(
  { order, params, text }: DatabaseQuery,
  value: (param: unknown) => Value,
  placeholder: (position: number) => string,
  quote?: "`"
): { readonly sql: string; readonly values: Array<Value> } => ({
  sql: order === undefined ? text : inOrder(text, order, placeholder(params.length + 1), quote),
  values: [...params, ...(order?.after === undefined ? [] : [order.after])].map(value)
})

/** Rows in the order of a key, behind one of its values. */
const inOrder = (
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

/** What becomes of rows that are there already, as PostgreSQL and SQLite are told it. */
export const onConflictClause = ({ columns, key, onConflict }: DatabaseInsert): string => {
  if (onConflict === "error") return ""
  const target = key.length === 0 ? "" : ` (${key.map((name) => quoted(name)).join(", ")})`
  const others = columns.filter(({ name }) => !key.includes(name)).map(({ name }) => `${quoted(name)} = EXCLUDED.${quoted(name)}`)
  return ` ON CONFLICT${target} DO ${onConflict === "ignore" || others.length === 0 ? "NOTHING" : `UPDATE SET ${others.join(", ")}`}`
}

/** A row is a map, in which every column has its own name. */
export const problemOfNames = (location: string, names: ReadonlyArray<string>): DatabaseFailure | undefined => {
  const refused = (problem: string, fix: string) => new DatabaseFailure({ location, kind: "refused", problem, fix })
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) return refused(`gives two columns named ${twice}`, "Give one another name: AS …")
  return names.includes("__proto__") ? refused("gives a column named __proto__", "Give it another name: AS …") : undefined
}

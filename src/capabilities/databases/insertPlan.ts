import * as Effect from "effect/Effect"
import type {
  DatabaseInsert,
  DatabaseKind,
  DatabaseRow,
  DatabaseSession,
  DatabaseTable,
  DatabaseValue
} from "../../actors/index.ts"
import { isKeyword, isPlainMap, nearestOrPart } from "../../serialization/index.ts"
import { UnwritableValue } from "../files/errors.ts"
import { asking } from "./connection.ts"
import { DatabaseFailure } from "./errors.ts"

export interface InsertOptions {
  readonly table: string
  readonly columns: ReadonlyArray<string> | undefined
  readonly onConflict: "error" | "ignore" | "update"
  readonly key: ReadonlyArray<string>
  readonly method: "auto" | "copy" | "insert"
  readonly isolateFailures: boolean
}

/** The table as the database has it: names of a program are compared with what is there, and never asked for as they are. */
export const tableFor = (
  location: string,
  session: DatabaseSession,
  { columns, key, method, onConflict, table: name }: InsertOptions
): Effect.Effect<DatabaseTable, unknown> =>
  Effect.flatMap(
    asking(() => session.table(name)),
    (table) => {
      const refuse = (problem: string, fix: string) => Effect.fail(new DatabaseFailure({ location, kind: "refused", problem, fix }))
      if (table === undefined)
        return refuse(
          `has no table ${JSON.stringify(name)}`,
          'Write its name as the database has it, with the schema where that is not the usual one: "sales.orders".'
        )
      if (method === "copy" && session.kind !== "postgres") return refuse("has no COPY, which :method :copy asks for", "Leave :method out.")
      const known = table.columns.map((column) => column.name)
      const missing = [...(columns ?? []), ...key].find((column) => !known.includes(column))
      if (missing !== undefined) return refuse(`has no column ${JSON.stringify(missing)} in the table ${name}`, hint(missing, known))
      // MySQL takes every unique key of the table, so there `:key` only says which columns stay.
      if (
        onConflict !== "error"
        && key.length > 0
        && !table.keys.some((unique) => unique.length === key.length && unique.every((column) => key.includes(column)))
      )
        return refuse(`has no unique key of ${key.join(", ")} in the table ${name}`, "Give :key the columns of a unique key, or make one.")
      return Effect.succeed(table)
    }
  )

const hint = (name: string, known: ReadonlyArray<string>): string => {
  const near = nearestOrPart(name, known)
  return near === undefined ? `There are ${known.join(", ")}.` : `Did you mean ${near}?`
}

/** How rows get into a table: into the columns that are named, or those of the first item. */
export const insertPlan = (
  location: string,
  table: DatabaseTable,
  { columns: named, key, method, onConflict, table: name }: InsertOptions,
  { first, kind }: { readonly first: unknown; readonly kind: DatabaseKind }
): DatabaseInsert => {
  const names = named ?? [...entriesOf(first).keys()]
  const known = table.columns.map((column) => column.name)
  const unknown = names.find((column) => !known.includes(column))
  if (names.length === 0 || unknown !== undefined) {
    throw new DatabaseFailure({
      location,
      kind: "refused",
      problem:
        unknown === undefined
          ? `gets no columns for the table ${name}: the first item is empty`
          : `has no column ${JSON.stringify(unknown)} in the table ${name}, which the first item has`,
      fix: unknown === undefined ? "Name them with :columns." : `${hint(unknown, known)} Or name those to write with :columns.`
    })
  }
  const without = key.find((column) => !names.includes(column))
  if (onConflict === "update" && without !== undefined) {
    throw new DatabaseFailure({
      location,
      kind: "refused",
      problem: `gets rows for the table ${name} without ${without}, which is in :key`,
      fix: "Write it, too."
    })
  }
  const mayCopy = kind === "postgres" && onConflict === "error"
  return {
    table,
    columns: names.map((column) => table.columns.find((each) => each.name === column)!),
    method: mayCopy && method !== "insert" ? "copy" : "insert",
    onConflict,
    key
  }
}

/** An item as a row. **Fails** by throwing what says which of its values has no place. */
export const rowOf = (item: unknown, { columns }: DatabaseInsert, session: DatabaseSession, mayHaveMore: boolean): DatabaseRow => {
  const isMap = item instanceof Map
  const entries = isMap || typeof item !== "object" || item === null || !isPlainMap(item) ? entriesOf(item) : undefined
  const row: Array<DatabaseValue> = []
  let found = 0
  for (const column of columns) {
    const { name } = column
    const value =
      entries === undefined
        ? Object.hasOwn(item as object, name)
          ? (item as Record<string, unknown>)[name]
          : undefined
        : entries.get(name)
    if (value !== undefined) found++
    row.push(value === undefined ? null : session.encode(value, column))
  }
  // The names are compared only where there are others: each row is counted, and few have more.
  if (!mayHaveMore && found < (entries === undefined ? Object.keys(item as object).length : entries.size)) {
    for (const name of entries?.keys() ?? Object.keys(item as object))
      if (!columns.some((column) => column.name === name)) throw surplus(name)
  }
  return row
}

const surplus = (name: string): UnwritableValue =>
  new UnwritableValue(
    `the item has ${JSON.stringify(name)}, and no column was taken for it: the columns are those of the first item`,
    "Name the columns with :columns."
  )

const entriesOf = (item: unknown): ReadonlyMap<string, unknown> => {
  if (item instanceof Map) return new Map([...item].map(([name, value]) => [isKeyword(name) ? name.name : String(name), value]))
  if (typeof item === "object" && item !== null && isPlainMap(item)) return new Map(Object.entries(item))
  throw new UnwritableValue("a row is a map of columns", "Map the item to one first.")
}

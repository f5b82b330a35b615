import * as Effect from "effect/Effect"
import type { DatabaseInsert, DatabaseKind, DatabaseRow, DatabaseSession, DatabaseTable } from "../../actors/index.ts"
import { isKeyword, isPlainMap, nearestOrPart } from "../../serialization/index.ts"
import { UnwritableValue } from "../files/errors.ts"
import { asking } from "./connection.ts"
import { DatabaseFailure } from "./errors.ts"
import { compileRowWriter } from "./rowCode.ts"

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

/**
 * Makes rows of items, as a plan wants them. What it gives throws what says which value of an item has no place.
 *
 * @param mayHaveMore whether an item may have keys that are no columns
 */
export const rowWriter = (
  { columns, method }: DatabaseInsert,
  session: DatabaseSession,
  mayHaveMore: boolean
): ((item: unknown) => DatabaseRow) => {
  const names = columns.map(({ name }) => name)
  const writers = columns.map((column) => session.encoder(column, method))
  const check = (keys: Iterable<string>): void => {
    for (const key of keys) if (!names.includes(key)) throw surplus(key)
  }
  const ofEntries = (item: unknown): DatabaseRow => {
    const entries = entriesOf(item)
    const values = writers.map((write, i) => write(entries.get(names[i]!)))
    if (!mayHaveMore) check(entries.keys())
    return method === "copy" ? `${values.join("\t")}\n` : values
  }
  return compileRowWriter<DatabaseRow>(names, writers, method === "copy" ? "line" : "values", {
    otherwise: ofEntries,
    more: mayHaveMore ? undefined : (item) => check(Object.keys(item))
  })
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

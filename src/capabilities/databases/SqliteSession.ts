import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite"
import type {
  DatabaseColumn,
  DatabaseCursor,
  DatabaseInsert,
  DatabaseQuery,
  DatabaseRow,
  DatabaseSession,
  DatabaseTable,
  DatabaseValue,
  ProgressMark
} from "../../actors/index.ts"
import type { DatabaseServer } from "./DatabaseServer.ts"
import { DatabaseFailure, type DatabaseFailureKind } from "./errors.ts"
import { advanceValues, progressStatements, readProgress, takenOver } from "./progress.ts"
import { compileRowReader } from "./rowCode.ts"
import { driverQuery, onConflictClause, problemOfNames, quoted } from "./statement.ts"
import { isBytes, jsonOf, refusing, textOf } from "./values.ts"

/** How long a statement waits for another connection; it holds up this thread, so the rest of the wait is the stream's. */
const busyMs = 50

/** Rows in one statement: more of them gain nothing more. SQLite takes 32,766 placeholders, builds of old 999. */
const rowsAtOnce = 50
const mostPlaceholders = 999

const progress = progressStatements({
  isThere: "SELECT 1 FROM sqlite_schema WHERE name = 'rtfs_streams_progress'",
  make: "CREATE TABLE IF NOT EXISTS rtfs_streams_progress (sink TEXT NOT NULL, run TEXT NOT NULL, items INTEGER NOT NULL, is_finished INTEGER NOT NULL DEFAULT 0, changed INTEGER NOT NULL DEFAULT (unixepoch()), PRIMARY KEY (sink, run))",
  yes: "1",
  now: "unixepoch()",
  weekAgo: "unixepoch() - 604800",
  unlessThere: "ON CONFLICT DO NOTHING",
  param: () => "?"
})

/** One connection to an SQLite file. Its work is done on this thread, a portion of rows at a time. */
export class SqliteSession implements DatabaseSession {
  readonly kind = "sqlite"
  readonly #server: DatabaseServer
  readonly #database: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()
  #isBroken = false

  private constructor(server: DatabaseServer, database: DatabaseSync) {
    this.#server = server
    this.#database = database
  }

  static async connect(server: DatabaseServer, access: "read" | "write"): Promise<SqliteSession> {
    const { DatabaseSync, constants } = await import("node:sqlite")
    try {
      const database = new DatabaseSync(server.url, { readOnly: access === "read", allowExtension: false, timeout: busyMs })
      if (access === "read") {
        database.exec("PRAGMA query_only = 1; PRAGMA trusted_schema = 0")
        guard(database, constants)
      }
      return new SqliteSession(server, database)
    } catch (error) {
      throw failure(server, error)
    }
  }

  isBroken(): boolean {
    return this.#isBroken
  }

  async isAlive(): Promise<void> {}

  async query(query: DatabaseQuery): Promise<DatabaseCursor> {
    return this.#attempt(() => {
      const { sql, values } = driverQuery(
        query,
        (param) => sqliteValue(param, "a parameter", true),
        () => "?"
      )
      this.#database.exec("BEGIN")
      let isOpen = true
      try {
        const statement = this.#database.prepare(sql)
        statement.setReadBigInts(true)
        // The driver's maps have no prototype and so no shape, and are several times slower to make and to read.
        statement.setReturnArrays(true)
        const names = statement.columns().map(({ name }) => name)
        const problem = problemOfNames(this.#server.location, names)
        if (problem !== undefined) throw problem
        const readRow = compileRowReader(
          names,
          names.map(() => readValue)
        )
        const rows = statement.iterate(...values)
        return {
          read: async (most) => this.#attempt(() => take(rows as Iterator<unknown>, most, readRow)),
          close: async () => {
            if (!isOpen) return
            isOpen = false
            rows.return?.()
            this.#rollback()
          }
        }
      } catch (error) {
        this.#rollback()
        throw error
      }
    })
  }

  async table(name: string): Promise<DatabaseTable | undefined> {
    return this.#attempt(() => {
      const found = this.#all("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ?", name)
      if (found.length === 0 || /^sqlite_/i.test(name)) return undefined
      const columns = this.#all("SELECT name, type, pk FROM pragma_table_xinfo(?) WHERE hidden = 0", name)
      const primary = columns.filter(({ pk }) => Number(pk) > 0).map(({ name: column }) => String(column))
      const keys = this.#all(`SELECT name FROM pragma_index_list(?) WHERE "unique" = 1 AND partial = 0`, name).map(({ name: index }) =>
        this.#all("SELECT name FROM pragma_index_info(?)", String(index)).map(({ name: column }) => String(column))
      )
      return {
        quoted: quoted(name),
        columns: columns.map((column) => ({ name: String(column["name"]), type: String(column["type"]).toLowerCase() })),
        keys: primary.length > 0 ? [primary, ...keys] : keys
      }
    })
  }

  encoder({ name, type }: DatabaseColumn): (value: unknown) => DatabaseValue {
    const isJson = type.includes("json")
    return (value) => sqliteValue(value, name, isJson) as DatabaseValue
  }

  async insert(rows: ReadonlyArray<DatabaseRow>, insert: DatabaseInsert): Promise<void> {
    const { columns, isTrial, mark, table } = insert
    this.#attempt(() => {
      const names = columns.map(({ name }) => quoted(name))
      const values = `(${names.map(() => "?").join(", ")})`
      const insertInto = (count: number) =>
        this.#statement(
          `INSERT INTO ${table.quoted} (${names.join(", ")}) VALUES ${Array(count).fill(values).join(", ")}${onConflictClause(insert)}`
        )
      const atOnce = Math.max(1, Math.min(rowsAtOnce, Math.floor(mostPlaceholders / names.length)))
      this.#database.exec("BEGIN IMMEDIATE")
      try {
        insertGrouped(rows as ReadonlyArray<ReadonlyArray<SQLInputValue>>, atOnce, names.length, insertInto)
        if (mark !== undefined) this.#advance(mark)
        this.#database.exec(isTrial === true ? "ROLLBACK" : "COMMIT")
      } catch (error) {
        this.#rollback()
        throw error
      }
    })
  }

  #advance(mark: ProgressMark): void {
    const { changes } = this.#statement(progress.advance).run(...advanceValues(mark))
    if (Number(changes) !== 1) throw takenOver(this.#server.location, mark.sink)
  }

  async progress(mark: Pick<ProgressMark, "run" | "sink">, make: boolean): Promise<number | undefined> {
    return readProgress(progress, async (sql, values) => this.#attempt(() => this.#all(sql, ...values)), mark, make)
  }

  async endProgress({ run, sink }: Pick<ProgressMark, "run" | "sink">): Promise<void> {
    this.#attempt(() => this.#all(progress.end, sink, run))
  }

  async close(): Promise<void> {
    this.#isBroken = true
    if (this.#database.isOpen) this.#database.close()
  }

  #all(sql: string, ...values: ReadonlyArray<SQLInputValue>): ReadonlyArray<Readonly<Record<string, unknown>>> {
    return this.#statement(sql).all(...values)
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    const statement = this.#database.prepare(sql)
    // A row id beyond what a JavaScript number holds would be an error after the row was written.
    statement.setReadBigInts(true)
    // One sink has a handful; a session that is used by many does not keep those of all.
    if (this.#statements.size >= 32) this.#statements.clear()
    this.#statements.set(sql, statement)
    return statement
  }

  #rollback(): void {
    // After a full disk or an I/O error SQLite has rolled back by itself.
    if (this.#database.isTransaction) this.#database.exec("ROLLBACK")
  }

  #attempt<A>(work: () => A): A {
    try {
      return work()
    } catch (error) {
      throw failure(this.#server, error)
    }
  }
}

/** What the query's text does not show is refused here as well, where this version of Node can. */
const guard = (database: DatabaseSync, constants: object): void => {
  const { SQLITE_ATTACH, SQLITE_DENY, SQLITE_DETACH, SQLITE_OK } = constants as Readonly<Record<string, number>>
  const { setAuthorizer } = database as { setAuthorizer?: (callback: (action: number) => number) => void }
  setAuthorizer?.call(database, (action) => (action === SQLITE_ATTACH || action === SQLITE_DETACH ? SQLITE_DENY! : SQLITE_OK!))
}

/** Most in statements of so many rows, and the rest one by one. */
const insertGrouped = (
  rows: ReadonlyArray<ReadonlyArray<SQLInputValue>>,
  atOnce: number,
  columns: number,
  insertInto: (rows: number) => StatementSync
): void => {
  const grouped = rows.length - (rows.length % atOnce)
  if (grouped > 0) {
    const group = insertInto(atOnce)
    const values: Array<SQLInputValue> = Array(atOnce * columns).fill(null)
    for (let from = 0; from < grouped; from += atOnce) {
      let at = 0
      for (let i = from; i < from + atOnce; i++) {
        const row = rows[i]!
        for (let column = 0; column < columns; column++) values[at++] = row[column]!
      }
      group.run(...values)
    }
  }
  if (grouped < rows.length) {
    const single = insertInto(1)
    for (let i = grouped; i < rows.length; i++) single.run(...rows[i]!)
  }
}

const take = (
  rows: Iterator<unknown>,
  most: number,
  readRow: ReturnType<typeof compileRowReader>
): ReadonlyArray<Record<string, unknown>> => {
  const taken: Array<Record<string, unknown>> = []
  while (taken.length < most) {
    const { done, value } = rows.next()
    if (done === true) break
    taken.push(readRow(value as ReadonlyArray<unknown>))
  }
  return taken
}

/** Whole numbers come as big ones, so that none is too big for the driver. */
const readValue = (value: unknown): unknown => (typeof value === "bigint" ? narrowed(value) : value)

const narrowed = (value: bigint): number | bigint => {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

const sqliteValue = (value: unknown, name: string, isJson: boolean): SQLInputValue => {
  switch (typeof value) {
    case "string":
    case "number":
      return value
    case "bigint":
      if (value >= -(2n ** 63n) && value < 2n ** 63n) return value
      throw refusing(name, value, "SQLite's whole numbers have 64 bits: map it to text.")
    case "boolean":
      return value ? 1 : 0
  }
  if (value === null || value === undefined) return null
  if (isBytes(value)) return value
  if (isJson && !(value instanceof Date)) return jsonOf(value)
  return textOf(value, name)
}

/** By SQLite's result code. */
const failure = (server: DatabaseServer, error: unknown): Error => {
  if (!(error instanceof Error) || "_tag" in error) return error as Error
  const { code, errcode } = error as { readonly code?: string; readonly errcode?: number }
  const kind =
    errcode === undefined
      ? code === "ERR_INVALID_ARG_TYPE" || code === "ERR_OUT_OF_RANGE"
        ? "row"
        : "refused"
      : (kindByCode[errcode & 255] ?? "refused")
  return DatabaseFailure.of(
    server,
    kind,
    Object.assign(new Error(error.message), errcode === undefined ? {} : { code: `SQLite ${errcode}` })
  )
}

const kindByCode: Readonly<Record<number, DatabaseFailureKind>> = { 5: "busy", 6: "busy", 18: "row", 19: "row", 20: "row" }

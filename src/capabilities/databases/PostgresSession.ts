import type { Client, FieldDef } from "pg"
import type { from as CopyFrom } from "pg-copy-streams"
import type Cursor from "pg-cursor"
import type {
  DatabaseCursor,
  DatabaseInsert,
  DatabaseQuery,
  DatabaseRow,
  DatabaseSession,
  DatabaseTable,
  DatabaseColumn,
  DatabaseValue,
  ProgressMark
} from "../../actors/index.ts"
import { DatabaseFailure, type DatabaseFailureKind, notInstalled } from "./errors.ts"
import { postgresReaders, postgresValue } from "./postgresTypes.ts"
import { copyEncoder } from "./copyText.ts"
import { advanceValues, progressStatements, readProgress, takenOver } from "./progress.ts"
import { type DatabaseServer, trusted } from "./DatabaseServer.ts"
import { Loss } from "./Loss.ts"
import { compileRowReader } from "./rowCode.ts"
import { driverQuery, onConflictClause, problemOfNames, quoted, schemaAndTable } from "./statement.ts"
import { jsonOf, isBytes, asBuffer } from "./values.ts"

const connectMs = 10_000
/** For what is no query of a program: it may wait for locks of others. */
const statementMs = 120_000

type Values = ReadonlyArray<DatabaseValue>

/** Rows as arrays of the texts that the server sends: a function made for the query reads them. */
const texts = { rowMode: "array", types: { getTypeParser: () => (text: string) => text } } as const

const progress = progressStatements({
  isThere: "SELECT 1 WHERE to_regclass('rtfs_streams_progress') IS NOT NULL",
  make: "CREATE TABLE IF NOT EXISTS rtfs_streams_progress (sink text NOT NULL, run text NOT NULL, items bigint NOT NULL, is_finished boolean NOT NULL DEFAULT false, changed timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (sink, run))",
  yes: "true",
  now: "now()",
  weekAgo: "now() - interval '7 days'",
  unlessThere: "ON CONFLICT DO NOTHING",
  param: (position) => `$${position}`
})

/** One connection to PostgreSQL, as sources and sinks use it. */
export class PostgresSession implements DatabaseSession {
  readonly kind = "postgres"
  readonly #server: DatabaseServer
  readonly #client: Client
  readonly #readers: ReturnType<typeof postgresReaders>
  #isBroken = false
  readonly #loss = new Loss()
  #copyFrom: typeof CopyFrom | undefined

  private constructor(server: DatabaseServer, client: Client, readers: ReturnType<typeof postgresReaders>) {
    this.#server = server
    this.#client = client
    this.#readers = readers
    client.on("error", (error) => this.#lose(error))
    client.on("end", () => this.#lose(new Error("the connection ended")))
  }

  static async connect(server: DatabaseServer): Promise<PostgresSession> {
    const { default: pg } = await import("pg").catch(() => Promise.reject(notInstalled(server.location, "pg")))
    const ssl = trusted(server)
    const client = new pg.Client({
      // Without it the driver compares an address with "localhost".
      ...(ssl && { ssl: { ...ssl, host: new URL(server.url).hostname } }),
      connectionString: server.url,
      application_name: "rtfs-streams",
      connectionTimeoutMillis: connectMs,
      statement_timeout: statementMs,
      keepAlive: true
    })
    const session = new PostgresSession(server, client, postgresReaders(pg.types))
    try {
      await client.connect()
      // So that a query whose client has gone does not go on; older servers don't know it.
      await client.query("SET client_connection_check_interval = 1000").catch(() => {})
      return session
    } catch (error) {
      void client.end().catch(() => {})
      throw failure(server, error)
    }
  }

  isBroken(): boolean {
    return this.#isBroken
  }

  async isAlive(): Promise<void> {
    await this.#run("SELECT 1")
  }

  async query(query: DatabaseQuery): Promise<DatabaseCursor> {
    const { default: PgCursor } = await import("pg-cursor").catch(() => Promise.reject(notInstalled(this.#server.location, "pg-cursor")))
    const { sql, values } = driverQuery(query, postgresParameter, (position) => `$${position}`)
    await this.#run("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    await this.#run(`SET LOCAL statement_timeout = ${Math.ceil(query.timeoutMs)}`)
    const cursor = this.#client.query(new PgCursor<ReadonlyArray<string | null>>(sql, values, texts))
    return this.#cursorOf(cursor)
  }

  #cursorOf(cursor: Cursor<ReadonlyArray<string | null>>): DatabaseCursor {
    let reader: ReturnType<typeof compileRowReader> | undefined
    let hasEnded = false
    let isReading = false
    return {
      read: async (rows) => {
        if (hasEnded) return []
        isReading = true
        const asked = new Promise<ReadonlyArray<Record<string, unknown>>>((resolve, reject) => {
          cursor.read(rows, (error, found, result) => {
            isReading = false
            if (error) return reject(failure(this.#server, error))
            try {
              reader ??= this.#readerOf(result.fields)
              resolve(found.map(reader))
            } catch (problem) {
              reject(problem as Error)
            }
          })
        })
        const read = await this.#loss.unless(asked).catch((error: unknown) => Promise.reject(failure(this.#server, error)))
        hasEnded = read.length < rows
        return read
      },
      close: async () => {
        // A server that still works on a portion would be waited for; that the connection ended is what stops it.
        if (isReading) {
          this.#isBroken = true
          return
        }
        try {
          await this.#loss.unless(cursor.close())
          await this.#run("ROLLBACK")
        } catch {
          this.#isBroken = true
        }
      }
    }
  }

  #readerOf(fields: ReadonlyArray<FieldDef>): ReturnType<typeof compileRowReader> {
    const names = fields.map(({ name }) => name)
    const problem = problemOfNames(this.#server.location, names)
    if (problem !== undefined) throw problem
    return compileRowReader(
      names,
      fields.map(({ dataTypeID }) => this.#readers(dataTypeID))
    )
  }

  async table(name: string): Promise<DatabaseTable | undefined> {
    const { schema, table } = schemaAndTable(name)
    const found = await this.#run(
      `SELECT c.oid, n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'f') AND CASE WHEN $1::text IS NULL THEN pg_table_is_visible(c.oid) ELSE n.nspname = $1 END`,
      [schema, table]
    )
    const [row] = found.rows
    if (row === undefined) return undefined
    const columns = await this.#run(
      `SELECT attname AS name, format_type(atttypid, NULL) AS type FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum`,
      [row["oid"]]
    )
    const keys = await this.#run(
      `SELECT ARRAY(SELECT a.attname::text FROM unnest(i.indkey) k JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k) AS columns
       FROM pg_index i WHERE i.indrelid = $1 AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL`,
      [row["oid"]]
    )
    return {
      quoted: `${quoted(row["nspname"] as string)}.${quoted(row["relname"] as string)}`,
      columns: columns.rows as unknown as ReadonlyArray<DatabaseColumn>,
      keys: keys.rows.map((key) => key["columns"] as ReadonlyArray<string>)
    }
  }

  encoder(column: DatabaseColumn, method: DatabaseInsert["method"]): (value: unknown) => DatabaseValue {
    return method === "copy" ? copyEncoder(column) : (value) => postgresValue(value, column)
  }

  async insert(rows: ReadonlyArray<DatabaseRow>, insert: DatabaseInsert): Promise<void> {
    const write = () => (insert.method === "copy" ? this.#copy(rows, insert) : this.#insertRows(rows as ReadonlyArray<Values>, insert))
    // One statement is a transaction of its own.
    if (insert.mark === undefined && insert.isTrial !== true) return write()
    await this.#run("BEGIN")
    try {
      await write()
      if (insert.mark !== undefined) await this.#advance(insert.mark)
      if (insert.isTrial === true) {
        await this.#run("SET CONSTRAINTS ALL IMMEDIATE")
        await this.#run("ROLLBACK")
      } else await this.#run("COMMIT")
    } catch (error) {
      // After a failed COMMIT there is no transaction any more, which is a warning only.
      if (!this.#isBroken) await this.#run("ROLLBACK").catch(() => (this.#isBroken = true))
      throw error
    }
  }

  async #copy(rows: ReadonlyArray<DatabaseRow>, { columns, table }: DatabaseInsert): Promise<void> {
    this.#copyFrom ??= await this.#copyStreams()
    const stream = this.#client.query(
      this.#copyFrom(`COPY ${table.quoted} (${columns.map(({ name }) => quoted(name)).join(", ")}) FROM STDIN`)
    )
    // A batch is bounded, and one write of it costs less than many. Unlike `join`, this copies what rows are made of once.
    let text = ""
    for (const row of rows as ReadonlyArray<string>) text += row
    const copied = new Promise<void>((resolve, reject) => {
      stream.on("error", reject)
      stream.once("finish", resolve)
      stream.end(text)
    })
    await this.#loss.unless(copied).catch((error: unknown) => Promise.reject(failure(this.#server, error)))
  }

  async #copyStreams(): Promise<typeof CopyFrom> {
    return (await import("pg-copy-streams").catch(() => Promise.reject(notInstalled(this.#server.location, "pg-copy-streams")))).from
  }

  /** As one parameter, whose types the table itself gives. */
  async #insertRows(rows: ReadonlyArray<Values>, insert: DatabaseInsert): Promise<void> {
    const { columns, key, onConflict, table } = insert
    const names = columns.map(({ name }) => quoted(name)).join(", ")
    await this.#run(
      `INSERT INTO ${table.quoted} (${names}) SELECT ${names} FROM json_populate_recordset(NULL::${table.quoted}, $1::json)${onConflictClause(insert)}`,
      [jsonRows(onConflict === "update" ? lastOfEachKey(rows, columns, key) : rows, columns)]
    )
  }

  async #advance(mark: ProgressMark): Promise<void> {
    const { rowCount } = await this.#run(progress.advance, advanceValues(mark))
    if (rowCount !== 1) throw takenOver(this.#server.location, mark.sink)
  }

  async progress(mark: Pick<ProgressMark, "run" | "sink">, make: boolean): Promise<number | undefined> {
    return readProgress(progress, async (sql, values) => (await this.#run(sql, values)).rows, mark, make)
  }

  async endProgress({ run, sink }: Pick<ProgressMark, "run" | "sink">): Promise<void> {
    await this.#run(progress.end, [sink, run])
  }

  #lose(error: unknown): void {
    this.#isBroken = true
    this.#loss.happen(error)
  }

  async close(): Promise<void> {
    this.#isBroken = true
    // A server that works on something, or is away, does not answer: what is left of the connection is closed, not waited for.
    const ended = this.#client.end().catch(() => {})
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 200).unref())])
    ;(this.#client as unknown as { readonly connection: { readonly stream: { readonly destroy: () => void } } }).connection.stream.destroy()
  }

  async #run(
    text: string,
    values: ReadonlyArray<unknown> = []
  ): Promise<{ readonly rows: ReadonlyArray<Record<string, unknown>>; readonly rowCount: number | null }> {
    try {
      return await this.#client.query(text, values as Array<unknown>)
    } catch (error) {
      throw failure(this.#server, error)
    }
  }
}

/** One statement can't write a row twice, so of those of one key only the last is written, as if they came one by one. */
const lastOfEachKey = (
  rows: ReadonlyArray<Values>,
  columns: ReadonlyArray<DatabaseColumn>,
  key: ReadonlyArray<string>
): ReadonlyArray<Values> => {
  const at = key.map((name) => columns.findIndex((column) => column.name === name))
  const last = new Map<string, Values>()
  for (const row of rows) {
    const id = at.map((index) => String(row[index])).join("\0")
    last.delete(id)
    last.set(id, row)
  }
  return [...last.values()]
}

const jsonRows = (rows: ReadonlyArray<Values>, columns: ReadonlyArray<DatabaseColumn>): string => {
  const keys = columns.map(({ name }) => JSON.stringify(name))
  const ofValue = (value: DatabaseValue, index: number): string => {
    const { type } = columns[index]!
    // Already JSON: its text is a part of this one.
    if (typeof value === "string" && (type === "json" || type === "jsonb")) return value
    if (isBytes(value)) return `"\\\\x${asBuffer(value).toString("hex")}"`
    if (typeof value === "bigint") return `"${value}"`
    if (typeof value === "number" && !Number.isFinite(value)) return `"${value}"`
    return Array.isArray(value) ? jsonOf(value) : JSON.stringify(value)
  }
  return `[${rows.map((row) => `{${row.map((value, index) => `${keys[index]}:${ofValue(value, index)}`).join(",")}}`).join(",")}]`
}

const postgresParameter = (param: unknown): unknown =>
  isBytes(param)
    ? asBuffer(param)
    : typeof param === "bigint"
      ? String(param)
      : param !== null && typeof param === "object" && !Array.isArray(param) && !(param instanceof Date)
        ? jsonOf(param)
        : param

/** By SQLSTATE; see the appendix "PostgreSQL Error Codes". */
const failure = (server: DatabaseServer, error: unknown): DatabaseFailure => DatabaseFailure.of(server, kindOf(error), error)

const kindOf = (error: unknown): DatabaseFailureKind => {
  const { code = "" } = error as { readonly code?: string }
  if (/^(22|23)/.test(code) || code === "42804" || code === "54000") return "row"
  if (/^(08|57P)/.test(code) || code === "53300" || code === "25P03" || /^E[A-Z]+$/.test(code)) return "lost"
  if (code === "40001" || code === "40P01" || code === "55P03") return "busy"
  // The driver's own errors about a connection have no code.
  return code === "" ? "lost" : "refused"
}

import { isIP } from "node:net"
import type { Connection, FieldPacket, ResultSetHeader, RowDataPacket } from "mysql2"
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
import { parseJson } from "../files/JsonValue.ts"
import { type DatabaseServer, trusted } from "./DatabaseServer.ts"
import { DatabaseFailure, type DatabaseFailureKind, notInstalled } from "./errors.ts"
import { Loss } from "./Loss.ts"
import { advanceValues, progressStatements, readProgress, takenOver } from "./progress.ts"
import { driverQuery, problemOfNames, quoted, schemaAndTable } from "./statement.ts"
import { asBuffer, isBytes, jsonOf, refusing, textOf, wholeNumber } from "./values.ts"

const connectMs = 10_000
/** Rows that the driver reads ahead of a portion. */
const mostAhead = 64
/** Placeholders that one statement may have. */
const mostPlaceholders = 65_535

/** Text in MySQL and MariaDB is escaped by the driver, which reads the mode in which backslashes escape; so that is set. */
const settings = ["SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO', time_zone = '+00:00'"]

const progress = progressStatements({
  isThere: "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'rtfs_streams_progress'",
  make: "CREATE TABLE IF NOT EXISTS rtfs_streams_progress (sink VARCHAR(255) NOT NULL, run VARCHAR(64) NOT NULL, items BIGINT NOT NULL, is_finished TINYINT NOT NULL DEFAULT 0, changed TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (sink, run)) ENGINE = InnoDB",
  yes: "1",
  now: "CURRENT_TIMESTAMP",
  weekAgo: "NOW() - INTERVAL 7 DAY",
  unlessThere: "ON DUPLICATE KEY UPDATE items = items",
  param: () => "?"
})

/** One connection to MySQL or MariaDB. */
export class MySqlSession implements DatabaseSession {
  readonly kind = "mysql"
  readonly #server: DatabaseServer
  readonly #connection: Connection
  #isBroken = false
  readonly #loss = new Loss()

  private constructor(server: DatabaseServer, connection: Connection) {
    this.#server = server
    this.#connection = connection
    connection.on("error", (error) => this.#lose(error))
    connection.on("end", () => this.#lose(Object.assign(new Error("the connection ended"), { fatal: true })))
  }

  static async connect(server: DatabaseServer): Promise<MySqlSession> {
    const { default: mysql } = await import("mysql2").catch(() => Promise.reject(notInstalled(server.location, "mysql2")))
    const trust = trusted(server)
    // The driver would compare an address with "localhost".
    if (trust !== undefined && isIP(new URL(server.url).hostname.replace(/^\[|\]$/g, "")) !== 0) throw failure(server, nameless())
    const connection = mysql.createConnection({
      ...(trust && { ssl: { ...trust, verifyIdentity: true } }),
      uri: server.url.replace(/^mariadb:/, "mysql:"),
      connectTimeout: connectMs,
      supportBigNumbers: true,
      multipleStatements: false,
      timezone: "Z",
      flags: ["-LOCAL_FILES"]
    })
    const session = new MySqlSession(server, connection)
    try {
      await new Promise<void>((resolve, reject) => connection.connect((error) => (error ? reject(error) : resolve())))
      for (const setting of settings) await session.#run(setting)
      return session
    } catch (error) {
      connection.destroy()
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
    const { sql, values } = driverQuery(
      query,
      (param) => mysqlValue(param, "a parameter", true),
      () => "?",
      "`"
    )
    await this.#run("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
    let rows: AsyncIterator<Record<string, unknown>> | undefined
    let hasEnded = false
    return {
      read: async (most) => {
        try {
          const from = (rows ??= this.#stream(sql, values, Math.max(1, Math.floor(most / 2))))
          const take = async () => {
            const taken: Array<Record<string, unknown>> = []
            while (taken.length < most && !hasEnded) {
              const { done, value } = await from.next()
              if (done === true) hasEnded = true
              else taken.push(value)
            }
            return taken
          }
          // A stream of rows does not hear that its connection ended.
          return await this.#loss.unless(take())
        } catch (error) {
          this.#isBroken = true
          throw failure(this.#server, error)
        }
      },
      close: async () => {
        // What the server has still to send can only be cut off.
        if (hasEnded) await this.#run("ROLLBACK").catch(() => (this.#isBroken = true))
        else if (rows !== undefined) this.#destroy()
      }
    }
  }

  #stream(sql: string, values: ReadonlyArray<DatabaseValue>, highWaterMark: number): AsyncIterator<Record<string, unknown>> {
    const command = this.#connection.query({ sql, values: values as Array<unknown>, typeCast })
    const { location } = this.#server
    let problem: DatabaseFailure | undefined
    command.on(
      "fields",
      (fields: ReadonlyArray<FieldPacket>) =>
        (problem = problemOfNames(
          location,
          fields.map(({ name }) => name)
        ))
    )
    // Beside the portion that is being collected: rows may be large.
    const stream = command.stream({ highWaterMark: Math.min(highWaterMark, mostAhead) })
    const iterator = stream[Symbol.asyncIterator]() as AsyncIterator<Record<string, unknown>>
    return {
      next: async () => {
        const result = await iterator.next()
        if (problem !== undefined) throw problem
        return result
      }
    }
  }

  async table(name: string): Promise<DatabaseTable | undefined> {
    const { schema, table } = schemaAndTable(name)
    const columns = await this.#run(
      `SELECT TABLE_SCHEMA AS s, COLUMN_NAME AS name, LOWER(COLUMN_TYPE) AS type FROM information_schema.COLUMNS
       WHERE BINARY TABLE_NAME = ? AND TABLE_SCHEMA = COALESCE(?, DATABASE()) AND EXTRA NOT LIKE '%GENERATED%' ORDER BY ORDINAL_POSITION`,
      [table, schema]
    )
    const [first] = columns
    if (first === undefined) return undefined
    const keys = await this.#run(
      `SELECT GROUP_CONCAT(COLUMN_NAME ORDER BY SEQ_IN_INDEX SEPARATOR '\n') AS columns FROM information_schema.STATISTICS
       WHERE TABLE_NAME = ? AND TABLE_SCHEMA = ? AND NON_UNIQUE = 0 GROUP BY INDEX_NAME`,
      [table, first["s"]]
    )
    return {
      quoted: `${quoted(String(first["s"]), "`")}.${quoted(table, "`")}`,
      columns: columns.map((column) => ({ name: String(column["name"]), type: String(column["type"]) })),
      keys: keys.map((key) => String(key["columns"]).split("\n"))
    }
  }

  encoder({ name, type }: DatabaseColumn): (value: unknown) => DatabaseValue {
    // MariaDB has no type for JSON: it is long text.
    const isJson = type === "json" || type === "longtext"
    return (value) => mysqlValue(value, name, isJson)
  }

  async insert(rows: ReadonlyArray<DatabaseRow>, insert: DatabaseInsert): Promise<void> {
    const { columns, isTrial, mark } = insert
    await this.#run("START TRANSACTION")
    try {
      const most = Math.max(1, Math.min(1000, Math.floor(mostPlaceholders / columns.length)))
      for (let from = 0; from < rows.length; from += most) await this.#insertRows(rows.slice(from, from + most), insert)
      if (mark !== undefined) await this.#advance(mark)
      await this.#run(isTrial === true ? "ROLLBACK" : "COMMIT")
    } catch (error) {
      if (!this.#isBroken) await this.#run("ROLLBACK").catch(() => (this.#isBroken = true))
      throw error
    }
  }

  async #insertRows(rows: ReadonlyArray<DatabaseRow>, { columns, key, onConflict, table }: DatabaseInsert): Promise<void> {
    const names = columns.map(({ name }) => quoted(name, "`"))
    const row = `(${names.map(() => "?").join(",")})`
    const others = columns.filter(({ name }) => !key.includes(name)).map(({ name }) => quoted(name, "`"))
    // `INSERT IGNORE` would also take values that don't fit and cut them.
    const same = `${names[0]} = ${table.quoted}.${names[0]}`
    const conflict =
      onConflict === "error"
        ? ""
        : ` ON DUPLICATE KEY UPDATE ${onConflict === "ignore" || others.length === 0 ? same : others.map((name) => `${name} = VALUES(${name})`).join(", ")}`
    await this.#run(`INSERT INTO ${table.quoted} (${names.join(", ")}) VALUES ${rows.map(() => row).join(",")}${conflict}`, rows.flat(1))
  }

  async #advance(mark: ProgressMark): Promise<void> {
    const result: unknown = await this.#run(progress.advance, advanceValues(mark))
    if ((result as ResultSetHeader).affectedRows !== 1) throw takenOver(this.#server.location, mark.sink)
  }

  async progress(mark: Pick<ProgressMark, "run" | "sink">, make: boolean): Promise<number | undefined> {
    return readProgress(progress, (sql, values) => this.#run(sql, values), mark, make)
  }

  async endProgress({ run, sink }: Pick<ProgressMark, "run" | "sink">): Promise<void> {
    await this.#run(progress.end, [sink, run])
  }

  async close(): Promise<void> {
    this.#destroy()
  }

  #lose(error: unknown): void {
    this.#isBroken = true
    this.#loss.happen(error)
  }

  #destroy(): void {
    this.#isBroken = true
    this.#connection.destroy()
  }

  #run(sql: string, values: ReadonlyArray<unknown> = []): Promise<ReadonlyArray<Record<string, unknown>>> {
    return new Promise((resolve, reject) => {
      this.#connection.query<Array<RowDataPacket>>({ sql, values: values as Array<unknown> }, (error, rows) =>
        error ? reject(failure(this.#server, error)) : resolve(rows)
      )
    })
  }
}

const nameless = (): Error =>
  Object.assign(new Error("an address can't be compared with the name in it"), { code: "ERR_TLS_CERT_ALTNAME_INVALID" })

interface Cell {
  readonly type: string
  readonly string: () => string | null
  readonly buffer: () => Buffer | null
}

/** What would lose something stays text: exact numbers, days, and times without a zone. */
const typeCast = (field: unknown, next: () => unknown): unknown => {
  const cell = field as Cell
  const text = (convert: (text: string) => unknown) => {
    const read = cell.string()
    return read === null ? null : convert(read)
  }
  switch (cell.type) {
    case "LONGLONG":
      return text(wholeNumber)
    case "DECIMAL":
    case "NEWDECIMAL":
    case "DATE":
    case "NEWDATE":
    case "DATETIME":
    case "DATETIME2":
    case "TIME":
    case "TIME2":
      return text((read) => read)
    case "TIMESTAMP":
    case "TIMESTAMP2":
      return text((read) => new Date(`${read.replace(" ", "T")}Z`))
    case "JSON":
      return text(parseJson)
  }
  const value = next()
  return isBytes(value) ? new Uint8Array(value) : value
}

const mysqlValue = (value: unknown, name: string, isJson: boolean): DatabaseValue => {
  if (value === null || value === undefined) return null
  if (typeof value === "number" && !Number.isFinite(value)) throw refusing(name, value, "MySQL has no such number: map it to nil.")
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "string") return value
  if (typeof value === "bigint") return String(value)
  if (isBytes(value)) return asBuffer(value)
  if (value instanceof Date) return value.toISOString().replace("T", " ").replace("Z", "")
  return isJson ? jsonOf(value) : textOf(value, name)
}

/** By SQLSTATE, and where that says nothing by the driver's name. */
const failure = (server: DatabaseServer, error: unknown): DatabaseFailure => DatabaseFailure.of(server, kindOf(error), error)

const kindOf = (error: unknown): DatabaseFailureKind => {
  const { code = "", fatal, sqlState = "" } = error as { readonly code?: string; readonly sqlState?: string; readonly fatal?: boolean }
  if (code === "ER_LOCK_DEADLOCK" || code === "ER_LOCK_WAIT_TIMEOUT") return "busy"
  if (/^(22|23)/.test(sqlState) || rowErrors.has(code)) return "row"
  if (
    fatal === true
    || /^(08|70100)/.test(sqlState)
    || /^(ECONN|EPIPE|ETIMEDOUT|EHOST|ENOTFOUND|PROTOCOL_)/.test(code)
    || code === "ER_CON_COUNT_ERROR"
  )
    return "lost"
  return "refused"
}

const rowErrors = new Set([
  "ER_TRUNCATED_WRONG_VALUE_FOR_FIELD",
  "ER_TRUNCATED_WRONG_VALUE",
  "WARN_DATA_TRUNCATED",
  "ER_INVALID_JSON_TEXT",
  "ER_CONSTRAINT_FAILED",
  "ER_CHECK_CONSTRAINT_VIOLATED",
  "ER_NO_DEFAULT_FOR_FIELD"
])

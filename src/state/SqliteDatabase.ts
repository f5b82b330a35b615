import { closeSync, existsSync, fsyncSync, openSync, readFileSync, realpathSync, renameSync, statSync, writeFileSync } from "node:fs"
import { basename, dirname, join, resolve } from "node:path"
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite"
import * as Effect from "effect/Effect"
import { checksumOf } from "./Checksum.ts"
import { makePrivate } from "./DataDirectory.ts"
import { damaged, DataDirectoryInUse, type StoreFailure } from "./errors.ts"
import { type FileLock, lockFile } from "./FileLock.ts"
import { makeFolders } from "../serialization/index.ts"
import { sqliteFailure } from "./sqliteFailure.ts"
import { prepareSqlite } from "./SqliteSchema.ts"

export type Row = Readonly<Record<string, unknown>>

/**
 * One SQLite file, in the hands of this process alone.
 *
 * What `write` completed is in the main file and synced. The write-ahead log, whose damaged tail SQLite takes for
 * transactions that never were, is emptied after each write; the main file is checked when it is opened, and its rows carry
 * checksums. A small file beside it says which database belongs here, so that a missing, emptied or foreign one is noticed.
 */
export class SqliteDatabase {
  readonly location: string
  readonly #database: DatabaseSync
  readonly #lock: FileLock | undefined
  readonly #statements = new Map<string, StatementSync>()

  private constructor(location: string, database: DatabaseSync, lock?: FileLock) {
    this.location = location
    this.#database = database
    this.#lock = lock
  }

  /** **Fails** with `DataDirectoryInUse` while another process has it, with `StoreFailure` where it is damaged or can't be used. */
  static async open(file: string, { maxBytes }: { readonly maxBytes?: number | undefined }): Promise<SqliteDatabase> {
    const location = `sqlite:${file}`
    let lock: FileLock | undefined
    try {
      const path = makeFolder(file)
      makePrivate(`${path}.lock`)
      lock = await lockFile(`${path}.lock`, {
        ownerFile: `${path}.owner.json`,
        busy: (owner) => new DataDirectoryInUse(path, owner, "store")
      })
      const { DatabaseSync } = await import("node:sqlite")
      const marker = readMarker(path)
      const isNew = !existsSync(path) || statSync(path).size === 0
      if (isNew && marker !== undefined)
        throw damaged(location, existsSync(path) ? "is empty, but it was in use before" : "is missing, but it was there before")
      makePrivate(path)
      const database = new DatabaseSync(path)
      try {
        prepareSqlite(database, location, { marker, maxBytes, writeMarker: (id) => writeMarker(path, id) })
        return new SqliteDatabase(location, database, lock)
      } catch (error) {
        database.close()
        throw error
      }
    } catch (error) {
      lock?.release()
      throw error instanceof DataDirectoryInUse ? error : sqliteFailure(location, error)
    }
  }

  /** An empty one, without tables, that is gone with whoever holds it. */
  static async inMemory(location: string): Promise<SqliteDatabase> {
    const { DatabaseSync } = await import("node:sqlite")
    return new SqliteDatabase(location, new DatabaseSync(":memory:"))
  }

  close(): void {
    this.#database.close()
    this.#lock?.release()
  }

  /** **Fails** by throwing `StoreFailure`. */
  read<A>(body: (database: this) => A): A {
    try {
      return body(this)
    } catch (error) {
      throw sqliteFailure(this.location, error)
    }
  }

  /**
   * As `write`, for what may be forgotten when the machine fails: it is in the log when this returns, which outlives this process, and
   * is made durable with the next `write`. Takes a quarter of the time.
   */
  note<A>(body: (database: this) => A): A {
    // Takes effect with the next transaction.
    this.#database.exec("PRAGMA synchronous = NORMAL")
    try {
      return this.#transact(body)
    } finally {
      this.#database.exec("PRAGMA synchronous = FULL")
    }
  }

  /** Runs in one transaction: what it throws undoes all of it. **Fails** by throwing `StoreFailure`, or what `body` throws. */
  write<A>(body: (database: this) => A): A {
    const result = this.#transact(body)
    try {
      this.#database.exec("PRAGMA wal_checkpoint(TRUNCATE)")
    } catch {
      // The write is durable in the log. The next one moves both, or fails itself.
    }
    return result
  }

  #transact<A>(body: (database: this) => A): A {
    try {
      this.#database.exec("BEGIN IMMEDIATE")
      try {
        const result = body(this)
        this.#database.exec("COMMIT")
        return result
      } catch (error) {
        // After a full disk or an I/O error SQLite has rolled back by itself.
        if (this.#database.isTransaction) this.#database.exec("ROLLBACK")
        throw error
      }
    } catch (error) {
      throw sqliteFailure(this.location, error)
    }
  }

  all(sql: string, ...values: ReadonlyArray<SQLInputValue>): ReadonlyArray<Row> {
    return this.#statement(sql).all(...values)
  }

  get(sql: string, ...values: ReadonlyArray<SQLInputValue>): Row | undefined {
    return this.#statement(sql).get(...values)
  }

  /** @returns how many rows it changed */
  run(sql: string, ...values: ReadonlyArray<SQLInputValue>): number {
    return Number(this.#statement(sql).run(...values).changes)
  }

  /** The next number of a count that never goes back. Inside `write`. */
  next(count: string): number {
    return this.take(count, 1)
  }

  /** @returns the first of so many numbers */
  take(count: string, numbers: number): number {
    const row = this.get("SELECT value, crc FROM counts WHERE name = ?", count)
    const last = row === undefined ? 0 : Number(row["value"])
    if (row !== undefined && Number(row["crc"]) !== countChecksum(count, last))
      throw damaged(this.location, `is damaged: its count of ${count} is not as it was written`)
    this.run("INSERT OR REPLACE INTO counts VALUES (?, ?, ?)", count, last + numbers, countChecksum(count, last + numbers))
    return last + 1
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    const statement = this.#database.prepare(sql)
    // A damaged number may be beyond what a JavaScript number holds, and would be an error of its own.
    statement.setReadBigInts(true)
    this.#statements.set(sql, statement)
    return statement
  }
}

const countChecksum = (name: string, value: number): number => checksumOf(["count", name, value], new Uint8Array())

/** The file's path without links, so that one database has one lock by whatever name it is opened. */
const makeFolder = (file: string): string => {
  const path = resolve(file)
  makeFolders(dirname(path))
  return existsSync(path) ? realpathSync(path) : join(realpathSync(dirname(path)), basename(path))
}

const markerOf = (path: string): string => `${path}.json`

const readMarker = (path: string): { readonly id: string | undefined } | undefined => {
  if (!existsSync(markerOf(path))) return undefined
  try {
    const { id } = JSON.parse(readFileSync(markerOf(path), "utf8")) as { readonly id?: unknown }
    return { id: typeof id === "string" ? id : undefined }
  } catch {
    // It still says that there was a store.
    return { id: undefined }
  }
}

const writeMarker = (path: string, id: string): void => {
  const file = markerOf(path)
  writeFileSync(`${file}.new`, `${JSON.stringify({ store: "rtfs-streams", id, database: basename(path) })}\n`, { mode: 0o600, flush: true })
  renameSync(`${file}.new`, file)
  // Both names, the database's and the marker's, outlive a power failure only once their folder is synced.
  const folder = openSync(dirname(path), "r")
  fsyncSync(folder)
  closeSync(folder)
}

export const reading = <A>(database: SqliteDatabase, body: () => A): Effect.Effect<A, StoreFailure> =>
  Effect.try({ try: () => database.read(body), catch: (error) => error as StoreFailure })

/** What `body` throws beside failures of the store must be `E`. */
export const writing = <A, E = never>(database: SqliteDatabase, body: () => A): Effect.Effect<A, StoreFailure | E> =>
  Effect.try({ try: () => database.write(body), catch: (error) => error as StoreFailure | E })

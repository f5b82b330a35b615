import { randomUUID } from "node:crypto"
import type { DatabaseSync } from "node:sqlite"
import { damaged, StoreFailure } from "./errors.ts"

const version = 1

const tables: Readonly<Record<string, string>> = {
  store: "CREATE TABLE store (id TEXT NOT NULL, version INTEGER NOT NULL)",
  counts: "CREATE TABLE counts (name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL, crc INTEGER NOT NULL)",
  owners: "CREATE TABLE owners (stream TEXT NOT NULL PRIMARY KEY, epoch INTEGER NOT NULL)",
  checkpoints:
    "CREATE TABLE checkpoints (stream TEXT NOT NULL, id INTEGER NOT NULL, epoch INTEGER NOT NULL, time REAL NOT NULL, "
    + "crc INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (stream, id))",
  facts:
    "CREATE TABLE facts (stream TEXT NOT NULL, name TEXT NOT NULL, crc INTEGER NOT NULL, value BLOB NOT NULL, PRIMARY KEY (stream, name))",
  letters:
    "CREATE TABLE letters (id INTEGER PRIMARY KEY, queue TEXT NOT NULL, stream TEXT NOT NULL, time REAL NOT NULL, key TEXT NOT NULL, "
    + "crc INTEGER NOT NULL, bytes BLOB NOT NULL, UNIQUE (queue, key))"
}

interface Preparation {
  /** What the file beside it says; its id is missing where that file is damaged. */
  readonly marker: { readonly id: string | undefined } | undefined
  readonly maxBytes: number | undefined
  readonly writeMarker: (id: string) => void
}

/** Makes the tables of a new store, or checks those of one that was there. **Fails** by throwing `StoreFailure` or SQLite's errors. */
export const prepareSqlite = (database: DatabaseSync, location: string, { marker, maxBytes, writeMarker }: Preparation): void => {
  database.exec("PRAGMA busy_timeout = 100; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0")
  if (maxBytes !== undefined) {
    const { page_size } = database.prepare("PRAGMA page_size").get() as { readonly page_size: number }
    database.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(maxBytes / page_size))}`)
  }
  const rows = database.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'table'").all()
  const found = new Map(rows.map(({ name, sql }) => [String(name), String(sql)]))
  if (found.size > 0 && marker === undefined && !found.has("store")) {
    throw new StoreFailure(location, "is a database of something else", {
      fix: "Give another file for the store: this one is left as it is."
    })
  }
  database.exec("PRAGMA journal_mode = WAL")
  // A crash while it was made leaves a file without tables, and no marker.
  if (found.size === 0 && marker === undefined) writeMarker(makeTables(database))
  else {
    const id = checkTables(database, location, found)
    if (marker?.id !== undefined && marker.id !== id) throw damaged(location, "was replaced by the database of another store")
    if (marker?.id === undefined) writeMarker(id)
    // Their processes are gone, or this one would not have the lock.
    database.exec("DELETE FROM owners")
  }
}

const makeTables = (database: DatabaseSync): string => {
  const id = randomUUID()
  database.exec(`BEGIN IMMEDIATE; ${Object.values(tables).join("; ")}; INSERT INTO store VALUES ('${id}', ${version}); COMMIT`)
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)")
  return id
}

const checkTables = (database: DatabaseSync, location: string, found: ReadonlyMap<string, string>): string => {
  for (const [name, sql] of Object.entries(tables)) {
    if (found.get(name) !== sql)
      throw damaged(location, `is damaged: its table ${name} is ${found.has(name) ? "not as it was made" : "missing"}`)
  }
  // Not quick_check: an index that has lost an entry would hide a row.
  const problems = database
    .prepare("PRAGMA integrity_check(3)")
    .all()
    .map(({ integrity_check }) => String(integrity_check))
  if (problems[0] !== "ok") throw damaged(location, `is damaged: ${problems.join("; ").replaceAll("\n", " ")}`)
  const stores = database.prepare("SELECT id, version FROM store").all()
  if (stores.length !== 1) throw damaged(location, "is damaged: it does not say which store it is")
  if (stores[0]!["version"] !== version) {
    throw new StoreFailure(location, `is of version ${String(stores[0]!["version"])}, and this is version ${version}`, {
      fix: "Use the version of rtfs-streams that wrote it, or give another file for the store."
    })
  }
  return String(stores[0]!["id"])
}

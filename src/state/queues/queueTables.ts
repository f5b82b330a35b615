import type { SqliteDatabase } from "../SqliteDatabase.ts"

/**
 * The tables of the embedded queue. They are made when the first queue is used, so that a store from before there were any
 * stays as it is.
 *
 * `visible` is 0 while a message waits for a consumer, and otherwise the time from which somebody may have it: so the waiting
 * ones stand in the index by their numbers, however many others are leased.
 */
export const makeQueueTables = (database: SqliteDatabase): void =>
  database.write(() => {
    for (const sql of statements) database.run(sql)
    // Whoever leased them was a process that is gone, or this one would not have the lock of the file.
    database.run("UPDATE messages SET visible = 0 WHERE visible > 0")
  })

const statements = [
  "CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, visible REAL NOT NULL, attempts INTEGER NOT NULL, "
    + "time REAL NOT NULL, type TEXT NOT NULL, headers TEXT NOT NULL, crc INTEGER NOT NULL, body BLOB NOT NULL)",
  "CREATE INDEX IF NOT EXISTS messages_due ON messages (queue, visible, id)",
  "CREATE TABLE IF NOT EXISTS message_keys (id INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, key TEXT NOT NULL, UNIQUE (queue, key))"
]

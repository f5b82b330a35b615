import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { checksumOf } from "./Checksum.ts"
import { damaged, type DataDirectoryInUse, idNotAbove, type StoreFailure, StreamFenced, StreamInUse } from "./errors.ts"
import { EmbeddedQueue } from "./queues/EmbeddedQueue.ts"
import { reading, type Row, SqliteDatabase, writing } from "./SqliteDatabase.ts"
import { SqliteDeadLetters } from "./SqliteDeadLetters.ts"
import type { NewCheckpoint, OwnedStream, StateStore, StoredCheckpoint } from "./StateStore.ts"
import { nameOfStored, storedName } from "./StoredName.ts"

/**
 * A store in one file.
 *
 * **Cost** each write is synced twice and stops the event loop meanwhile: below a millisecond for small ones, about a
 * second for 100 MB.
 */
export const openSqliteStore = (
  file: string,
  options: { readonly maxBytes?: number | undefined }
): Effect.Effect<StateStore, StoreFailure | DataDirectoryInUse, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.tryPromise({ try: () => SqliteDatabase.open(file, options), catch: (error) => error as StoreFailure | DataDirectoryInUse }),
      (database) => Effect.sync(() => database.close())
    ),
    (database): StateStore => {
      const deadLetters = new SqliteDeadLetters(database)
      let queues: EmbeddedQueue | undefined
      return {
        kind: "sqlite",
        location: database.location,
        durability: { level: "synced" },
        own: (stream) =>
          Effect.map(
            Effect.acquireRelease(take(database, stream), (epoch) => release(database, stream, epoch)),
            (epoch) => ownedStream(database, stream, epoch)
          ),
        checkpoints: (stream) => reading(database, () => readCheckpoints(database, stream)),
        streams: reading(database, () =>
          database
            .all("SELECT stream FROM checkpoints UNION SELECT stream FROM facts")
            .map(({ stream }) => nameOfStored(String(stream)))
            .sort()
        ),
        deadLetters,
        queues: reading(
          database,
          () => (queues ??= new EmbeddedQueue(database, deadLetters, { location: database.location, ...queueBounds }))
        )
      }
    }
  )

/** What its queues may hold; the file itself may be bounded below that. */
const queueBounds = { maxMessages: 10_000_000, maxBytes: 16 * 1024 ** 3 }

const take = (database: SqliteDatabase, stream: string) =>
  writing<number, StreamInUse>(database, () => {
    // Another process can't have it: it would have the lock of the file.
    if (ownerOf(database, stream) !== undefined) throw new StreamInUse(stream, database.location, "another stream of this process")
    const epoch = database.next("epochs")
    database.run("INSERT INTO owners VALUES (?, ?)", storedName(stream), epoch)
    return epoch
  })

const release = (database: SqliteDatabase, stream: string, epoch: number) =>
  // Where it can't be written, the next process that opens the file forgets its owners anyway.
  Effect.ignore(writing(database, () => database.run("DELETE FROM owners WHERE stream = ? AND epoch = ?", storedName(stream), epoch)))

const ownerOf = (database: SqliteDatabase, stream: string): number | undefined => {
  const row = database.get("SELECT epoch FROM owners WHERE stream = ?", storedName(stream))
  return row === undefined ? undefined : Number(row["epoch"])
}

const ownedStream = (database: SqliteDatabase, stream: string, epoch: number): OwnedStream => {
  const asOwner = (write: () => void) =>
    writing<void, StreamFenced>(database, () => {
      if (ownerOf(database, stream) !== epoch) throw new StreamFenced(stream, database.location, epoch)
      write()
    })
  return {
    stream,
    epoch,
    commit: (checkpoint) => asOwner(() => commit(database, stream, epoch, checkpoint)),
    clear: asOwner(() => {
      for (const table of ["checkpoints", "facts"]) database.run(`DELETE FROM ${table} WHERE stream = ?`, storedName(stream))
    }),
    facts: {
      all: reading(database, () => readFacts(database, stream)),
      set: (name, value) => asOwner(() => setFact(database, stream, name, value))
    }
  }
}

const commit = (database: SqliteDatabase, stream: string, epoch: number, { bytes, id, time }: NewCheckpoint): void => {
  const name = storedName(stream)
  const newest = database.get("SELECT max(id) AS id FROM checkpoints WHERE stream = ?", name)?.["id"]
  if (typeof newest === "bigint" && id <= Number(newest)) throw idNotAbove(database.location, stream, id, Number(newest))
  database.run(
    "DELETE FROM checkpoints WHERE stream = ?1 AND id NOT IN (SELECT id FROM checkpoints WHERE stream = ?1 ORDER BY id DESC LIMIT 2)",
    name
  )
  database.run(
    "INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?, ?)",
    name,
    id,
    epoch,
    time,
    checksumOf(["checkpoint", name, id, epoch, time], bytes),
    bytes
  )
}

const readCheckpoints = (database: SqliteDatabase, stream: string): ReadonlyArray<StoredCheckpoint> =>
  database.all("SELECT * FROM checkpoints WHERE stream = ? ORDER BY id DESC LIMIT 3", storedName(stream)).map(readCheckpoint)

const readCheckpoint = ({ bytes, crc, epoch, id, stream, time }: Row): StoredCheckpoint => {
  const fields = { id: Number(id), epoch: Number(epoch), time: Number(time) }
  const isWhole =
    bytes instanceof Uint8Array && Number(crc) === checksumOf(["checkpoint", String(stream), fields.id, fields.epoch, fields.time], bytes)
  return { ...fields, content: isWhole ? { bytes } : { damage: "its checksum does not match what it holds" } }
}

const readFacts = (database: SqliteDatabase, stream: string): ReadonlyMap<string, Uint8Array> =>
  new Map(
    database.all("SELECT name, value, crc FROM facts WHERE stream = ?", storedName(stream)).map(({ crc, name, value }) => {
      const fact = nameOfStored(String(name))
      if (!(value instanceof Uint8Array) || Number(crc) !== checksumOf(["fact", storedName(stream), String(name)], value)) {
        throw damaged(database.location, `is damaged: the fact ${fact} of the stream ${stream} is not as it was written`)
      }
      return [fact, value]
    })
  )

const setFact = (database: SqliteDatabase, stream: string, fact: string, value: Uint8Array | null): void => {
  const name = storedName(fact)
  if (value === null) database.run("DELETE FROM facts WHERE stream = ? AND name = ?", storedName(stream), name)
  else
    database.run(
      "INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?)",
      storedName(stream),
      name,
      checksumOf(["fact", storedName(stream), name], value),
      value
    )
}

import type * as Effect from "effect/Effect"
import { checksumOf } from "./Checksum.ts"
import { damaged, type StoreFailure } from "./errors.ts"
import { byName } from "./MemoryDeadLetters.ts"
import { reading, type Row, type SqliteDatabase, writing } from "./SqliteDatabase.ts"
import type { DeadLetterStore, NewDeadLetter, StoredDeadLetter } from "./StateStore.ts"
import { nameOfStored, storedName } from "./StoredName.ts"

export class SqliteDeadLetters implements DeadLetterStore {
  readonly #database: SqliteDatabase
  readonly queues: Effect.Effect<ReadonlyArray<{ readonly queue: string; readonly letters: number }>, StoreFailure>

  constructor(database: SqliteDatabase) {
    this.#database = database
    this.queues = reading(database, () =>
      byName(
        database
          .all("SELECT queue, count(*) AS letters FROM letters GROUP BY queue")
          .map(({ letters, queue }) => ({ queue: nameOfStored(String(queue)), letters: Number(letters) }))
      )
    )
  }

  readonly add: DeadLetterStore["add"] = (letters) => writing(this.#database, () => letters.map((letter) => this.#addOne(letter)))

  readonly list: DeadLetterStore["list"] = ({ after = 0, limit, queue }) =>
    reading(this.#database, () =>
      (queue === undefined
        ? this.#database.all("SELECT * FROM letters WHERE id > ? ORDER BY id LIMIT ?", after, limit)
        : this.#database.all("SELECT * FROM letters WHERE queue = ? AND id > ? ORDER BY id LIMIT ?", storedName(queue), after, limit)
      ).map((row) => this.#read(row))
    )

  readonly get: DeadLetterStore["get"] = (id) =>
    reading(this.#database, () => {
      const row = this.#database.get("SELECT * FROM letters WHERE id = ?", id)
      return row === undefined ? undefined : this.#read(row)
    })

  readonly remove: DeadLetterStore["remove"] = (ids) =>
    writing(this.#database, () => ids.reduce((removed, id) => removed + this.#database.run("DELETE FROM letters WHERE id = ?", id), 0))

  #addOne({ bytes, key, queue, stream, time }: NewDeadLetter): number {
    const names = [storedName(queue), storedName(stream), storedName(key)] as const
    const known = this.#database.get("SELECT id FROM letters WHERE queue = ? AND key = ?", names[0], names[2])
    if (known !== undefined) return Number(known["id"])
    const id = this.#database.next("letters")
    this.#database.run(
      "INSERT INTO letters VALUES (?, ?, ?, ?, ?, ?, ?)",
      id,
      names[0],
      names[1],
      time,
      names[2],
      checksumOf(["letter", id, ...names, time], bytes),
      bytes
    )
    return id
  }

  #read({ bytes, crc, id, key, queue, stream, time }: Row): StoredDeadLetter {
    const fields = ["letter", Number(id), String(queue), String(stream), String(key), Number(time)]
    if (!(bytes instanceof Uint8Array) || Number(crc) !== checksumOf(fields, bytes)) {
      throw damaged(this.#database.location, `is damaged: the dead letter ${Number(id)} is not as it was written`)
    }
    return {
      id: Number(id),
      queue: nameOfStored(String(queue)),
      stream: nameOfStored(String(stream)),
      key: nameOfStored(String(key)),
      time: Number(time),
      bytes
    }
  }
}

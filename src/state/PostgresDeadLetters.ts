import * as Effect from "effect/Effect"
import { checksumOf } from "./Checksum.ts"
import { damaged, type StoreFailure } from "./errors.ts"
import { byName } from "./MemoryDeadLetters.ts"
import type { PostgresConnection, PostgresRow } from "./PostgresConnection.ts"
import type { DeadLetterStore, StoredDeadLetter } from "./StateStore.ts"
import { digestOf, nameOfStored, storedName } from "./StoredName.ts"

export class PostgresDeadLetters implements DeadLetterStore {
  readonly #connection: PostgresConnection
  readonly #location: string
  readonly #table: string
  readonly queues: DeadLetterStore["queues"]

  constructor(connection: PostgresConnection, location: string, schema: string) {
    this.#connection = connection
    this.#location = location
    this.#table = `${schema}.letters`
    this.queues = this.#attempt(async () => {
      const rows = await connection.query(`SELECT min(queue) AS queue, count(*) AS letters FROM ${this.#table} GROUP BY queue_digest`)
      return byName(rows.map(({ letters, queue }) => ({ queue: nameOfStored(String(queue)), letters: Number(letters) })))
    })
  }

  readonly add: DeadLetterStore["add"] = (letters) =>
    this.#attempt(async () => {
      if (letters.length === 0) return []
      const columns = letters.map(({ bytes, key, queue, stream, time }) => {
        const names = [storedName(queue), storedName(stream), storedName(key)] as const
        return {
          identity: digestOf(queue, key),
          digest: digestOf(queue),
          names,
          time,
          crc: checksumOf(["letter", ...names, time], bytes),
          bytes
        }
      })
      // The lock makes ids rise in the order in which they become visible: who lists what is behind an id misses none.
      const rows = await this.#connection.query(
        `WITH turn AS MATERIALIZED (SELECT pg_advisory_xact_lock(hashtext('${this.#table}'))), given AS (
           SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::float8[], $7::bigint[], $8::bytea[])
             WITH ORDINALITY AS g (identity, queue_digest, queue, stream, key, time, crc, bytes, place)),
         fresh AS (SELECT DISTINCT ON (identity) * FROM given ORDER BY identity, place),
         added AS (INSERT INTO ${this.#table} (identity, queue_digest, queue, stream, key, time, crc, bytes)
           SELECT identity, queue_digest, queue, stream, key, time, crc, bytes FROM fresh CROSS JOIN turn ORDER BY place
           ON CONFLICT (identity) DO UPDATE SET identity = EXCLUDED.identity RETURNING id, identity)
         SELECT added.id FROM given JOIN added USING (identity) ORDER BY place`,
        [
          columns.map(({ identity }) => identity),
          columns.map(({ digest }) => digest),
          columns.map(({ names }) => names[0]),
          columns.map(({ names }) => names[1]),
          columns.map(({ names }) => names[2]),
          columns.map(({ time }) => time),
          columns.map(({ crc }) => crc),
          columns.map(({ bytes }) => bytes)
        ]
      )
      return rows.map(({ id }) => Number(id))
    })

  readonly list: DeadLetterStore["list"] = ({ after = 0, limit, queue }) =>
    this.#attempt(async () => {
      const [where, values] = queue === undefined ? ["", []] : ["AND queue_digest = $3", [digestOf(queue)]]
      const rows = await this.#connection.query(`SELECT * FROM ${this.#table} WHERE id > $1 ${where} ORDER BY id LIMIT $2`, [
        after,
        limit,
        ...values
      ])
      return rows.map((row) => this.#read(row))
    })

  readonly get: DeadLetterStore["get"] = (id) =>
    this.#attempt(async () => {
      const [row] = await this.#connection.query(`SELECT * FROM ${this.#table} WHERE id = $1`, [id])
      return row === undefined ? undefined : this.#read(row)
    })

  readonly remove: DeadLetterStore["remove"] = (ids) =>
    this.#attempt(async () => {
      const [row] = await this.#connection.query(
        `WITH gone AS (DELETE FROM ${this.#table} WHERE id = ANY ($1::bigint[]) RETURNING id) SELECT count(*) FROM gone`,
        [ids]
      )
      return Number(row!["count"])
    })

  #attempt<A>(body: () => Promise<A>): Effect.Effect<A, StoreFailure> {
    return Effect.tryPromise({ try: body, catch: (error) => error as StoreFailure })
  }

  #read(row: PostgresRow): StoredDeadLetter {
    const [queue, stream, key] = [String(row["queue"]), String(row["stream"]), String(row["key"])]
    const [id, time, bytes] = [Number(row["id"]), Number(row["time"]), new Uint8Array(row["bytes"] as Buffer)]
    if (Number(row["crc"]) !== checksumOf(["letter", queue, stream, key, time], bytes)) {
      throw damaged(this.#location, `is damaged: the dead letter ${id} is not as it was written`)
    }
    return { id, queue: nameOfStored(queue), stream: nameOfStored(stream), key: nameOfStored(key), time, bytes }
  }
}

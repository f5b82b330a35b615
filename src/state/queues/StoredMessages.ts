import type * as Effect from "effect/Effect"
import { checksumOf } from "../Checksum.ts"
import { damaged } from "../errors.ts"
import type { Row, SqliteDatabase } from "../SqliteDatabase.ts"
import { nameOfStored, storedName } from "../StoredName.ts"
import { deadLetterHeaders, originOf } from "./deadMessage.ts"
import type { Delivery } from "./QueueBackend.ts"
import type { QueueFailure } from "./QueueFailure.ts"

/** What stands in one queue of a store. */
export interface QueueContent {
  readonly queue: string
  readonly messages: number
  /** How many of them were put aside by a consumer (`:dead-letter-queue`), and can be put back. */
  readonly dead: number
}

/** Some messages of a queue: those with these ids, or all. */
export interface MessageSelection {
  readonly queue: string
  readonly ids?: ReadonlyArray<number> | undefined
}

interface Changes {
  readonly attempt: <A>(body: () => A) => Effect.Effect<A, QueueFailure>
  readonly removed: (deliveries: ReadonlyArray<Delivery>) => void
  readonly added: (queue: string) => void
}

/** The messages of an embedded queue for those who look into it: nothing is given to anybody by that, and what somebody has is left alone. */
export class StoredMessages {
  readonly #database: SqliteDatabase
  readonly #changes: Changes

  constructor(database: SqliteDatabase, changes: Changes) {
    this.#database = database
    this.#changes = changes
  }

  get queues(): Effect.Effect<ReadonlyArray<QueueContent>, QueueFailure> {
    return this.#read(() =>
      this.#database
        .all(
          `SELECT queue, count(*) AS messages, sum(headers LIKE '%"${deadLetterHeaders.reason}":%') AS dead FROM messages GROUP BY queue ORDER BY queue`
        )
        .map(({ dead, messages, queue }) => ({ queue: nameOfStored(String(queue)), messages: Number(messages), dead: Number(dead) }))
    )
  }

  /** Oldest first. */
  list({
    after = 0,
    limit,
    queue
  }: {
    readonly queue: string
    readonly after?: number | undefined
    readonly limit: number
  }): Effect.Effect<ReadonlyArray<Delivery>, QueueFailure> {
    return this.#read(() =>
      this.#database
        .all("SELECT * FROM messages WHERE queue = ? AND id > ? ORDER BY id LIMIT ?", storedName(queue), after, limit)
        .map((row) => deliveryOfRow(this.#database.location, row))
    )
  }

  /** @returns how many there were that nobody has */
  remove(selection: MessageSelection): Effect.Effect<number, QueueFailure> {
    return this.#changes.attempt(() => {
      const gone = this.#database.write(() =>
        this.#selected(selection).filter(({ id }) => this.#database.run("DELETE FROM messages WHERE id = ?", Number(id)) > 0)
      )
      this.#changes.removed(gone)
      return gone.length
    })
  }

  /** Puts those that a consumer put aside back into the queue that they came from, as they were, all or none. @returns how many */
  putBack(selection: MessageSelection): Effect.Effect<number, QueueFailure> {
    return this.#changes.attempt(() => {
      const queues = new Set<string>()
      const count = this.#database.write(() => {
        let moved = 0
        for (const message of this.#selected(selection)) {
          const origin = originOf(message.headers)
          if (origin === undefined) continue
          queues.add(origin.queue)
          moved += this.#move(message, origin)
        }
        return moved
      })
      for (const queue of queues) this.#changes.added(queue)
      return count
    })
  }

  /** Where it stands nobody knows its key: the queue that it comes back to would take it for one that it has had. */
  #move({ body, contentType = "", id, time = 0 }: Delivery, { headers, queue }: NonNullable<ReturnType<typeof originOf>>): number {
    const written = JSON.stringify(headers)
    const name = storedName(queue)
    return this.#database.run(
      "UPDATE messages SET queue = ?, attempts = 0, headers = ?, crc = ? WHERE id = ?",
      name,
      written,
      checksumOf(messageFields(name, time, contentType, written), body),
      Number(id)
    )
  }

  #selected({ ids, queue }: MessageSelection): ReadonlyArray<Delivery> {
    const wanted = ids === undefined ? undefined : new Set(ids)
    return this.#database
      .all("SELECT * FROM messages WHERE queue = ? AND visible = 0 ORDER BY id", storedName(queue))
      .filter(({ id }) => wanted === undefined || wanted.has(Number(id)))
      .map((row) => deliveryOfRow(this.#database.location, row))
  }

  #read<A>(body: () => A): Effect.Effect<A, QueueFailure> {
    return this.#changes.attempt(() => this.#database.read(body))
  }
}

/** What the checksum of a message covers beside its body. */
export const messageFields = (queue: string, time: number, type: string, headers: string) => ["message", queue, time, type, headers]

/**
 * **Fails** by throwing where it is not as it was written.
 *
 * @param more how often it is given now that is not counted yet
 */
export const deliveryOfRow = (location: string, { attempts, body, crc, headers, id, queue, time, type }: Row, more = 0): Delivery => {
  const fields = messageFields(String(queue), Number(time), String(type), String(headers))
  if (!(body instanceof Uint8Array) || Number(crc) !== checksumOf(fields, body)) {
    throw damaged(location, `is damaged: the message ${Number(id)} of its queue ${String(queue)} is not as it was written`)
  }
  return {
    id: String(id),
    attempts: Number(attempts) + more,
    time: Number(time),
    body,
    contentType: String(type),
    headers: JSON.parse(String(headers)) as Record<string, string>,
    receipt: undefined
  }
}

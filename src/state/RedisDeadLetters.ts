import * as Effect from "effect/Effect"
import { checksumOf } from "./Checksum.ts"
import { damaged, type StoreFailure } from "./errors.ts"
import { byName } from "./MemoryDeadLetters.ts"
import type { RedisConnection, RedisReply } from "./RedisConnection.ts"
import * as scripts from "./redisScripts.ts"
import type { DeadLetterStore, NewDeadLetter, StoredDeadLetter } from "./StateStore.ts"
import { digestOf, nameOfStored, storedName } from "./StoredName.ts"

export class RedisDeadLetters implements DeadLetterStore {
  readonly #redis: RedisConnection
  readonly #location: string
  readonly #prefix: string
  readonly #keys: { readonly last: string; readonly known: string; readonly queues: string; readonly all: string }
  readonly queues: DeadLetterStore["queues"]

  constructor(redis: RedisConnection, location: string, prefix: string) {
    this.#redis = redis
    this.#location = location
    this.#prefix = prefix
    this.#keys = { last: `${prefix}letter-ids`, known: `${prefix}letter-keys`, queues: `${prefix}queues`, all: `${prefix}letters` }
    this.queues = this.#attempt(async () => {
      const reply = (await redis.command("HGETALL", this.#keys.queues)) as ReadonlyArray<Buffer>
      return byName(
        Array.from({ length: reply.length / 2 }, (_, index) => ({
          queue: nameOfStored(String(reply[2 * index])),
          letters: Number(String(reply[2 * index + 1]))
        }))
      )
    })
  }

  readonly add: DeadLetterStore["add"] = (letters) =>
    this.#attempt(async () => {
      const { all, known, last, queues } = this.#keys
      const args = letters.flatMap((letter) => [
        storedName(letter.queue),
        digestOf(letter.queue, letter.key).toString("base64"),
        headerOf(letter),
        letter.bytes
      ])
      return (
        (await this.#redis.script(scripts.addLetters, [last, known, queues, all], [this.#prefix, ...args])) as ReadonlyArray<number>
      ).map(Number)
    })

  readonly list: DeadLetterStore["list"] = ({ after = 0, limit, queue }) =>
    this.#attempt(async () => {
      // To Redis no limit below one means none at all.
      if (limit < 1) return []
      const index = queue === undefined ? this.#keys.all : `${this.#prefix}queue:${storedName(queue)}`
      const found = (await this.#redis.script(scripts.listLetters, [index], [this.#prefix, after, limit])) as ReadonlyArray<
        ReadonlyArray<Buffer | null>
      >
      return found.map(([id, header, bytes]) => this.#read(Number(String(id)), header!, bytes!))
    })

  readonly get: DeadLetterStore["get"] = (id) =>
    this.#attempt(async () => {
      const [header, bytes] = (await this.#redis.command(
        "HMGET",
        `${this.#prefix}letter:${id}`,
        "header",
        "bytes"
      )) as ReadonlyArray<Buffer | null>
      return header === null ? undefined : this.#read(id, header!, bytes!)
    })

  readonly remove: DeadLetterStore["remove"] = (ids) =>
    this.#attempt(async () =>
      Number(await this.#redis.script(scripts.removeLetters, [this.#keys.known, this.#keys.queues, this.#keys.all], [this.#prefix, ...ids]))
    )

  #attempt<A>(body: () => Promise<A>): Effect.Effect<A, StoreFailure> {
    return Effect.tryPromise({ try: body, catch: (error) => error as StoreFailure })
  }

  /** Also where an index names a letter that is gone. */
  #read(id: number, header: RedisReply, bytes: Buffer | null): StoredDeadLetter {
    try {
      const [crc, queue, stream, key, time] = JSON.parse(String(header)) as [number, string, string, string, number]
      if (bytes !== null && crc === checksumOf(["letter", queue, stream, key, time], bytes)) {
        return { id, queue: nameOfStored(queue), stream: nameOfStored(stream), key: nameOfStored(key), time, bytes: new Uint8Array(bytes) }
      }
    } catch {
      // No header of ours: damaged as well.
    }
    throw damaged(this.#location, `is damaged: the dead letter ${id} is not as it was written`)
  }
}

const headerOf = ({ bytes, key, queue, stream, time }: NewDeadLetter): string => {
  const fields = [storedName(queue), storedName(stream), storedName(key), time]
  return JSON.stringify([checksumOf(["letter", ...fields], bytes), ...fields])
}

import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { checksumOf } from "../Checksum.ts"
import type { StoreFailure } from "../errors.ts"
import type { SqliteDatabase } from "../SqliteDatabase.ts"
import type { DeadLetterStore } from "../StateStore.ts"
import { storedName } from "../StoredName.ts"
import { LeasedLetters } from "./LeasedLetters.ts"
import type { Delivery, NewMessage, QueueBackend, QueueDepth, QueueSubscription, SubscriptionOptions } from "./QueueBackend.ts"
import { QueueFailure } from "./QueueFailure.ts"
import { makeQueueTables } from "./queueTables.ts"
import { deliveryOfRow, messageFields, StoredMessages } from "./StoredMessages.ts"

export interface EmbeddedQueueOptions {
  readonly location: string
  /** Beyond so many messages, and so many bytes of them, publishing fails until some are gone. */
  readonly maxMessages: number
  readonly maxBytes: number
}

/** By so many of the newest keys a queue knows a message that is published again. */
const mostKeys = 100_000

/** The longest wait of a consumer before it looks again: dead letters come without a word. */
const lookMs = 200

/**
 * Queues in the tables of a store that belongs to this process alone, so consumers are woken and never poll.
 *
 * A queue of this name among the dead letters is a part of it: letters come after the messages, and are removed when they
 * are acknowledged.
 *
 * **Order** as published, but for messages that were given back.
 * **Cost** a claim, a publication and an acknowledgement are one write each, however many messages they are about.
 */
export class EmbeddedQueue implements QueueBackend {
  readonly kind = "embedded"
  readonly location: string
  readonly stored: StoredMessages
  readonly #database: SqliteDatabase
  readonly #letters: LeasedLetters
  readonly #options: EmbeddedQueueOptions
  readonly #waiting = new Map<string, Set<() => void>>()
  #messages: number
  #bytes: number

  constructor(database: SqliteDatabase, letters: DeadLetterStore, options: EmbeddedQueueOptions) {
    makeQueueTables(database)
    this.location = options.location
    this.#database = database
    this.#letters = new LeasedLetters(letters)
    this.#options = options
    const held = database.read(() => database.get("SELECT count(*) AS messages, coalesce(sum(length(body)), 0) AS bytes FROM messages"))!
    this.#messages = Number(held["messages"])
    this.#bytes = Number(held["bytes"])
    this.stored = new StoredMessages(database, {
      attempt: (body) => this.#attempt(body),
      removed: (gone) => this.#forget(gone),
      added: (queue) => this.#wake(queue)
    })
  }

  subscribe(queue: string, options: SubscriptionOptions): Effect.Effect<QueueSubscription> {
    return Effect.sync(() => ({
      receive: (max) => this.#receive(queue, max, options.leaseMs),
      acknowledge: (deliveries) => this.#acknowledge(deliveries),
      giveBack: (deliveries, { delayMs, isUnstarted }) =>
        this.#withTime((now) => {
          const back = isUnstarted ? 1 : 0
          const visible = delayMs === 0 ? 0 : now + delayMs
          this.#letters.giveBack(deliveries.filter(isLetter), { until: now + delayMs, isUnstarted })
          this.#change(
            deliveries,
            ({ id, attempts }) =>
              void this.#database.run(
                "UPDATE messages SET visible = ?, attempts = attempts - ? WHERE id = ? AND attempts = ?",
                visible,
                back,
                Number(id),
                attempts
              )
          )
          this.#wake(queue)
        }),
      stop: Effect.void,
      extend: (deliveries) =>
        this.#withTime((now) => {
          this.#letters.extend(deliveries.filter(isLetter), now + options.leaseMs)
          this.#change(
            deliveries,
            ({ attempts, id }) =>
              void this.#database.run(
                "UPDATE messages SET visible = ? WHERE id = ? AND attempts = ?",
                now + options.leaseMs,
                Number(id),
                attempts
              )
          )
        })
    }))
  }

  publish(queue: string, messages: ReadonlyArray<NewMessage>): Effect.Effect<void, QueueFailure> {
    return this.#attempt(() => {
      const bytes = messages.reduce((sum, { body }) => sum + body.byteLength, 0)
      if (this.#messages + messages.length > this.#options.maxMessages || this.#bytes + bytes > this.#options.maxBytes) throw this.#full()
      const added = this.#database.write(() => messages.filter((message) => this.#add(storedName(queue), message)))
      this.#messages += added.length
      this.#bytes += added.reduce((sum, { body }) => sum + body.byteLength, 0)
      this.#wake(queue)
    })
  }

  depth(queue: string): Effect.Effect<QueueDepth, QueueFailure> {
    return Effect.gen({ self: this }, function* () {
      const count = (where: string) =>
        this.#attempt(() =>
          Number(
            this.#database.read(() =>
              this.#database.get(`SELECT count(*) AS n FROM messages WHERE queue = ? AND ${where}`, storedName(queue))
            )!["n"]
          )
        )
      const letters = yield* this.#stored(this.#letters.depth(queue))
      return { waiting: (yield* count("visible = 0")) + letters.waiting, held: (yield* count("visible > 0")) + letters.held }
    })
  }

  #receive(queue: string, max: number, leaseMs: number): Effect.Effect<ReadonlyArray<Delivery>, QueueFailure> {
    return Effect.gen({ self: this }, function* () {
      const found = yield* this.#look(queue, max, leaseMs)
      if (found.length > 0) return found
      yield* Effect.interruptible(this.#untilNews(queue, yield* Clock.currentTimeMillis))
      return yield* this.#look(queue, max, leaseMs)
    })
  }

  #look(queue: string, max: number, leaseMs: number): Effect.Effect<ReadonlyArray<Delivery>, QueueFailure> {
    return Effect.gen({ self: this }, function* () {
      const now = yield* Clock.currentTimeMillis
      const claimed = yield* this.#attempt(() => this.#claim(storedName(queue), max, now, leaseMs))
      return claimed.length > 0 ? claimed : yield* this.#stored(this.#letters.claim(queue, max, now, leaseMs))
    })
  }

  #claim(queue: string, max: number, now: number, leaseMs: number): ReadonlyArray<Delivery> {
    const database = this.#database
    const waits = "SELECT id FROM messages WHERE queue = ? AND visible = 0 ORDER BY id LIMIT ?"
    // An idle queue is only read.
    const due = database.read(() =>
      database.get("SELECT 1 FROM messages WHERE queue = ? AND visible > 0 AND visible <= ? LIMIT 1", queue, now)
    )
    if (due === undefined && database.read(() => database.get(waits, queue, 1)) === undefined) return []
    // What a failing machine makes it forget is only that these were given.
    return database.note(() => {
      if (due !== undefined) database.run("UPDATE messages SET visible = 0 WHERE queue = ? AND visible > 0 AND visible <= ?", queue, now)
      const given = database.all("SELECT * FROM messages WHERE queue = ? AND visible = 0 ORDER BY id LIMIT ?", queue, max)
      // These, and none beside them: the first ones are given.
      database.run(
        "UPDATE messages SET visible = ?, attempts = attempts + 1 WHERE queue = ? AND visible = 0 AND id <= ?",
        now + leaseMs,
        queue,
        Number(given.at(-1)?.["id"] ?? 0)
      )
      return given.map((row) => deliveryOfRow(database.location, row, 1))
    })
  }

  /** Until something was published or given back, a lease runs out, or it is time to look for dead letters. */
  #untilNews(queue: string, now: number): Effect.Effect<void, QueueFailure> {
    return Effect.flatMap(
      this.#attempt(() =>
        this.#database.read(() =>
          this.#database.get("SELECT min(visible) AS next FROM messages WHERE queue = ? AND visible > 0", storedName(queue))
        )
      ),
      (row) => {
        const next = row?.["next"] ?? this.#letters.nextDue(queue, now)
        const wait = Math.min(lookMs, next === null || next === undefined ? lookMs : Math.max(1, Number(next) - now))
        return Effect.raceFirst(Effect.sleep(wait), this.#news(queue))
      }
    )
  }

  #news(queue: string): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      const told = () => resume(Effect.void)
      const others = this.#waiting.get(queue) ?? new Set()
      this.#waiting.set(queue, others.add(told))
      return Effect.sync(() => {
        others.delete(told)
        if (others.size === 0 && this.#waiting.get(queue) === others) this.#waiting.delete(queue)
      })
    })
  }

  #wake(queue: string): void {
    const waiting = this.#waiting.get(queue)
    this.#waiting.delete(queue)
    for (const told of waiting ?? []) told()
  }

  #acknowledge(deliveries: ReadonlyArray<Delivery>): Effect.Effect<ReadonlyArray<Delivery>, QueueFailure> {
    return Effect.gen({ self: this }, function* () {
      const letters = deliveries.filter(isLetter)
      if (letters.length > 0) yield* this.#stored(this.#letters.acknowledge(letters))
      if (letters.length === deliveries.length) return letters
      const gone = yield* this.#attempt(() =>
        this.#database.write(() => runsOf(deliveries.filter((delivery) => !isLetter(delivery))).flatMap((run) => this.#remove(run)))
      )
      this.#forget(gone)
      return letters.length === 0 ? gone : [...letters, ...gone]
    })
  }

  /** @param run of one number of attempts, and without a gap between the ids */
  #remove(run: ReadonlyArray<Delivery>): ReadonlyArray<Delivery> {
    const database = this.#database
    const [first, last] = [Number(run[0]!.id), Number(run.at(-1)!.id)]
    const attempts = run[0]!.attempts
    const there = Number(
      database.get("SELECT count(*) AS n FROM messages WHERE id BETWEEN ? AND ? AND attempts = ?", first, last, attempts)!["n"]
    )
    if (there === run.length) {
      database.run("DELETE FROM messages WHERE id BETWEEN ? AND ? AND attempts = ?", first, last, attempts)
      return run
    }
    return run.filter(({ id }) => database.run("DELETE FROM messages WHERE id = ? AND attempts = ?", Number(id), attempts) > 0)
  }

  #forget(gone: ReadonlyArray<Delivery>): void {
    this.#messages -= gone.length
    this.#bytes -= gone.reduce((sum, { body }) => sum + body.byteLength, 0)
  }

  #change(deliveries: ReadonlyArray<Delivery>, change: (delivery: Delivery) => void): void {
    const messages = deliveries.filter((delivery) => !isLetter(delivery))
    if (messages.length > 0) this.#database.write(() => messages.forEach(change))
  }

  #add(queue: string, { body, contentType, headers, key, time }: NewMessage): boolean {
    const database = this.#database
    if (database.run("INSERT OR IGNORE INTO message_keys (queue, key) VALUES (?, ?)", queue, storedName(key)) === 0) return false
    const newest = Number(database.get("SELECT max(id) AS id FROM message_keys")?.["id"])
    database.run("DELETE FROM message_keys WHERE id <= ?", newest - mostKeys)
    const written = JSON.stringify({ ...headers, "message-key": key })
    database.run(
      "INSERT INTO messages (queue, visible, attempts, time, type, headers, crc, body) VALUES (?, 0, 0, ?, ?, ?, ?, ?)",
      queue,
      time,
      contentType,
      written,
      checksumOf(messageFields(queue, time, contentType, written), body),
      body
    )
    return true
  }

  #full(): QueueFailure {
    const { maxBytes, maxMessages } = this.#options
    return new QueueFailure(this.location, `is full: it holds at most ${maxMessages} messages and ${maxBytes / 1024 ** 2} MB of them`, {
      fix: "Consume some, or use a server (connections.queue).",
      isPassing: true
    })
  }

  #withTime(change: (now: number) => void): Effect.Effect<void, QueueFailure> {
    return Effect.flatMap(Clock.currentTimeMillis, (now) => this.#attempt(() => change(now)))
  }

  #attempt<A>(body: () => A): Effect.Effect<A, QueueFailure> {
    return Effect.try({ try: body, catch: (error) => this.#failure(error) })
  }

  #stored<A>(effect: Effect.Effect<A, StoreFailure>): Effect.Effect<A, QueueFailure> {
    return Effect.mapError(effect, (error) => this.#failure(error))
  }

  #failure(error: unknown): QueueFailure {
    if (error instanceof QueueFailure) return error
    const message = error instanceof Error ? error.message : String(error)
    return new QueueFailure(this.location, "can't be used, because its store can't", { fix: message, isPassing: false, cause: error })
  }
}

/** Parts of it, in which each id is the next after the one before and all were given equally often. */
const runsOf = (deliveries: ReadonlyArray<Delivery>): ReadonlyArray<ReadonlyArray<Delivery>> => {
  const runs: Array<Array<Delivery>> = []
  let next = -1
  let attempts = -1
  for (const delivery of deliveries) {
    const id = Number(delivery.id)
    if (id === next && delivery.attempts === attempts) runs.at(-1)!.push(delivery)
    else runs.push([delivery])
    next = id + 1
    attempts = delivery.attempts
  }
  return runs
}

const isLetter = ({ id }: Delivery): boolean => id.startsWith("letter-")

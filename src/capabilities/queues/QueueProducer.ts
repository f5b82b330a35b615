import { crc32 } from "node:zlib"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { type AsyncSink, type HeldItems, ItemFailure, type OpenContext } from "../../actors/index.ts"
import type { StreamFunction } from "../../scheduler/index.ts"
import type { NewMessage, QueueBackend } from "../../state/index.ts"
import { callWithMeter } from "../wrapFunction.ts"
import { type BodyFormat, encodeBody } from "./messageBody.ts"
import { patiently } from "./patiently.ts"

export interface ProducerOptions {
  readonly queue: string
  readonly batchSize: number
  readonly format: BodyFormat
  readonly onSent: StreamFunction | undefined
}

/** An item that is not confirmed yet, and the message that it becomes: the same one however often it is published. */
interface Entry {
  readonly item: unknown
  readonly place: number
  readonly message: NewMessage
}

interface Position {
  /** What tells these messages from those of any other run that began anew. */
  readonly run: string
  /** How many items have a place, and how many of those are confirmed. */
  readonly taken: number
  readonly sent: number
  /** Grows behind `count`; nothing before that changes. */
  readonly held: ReadonlyArray<Entry>
  readonly count: number
}

/** How many batches are on their way, unconfirmed. */
const window = 4

/** What is held is published once it is so much, full batch or not. */
const mostBytes = 1024 ** 2

/**
 * Publishes items, each under a key that is the same when the item is published again.
 *
 * Items are held until they fill a batch, whatever frames they came in, or until nothing more waits: so a lone item goes at
 * once, and items that come one by one while a batch is on its way become the next. A checkpoint has what came before it
 * published first.
 *
 * The key is the stream, the item's place in it, and what the message says. The place alone would not do: after a crash a
 * source may give other items, or in another order, and a server that knows the key of a message drops it.
 *
 * **Bounds** four batches that are not confirmed; beside a frame, less than a batch and 1 MiB are held.
 */
export class QueueProducer implements AsyncSink, HeldItems {
  readonly #backend: QueueBackend
  readonly #options: ProducerOptions
  readonly #context: OpenContext
  readonly #run: string
  #taken: number
  #sent: number
  #held: Array<Entry>
  #bytes: number
  /** Nothing waits behind what is held. */
  #isIdle = false

  /** @param run used where no checkpoint has one */
  constructor(backend: QueueBackend, options: ProducerOptions, context: OpenContext, run: string) {
    this.#backend = backend
    this.#options = options
    this.#context = context
    const position = context.position as Position | undefined
    this.#run = position?.run ?? run
    this.#taken = position?.taken ?? 0
    this.#sent = position?.sent ?? 0
    this.#held = position?.held.slice(0, position.count) ?? []
    this.#bytes = bytesOf(this.#held)
  }

  get held(): HeldItems {
    return this
  }

  readonly finish: Effect.Effect<unknown> = Effect.sync(() => ({ queue: this.#options.queue, sent: this.#sent }))

  position(): Position {
    const count = this.#held.length
    return { run: this.#run, taken: this.#taken, sent: this.#sent, held: count === 0 ? [] : this.#held, count }
  }

  /** Takes items in. One that has no form in the format is refused at once, alone. */
  readonly write = (items: ReadonlyArray<unknown>): Effect.Effect<void, unknown> =>
    Effect.flatMap(Clock.currentTimeMillis, (time) => {
      for (const [index, item] of items.entries()) {
        // An item that is left out keeps its place.
        const place = this.#taken++
        try {
          const message = this.#message(item, place, time)
          this.#held.push({ item, place, message })
          this.#bytes += message.body.byteLength
        } catch (cause) {
          return Effect.fail(new ItemFailure({ index, cause }))
        }
      }
      return Effect.void
    })

  isDue(): boolean {
    return this.#held.length >= this.#options.batchSize || (this.#held.length > 0 && this.#isAllDue)
  }

  /** After a turn of whoever has more. */
  readonly awaitDue: Effect.Effect<void> = Effect.suspend(() =>
    this.#held.length === 0
      ? Effect.never
      : Effect.map(Effect.yieldNow, () => {
          this.#isIdle = true
        })
  )

  readonly handOver: Effect.Effect<void, unknown> = Effect.suspend(() => {
    const { length } = this.#held
    return this.#publish(this.#isAllDue ? length : length - (length % this.#options.batchSize))
  })

  readonly sync: Effect.Effect<void, unknown> = Effect.suspend(() => this.#publish(this.#held.length))

  readonly seal: Effect.Effect<void, unknown> = this.sync

  /** Asked for only where `handOver` blames an item: here `write` does, so that a barrier meets none that is to blame. */
  leaveOut(): void {
    this.#forget(1)
  }

  replace(item: unknown): void {
    const [{ message, place }, ...others] = this.#held as [Entry, ...Array<Entry>]
    this.#held = [{ item, place, message: this.#message(item, place, message.time) }, ...others]
    this.#bytes = bytesOf(this.#held)
  }

  values(): ReadonlyArray<unknown> {
    return this.#held.map(({ item }) => item)
  }

  get #isAllDue(): boolean {
    return this.#isIdle || this.#bytes >= mostBytes
  }

  #message(item: unknown, place: number, time: number): NewMessage {
    const { body, contentType } = encodeBody(item, this.#options.format)
    const key = `${this.#context.durable ?? this.#context.address}/${this.#run}/${place}/${crc32(body).toString(36)}-${body.byteLength.toString(36)}`
    return { key, body, contentType, headers: {}, time }
  }

  /** The oldest. Each batch is forgotten once it and all before it are confirmed. */
  #publish(count: number): Effect.Effect<void, unknown> {
    const { batchSize, queue } = this.#options
    const batches = Array.from({ length: Math.ceil(count / batchSize) }, (_, at) =>
      this.#held.slice(at * batchSize, Math.min(count, (at + 1) * batchSize))
    )
    const confirmed = batches.map(() => false)
    let oldest = 0
    const publish = (batch: ReadonlyArray<Entry>, at: number) => {
      const messages = batch.map(({ message }) => message)
      return Effect.flatMap(patiently(this.#backend.publish(queue, messages), this.#context.waitsFor), () => {
        confirmed[at] = true
        for (; confirmed[oldest]; oldest++) {
          this.#sent += batches[oldest]!.length
          this.#forget(batches[oldest]!.length)
        }
        return this.#tell(batch.length)
      })
    }
    return batches.length === 1 ? publish(batches[0]!, 0) : Effect.forEach(batches, publish, { concurrency: window, discard: true })
  }

  #tell(count: number): Effect.Effect<void, unknown> {
    const { onSent } = this.#options
    if (onSent === undefined) return Effect.void
    return Effect.asVoid(Effect.tryPromise({ try: async () => callWithMeter(onSent, count), catch: (error) => error }))
  }

  /** A new array, because positions hold the one before. */
  #forget(count: number): void {
    this.#bytes -= bytesOf(this.#held.slice(0, count))
    this.#held = this.#held.slice(count)
    if (this.#held.length === 0) this.#isIdle = false
  }
}

const bytesOf = (entries: ReadonlyArray<Entry>): number => entries.reduce((sum, { message }) => sum + message.body.byteLength, 0)

import { crc32 } from "node:zlib"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { type AsyncSink, ItemFailure, type OpenContext } from "../../actors/index.ts"
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

interface Position {
  /** What tells these messages from those of any other run that began anew. */
  readonly run: string
  readonly sent: number
}

/** How many batches are on their way, unconfirmed. */
const window = 4

/**
 * Publishes items, each under a key that is the same when the item is published again.
 *
 * The key is the stream, the item's place in it, and what the message says. The place alone would not do: after a crash a
 * source may give other items, or in another order, and a server that knows the key of a message drops it.
 *
 * **Bounds** four batches that are not confirmed.
 */
export class QueueProducer implements AsyncSink {
  readonly #backend: QueueBackend
  readonly #options: ProducerOptions
  readonly #context: OpenContext
  readonly #run: string
  #sent: number

  /** @param run used where no checkpoint has one */
  constructor(backend: QueueBackend, options: ProducerOptions, context: OpenContext, run: string) {
    this.#backend = backend
    this.#options = options
    this.#context = context
    const position = context.position as Position | undefined
    this.#run = position?.run ?? run
    this.#sent = position?.sent ?? 0
  }

  readonly finish: Effect.Effect<unknown> = Effect.sync(() => ({ queue: this.#options.queue, sent: this.#sent }))

  position(): Position {
    return { run: this.#run, sent: this.#sent }
  }

  readonly write = (items: ReadonlyArray<unknown>): Effect.Effect<void, unknown> =>
    Effect.flatMap(Clock.currentTimeMillis, (time) => {
      const messages: Array<NewMessage> = []
      let failure: ItemFailure | undefined
      for (const [index, item] of items.entries()) {
        try {
          messages.push(this.#message(item, this.#sent + index, time))
        } catch (cause) {
          failure = new ItemFailure({ index, cause })
          break
        }
      }
      return Effect.flatMap(this.#publish(messages), () => {
        // An item that is left out keeps its place.
        this.#sent += messages.length + (failure === undefined ? 0 : 1)
        return failure === undefined ? Effect.void : Effect.fail(failure)
      })
    })

  #message(item: unknown, place: number, time: number): NewMessage {
    const { body, contentType } = encodeBody(item, this.#options.format)
    const key = `${this.#context.durable ?? this.#context.address}/${this.#run}/${place}/${crc32(body).toString(36)}-${body.byteLength.toString(36)}`
    return { key, body, contentType, headers: {}, time }
  }

  #publish(messages: ReadonlyArray<NewMessage>): Effect.Effect<void, unknown> {
    const { batchSize, onSent, queue } = this.#options
    const batches = Array.from({ length: Math.ceil(messages.length / batchSize) }, (_, at) =>
      messages.slice(at * batchSize, (at + 1) * batchSize)
    )
    const publish = (batch: ReadonlyArray<NewMessage>) =>
      Effect.andThen(
        patiently(this.#backend.publish(queue, batch), this.#context.waitsFor),
        onSent === undefined
          ? Effect.void
          : Effect.asVoid(Effect.tryPromise({ try: async () => callWithMeter(onSent, batch.length), catch: (error) => error }))
      )
    return batches.length === 1 ? publish(batches[0]!) : Effect.forEach(batches, publish, { concurrency: window, discard: true })
  }
}

import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { AsyncSource, OpenContext, SourceBatch } from "../../actors/index.ts"
import type { StreamFunction } from "../../scheduler/index.ts"
import { deadMessageOf, type Delivery, type QueueBackend, type QueueFailure, type QueueSubscription } from "../../state/index.ts"
import { JsonLineParser } from "../../serialization/index.ts"
import { callWithMeter } from "../wrapFunction.ts"
import { MalformedMessage } from "./errors.ts"
import { HeldMessages } from "./HeldMessages.ts"
import { type BodyFormat, jsonBodiesOf, messageOf } from "./messageBody.ts"
import { patiently } from "./patiently.ts"

export interface ConsumerOptions {
  readonly queue: string
  readonly batchSize: number
  readonly isBatched: boolean
  readonly visibilityMs: number
  readonly maxReceives: number
  readonly deadLetterQueue: string | undefined
  readonly nackDelayMs: number
  readonly maxInFlight: number
  readonly format: BodyFormat
  readonly waitMs: number | undefined
  readonly onAck: StreamFunction | undefined
}

interface Position {
  readonly given: number
  readonly unacknowledged: ReadonlyArray<string>
}

/** How many wait at least to be given to the stream, so that it need not wait for the server. */
const leastAhead = 500

/** What is left of the time in which a source is closed is for whoever closes its connection. */
const closingMs = 3000

/** Where `attempts` is 1 no message came before, and each id is of one message. */
const countsEach: ReadonlyArray<QueueBackend["kind"]> = ["embedded", "redis", "nats"]

/** How many are acknowledged with one word. */
const mostAtOnce = 5000

/**
 * Messages of a queue, until they are acknowledged.
 *
 * Those that come are held here, and extended at half of their lease, until a checkpoint covers what became of them: then they
 * are acknowledged. Whatever is held when the source is closed goes back to the queue.
 *
 * **Bounds** `maxInFlight` messages that are not acknowledged.
 */
export class QueueConsumer implements AsyncSource {
  readonly #backend: QueueBackend
  readonly #subscription: QueueSubscription
  readonly #options: ConsumerOptions
  readonly #context: OpenContext
  readonly #clock: Clock.Clock
  readonly #held: HeldMessages
  readonly #parser = new JsonLineParser("utf8")
  #covered = 0
  #failure: unknown
  #cameAt: number
  /** Whether the queue has said since the last message that it has none. */
  #isEmpty = false
  #isClosing = false
  #wakeReader = () => {}
  #wakePump = () => {}

  private constructor(
    backend: QueueBackend,
    subscription: QueueSubscription,
    options: ConsumerOptions,
    context: OpenContext,
    clock: Clock.Clock
  ) {
    this.#backend = backend
    this.#subscription = subscription
    this.#options = options
    this.#context = context
    this.#clock = clock
    this.#cameAt = clock.currentTimeMillisUnsafe()
    const { given = 0, unacknowledged = [] } = (context.position as Position | undefined) ?? {}
    this.#held = new HeldMessages({
      most: options.maxInFlight,
      given,
      settled: unacknowledged,
      isCounted: countsEach.includes(backend.kind)
    })
  }

  static open(
    backend: QueueBackend,
    options: ConsumerOptions,
    context: OpenContext
  ): Effect.Effect<QueueConsumer, QueueFailure, Scope.Scope> {
    return Effect.gen(function* () {
      const subscription = yield* backend.subscribe(options.queue, { leaseMs: options.visibilityMs, maxHeld: options.maxInFlight })
      const consumer = new QueueConsumer(backend, subscription, options, context, yield* Clock.Clock)
      yield* Effect.addFinalizer(() => consumer.#close)
      yield* Effect.forkScoped(Effect.uninterruptible(consumer.#pump))
      yield* Effect.forkScoped(consumer.#extending)
      yield* Effect.addFinalizer(() => Effect.sync(() => (consumer.#isClosing = true)))
      return consumer
    })
  }

  // What was given before can't be read again: the queue gives it to somebody, but not in the same order.
  isRepeatable(): boolean {
    return false
  }

  readonly read: Effect.Effect<SourceBatch | null, unknown> = Effect.suspend(() => {
    if (this.#held.waiting > 0) return Effect.succeed(this.#take())
    if (this.#failure !== undefined) return Effect.fail(this.#failure)
    const { waitMs } = this.#options
    if (waitMs === undefined || !this.#isEmpty) return Effect.andThen(this.#news, this.read)
    const left = this.#cameAt + waitMs - this.#clock.currentTimeMillisUnsafe()
    return left <= 0 ? Effect.succeed(null) : Effect.andThen(Effect.raceFirst(this.#news, Effect.sleep(left)), this.read)
  })

  position(): Position {
    const held = this.#held
    const { given } = held
    // Told at a barrier only, since there may be thousands.
    return {
      given,
      get unacknowledged() {
        return held.unacknowledged(given)
      }
    }
  }

  readonly onStored = (position: unknown): Effect.Effect<void, unknown> =>
    Effect.suspend(() => {
      // Nothing was read when the first checkpoint was taken.
      if (position === undefined) return Effect.void
      this.#covered = Math.max(this.#covered, (position as Position).given)
      return this.#acknowledge(this.#held.upTo(this.#covered), patiently)
    })

  #take(): SourceBatch {
    const { bytes, messages } = this.#held.take(this.#options.batchSize)
    this.#wakePump()
    // They are made here, for the stream alone.
    return { items: this.#options.isBatched ? [messages] : messages, bytes, handsOver: true }
  }

  get #news(): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      this.#wakeReader = () => resume(Effect.void)
      if (this.#held.waiting > 0 || this.#failure !== undefined) this.#wakeReader()
    })
  }

  /** Takes messages in, as long as there is room. Interrupted only where it waits. */
  get #pump(): Effect.Effect<void> {
    const { batchSize, maxInFlight } = this.#options
    const ahead = Math.max(leastAhead, 2 * batchSize)
    const step = Effect.suspend((): Effect.Effect<void, unknown> => {
      const room = Math.min(ahead - this.#held.waiting, maxInFlight - this.#held.size)
      // Not one by one, as they are taken: each question has its price.
      const isWorthAsking = room > 0 && (this.#held.waiting === 0 || room >= ahead / 2)
      if (!isWorthAsking) {
        // Everything may wait for a checkpoint that is not due yet.
        if (this.#held.waiting === 0) this.#context.askForCheckpoint?.()
        return Effect.interruptible(
          Effect.callback<void>((resume) => {
            this.#wakePump = () => resume(Effect.void)
          })
        )
      }
      return Effect.flatMap(patiently(this.#subscription.receive(room), this.#context.waitsFor), (deliveries) => this.#takeIn(deliveries))
    })
    const loop: Effect.Effect<void, unknown> = Effect.suspend(() => (this.#isClosing ? Effect.void : Effect.andThen(step, loop)))
    return Effect.catch(loop, (failure) =>
      Effect.sync(() => {
        this.#failure = failure
        this.#wakeReader()
      })
    )
  }

  #takeIn(deliveries: ReadonlyArray<Delivery>): Effect.Effect<void, unknown> {
    const done: Array<Delivery> = []
    const dead: Array<{ readonly delivery: Delivery; readonly why: string }> = []
    const { deadLetterQueue, format, maxReceives } = this.#options
    const bodies = jsonBodiesOf(deliveries, format, this.#parser)
    for (const [at, delivery] of deliveries.entries()) {
      if (delivery.attempts > maxReceives) {
        dead.push({ delivery, why: `it was received ${delivery.attempts} times, and :max-receives is ${maxReceives}` })
        continue
      }
      let message: unknown
      try {
        message = messageOf(delivery, format, bodies?.[at])
      } catch (cause) {
        const malformed = new MalformedMessage(this.#options.queue, delivery.id, cause)
        if (deadLetterQueue === undefined) this.#failure ??= malformed
        else dead.push({ delivery, why: malformed.message })
        continue
      }
      if (this.#held.add(delivery, message) === "settled") done.push(delivery)
    }
    this.#isEmpty = deliveries.length === 0
    if (!this.#isEmpty) this.#cameAt = this.#clock.currentTimeMillisUnsafe()
    this.#wakeReader()
    if (done.length === 0 && dead.length === 0) return Effect.void
    return Effect.andThen(
      this.#acknowledge(done, patiently),
      Effect.forEach(dead, ({ delivery, why }) => this.#bury(delivery, why), { discard: true })
    )
  }

  /** First there, then gone here: a crash in between leaves it in both, and the other queue knows its key. */
  #bury(delivery: Delivery, why: string): Effect.Effect<void, unknown> {
    const { deadLetterQueue, queue } = this.#options
    const letter = deadMessageOf(delivery, { queue, why, now: this.#clock.currentTimeMillisUnsafe() })
    const { waitsFor } = this.#context
    return Effect.andThen(
      patiently(this.#backend.publish(deadLetterQueue!, [letter]), waitsFor),
      Effect.asVoid(patiently(this.#subscription.acknowledge([delivery]), waitsFor))
    )
  }

  #acknowledge(deliveries: ReadonlyArray<Delivery>, trying: typeof patiently): Effect.Effect<void, unknown> {
    const parts = Array.from({ length: Math.ceil(deliveries.length / mostAtOnce) }, (_, part) =>
      deliveries.slice(part * mostAtOnce, (part + 1) * mostAtOnce)
    )
    return Effect.forEach(
      parts,
      (part) =>
        Effect.flatMap(trying(this.#subscription.acknowledge(part), this.#context.waitsFor), (gone) => {
          // Mostly all of them are.
          const isGone = gone.length === part.length ? undefined : new Set(gone.map(({ id }) => id))
          for (const delivery of part) this.#held.forget(delivery, isGone?.has(delivery.id) ?? true)
          this.#wakePump()
          return this.#tell(gone)
        }),
      { discard: true }
    )
  }

  #tell(gone: ReadonlyArray<Delivery>): Effect.Effect<void, unknown> {
    const { onAck } = this.#options
    if (onAck === undefined || gone.length === 0) return Effect.void
    const call = async () =>
      callWithMeter(
        onAck,
        gone.map(({ id }) => id)
      )
    return Effect.asVoid(Effect.tryPromise({ try: call, catch: (error) => error }))
  }

  get #extending(): Effect.Effect<never> {
    // One that fails is made up for by the next, and half of the lease is left for that.
    const extend = Effect.suspend(() => (this.#held.size === 0 ? Effect.void : Effect.ignore(this.#subscription.extend(this.#held.all))))
    return Effect.forever(Effect.andThen(Effect.sleep(this.#options.visibilityMs / 2), extend))
  }

  /** What is covered is acknowledged, and everything else given back. A server that is away gives it to somebody by itself. */
  get #close(): Effect.Effect<void> {
    const once: typeof patiently = (effect) => effect
    return Effect.gen({ self: this }, function* () {
      yield* this.#subscription.stop
      yield* Effect.ignore(this.#acknowledge(this.#held.upTo(this.#covered), once))
      const { started, unstarted } = this.#held.parted
      if (unstarted.length > 0) yield* Effect.ignore(this.#subscription.giveBack(unstarted, { delayMs: 0, isUnstarted: true }))
      if (started.length > 0)
        yield* Effect.ignore(this.#subscription.giveBack(started, { delayMs: this.#options.nackDelayMs, isUnstarted: false }))
    }).pipe(Effect.interruptible, Effect.timeoutOption(closingMs), Effect.asVoid)
  }
}

import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Channel, ChannelModel, ConfirmChannel, ConsumeMessage, Options, Replies } from "amqplib"
import { certificateProblem, trustOf } from "../certificates.ts"
import type { ServerUrl } from "../ServerUrl.ts"
import { Arrivals } from "./Arrivals.ts"
import type { Delivery, NewMessage, QueueBackend, QueueDepth, QueueSubscription, SubscriptionOptions } from "./QueueBackend.ts"
import { lostQueue, missingPackage, QueueFailure } from "./QueueFailure.ts"

/**
 * Queues of RabbitMQ. One that is not there is made as a quorum queue, which counts how often a message was given; one that is
 * there is used as it is.
 *
 * A consumer has its messages until its channel closes: there are no leases that run out, and nothing to extend.
 *
 * **Order** as published, but for messages that were given back.
 */
export class RabbitQueue implements QueueBackend {
  readonly kind = "rabbitmq"
  readonly location: string
  readonly #server: ServerUrl
  /** Queues that are there; asked for once, so that whoever waits for one goes on in the order in which he came. */
  readonly #known = new Map<string, Promise<void>>()
  #connection: Promise<ChannelModel> | undefined
  #publisher: Promise<ConfirmChannel> | undefined
  #isClosed = false

  private constructor(server: ServerUrl) {
    this.location = server.location
    this.#server = server
  }

  static open(server: ServerUrl): Effect.Effect<RabbitQueue, QueueFailure, Scope.Scope> {
    return Effect.acquireRelease(
      Effect.suspend(() => {
        const queue = new RabbitQueue(server)
        return Effect.as(
          queue.#attempt(() => queue.#connected()),
          queue
        )
      }),
      (queue) => Effect.promise(() => queue.#close())
    )
  }

  subscribe(queue: string, { maxHeld }: SubscriptionOptions): Effect.Effect<QueueSubscription, QueueFailure, Scope.Scope> {
    return Effect.map(
      Effect.acquireRelease(
        Effect.suspend(() => {
          const held = new HeldMessages(() => this.#channelFor(queue), queue, Math.min(maxHeld, 65_535))
          return Effect.as(
            this.#attempt(() => held.open()),
            held
          )
        }),
        (held) => Effect.promise(() => held.close())
      ),
      (held): QueueSubscription => ({
        receive: (max) =>
          Effect.andThen(
            this.#attempt(() => held.open()),
            held.arrivals.take(max)
          ),
        acknowledge: (deliveries) => this.#attempt(() => held.acknowledge(deliveries)),
        giveBack: (deliveries, { delayMs }) =>
          // The server knows no delay: they are held back here, and come back at once where this ends.
          Effect.andThen(
            delayMs > 0 ? Effect.sleep(delayMs) : Effect.void,
            this.#attempt(() => held.giveBack(deliveries))
          ),
        stop: Effect.promise(() => held.stop()),
        extend: () => Effect.void
      })
    )
  }

  publish(queue: string, messages: ReadonlyArray<NewMessage>): Effect.Effect<void, QueueFailure> {
    return this.#attempt(async () => {
      const channel = await this.#publishing(queue)
      await Promise.all(messages.map((message) => publishOne(channel, queue, message)))
    })
  }

  depth(queue: string): Effect.Effect<QueueDepth, QueueFailure> {
    return this.#attempt(async () => {
      const channel = await this.#publishing(queue)
      const { messageCount } = await channel.checkQueue(queue)
      return { waiting: messageCount, held: undefined }
    })
  }

  async #publishing(queue: string): Promise<ConfirmChannel> {
    await this.#made(queue)
    if (this.#publisher === undefined) {
      const opening = this.#connected().then((connection) => connection.createConfirmChannel())
      this.#publisher = opening
      const forget = () => {
        if (this.#publisher === opening) this.#publisher = undefined
      }
      opening.then((channel) => channel.on("error", () => {}).on("close", forget), forget)
    }
    return this.#publisher
  }

  async #channelFor(queue: string): Promise<Channel> {
    await this.#made(queue)
    return (await this.#connected()).createChannel()
  }

  /** Looking for a queue that is not there closes the channel, so it is one for this alone. */
  #made(queue: string): Promise<void> {
    const known = this.#known.get(queue)
    if (known !== undefined) return known
    const making = this.#make(queue)
    this.#known.set(queue, making)
    making.catch(() => this.#known.delete(queue))
    return making
  }

  async #make(queue: string): Promise<void> {
    const connection = await this.#connected()
    const looking = await connection.createChannel()
    looking.on("error", () => {})
    const isThere = await looking.checkQueue(queue).then(
      () => true,
      (error: unknown) => {
        // The same code is for a queue that is not ready again after the server was restarted.
        if ((error as { code?: number }).code === 404 && /no queue/.test(String(error))) return false
        throw error
      }
    )
    if (isThere) await looking.close()
    else {
      const making = await connection.createChannel()
      making.on("error", () => {})
      await making.assertQueue(queue, { durable: true, arguments: { "x-queue-type": "quorum" } })
      await making.close()
    }
  }

  #connected(): Promise<ChannelModel> {
    if (this.#isClosed) return Promise.reject(new Error("it was closed with the host"))
    if (this.#connection !== undefined) return this.#connection
    const connecting = connect(this.#server)
    this.#connection = connecting
    const forget = () => {
      if (this.#connection === connecting) this.#connection = undefined
      // A queue may be gone with the server that had it.
      this.#known.clear()
    }
    connecting.then((connection) => connection.on("error", () => {}).on("close", forget), forget)
    return connecting
  }

  async #close(): Promise<void> {
    this.#isClosed = true
    const connection = await this.#connection?.catch(() => undefined)
    await connection?.close().catch(() => {})
  }

  #attempt<A>(body: () => Promise<A>): Effect.Effect<A, QueueFailure> {
    return Effect.tryPromise({ try: body, catch: (error) => failureOf(this.#server, error) })
  }
}

/** How many the server sends before it is known how large they are, and how many bytes it may send unacknowledged. */
const firstPrefetch = 16
const mostBytes = 32 * 1024 ** 2

/** What one consumer has, in one channel after the other: with a channel, its messages are gone, and come again. */
class HeldMessages {
  readonly arrivals = new Arrivals()
  readonly #newChannel: () => Promise<Channel>
  readonly #queue: string
  readonly #prefetch: number
  #channel: Promise<Channel> | undefined
  #current: Channel | undefined
  /** How many messages came in channels before this one, for names of those that have none. */
  #ordinal = 0
  #consumers: ReadonlyArray<Replies.Consume> = []
  /** Of the channel. */
  #bytes = 0
  #count = 0
  /** Rising tags of what is neither acknowledged nor given back. */
  readonly #unsettled = new Set<number>()
  #isStopped = false
  #isClosed = false

  constructor(newChannel: () => Promise<Channel>, queue: string, prefetch: number) {
    this.#newChannel = newChannel
    this.#queue = queue
    this.#prefetch = prefetch
  }

  async open(): Promise<void> {
    if (this.#current !== undefined) return
    this.#channel ??= this.#consume().finally(() => (this.#channel = undefined))
    await this.#channel
  }

  async #consume(): Promise<Channel> {
    const channel = await this.#newChannel()
    const lost = () => {
      if (this.#current !== channel) return
      this.#current = undefined
      this.arrivals.drop()
    }
    channel.on("error", () => {}).on("close", lost)
    this.#current = channel
    this.#unsettled.clear()
    this.#consumers = []
    this.#bytes = this.#count = 0
    const take = (message: ConsumeMessage | null) => {
      if (this.#current !== channel) return
      if (message === null) {
        // The server took the queue away.
        lost()
        this.arrivals.fail(lostQueue(this.#queue, "the server ended the consumer"))
        return
      }
      this.#unsettled.add(message.fields.deliveryTag)
      this.#bytes += message.content.byteLength
      this.arrivals.push(deliveryOf(message, channel, ++this.#ordinal))
      // A channel that fails meanwhile is opened again by whoever uses it next.
      if (++this.#count === firstPrefetch) this.#widen(channel, take).catch(() => {})
    }
    try {
      await this.#addConsumer(channel, Math.min(firstPrefetch, this.#prefetch), take)
      return channel
    } catch (error) {
      lost()
      throw error
    }
  }

  /** The server counts messages, and for each of our consumers apart: a second one makes room for as many as are not too large. */
  async #widen(channel: Channel, take: (message: ConsumeMessage | null) => void): Promise<void> {
    const affordable = Math.floor(mostBytes / Math.max(1, this.#bytes / this.#count))
    const further = Math.min(this.#prefetch, affordable) - firstPrefetch
    if (further > 0 && this.#current === channel) await this.#addConsumer(channel, further, take)
  }

  async #addConsumer(channel: Channel, prefetch: number, take: (message: ConsumeMessage | null) => void): Promise<void> {
    await channel.prefetch(prefetch)
    const consumer = await channel.consume(this.#queue, take)
    this.#consumers = [...this.#consumers, consumer]
    // It was told to stop while this one was on its way.
    if (this.#isStopped) await this.stop()
  }

  async acknowledge(deliveries: ReadonlyArray<Delivery>): Promise<ReadonlyArray<Delivery>> {
    const channel = this.#current
    const there = deliveries.filter(({ receipt }) => (receipt as Receipt).channel === channel)
    if (channel === undefined || there.length === 0) return []
    await this.#settle(channel, there, (message, allUpTo) => channel.ack(message, allUpTo))
    return there
  }

  async giveBack(deliveries: ReadonlyArray<Delivery>): Promise<void> {
    const channel = this.#current
    const there = deliveries.filter(({ receipt }) => (receipt as Receipt).channel === channel)
    if (channel === undefined || there.length === 0) return
    await this.#settle(channel, there, (message, allUpTo) => channel.nack(message, allUpTo, true))
  }

  /** With one word for the first of them, as long as none of another kind is among those. */
  async #settle(
    channel: Channel,
    deliveries: ReadonlyArray<Delivery>,
    tell: (message: ConsumeMessage, allUpTo: boolean) => void
  ): Promise<void> {
    const messages = new Map(deliveries.map(({ receipt }) => [tagOf(receipt), (receipt as Receipt).message] as const))
    const upTo = this.#lastOfFirst(messages) ?? -1
    if (upTo >= 0) tell(messages.get(upTo)!, true)
    for (const [tag, message] of messages) {
      this.#unsettled.delete(tag)
      if (tag > upTo) tell(message, false)
    }
    // The server works commands of a channel off in order, so it has these when it answers another.
    await channel.checkQueue(this.#queue)
  }

  /** The highest tag up to which all that is unsettled is among these. */
  #lastOfFirst(messages: ReadonlyMap<number, unknown>): number | undefined {
    let last: number | undefined
    for (const tag of this.#unsettled) {
      if (!messages.has(tag)) break
      last = tag
    }
    return last
  }

  async stop(): Promise<void> {
    const channel = this.#current
    const consumers = this.#consumers
    this.#isStopped = true
    if (channel === undefined || consumers.length === 0) return
    this.#consumers = []
    for (const { consumerTag } of consumers) await channel.cancel(consumerTag).catch(() => {})
    await this.giveBack(this.arrivals.takeAll()).catch(() => {})
  }

  /**
   * With the channel, all that is in it goes back.
   *
   * Of what was acknowledged one by one the server passes 32 on to a quorum queue at once; the others wait in the channel for
   * an answer, and a channel that is closed forgets them: the messages would come again. Its answer to `cancel` goes through
   * the queue, too; so the ones that wait are on their way when the command after it is answered.
   */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    const channel = this.#current
    await this.stop()
    await channel?.checkQueue(this.#queue).catch(() => {})
    this.#current = undefined
    await channel?.close().catch(() => {})
  }
}

interface Receipt {
  readonly channel: Channel
  readonly message: ConsumeMessage
}

const tagOf = (receipt: unknown): number => (receipt as Receipt).message.fields.deliveryTag

const deliveryOf = (message: ConsumeMessage, channel: Channel, ordinal: number): Delivery => {
  const { content, fields, properties } = message
  const { contentType, messageId, timestamp } = properties as Options.Publish
  const given = (properties.headers ?? {}) as Readonly<Record<string, unknown>>
  const headers: Record<string, string> = {}
  for (const name in given) {
    const value = given[name]
    if (name !== sentAt && !name.startsWith("x-") && value !== null && typeof value !== "object") headers[name] = String(value)
  }
  if (messageId !== undefined) headers["message-key"] = messageId
  const counted = given["x-delivery-count"]
  const sent = given[sentAt]
  return {
    id: messageId ?? `unnamed-${ordinal}`,
    attempts: typeof counted === "number" ? counted + 1 : fields.redelivered ? 2 : 1,
    time: typeof sent === "string" ? Number(sent) : typeof timestamp === "number" ? timestamp * 1000 : undefined,
    body: content,
    contentType,
    headers,
    receipt: { channel, message } satisfies Receipt
  }
}

/** Its timestamps are whole seconds; ours are written beside them. */
const sentAt = "sent-at"

const publishOne = (channel: ConfirmChannel, queue: string, { body, contentType, headers, key, time }: NewMessage): Promise<void> =>
  new Promise((resolve, reject) => {
    const options = {
      persistent: true,
      messageId: key,
      contentType,
      timestamp: Math.floor(time / 1000),
      headers: { ...headers, [sentAt]: String(time) }
    }
    const content = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
    channel.sendToQueue(queue, content, options, (error: unknown) => (error ? reject(error) : resolve()))
  })

const connect = async ({ authority, location, url }: ServerUrl): Promise<ChannelModel> => {
  const { default: amqplib } = await load(location)
  return amqplib.connect(url, {
    ...trustOf(authority),
    timeout: 5000,
    clientProperties: { connection_name: "rtfs-streams" }
  })
}

const load = async (location: string) => {
  try {
    return await import("amqplib")
  } catch (cause) {
    throw missingPackage(location, "amqplib", cause)
  }
}

const failureOf = ({ location, redacted }: ServerUrl, error: unknown): QueueFailure => {
  if (error instanceof QueueFailure) return error
  const message = redacted(error instanceof Error ? error.message || error.name : String(error))
  const certificate = certificateProblem(error)
  if (certificate !== undefined)
    return new QueueFailure(location, `${certificate.problem} (${message})`, { fix: certificate.fix, isPassing: false })
  if (/ACCESS_REFUSED|ACCESS-REFUSED|403/.test(message)) {
    return new QueueFailure(location, `refuses this user (${message})`, { fix: "Check user, password and permissions.", isPassing: false })
  }
  if (/PRECONDITION_FAILED|406|RESOURCE_LOCKED|405/.test(message)) {
    return new QueueFailure(location, `has that queue otherwise (${message})`, {
      fix: "Use another name, or make the queue as it is wanted.",
      isPassing: false
    })
  }
  return lostQueue(location, message)
}

import { createHash } from "node:crypto"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Consumer, JetStreamClient, JetStreamManager, JsMsg } from "@nats-io/jetstream"
import type { MsgHdrs, NatsConnection } from "@nats-io/transport-node"
import type { ServerUrl } from "../ServerUrl.ts"
import { Arrivals } from "./Arrivals.ts"
import type { Delivery, NewMessage, QueueBackend, QueueDepth, QueueSubscription, SubscriptionOptions } from "./QueueBackend.ts"
import { lostQueue, missingPackage, QueueFailure } from "./QueueFailure.ts"

/** The name of the durable consumer that all programs share. */
const durable = "rtfs-streams"

/** For so long the server knows the keys of a queue that is made here. */
const keyNanos = 60 * 60 * 1e9

/** How long one request for messages stands; the shortest that the server's client allows. */
const fetchMs = 1000

const typeHeader = "Content-Type"
const keyHeader = "Nats-Msg-Id"

/**
 * Queues as JetStream streams with the retention of a work queue, each with one durable consumer. One that is there is used
 * as it is.
 *
 * **Order** as published, but for messages that were given back.
 */
export class NatsQueue implements QueueBackend {
  readonly kind = "nats"
  readonly location: string
  readonly #nats: Nats
  /** The subject of each queue that is known to be there. */
  readonly #subjects = new Map<string, Promise<string>>()

  private constructor(location: string, nats: Nats) {
    this.location = location
    this.#nats = nats
  }

  static open(server: ServerUrl): Effect.Effect<NatsQueue, QueueFailure, Scope.Scope> {
    return Effect.map(
      Effect.acquireRelease(
        Effect.tryPromise({ try: () => connect(server), catch: (error) => failureOf(server.location, error) }),
        ({ connection }) => Effect.promise(() => connection.close().catch(() => {}))
      ),
      (nats) => new NatsQueue(server.location, nats)
    )
  }

  subscribe(queue: string, options: SubscriptionOptions): Effect.Effect<QueueSubscription, QueueFailure, Scope.Scope> {
    const arrivals = new Arrivals()
    return Effect.map(
      Effect.acquireRelease(
        Effect.map(
          this.#attempt(() => this.#consumer(queue, options)),
          (consumer) => new Fetches(consumer, arrivals, (error) => failureOf(this.location, error))
        ),
        (fetches) => this.#stop(fetches, arrivals)
      ),
      (fetches): QueueSubscription => ({
        receive: (max) =>
          Effect.suspend(() => {
            if (arrivals.length === 0) fetches.begin(max)
            return arrivals.take(max)
          }),
        acknowledge: (deliveries) =>
          Effect.as(
            this.#tell(deliveries, (message) => message.ack()),
            deliveries
          ),
        giveBack: (deliveries, { delayMs }) => this.#tell(deliveries, (message) => message.nak(delayMs)),
        stop: this.#stop(fetches, arrivals),
        extend: (deliveries) => this.#tell(deliveries, (message) => message.working())
      })
    )
  }

  publish(queue: string, messages: ReadonlyArray<NewMessage>): Effect.Effect<void, QueueFailure> {
    return this.#attempt(async () => {
      const subject = await this.#subjectOf(queue)
      try {
        const sent = messages.map(({ body, contentType, headers, key }) =>
          this.#nats.client.publish(subject, body, { msgID: key, headers: this.#headersOf({ ...headers, [typeHeader]: contentType }) })
        )
        await Promise.all(sent)
      } catch (error) {
        // It may have been deleted.
        this.#subjects.delete(queue)
        throw error
      }
    })
  }

  depth(queue: string): Effect.Effect<QueueDepth, QueueFailure> {
    return this.#attempt(async () => {
      await this.#subjectOf(queue)
      const { state } = await this.#nats.manager.streams.info(streamOf(queue))
      const consumer = await this.#nats.manager.consumers.info(streamOf(queue), durable).catch(() => undefined)
      return { waiting: consumer?.num_pending ?? state.messages, held: consumer?.num_ack_pending ?? 0 }
    })
  }

  /** What is on its way to nobody would wait for its lease to run out. */
  #stop(fetches: Fetches, arrivals: Arrivals): Effect.Effect<void> {
    return Effect.promise(async () => {
      await fetches.ended
      for (const { receipt } of arrivals.takeAll()) (receipt as JsMsg).nak()
      await this.#nats.connection.flush().catch(() => {})
    })
  }

  /** They were told to the server when this completes, since it works commands off in order. */
  #tell(deliveries: ReadonlyArray<Delivery>, tell: (message: JsMsg) => void): Effect.Effect<void, QueueFailure> {
    return this.#attempt(async () => {
      for (const { receipt } of deliveries) tell(receipt as JsMsg)
      await this.#nats.connection.flush()
    })
  }

  #subjectOf(queue: string): Promise<string> {
    const known = this.#subjects.get(queue)
    if (known !== undefined) return known
    const found = this.#makeStream(queue)
    this.#subjects.set(queue, found)
    found.catch(() => this.#subjects.delete(queue))
    return found
  }

  async #makeStream(queue: string): Promise<string> {
    const { manager } = this.#nats
    const name = streamOf(queue)
    const there = await manager.streams.info(name).catch((error: unknown) => {
      if (isMissing(error)) return undefined
      throw error
    })
    if (there !== undefined) {
      const subject = there.config.subjects.find((each) => !/[*>]/.test(each))
      if (subject !== undefined) return subject
      throw new QueueFailure(
        this.location,
        `has a stream ${name} whose subjects (${there.config.subjects.join(", ")}) all have wildcards`,
        {
          fix: "Give the stream a subject without one, or use another name.",
          isPassing: false
        }
      )
    }
    const subject = `rtfs-streams.queue.${name}`
    await manager.streams.add({ name, subjects: [subject], retention: "workqueue", storage: "file", duplicate_window: keyNanos })
    return subject
  }

  async #consumer(queue: string, { leaseMs }: SubscriptionOptions): Promise<Consumer> {
    const { client, manager } = this.#nats
    await this.#subjectOf(queue)
    const name = streamOf(queue)
    const wanted = { ack_wait: leaseMs * 1e6, max_ack_pending: 100_000 }
    const there = await manager.consumers.info(name, durable).catch((error: unknown) => {
      if (isMissing(error)) return undefined
      throw error
    })
    if (there === undefined) await manager.consumers.add(name, { durable_name: durable, ack_policy: "explicit", ...wanted })
    else if (there.config.ack_wait !== wanted.ack_wait) await manager.consumers.update(name, durable, wanted)
    return client.consumers.get(name, durable)
  }

  #headersOf(fields: Readonly<Record<string, string>>): MsgHdrs {
    const headers = this.#nats.newHeaders()
    for (const [name, value] of Object.entries(fields)) headers.set(name, value)
    return headers
  }

  #attempt<A>(body: () => Promise<A>): Effect.Effect<A, QueueFailure> {
    return Effect.tryPromise({ try: body, catch: (error) => failureOf(this.location, error) })
  }
}

interface Nats {
  readonly connection: NatsConnection
  readonly client: JetStreamClient
  readonly manager: JetStreamManager
  readonly newHeaders: () => MsgHdrs
}

/** Requests for messages, one at a time. */
class Fetches {
  readonly #consumer: Consumer
  readonly #arrivals: Arrivals
  readonly #failureOf: (error: unknown) => QueueFailure
  #underWay: Promise<void> | undefined

  constructor(consumer: Consumer, arrivals: Arrivals, failureOf: (error: unknown) => QueueFailure) {
    this.#consumer = consumer
    this.#arrivals = arrivals
    this.#failureOf = failureOf
  }

  begin(max: number): void {
    this.#underWay ??= this.#fetch(max).finally(() => (this.#underWay = undefined))
  }

  get ended(): Promise<void> {
    return this.#underWay ?? Promise.resolve()
  }

  async #fetch(max: number): Promise<void> {
    try {
      const messages = await this.#consumer.fetch({ max_messages: max, expires: fetchMs })
      for await (const message of messages) this.#arrivals.push(deliveryOf(message))
    } catch (error) {
      this.#arrivals.fail(this.#failureOf(error))
    }
  }
}

const deliveryOf = (message: JsMsg): Delivery => {
  const headers: Record<string, string> = {}
  for (const name of message.headers?.keys() ?? []) headers[name === keyHeader ? "message-key" : name] = message.headers!.get(name)
  const contentType = headers[typeHeader]
  delete headers[typeHeader]
  return {
    id: String(message.info.streamSequence),
    attempts: message.info.deliveryCount,
    time: Math.floor(message.info.timestampNanos / 1e6),
    body: message.data,
    contentType,
    headers,
    receipt: message
  }
}

/** Names of streams are narrow; different queues stay different. */
const streamOf = (queue: string): string =>
  /^[A-Za-z0-9_-]{1,200}$/.test(queue)
    ? queue
    : `${queue.slice(0, 100).replaceAll(/[^A-Za-z0-9_-]/g, "_")}_${createHash("sha256").update(queue).digest("hex").slice(0, 12)}`

const isMissing = (error: unknown): boolean => error instanceof Error && /not found/i.test(error.message)

const connect = async ({ location, url }: ServerUrl): Promise<Nats> => {
  const { jetstream, jetstreamManager, transport } = await load(location)
  const { host, password, protocol, username } = new URL(url)
  const connection = await transport.connect({
    servers: host,
    ...(username === ""
      ? {}
      : password === ""
        ? { token: decodeURIComponent(username) }
        : { user: decodeURIComponent(username), pass: decodeURIComponent(password) }),
    ...(protocol === "tls:" ? { tls: {} } : {}),
    name: "rtfs-streams",
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    timeout: 5000
  })
  return { connection, client: jetstream(connection), manager: await jetstreamManager(connection), newHeaders: () => transport.headers() }
}

const load = async (location: string) => {
  try {
    const [transport, { jetstream, jetstreamManager }] = await Promise.all([
      import("@nats-io/transport-node"),
      import("@nats-io/jetstream")
    ])
    return { transport, jetstream, jetstreamManager }
  } catch (cause) {
    throw missingPackage(location, "@nats-io/transport-node and @nats-io/jetstream", cause)
  }
}

const failureOf = (location: string, error: unknown): QueueFailure => {
  if (error instanceof QueueFailure) return error
  const message = error instanceof Error ? error.message || error.name : String(error)
  if (/authorization|permission/i.test(message)) {
    return new QueueFailure(location, `refuses this user (${message})`, {
      fix: "Check user, password and permissions.",
      isPassing: false,
      cause: error
    })
  }
  if (/jetstream.*(not enabled|is not available)/i.test(message)) {
    return new QueueFailure(location, `has no JetStream (${message})`, {
      fix: "Start the server with -js.",
      isPassing: false,
      cause: error
    })
  }
  return lostQueue(location, message)
}

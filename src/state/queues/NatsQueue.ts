import { createHash } from "node:crypto"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { JetStreamClient, JetStreamManager } from "@nats-io/jetstream"
import type { MsgHdrs, NatsConnection } from "@nats-io/transport-node"
import { certificateProblem, trustOf } from "../certificates.ts"
import type { ServerUrl } from "../ServerUrl.ts"
import { NatsPulls } from "./NatsPulls.ts"
import type { Delivery, NewMessage, QueueBackend, QueueDepth, QueueSubscription, SubscriptionOptions } from "./QueueBackend.ts"
import { lostQueue, missingPackage, QueueFailure } from "./QueueFailure.ts"
import { RecentAcknowledgements } from "./RecentAcknowledgements.ts"

/** The name of the durable consumer that all programs share. */
const durable = "rtfs-streams"

/** For so long the server knows the keys of a queue that is made here. */
const keyNanos = 60 * 60 * 1e9

const typeHeader = "Content-Type"

/**
 * Queues as JetStream streams with the retention of a work queue, each with one durable consumer. One that is there is used
 * as it is.
 *
 * **Order** as published, but for messages that were given back.
 */
export class NatsQueue implements QueueBackend {
  readonly kind = "nats"
  readonly location: string
  readonly #server: ServerUrl
  readonly #nats: Nats
  /** The subject of each queue that is known to be there. */
  readonly #subjects = new Map<string, Promise<string>>()

  private constructor(server: ServerUrl, nats: Nats) {
    this.location = server.location
    this.#server = server
    this.#nats = nats
  }

  static open(server: ServerUrl): Effect.Effect<NatsQueue, QueueFailure, Scope.Scope> {
    return Effect.map(
      Effect.acquireRelease(
        Effect.tryPromise({ try: () => connect(server), catch: (error) => failureOf(server, error) }),
        ({ connection }) => Effect.promise(() => connection.close().catch(() => {}))
      ),
      (nats) => new NatsQueue(server, nats)
    )
  }

  subscribe(queue: string, options: SubscriptionOptions): Effect.Effect<QueueSubscription, QueueFailure, Scope.Scope> {
    const prepare = this.#attempt(() => this.#makeConsumer(queue, options))
    return Effect.map(
      Effect.acquireRelease(
        Effect.map(prepare, () => this.#pullsOf(queue)),
        (pulls) => Effect.promise(() => pulls.stop().finally(() => this.#forget(pulls)))
      ),
      (pulls): QueueSubscription => {
        // The server writes acknowledgements down a moment after it has taken them.
        const recent = new RecentAcknowledgements()
        const acknowledge = (deliveries: ReadonlyArray<Delivery>) => {
          for (const delivery of deliveries) recent.add(delivery)
          return Effect.as(this.#tell(deliveries, "+ACK"), deliveries)
        }
        const take = (max: number) =>
          Effect.suspend(() => {
            if (pulls.arrivals.length === 0) pulls.begin(max)
            return Effect.flatMap(pulls.arrivals.take(max), (deliveries) => {
              const again = deliveries.filter((delivery) => recent.has(delivery))
              if (again.length === 0) return Effect.succeed(deliveries)
              // Where that fails they come once more, and so they do here.
              return Effect.as(
                Effect.ignore(acknowledge(again)),
                deliveries.filter((delivery) => !again.includes(delivery))
              )
            })
          })
        const remake = Effect.map(prepare, () => (pulls.isMissing = false))
        return {
          receive: (max) => Effect.suspend(() => (pulls.isMissing ? Effect.andThen(remake, take(max)) : take(max))),
          acknowledge: (deliveries) => Effect.suspend(() => acknowledge(deliveries)),
          giveBack: (deliveries, { delayMs }) =>
            this.#tell(deliveries, delayMs === 0 ? "-NAK" : `-NAK ${JSON.stringify({ delay: delayMs * 1e6 })}`),
          stop: Effect.promise(() => pulls.stop()),
          extend: (deliveries) => this.#tell(deliveries, "+WPI")
        }
      }
    )
  }

  publish(queue: string, messages: ReadonlyArray<NewMessage>): Effect.Effect<void, QueueFailure> {
    const publishAll = async () => {
      const subject = await this.#subjectOf(queue)
      const publishOne = ({ body, contentType, headers, key }: NewMessage) =>
        this.#nats.client.publish(subject, body, { msgID: key, headers: this.#headersOf({ ...headers, [typeHeader]: contentType }) })
      await Promise.all(messages.map(publishOne))
    }
    return this.#attempt(async () => {
      try {
        await this.#unlessLost(publishAll)
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

  #pullsOf(queue: string): NatsPulls {
    const { connection, newInbox } = this.#nats
    const subject = `$JS.API.CONSUMER.MSG.NEXT.${streamOf(queue)}.${durable}`
    const pulls = new NatsPulls(connection, { location: this.location, subject, inbox: newInbox() })
    this.#nats.whenLost.add(pulls.lost)
    return pulls
  }

  #forget(pulls: NatsPulls): void {
    this.#nats.whenLost.delete(pulls.lost)
    pulls.close()
  }

  /** Whoever asked by a connection that is lost gets no answer; the client itself waits for one until its time is over. */
  async #unlessLost<A>(ask: () => Promise<A>): Promise<A> {
    const { isLost, whenLost } = this.#nats
    if (isLost()) throw new Error("connection lost")
    const { promise, reject } = Promise.withResolvers<never>()
    const lost = () => reject(new Error("connection lost"))
    whenLost.add(lost)
    try {
      return await Promise.race([ask(), promise])
    } finally {
      whenLost.delete(lost)
    }
  }

  /** They were told to the server when this completes, since it works commands off in order. */
  #tell(deliveries: ReadonlyArray<Delivery>, what: string): Effect.Effect<void, QueueFailure> {
    return this.#attempt(async () => {
      const { connection } = this.#nats
      const payload = Buffer.from(what)
      await this.#unlessLost(() => {
        for (const { receipt } of deliveries) connection.publish(receipt as string, payload)
        return connection.flush()
      })
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

  async #makeConsumer(queue: string, { leaseMs }: SubscriptionOptions): Promise<void> {
    const { manager } = this.#nats
    await this.#subjectOf(queue)
    const name = streamOf(queue)
    const wanted = { ack_wait: leaseMs * 1e6, max_ack_pending: 100_000 }
    try {
      const there = await manager.consumers.info(name, durable).catch((error: unknown) => {
        if (isMissing(error)) return undefined
        throw error
      })
      if (there === undefined) await manager.consumers.add(name, { durable_name: durable, ack_policy: "explicit", ...wanted })
      else if (there.config.ack_wait !== wanted.ack_wait) await manager.consumers.update(name, durable, wanted)
    } catch (error) {
      // The stream may have been deleted.
      this.#subjects.delete(queue)
      throw error
    }
  }

  #headersOf(fields: Readonly<Record<string, string>>): MsgHdrs {
    const headers = this.#nats.newHeaders()
    for (const [name, value] of Object.entries(fields)) headers.set(name, value)
    return headers
  }

  #attempt<A>(body: () => Promise<A>): Effect.Effect<A, QueueFailure> {
    return Effect.tryPromise({ try: body, catch: (error) => failureOf(this.#server, error) })
  }
}

interface Nats {
  readonly connection: NatsConnection
  readonly client: JetStreamClient
  readonly manager: JetStreamManager
  readonly newHeaders: () => MsgHdrs
  readonly newInbox: () => string
  /** Called when the connection is lost, and when there is one again. */
  readonly whenLost: Set<() => void>
  readonly isLost: () => boolean
}

/** Names of streams are narrow; different queues stay different. */
const streamOf = (queue: string): string =>
  /^[A-Za-z0-9_-]{1,200}$/.test(queue)
    ? queue
    : `${queue.slice(0, 100).replaceAll(/[^A-Za-z0-9_-]/g, "_")}_${createHash("sha256").update(queue).digest("hex").slice(0, 12)}`

const isMissing = (error: unknown): boolean => error instanceof Error && /not found/i.test(error.message)

const connect = async ({ authority, location, url }: ServerUrl): Promise<Nats> => {
  const trust = trustOf(authority)
  const { jetstream, jetstreamManager, transport } = await load(location)
  const { host, hostname, password, protocol, username } = new URL(url)
  // Without the host the client compares an address with "localhost".
  const tls = { ...trust, host: hostname }
  const connection = await transport.connect({
    servers: host,
    ...(username === ""
      ? {}
      : password === ""
        ? { token: decodeURIComponent(username) }
        : { user: decodeURIComponent(username), pass: decodeURIComponent(password) }),
    ...(protocol === "tls:" || trust !== undefined ? { tls } : {}),
    name: "rtfs-streams",
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    timeout: 5000
  })
  const whenLost = new Set<() => void>()
  let isLost = false
  const watch = async () => {
    for await (const { type } of connection.status()) {
      if (type !== "disconnect" && type !== "reconnect") continue
      isLost = type === "disconnect"
      // At the second time, what was asked for while there was none.
      for (const tell of whenLost) tell()
    }
  }
  void watch()
  return {
    connection,
    whenLost,
    isLost: () => isLost,
    client: jetstream(connection),
    manager: await jetstreamManager(connection),
    newHeaders: () => transport.headers(),
    newInbox: () => transport.createInbox()
  }
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

/** The client hands on what TLS said, or wraps it. */
const certificateOf = (error: unknown) => certificateProblem(error) ?? certificateProblem((error as { readonly cause?: unknown }).cause)

const failureOf = ({ location, redacted }: ServerUrl, error: unknown): QueueFailure => {
  if (error instanceof QueueFailure) return error
  const message = redacted(error instanceof Error ? error.message || error.name : String(error))
  // Without what the client has made of it: that has what the server said as it came.
  const cause = new Error(message)
  const certificate = certificateOf(error)
  if (certificate !== undefined)
    return new QueueFailure(location, `${certificate.problem} (${message})`, { fix: certificate.fix, isPassing: false, cause })
  if (/authorization|permission/i.test(message)) {
    return new QueueFailure(location, `refuses this user (${message})`, {
      fix: "Check user, password and permissions.",
      isPassing: false,
      cause
    })
  }
  if (/jetstream.*(not enabled|is not available)/i.test(message)) {
    return new QueueFailure(location, `has no JetStream (${message})`, {
      fix: "Start the server with -js.",
      isPassing: false,
      cause
    })
  }
  return lostQueue(location, message)
}

import { randomUUID } from "node:crypto"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { RedisConnection, type RedisReply } from "../RedisConnection.ts"
import type { ServerUrl } from "../ServerUrl.ts"
import type { Delivery, NewMessage, QueueBackend, QueueDepth, QueueSubscription, SubscriptionOptions } from "./QueueBackend.ts"
import { lostQueue, QueueFailure } from "./QueueFailure.ts"
import { acknowledgeScript, claimScript, leaveScript, moveScript, publishScript, readScript } from "./redisQueueScripts.ts"

const group = "rtfs-streams"

/** Who has what was given back, until its delay has passed. */
const nobody = "given-back"

/** For so long a message that is published again under its key is known. */
const keyMs = 60 * 60 * 1000

/** How long one read waits in the server, and after how long it looks for leases that have run out. */
const blockMs = 500

/**
 * Queues as Redis Streams: one stream, and one consumer group in it, for each. What is acknowledged is deleted.
 *
 * **Order** as published, but for messages that were given back.
 */
export class RedisQueue implements QueueBackend {
  readonly kind = "redis"
  readonly location: string
  readonly #server: ServerUrl
  readonly #prefix: string
  readonly #connection: RedisConnection

  private constructor(server: ServerUrl, connection: RedisConnection) {
    this.location = server.location
    this.#server = server
    this.#prefix = server.parameter ?? ""
    this.#connection = connection
  }

  static open(server: ServerUrl): Effect.Effect<RedisQueue, QueueFailure, Scope.Scope> {
    return Effect.map(connect(server), (connection) => new RedisQueue(server, connection))
  }

  subscribe(queue: string, options: SubscriptionOptions): Effect.Effect<QueueSubscription, QueueFailure, Scope.Scope> {
    const key = this.#key(queue)
    return Effect.gen({ self: this }, function* () {
      // Its own, because reading waits in the server.
      const connection = yield* connect(this.#server)
      const consumer = randomUUID()
      yield* this.#attempt(() => makeGroup(connection, key))
      const reader = new Reader(connection, key, consumer, options.leaseMs)
      yield* Effect.addFinalizer(() => Effect.ignore(this.#attempt(() => this.#connection.script(leaveScript, [key], [group, consumer]))))
      const move = (deliveries: ReadonlyArray<Delivery>, to: string, idleMs: number, uncounted: number) =>
        this.#attempt(() => {
          const ids = deliveries.flatMap(({ attempts, id }) => [id, Math.max(0, attempts - uncounted)])
          return this.#connection.script(moveScript, [key], [group, consumer, to, idleMs, ...ids])
        })
      return {
        // To its end, because the server may have given something already.
        receive: (max) => Effect.uninterruptible(this.#attempt(() => reader.read(max))),
        acknowledge: (deliveries) =>
          Effect.map(
            this.#attempt(() => this.#connection.script(acknowledgeScript, [key], [group, deliveries.map(({ id }) => id).join(" ")])),
            (reply) => {
              const others = new Set((reply as ReadonlyArray<RedisReply>).map(String))
              return others.size === 0 ? deliveries : deliveries.filter(({ id }) => !others.has(id))
            }
          ),
        giveBack: (deliveries, { delayMs, isUnstarted }) =>
          Effect.asVoid(move(deliveries, nobody, Math.max(0, options.leaseMs - delayMs), isUnstarted ? 1 : 0)),
        stop: Effect.void,
        extend: (deliveries) => Effect.asVoid(move(deliveries, consumer, 0, 0))
      }
    })
  }

  publish(queue: string, messages: ReadonlyArray<NewMessage>): Effect.Effect<void, QueueFailure> {
    const fields = messages.flatMap(({ body, contentType, headers, key, time }) => [key, body, contentType, JSON.stringify(headers), time])
    return Effect.asVoid(this.#attempt(() => this.#connection.script(publishScript, [this.#key(queue)], [keyMs, ...fields])))
  }

  depth(queue: string): Effect.Effect<QueueDepth, QueueFailure> {
    const key = this.#key(queue)
    return this.#attempt(async () => {
      const all = Number(await this.#connection.command("XLEN", key))
      const pending = await this.#connection.command("XPENDING", key, group).catch((error: unknown) => {
        if (isAbout(error, "NOGROUP")) return [0]
        throw error
      })
      const [count, , , owners] = pending as [RedisReply, unknown, unknown, ReadonlyArray<readonly [RedisReply, RedisReply]> | null]
      const givenBack = owners?.find(([name]) => String(name) === nobody)?.[1] ?? 0
      const held = Number(count) - Number(givenBack)
      return { waiting: Math.max(0, all - held), held }
    })
  }

  #key(queue: string): string {
    return this.#prefix + queue
  }

  #attempt<A>(body: () => Promise<A>): Effect.Effect<A, QueueFailure> {
    return Effect.tryPromise({ try: body, catch: (error) => failureOf(this.#server, error) })
  }
}

const connect = (server: ServerUrl): Effect.Effect<RedisConnection, QueueFailure, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.tryPromise({ try: () => RedisConnection.open(server), catch: (error) => failureOf(server, error) }),
    (connection) => Effect.sync(() => connection.close())
  )

const makeGroup = async (connection: RedisConnection, key: string): Promise<void> => {
  try {
    await connection.command("XGROUP", "CREATE", key, group, "0", "MKSTREAM")
  } catch (error) {
    if (!isAbout(error, "BUSYGROUP")) throw error
  }
}

const isAbout = (error: unknown, code: string): boolean => error instanceof Error && error.message.includes(code)

/** What the server says of a wrong key or a missing permission comes again; a lost connection does not. */
const failureOf = ({ location, redacted }: ServerUrl, error: unknown): QueueFailure => {
  const message = redacted(error instanceof Error ? error.message : String(error))
  const cause = new Error(message)
  if (/WRONGTYPE/.test(message)) {
    return new QueueFailure(location, "has something else than a stream under that name", {
      fix: "Use another name, or another ?prefix=.",
      isPassing: false,
      cause
    })
  }
  if (/refuses this user|not installed|certificate/.test(message))
    return new QueueFailure(location, `can't be used: ${message}`, { fix: "", isPassing: false, cause })
  return lostQueue(location, message)
}

/** Reads for one consumer: what others let run out, then what is new. */
class Reader {
  readonly #connection: RedisConnection
  readonly #key: string
  readonly #consumer: string
  readonly #leaseMs: number
  #cursor = "0-0"
  #lookedAt = -Infinity

  constructor(connection: RedisConnection, key: string, consumer: string, leaseMs: number) {
    this.#connection = connection
    this.#key = key
    this.#consumer = consumer
    this.#leaseMs = leaseMs
  }

  async read(max: number): Promise<ReadonlyArray<Delivery>> {
    try {
      const freed = await this.#claim(max)
      if (freed.length > 0) return freed
      const there = await this.#readThere(max)
      return there.length > 0 ? there : await this.#readNew(max)
    } catch (error) {
      if (!isAbout(error, "NOGROUP")) throw error
      // Somebody deleted the stream.
      await makeGroup(this.#connection, this.#key)
      return []
    }
  }

  async #claim(max: number): Promise<ReadonlyArray<Delivery>> {
    if (performance.now() - this.#lookedAt < blockMs) return []
    const args = [group, this.#consumer, this.#leaseMs, this.#cursor, max]
    const [cursor, entries] = (await this.#connection.script(claimScript, [this.#key], args)) as [
      RedisReply,
      ReadonlyArray<[RedisReply, ReadonlyArray<Buffer>, number]>
    ]
    this.#cursor = String(cursor)
    // While there is more of it, it is looked for again at once.
    if (entries.length < max && this.#cursor === "0-0") this.#lookedAt = performance.now()
    return entries.map(([id, fields, attempts]) => deliveryOf(String(id), fields, Number(attempts)))
  }

  async #readThere(max: number): Promise<ReadonlyArray<Delivery>> {
    const reply = await this.#connection.script(readScript, [this.#key], [group, this.#consumer, max])
    const [words, packed] = reply as readonly [Buffer | ReadonlyArray<Entry>, Buffer | undefined]
    return packed === undefined ? (words as ReadonlyArray<Entry>).map(newDelivery) : unpacked(words.toString("latin1"), packed)
  }

  /** Waits for them in the server, where no script can. */
  async #readNew(max: number): Promise<ReadonlyArray<Delivery>> {
    const reply = await this.#connection.command(
      "XREADGROUP",
      "GROUP",
      group,
      this.#consumer,
      "COUNT",
      max,
      "BLOCK",
      blockMs,
      "STREAMS",
      this.#key,
      ">"
    )
    if (reply === null) return []
    const [[, entries]] = reply as unknown as [[RedisReply, ReadonlyArray<Entry>]]
    return entries.map(newDelivery)
  }
}

type Entry = readonly [id: RedisReply, fields: ReadonlyArray<Buffer>]

const newDelivery = ([id, fields]: Entry): Delivery => deliveryOf(String(id), fields, 1)

/** What `readScript` has packed. */
const unpacked = (text: string, packed: Buffer): ReadonlyArray<Delivery> => {
  if (text === "") return []
  const words = text.split(" ")
  const deliveries: Array<Delivery> = []
  let at = 0
  let contentType: string | undefined
  const next = (length: string) => {
    const from = at
    at += Number(length)
    return packed.subarray(from, at)
  }
  for (let i = 0; i < words.length; i += 6) {
    const keyEnd = at + Number(words[i + 1])
    const key = packed.toString("utf8", at, keyEnd)
    at = keyEnd
    const body = next(words[i + 2]!)
    if (words[i + 3] !== "-1") contentType = next(words[i + 3]!).toString()
    const written = words[i + 4] === "-1" ? undefined : next(words[i + 4]!)
    deliveries.push({
      id: words[i]!,
      attempts: 1,
      time: Number(words[i + 5]),
      body,
      contentType,
      headers: headersOf(written, key),
      receipt: undefined
    })
  }
  return deliveries
}

const deliveryOf = (id: string, fields: ReadonlyArray<Buffer>, attempts: number): Delivery => {
  const found = isOurs(fields) ? ownFields(fields) : otherFields(fields)
  if (found === undefined) {
    // What another program added: its fields as a map.
    const map: Record<string, string> = {}
    for (let at = 0; at + 1 < fields.length; at += 2) map[String(fields[at])] = String(fields[at + 1])
    const body = Buffer.from(JSON.stringify(map))
    return { id, attempts, time: timeOfId(id), body, contentType: "application/json", headers: {}, receipt: undefined }
  }
  const { body, headers, key, time, type } = found
  const sent = time === undefined ? Number.NaN : Number(time.toString("latin1"))
  return {
    id,
    attempts,
    time: Number.isFinite(sent) ? sent : timeOfId(id),
    body,
    contentType: type === undefined ? undefined : nameOf(type),
    headers: headersOf(headers, key?.toString()),
    receipt: undefined
  }
}

interface Fields {
  readonly key: Buffer | undefined
  readonly body: Buffer
  readonly type: Buffer | undefined
  readonly headers: Buffer | undefined
  readonly time: Buffer | undefined
}

/** Whether the fields are ours, in the order in which we write them: then their names need not be read for each message. */
const isOurs = (fields: ReadonlyArray<Buffer>): boolean =>
  fields.length === 2 * ourFields.length && ourFields.every((name, at) => name.equals(fields[2 * at]!))

const ourFields = ["key", "body", "type", "headers", "time"].map((name) => Buffer.from(name))

const ownFields = (fields: ReadonlyArray<Buffer>): Fields => ({
  key: fields[1]!,
  body: fields[3]!,
  type: fields[5]!,
  headers: fields[7]!,
  time: fields[9]!
})

const otherFields = (fields: ReadonlyArray<Buffer>): Fields | undefined => {
  const known = new Map<string, Buffer>()
  for (let at = 0; at + 1 < fields.length; at += 2) known.set(String(fields[at]), fields[at + 1]!)
  const body = known.get("body")
  if (body === undefined) return undefined
  return { key: known.get("key"), body, type: known.get("type"), headers: known.get("headers"), time: known.get("time") }
}

/** The few types there are, as text. */
let lastName = { bytes: Buffer.alloc(0), text: "" }

const nameOf = (bytes: Buffer): string => {
  if (!lastName.bytes.equals(bytes)) lastName = { bytes: Buffer.from(bytes), text: bytes.toString() }
  return lastName.text
}

/** An id begins with the server's time. */
const timeOfId = (id: string): number => Number(id.split("-")[0])

const headersOf = (written: Buffer | undefined, key: string | undefined): Record<string, string> => {
  const headers: Record<string, string> = {}
  if (written !== undefined && written.byteLength > "{}".length) {
    try {
      for (const [name, value] of Object.entries(JSON.parse(written.toString()) as object)) headers[name] = String(value)
    } catch {
      // Another program's, and no JSON.
    }
  }
  if (key !== undefined) headers["message-key"] = key
  return headers
}

import type { Msg, NatsConnection, Subscription } from "@nats-io/transport-node"
import { Arrivals } from "./Arrivals.ts"
import type { Delivery } from "./QueueBackend.ts"
import { lostQueue } from "./QueueFailure.ts"

/** How long one request for messages stands. */
const expiresMs = 1000

/** Beyond that, how long its end may take to come. */
const graceMs = 2000

const typeHeader = "Content-Type"
const keyHeader = "Nats-Msg-Id"

/**
 * Requests for messages to one durable consumer, one at a time.
 *
 * The client's own `fetch` ends its subscription when no sign of the server was seen for a second: on a busy machine, where it
 * is this process that did not look, it drops what is on its way, which then comes only when its lease has run out and counts as
 * received. Here one subscription lives as long as the consumer, and whatever comes is taken.
 */
export class NatsPulls {
  readonly arrivals = new Arrivals()
  /** Whether the server has said that the consumer is not there. */
  isMissing = false
  readonly #connection: NatsConnection
  readonly #location: string
  readonly #subject: string
  readonly #inbox: string
  readonly #subscription: Subscription
  /** How many messages are still to come for the request that is under way. */
  #left = 0
  #ordinal = 0
  #timer: NodeJS.Timeout | undefined
  #ended = Promise.resolve()
  #end = () => {}
  #isStopped = false

  constructor(connection: NatsConnection, names: { readonly location: string; readonly subject: string; readonly inbox: string }) {
    this.#connection = connection
    this.#location = names.location
    this.#subject = names.subject
    this.#inbox = names.inbox
    this.#subscription = connection.subscribe(`${names.inbox}.*`, { callback: (error, message) => this.#came(error, message) })
  }

  /** Asks for so many, unless a request is under way. */
  begin(max: number): void {
    if (this.#left > 0 || this.#isStopped) return
    this.#left = max
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#ended = promise
    this.#end = resolve
    this.#timer = setTimeout(() => this.#isOver(), expiresMs + graceMs)
    this.#timer.unref()
    const request = JSON.stringify({ batch: max, expires: expiresMs * 1e6 })
    this.#connection.publish(this.#subject, request, { reply: `${this.#inbox}.${++this.#ordinal}` })
  }

  /** Asks for nothing more, and waits for the end of what was asked for. What nobody has taken goes back. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#ended
    for (const { receipt } of this.arrivals.takeAll()) this.#connection.publish(receipt as string, "-NAK")
    await this.#connection.flush().catch(() => {})
  }

  /** A request is lost with its connection. */
  readonly lost = (): void => this.#isOver()

  close(): void {
    clearTimeout(this.#timer)
    this.#subscription.unsubscribe()
  }

  #came(error: Error | null, message: Msg): void {
    if (error !== null) {
      this.#fail(error.message)
      return
    }
    const { reply } = message
    if (!reply?.startsWith("$JS.ACK.")) {
      this.#status(message)
      return
    }
    const isWanted = this.#left > 0
    // Before it is given: whoever gets the last one asks for more at once.
    if (isWanted && --this.#left === 0) this.#isOver()
    // One that comes so late that nobody may want it must not wait for its lease.
    if (this.#isStopped && !isWanted) this.#connection.publish(reply, "-NAK")
    else this.arrivals.push(deliveryOf(message, reply))
  }

  /** What the server says of a request: mostly that its time is over. */
  #status({ headers, subject }: Msg): void {
    const code = headers?.code ?? 0
    const isHeartbeat = code === 100
    if (isHeartbeat || subject !== `${this.#inbox}.${this.#ordinal}`) return
    this.#isOver()
    const isOverInTime = code === 404 || code === 408
    if (isOverInTime) return
    const description = headers?.description ?? ""
    this.isMissing = code === 503 || /deleted/i.test(description)
    this.#fail(description === "" ? `status ${code}` : description)
  }

  #fail(message: string): void {
    this.#isOver()
    this.arrivals.fail(lostQueue(this.#location, message))
  }

  #isOver(): void {
    clearTimeout(this.#timer)
    this.#left = 0
    this.#end()
  }
}

const deliveryOf = (message: Msg, reply: string): Delivery => {
  const { data, headers: given } = message
  const headers: Record<string, string> = {}
  let contentType: string | undefined
  if (given !== undefined) {
    for (const [name, [value = ""]] of given as Iterable<[string, ReadonlyArray<string>]>) {
      if (name === typeHeader) contentType = value
      else headers[name === keyHeader ? "message-key" : name] = value
    }
  }
  // $JS.ACK.STREAM.CONSUMER.DELIVERIES.STREAM-SEQUENCE.CONSUMER-SEQUENCE.NANOSECONDS.PENDING; newer servers put a domain and an account before the stream.
  const tokens = reply.split(".")
  const at = tokens.length > 9 ? 6 : 4
  const nanos = tokens[at + 3]!
  return {
    id: tokens[at + 1]!,
    attempts: Number(tokens[at]),
    time: Number(nanos.slice(0, -6)),
    body: data,
    contentType,
    headers,
    receipt: reply
  }
}

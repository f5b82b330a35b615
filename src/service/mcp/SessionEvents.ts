import type { EventStore, JSONRPCMessage } from "@modelcontextprotocol/server"

interface SessionEvent {
  readonly number: number
  readonly stream: string
  readonly message: JSONRPCMessage
  readonly bytes: number
}

/** As the package names the stream of notices, which belongs to no request. */
const notices = "_GET_stream"

/** In place of the last event of a client that has seen none: all notices that are kept are for it. */
export const beginning = `0.${notices}`

/** What a session keeps for a client whose connection broke off. */
const mostBytes = 256 * 1024

/**
 * The newest messages of a session, so that a client can come back with `Last-Event-ID` for what it missed.
 *
 * **Fails** to replay what is not all there any more, rather than leave messages out.
 * **Bounds** 256 KB of messages.
 */
export class SessionEvents implements EventStore {
  readonly #events: Array<SessionEvent> = []
  /** The newest event of each stream that messages had to go of. */
  readonly #forgotten = new Map<string, number>()
  #last = 0
  #bytes = 0

  storeEvent(stream: string, message: JSONRPCMessage): Promise<string> {
    const bytes = JSON.stringify(message).length
    this.#events.push({ number: ++this.#last, stream, message, bytes })
    this.#bytes += bytes
    while (this.#bytes > mostBytes) {
      const oldest = this.#events.shift()!
      this.#bytes -= oldest.bytes
      this.#forgotten.delete(oldest.stream)
      this.#forgotten.set(oldest.stream, oldest.number)
      // A stream that ended so long ago is asked for by nobody.
      if (this.#forgotten.size > mostForgotten) this.#forgotten.delete(this.#forgotten.keys().next().value!)
    }
    return Promise.resolve(`${this.#last}.${stream}`)
  }

  async replayEventsAfter(
    lastEventId: string,
    { send }: { readonly send: (id: string, message: JSONRPCMessage) => Promise<void> }
  ): Promise<string> {
    const [, number, stream] = /^(\d{1,15})\.(.+)$/.exec(lastEventId) ?? []
    if (stream === undefined || !this.#hasAllBehind(Number(number), stream))
      throw new Error(`What followed the event ${JSON.stringify(lastEventId.slice(0, 80))} is not kept any more.`)
    // A copy, since what comes meanwhile may push the oldest out.
    for (const event of this.#events.slice()) {
      // Empty messages only give a new stream its first number.
      if (event.stream === stream && event.number > Number(number) && "jsonrpc" in event.message)
        await send(`${event.number}.${stream}`, event.message)
    }
    return stream
  }

  #hasAllBehind(number: number, stream: string): boolean {
    if (`${number}.${stream}` === beginning || this.#events.some((event) => event.stream === stream && event.number === number)) return true
    const forgotten = this.#forgotten.get(stream)
    return forgotten !== undefined && forgotten <= number && number <= this.#last
  }
}

const mostForgotten = 1000

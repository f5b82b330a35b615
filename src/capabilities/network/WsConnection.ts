import * as Effect from "effect/Effect"
import { WebSocket } from "ws"
import type { PeerAddress } from "../../actors/index.ts"
import { NetworkFailure } from "./errors.ts"
import { pinned } from "./HttpCall.ts"
import { failureOfStatus } from "./Retry.ts"

export interface WsTarget {
  readonly url: URL
  /** The same for messages, without secrets. */
  readonly shown: string
  readonly addresses: ReadonlyArray<PeerAddress>
  readonly headers: Readonly<Record<string, string>>
  readonly protocols: ReadonlyArray<string>
  readonly mostMessageBytes: number
  readonly now: () => number
}

/** How a connection ended; `failure` where it was not by a word of the peer. */
export interface Closing {
  readonly code: number
  readonly reason: string
  readonly failure: NetworkFailure | undefined
}

/** What waits for the consumer before the socket is left alone. */
const mostWaitingBytes = 64 * 1024
const mostWaitingMessages = 512

/** What may wait to be sent before a sender waits, too. */
const mostUnsentBytes = 64 * 1024

/** A peer that does not answer our goodbye has had it. Real time, since it is a real peer that is waited for. */
const goodbyeMs = 500

/**
 * One connection of a WebSocket.
 *
 * **Backpressure** the socket is paused while 64 KiB or 512 messages wait; what of a read was already inside of the parser (up to 64 KiB) still comes.
 * **Bounds** one message more than that, of at most `mostMessageBytes`.
 */
export class WsConnection {
  readonly opened: Promise<void>
  closing: Closing | undefined
  readonly #socket: WebSocket
  readonly #shown: string
  #waiting: Array<unknown> = []
  #waitingBytes = 0
  /** Something has come since the last ping. */
  #isAlive = true
  #failure: NetworkFailure | undefined
  #wake: () => void = () => {}

  constructor({ addresses, headers, mostMessageBytes, now, protocols, shown, url }: WsTarget) {
    this.#shown = shown
    const socket = new WebSocket(url, [...protocols], {
      headers,
      lookup: pinned(addresses),
      // A peer could let a few bytes become many.
      perMessageDeflate: false,
      maxPayload: mostMessageBytes,
      followRedirects: false,
      maxHeaderSize: 32 * 1024
    })
    this.#socket = socket
    this.opened = new Promise((resolve, reject) => {
      socket.on("open", resolve)
      socket.on("unexpected-response", (_, response) => {
        reject(failureOfStatus(shown, response.statusCode!, response.headers["retry-after"], now()))
        response.destroy()
        socket.terminate()
      })
      socket.on("error", (error) => reject(this.#broken(error)))
      socket.on("close", () => reject(this.#failure ?? this.#broken({ code: "ECONNRESET" })))
    })
    this.opened.catch(() => {})
    socket.on("message", (data, isBinary) => {
      const bytes = data as Buffer
      this.#isAlive = true
      this.#waiting.push(isBinary ? new Uint8Array(bytes) : bytes.toString("utf8"))
      this.#waitingBytes += bytes.length
      if (this.#isFull) socket.pause()
      this.#wake()
    })
    socket.on("pong", () => (this.#isAlive = true))
    socket.on("ping", () => (this.#isAlive = true))
    socket.on("error", (error) => {
      this.#failure ??= this.#broken(error)
      // Otherwise it would wait half a minute for the peer's goodbye.
      socket.terminate()
    })
    socket.on("close", (code, reason) => {
      this.closing = { code, reason: reason.toString("utf8").slice(0, 123), failure: this.#failure }
      this.#wake()
    })
  }

  /** The messages that wait, in order; `undefined` where there are none. */
  take(): { readonly items: ReadonlyArray<unknown>; readonly bytes: number } | undefined {
    if (this.#waiting.length === 0) return undefined
    const batch = { items: this.#waiting, bytes: this.#waitingBytes }
    this.#waiting = []
    this.#waitingBytes = 0
    if (this.#socket.isPaused) this.#socket.resume()
    return batch
  }

  /** Completes when a message has come, or the end. */
  changed(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
      if (this.#waiting.length > 0 || this.closing !== undefined) resolve()
    })
  }

  /** Completes when the message may be followed by another one: at once, or when what waits to be sent is little again. */
  send(message: string | Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      const isLittle = this.#socket.bufferedAmount < mostUnsentBytes
      this.#socket.send(message, (error) =>
        error === undefined || error === null ? resolve() : reject(NetworkFailure.of("send to", this.#shown, error))
      )
      if (isLittle && this.#socket.readyState === WebSocket.OPEN) resolve()
    })
  }

  /** Asks the peer from time to time whether it is still there. Never ends by itself. While nobody reads, its answer can't be heard. */
  watch(intervalMs: number): Effect.Effect<never> {
    const look = Effect.sync(() => {
      if (this.#socket.isPaused) return void (this.#isAlive = true)
      if (!this.#isAlive) {
        this.#failure ??= new NetworkFailure({
          url: this.#shown,
          operation: "read from",
          problem: `it did not answer a ping within ${intervalMs} ms`,
          fix: "Raise :ping-interval, or check that the peer is up.",
          code: "ETIMEDOUT",
          isTemporary: true
        })
        return this.#socket.terminate()
      }
      this.#isAlive = false
      if (this.#socket.readyState === WebSocket.OPEN) this.#socket.ping()
    })
    return Effect.forever(Effect.andThen(Effect.sleep(intervalMs), look))
  }

  /** Says goodbye, and breaks off where there is no answer. */
  async close(): Promise<Closing | undefined> {
    if (this.closing === undefined && this.#socket.readyState === WebSocket.OPEN) {
      const closed = new Promise<void>((resolve) => this.#socket.on("close", () => resolve()))
      // Its answer stands behind whatever it has sent before.
      this.#socket.resume()
      this.#socket.close(1000)
      const timer = setTimeout(() => this.#socket.terminate(), goodbyeMs)
      await closed
      clearTimeout(timer)
    }
    return this.closing
  }

  terminate(): void {
    this.#socket.terminate()
  }

  get #isFull(): boolean {
    return this.#waitingBytes >= mostWaitingBytes || this.#waiting.length >= mostWaitingMessages
  }

  #broken(error: unknown): NetworkFailure {
    const { code, message } = error as { readonly code?: string; readonly message?: string }
    if (code?.startsWith("WS_ERR") !== true) return NetworkFailure.of("connect to", this.#shown, error)
    return new NetworkFailure({
      url: this.#shown,
      operation: "read from",
      problem: `it breaks the rules of the protocol: ${message}`,
      fix:
        code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH"
          ? "Raise :max-message-size if its messages are meant to be so long."
          : "Check that this is the right peer.",
      code
    })
  }
}

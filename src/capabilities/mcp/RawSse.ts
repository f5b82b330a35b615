import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { NetworkAccess } from "../../actors/index.ts"
import { keyword } from "../../serialization/index.ts"
import { ByteWindow } from "../files/ByteWindow.ts"
import { allBytes } from "../network/BodyBytes.ts"
import { acceptedEncodings, decodedBody } from "../network/contentEncoding.ts"
import { NetworkFailure } from "../network/errors.ts"
import { type Answer, exchange } from "../network/exchange.ts"
import { failureOfStatus } from "../network/Retry.ts"
import { SseParser } from "../network/SseParser.ts"
import { type Chunk, payloadOfText } from "./Chunk.ts"
import type { ChunkReceiver, StreamTransport } from "./StreamTransport.ts"
import type { Perform } from "./waiting.ts"

export interface RawSseOptions {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly network: NetworkAccess
  readonly perform: Perform
  readonly now: () => number
  readonly timeoutMs: number
  readonly idleMs: number | undefined
  /** For `:resolved`. */
  readonly by: string
}

interface SseEvent {
  readonly event: string
  readonly data: string
  readonly id?: string
}

/** The longest event, and the longest body of a follow-up. */
const mostBytes = 1024 * 1024

/** How many addresses one connection may send on to. */
const mostFollowUps = 100

/**
 * Server-sent events as they are: a GET, and a chunk for each event. No MCP is spoken.
 *
 * After a break it asks for what comes behind the last event by `Last-Event-ID`. A peer without ids starts over, so its
 * events may come twice.
 */
export class RawSse implements StreamTransport {
  readonly idleMs: number | undefined
  readonly #options: RawSseOptions

  constructor(options: RawSseOptions) {
    this.#options = options
    this.idleMs = options.idleMs
  }

  resolved(): Readonly<Record<string, unknown>> {
    const { by, url } = this.#options
    return { by: keyword(by), transport: keyword("raw-sse"), url: withoutQuery(url) }
  }

  isRepeatable(): boolean {
    return true
  }

  async run(receiver: ChunkReceiver, signal: AbortSignal): Promise<void> {
    const { perform } = this.#options
    const scope = Scope.makeUnsafe()
    const close = () => perform(Scope.close(scope, Exit.void))
    const abort = () => void close()
    signal.addEventListener("abort", abort, { once: true })
    try {
      const answer = await this.#ask(this.#options.url, "text/event-stream", scope, receiver.cursor())
      if (answer.status === 204) return
      this.#checkEvents(answer)
      receiver.connected()
      await this.#read(answer, receiver, scope)
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      signal.removeEventListener("abort", abort)
      await close()
    }
  }

  async #read(answer: Answer, receiver: ChunkReceiver, scope: Scope.Closeable): Promise<void> {
    const { url } = this.#options
    const body = decodedBody(answer.body, answer.headers["content-encoding"], { mostBytes: undefined, url })
    try {
      const window = new ByteWindow(body)
      const parser = new SseParser({
        path: withoutQuery(url),
        maxRecordBytes: mostBytes,
        from: { lastId: receiver.cursor(), retryMs: null }
      })
      const followed = new Set<string>()
      for (;;) {
        const batch = parser.take(window)
        if (batch === null) return
        if (batch === "more") {
          await window.fill()
          receiver.alive()
          continue
        }
        for (const item of (batch as { readonly items: ReadonlyArray<unknown> }).items) {
          const event = item as SseEvent
          await receiver.room()
          receiver.offer(this.#chunkOf(event))
          const target = this.#followUpOf(event)
          if (target === undefined || followed.has(target) || followed.size >= mostFollowUps) continue
          followed.add(target)
          const chunk = await this.#follow(target, scope)
          await receiver.room()
          receiver.offer(chunk)
        }
      }
    } finally {
      body.close()
    }
  }

  #chunkOf({ data, event, id }: SseEvent): Chunk {
    const metadata = {
      kind: keyword("sse"),
      ...(event === "message" ? {} : { event }),
      ...(id === undefined ? {} : { id }),
      origin: withoutQuery(this.#options.url)
    }
    return { value: payloadOfText(data), metadata, bytes: data.length, cursor: id ?? null }
  }

  /** Where an `endpoint` event sends us to: an address of a web server. */
  #followUpOf({ data, event }: SseEvent): string | undefined {
    if (event !== "endpoint" || !/^(\/|https?:\/\/)/.test(data)) return undefined
    return URL.parse(data, this.#options.url)?.href
  }

  async #follow(target: string, outer: Scope.Closeable): Promise<Chunk> {
    const { network, perform, url } = this.#options
    const origin = withoutQuery(url)
    const scope = await perform(Scope.fork(outer))
    try {
      const answer = await this.#ask(target, "application/json, text/event-stream, */*", scope, null)
      if (answer.status < 200 || answer.status > 299) throw failureOfStatus(target, answer.status, undefined, this.#options.now())
      const body = decodedBody(answer.body, answer.headers["content-encoding"], { mostBytes, url: target })
      const bytes = await allBytes(
        body,
        mostBytes,
        () =>
          new NetworkFailure({
            url: target,
            operation: "read from",
            problem: `its answer is longer than ${mostBytes} bytes`,
            fix: "Read it as a stream of its own."
          })
      ).finally(body.close)
      const text = bytes.toString("utf8")
      return {
        value: payloadOfText(text),
        metadata: { kind: keyword("follow-up"), origin, source: withoutQuery(target) },
        bytes: bytes.length,
        cursor: null
      }
    } catch (error) {
      const problem = network.conceal(error instanceof Error ? error.message : String(error))
      return {
        value: { target: withoutQuery(target), error: problem },
        metadata: { kind: keyword("follow-up-error"), origin, source: withoutQuery(target) },
        bytes: problem.length,
        cursor: null
      }
    } finally {
      await perform(Scope.close(scope, Exit.void))
    }
  }

  #ask(url: string, accept: string, scope: Scope.Closeable, cursor: string | null): Promise<Answer> {
    const { headers, network, perform, timeoutMs } = this.#options
    // What identifies us is for the origin that it was given for.
    const isOwn = new URL(url).origin === new URL(this.#options.url).origin
    const asked = exchange(network, {
      method: "GET",
      url,
      headers: { Accept: accept, ...(isOwn ? headers : {}), ...(cursor === null ? {} : { "Last-Event-ID": cursor }) },
      own: { "Accept-Encoding": acceptedEncodings, "Cache-Control": "no-store" },
      connectTimeoutMs: Math.min(10_000, timeoutMs),
      headersTimeoutMs: timeoutMs
    })
    return perform(Scope.provide(asked, scope))
  }

  #checkEvents(answer: Answer): void {
    const { now, url } = this.#options
    const { headers, status } = answer
    if (status !== 200) throw failureOfStatus(url, status, headers["retry-after"], now())
    if (/^text\/event-stream\b/i.test(headers["content-type"] ?? "")) return
    throw new NetworkFailure({
      url,
      operation: "read from",
      problem: "its answer is no text/event-stream",
      fix: "Check the URL. An MCP server is named in the host's option mcpServers, not by its URL.",
      status
    })
  }
}

const withoutQuery = (url: string): string => url.replace(/[?#].*$/, "")

import type { IncomingHttpHeaders } from "node:http"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { NetworkAccess } from "../../actors/index.ts"
import { exchange } from "../network/exchange.ts"
import type { Perform } from "./waiting.ts"

export interface GrantedFetchOptions {
  readonly network: NetworkAccess
  readonly perform: Perform
  /** Of the server, as the host has configured it: its secrets are revealed on the way. */
  readonly url: string
  /** The same of its headers. */
  readonly headers: Readonly<Record<string, string>>
  readonly headersTimeoutMs: number
  /** Completes when another event may be passed on. */
  readonly room: () => Promise<void>
  /** Something came. */
  readonly alive: () => void
}

export type Fetch = (input: string | URL, init?: RequestInit) => Promise<Response>

/**
 * A `fetch` that goes nowhere but where the policy lets it, and reads events only when there is room for them.
 *
 * Only what the host has configured may name secrets. A session, a cursor or an address that a server made up and that
 * names one goes back as it came: otherwise the server could read them all.
 *
 * **Backpressure** of a stream of events one event at a time is passed on; the socket is not read while there is no room.
 * **Stopping** the signal of the request breaks the connection off.
 */
export const grantedFetch =
  ({ alive, headers: own, headersTimeoutMs, network, perform, room, url }: GrantedFetchOptions): Fetch =>
  async (input, init = {}) => {
    const scope = Scope.makeUnsafe()
    const close = () => perform(Scope.close(scope, Exit.void))
    const signal = init.signal ?? undefined
    signal?.throwIfAborted()
    const abort = () => void close()
    signal?.addEventListener("abort", abort, { once: true })
    try {
      const headers = Object.fromEntries(new Headers(init.headers))
      const asked = exchange(network, {
        method: init.method ?? "GET",
        url: String(input) === new URL(url).href ? url : unrevealedUrl(input),
        headers: own,
        own: { ...headers, "Accept-Encoding": "identity" },
        ...(typeof init.body === "string" ? { body: Buffer.from(init.body) } : {}),
        followsRedirects: init.redirect !== "manual",
        connectTimeoutMs: 10_000,
        headersTimeoutMs
      })
      const answer = await perform(Scope.provide(asked, scope))
      signal?.throwIfAborted()
      const type = answer.headers["content-type"] ?? ""
      const hasBody = answer.status !== 204 && answer.status !== 205 && answer.status !== 304
      if (!hasBody) await close()
      const isEvents = /^text\/event-stream\b/i.test(type)
      const pieces = readPieces(answer.body, alive)
      const body = hasBody ? streamOf(isEvents ? eventsOf(pieces) : pieces, isEvents ? room : undefined, close) : null
      return new Response(body, { status: answer.status, headers: givenHeaders(answer.headers) })
    } catch (error) {
      await close()
      throw signal?.aborted === true ? signal.reason : error
    }
  }

/** Without anything that would be taken for the name of a secret. */
export const unrevealedUrl = (url: string | URL): string => String(url).replaceAll("{{", "%7B%7B")

export const givenHeaders = (headers: IncomingHttpHeaders): Array<[string, string]> =>
  Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, Array.isArray(value) ? value.join(", ") : value]]))

interface Readable {
  readonly read: (into: Buffer, from: number, to: number) => Promise<number>
}

async function* readPieces(body: Readable, alive: () => void): AsyncGenerator<Buffer> {
  for (;;) {
    const block = Buffer.allocUnsafe(16 * 1024)
    const count = await body.read(block, 0, block.length)
    if (count === 0) return
    alive()
    yield block.subarray(0, count)
  }
}

/** The longest event: a message of MCP is one. */
const mostEventBytes = 16 * 1024 * 1024

/** Cuts a stream of events behind each blank line. What is left at the end is passed on, too. */
export async function* eventsOf(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0)
  /** How much of the rest has been searched. */
  let searched = 0
  for await (const piece of pieces) {
    rest = rest.length === 0 ? piece : Buffer.concat([rest, piece])
    for (;;) {
      const end = endOfEvent(rest, Math.max(0, searched - 3))
      if (end === undefined) break
      yield rest.subarray(0, end)
      rest = rest.subarray(end)
      searched = 0
    }
    searched = rest.length
    if (rest.length > mostEventBytes) throw new Error(`An event of the MCP server is longer than ${mostEventBytes} bytes.`)
  }
  if (rest.length > 0) yield rest
}

/** Behind the first blank line. */
const endOfEvent = (bytes: Buffer, from: number): number | undefined => {
  for (let at = from; at < bytes.length - 1; at++) {
    if (bytes[at] === lineFeed && bytes[at + 1] === lineFeed) return at + 2
    if (bytes[at] === carriageReturn && bytes[at + 1] === carriageReturn) return at + 2
    if (bytes[at] === lineFeed && bytes[at + 1] === carriageReturn && bytes[at + 2] === lineFeed) return at + 3
  }
  return undefined
}

const lineFeed = 10
const carriageReturn = 13

const streamOf = (
  pieces: AsyncGenerator<Buffer>,
  room: (() => Promise<void>) | undefined,
  close: () => Promise<unknown>
): ReadableStream<Uint8Array<ArrayBuffer>> =>
  new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      pull: async (controller) => {
        try {
          if (room !== undefined) {
            // What was passed on is dispatched by now, so that the queue tells the truth.
            await new Promise((resolve) => setImmediate(resolve))
            await room()
          }
          const { done, value } = await pieces.next()
          if (done !== true) return controller.enqueue(new Uint8Array(value))
          controller.close()
          await close()
        } catch (error) {
          controller.error(error)
          await close()
        }
      },
      cancel: async () => {
        await close()
      }
    },
    { highWaterMark: 0 }
  )

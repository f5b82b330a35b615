import http, { type Agent, type ClientRequest, type IncomingMessage } from "node:http"
import https from "node:https"
import type { Socket } from "node:net"
import type { PeerAddress } from "../../actors/index.ts"
import { NetworkFailure } from "./errors.ts"

/** The longest headers of an answer. */
const mostHeaderBytes = 32 * 1024

/** A peer may say "processing" or hint at what to load, but not for ever. */
const mostInterimAnswers = 16

export interface CallTarget {
  readonly url: URL
  /** The same for messages, without secrets. */
  readonly shown: string
  readonly addresses: ReadonlyArray<PeerAddress>
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | undefined
  readonly agents: Agents
}

/** Keeps connections to a peer open between requests. */
export class Agents {
  readonly http: Agent = new http.Agent({ keepAlive: true, maxSockets: 4 })
  readonly https: Agent = new https.Agent({ keepAlive: true, maxSockets: 4 })

  close(): void {
    this.http.destroy()
    this.https.destroy()
  }
}

/** One request on its way. Redirects are the caller's to follow. */
export class HttpCall {
  readonly connected: Promise<void>
  readonly answered: Promise<IncomingMessage>
  readonly #request: ClientRequest

  constructor({ addresses, agents, body, headers, method, shown, url }: CallTarget) {
    const isTls = url.protocol === "https:"
    const request = (isTls ? https : http).request({
      protocol: url.protocol,
      hostname: url.hostname.replace(/^\[|\]$/g, ""),
      port: url.port === "" ? undefined : url.port,
      path: `${url.pathname}${url.search}`,
      method,
      headers: { ...headers, ...(body === undefined ? {} : { "Content-Length": String(body.length) }) },
      agent: isTls ? agents.https : agents.http,
      maxHeaderSize: mostHeaderBytes,
      lookup: pinned(addresses)
    })
    this.#request = request
    let operation = "connect to"
    const failed = new Promise<never>((_, reject) => {
      request.on("error", (error) => reject(NetworkFailure.of(operation, shown, error)))
      request.on("close", () => reject(NetworkFailure.of(operation, shown, { code: "ECONNRESET" })))
    })
    this.connected = Promise.race([
      failed,
      new Promise<void>((resolve) =>
        request.on("socket", (socket: Socket) => {
          const isOpen = () => {
            operation = "read from"
            resolve()
          }
          if (socket.connecting) socket.once(isTls ? "secureConnect" : "connect", isOpen)
          else isOpen()
        })
      )
    ])
    this.answered = Promise.race([failed, new Promise<IncomingMessage>((resolve) => request.on("response", resolve))])
    // Whoever waits for one of them hears of its failure; the other one has nobody to tell.
    for (const promise of [failed, this.connected, this.answered]) promise.catch(() => {})
    let interim = 0
    request.on("information", () => {
      if (++interim > mostInterimAnswers) {
        request.destroy(
          new NetworkFailure({
            url: shown,
            operation: "read from",
            problem: `it gave more than ${mostInterimAnswers} interim answers (1xx) and no answer`,
            fix: "Check that this is the right peer."
          })
        )
      }
    })
    request.end(body)
  }

  /** Breaks off whatever is under way. */
  close(): void {
    this.#request.on("error", () => {})
    this.#request.destroy()
  }
}

/** Looks nothing up: the addresses have been checked, and those of a second look-up might be others. */
export const pinned =
  (addresses: ReadonlyArray<PeerAddress>): NonNullable<http.RequestOptions["lookup"]> =>
  (_, options, callback) => {
    const wished = options.family === 4 || options.family === 6 ? addresses.filter(({ family }) => family === options.family) : addresses
    if (wished.length === 0) return callback(Object.assign(new Error("no address of that family"), { code: "ENOTFOUND" }), "", 0)
    if (options.all === true)
      callback(
        null,
        wished.map((each) => ({ ...each }))
      )
    else callback(null, wished[0]!.address, wished[0]!.family)
  }

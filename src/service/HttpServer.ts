import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { HttpProblem, ServiceFailure } from "./errors.ts"
import { type GuardOptions, type Refusal, RequestGuard } from "./RequestGuard.ts"

export interface HttpServerOptions extends GuardOptions {
  readonly host: string
  /** 0 for a free one. */
  readonly port: number
  /** Whether a request needs no token; of these, none may tell anything. */
  readonly isOpen: (path: string) => boolean
  /** Answers a request that has passed the guard, of whom its token is; nobody's where it needs none. What it throws is answered: a `HttpProblem` as it says, anything else with 500. */
  readonly answer: (request: IncomingMessage, response: ServerResponse, url: URL, principal: string) => Promise<void>
  readonly log: (line: string) => unknown
}

/** Counted since the start, for `/metrics`. */
export interface HttpCounts {
  readonly requests: number
  readonly refused: Readonly<Record<Refusal, number>>
  /** Bytes that are no request, headers that are too long or too slow. */
  readonly malformed: number
  /** Connections that were closed at once, because there were too many. */
  readonly dropped: number
  /** Connections that were closed because nobody read what was sent to them, or because they did not wait for it. */
  readonly stalled: number
  readonly connections: number
  /** Bytes that connections have not taken yet. */
  readonly unread: number
}

const mostConnections = 256
const sweepMs = 5000

/** What a connection may leave unread from one sweep to the next. */
const mostUnreadBytes = 256 * 1024

/** What all of them may leave unread together. Beyond it the one that leaves the most is closed at once. */
const mostUnreadByAll = 48 * 1024 * 1024

/** How many requests may be under way on one connection. Clients wait for each answer; only who floods does not. */
const mostAtOnce = 4

/**
 * The HTTP server of the service: every request passes the guard first, and whoever is slow, long or many is cut off.
 *
 * **Bounds** 256 connections; headers of 16 KB within 10 s, a request within 30 s; a connection that takes nothing of what
 * it was sent is closed after 5 to 10 s where that is more than 256 KB, and after 60 s in any case; 48 MB for all that is unread,
 * and one answer for each that is just being sent; 4 requests of each at a
 * time, beyond which it is closed.
 */
export class HttpServer {
  readonly #server: Server
  readonly #guard: RequestGuard
  readonly #options: HttpServerOptions
  readonly #sockets = new Map<Socket, Connection>()
  readonly #sweep: NodeJS.Timeout
  #requests = 0
  #malformed = 0
  #dropped = 0
  #stalled = 0

  /** **Fails** with `ServiceFailure` where the address can't be listened on. */
  static async listen(options: HttpServerOptions): Promise<HttpServer> {
    const server = new HttpServer(options)
    await server.#listen()
    return server
  }

  private constructor(options: HttpServerOptions) {
    this.#options = options
    this.#guard = new RequestGuard(options)
    this.#server = createServer(
      {
        headersTimeout: 10_000,
        requestTimeout: 30_000,
        connectionsCheckingInterval: 2000,
        keepAliveTimeout: 10_000,
        // Clients are told 10 s. One whose loop is busy closes late, and a request that it sends in that moment must not meet a
        // connection that is being closed: most clients don't send one again.
        keepAliveTimeoutBuffer: 20_000,
        maxHeaderSize: 16 * 1024,
        insecureHTTPParser: false,
        requireHostHeader: true,
        rejectNonStandardBodyWrites: false
      },
      (request, response) => void this.#handle(request, response)
    )
    this.#server.maxConnections = mostConnections
    this.#server.maxHeadersCount = 100
    this.#server.setTimeout(60_000)
    this.#server.on("connection", (socket: Socket) => {
      this.#sockets.set(socket, { unread: 0, underWay: new Set() })
      socket.once("close", () => this.#sockets.delete(socket))
    })
    this.#server.on("drop", () => this.#dropped++)
    this.#server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
      this.#malformed++
      if (!socket.writable || error.code === "ECONNRESET") return void socket.destroy()
      const status =
        error.code === "HPE_HEADER_OVERFLOW"
          ? "431 Request Header Fields Too Large"
          : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
            ? "408 Request Timeout"
            : "400 Bad Request"
      socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`, () => socket.destroy())
    })
    // An upgrade or a tunnel is nothing that this server does: without listeners Node would leave the first unanswered.
    for (const event of ["upgrade", "connect"] as const) {
      this.#server.on(event, (_, socket) => {
        this.#malformed++
        socket.end("HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
      })
    }
    this.#sweep = setInterval(() => this.#closeStalled(), sweepMs).unref()
  }

  /** Where it listens: `http://127.0.0.1:7717`. */
  get url(): string {
    const { address, family, port } = this.#server.address() as AddressInfo
    return `http://${family === "IPv6" ? `[${address}]` : address}:${port}`
  }

  get counts(): HttpCounts {
    return {
      requests: this.#requests,
      refused: { ...this.#guard.refused },
      malformed: this.#malformed,
      dropped: this.#dropped,
      stalled: this.#stalled,
      connections: this.#sockets.size,
      unread: [...this.#sockets].reduce((sum, one) => sum + unreadOf(one), 0)
    }
  }

  /** Takes no more requests, and closes every connection, those too that are being answered. */
  async close(): Promise<void> {
    clearInterval(this.#sweep)
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#server.closeAllConnections()
    await closed
  }

  #listen(): Promise<void> {
    const { host, port } = this.#options
    return new Promise((resolve, reject) => {
      this.#server.once("error", (cause: NodeJS.ErrnoException) => {
        clearInterval(this.#sweep)
        const what =
          cause.code === "EADDRINUSE"
            ? `The port ${port} of ${host} is in use`
            : `${host}:${port} can't be listened on (${cause.code ?? cause.message})`
        reject(new ServiceFailure({ what, fix: "Choose another with --port, or --port 0 for a free one.", cause }))
      })
      this.#server.listen({ host, port }, () => resolve())
    })
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#requests++
    const connection = this.#sockets.get(request.socket)
    if (connection === undefined || connection.underWay.size >= mostAtOnce) {
      if (!request.socket.destroyed) this.#stalled++
      return void request.socket.destroy()
    }
    connection.underWay.add(response)
    response.once("close", () => connection.underWay.delete(response))
    response.setHeader("cache-control", "no-store")
    response.setHeader("x-content-type-options", "nosniff")
    try {
      this.#guard.checkWhere(request)
      const url = URL.parse(request.url ?? "", "http://service")
      if (url === null || !request.url!.startsWith("/"))
        throw new HttpProblem(400, "The request has no path", "Send a path such as /status.")
      const principal = this.#options.isOpen(url.pathname) ? "" : this.#guard.checkToken(request)
      await this.#options.answer(request, response, url, principal)
    } catch (error) {
      this.#refuse(request, response, error)
    }
    this.#closeGreediest()
  }

  #refuse(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    const problem =
      error instanceof HttpProblem ? error : new HttpProblem(500, "The service failed to answer", "Its log on standard error says why.")
    // A client that has gone needs no answer, and is no failure.
    if (problem !== error && !request.destroyed)
      void this.#options.log(`${request.method} ${request.url}: ${error instanceof Error ? error.message : String(error)}`)
    if (response.headersSent || response.destroyed) return void response.destroy()
    // What is left of a body that was refused is not read, so the connection can't be used for another request.
    if (!request.complete) response.setHeader("connection", "close")
    for (const [name, value] of Object.entries(problem.headers)) response.setHeader(name, value)
    answerJson(response, problem.status, { error: problem.message, fix: problem.fix })
  }

  /** Looked at with each answer, since only answers add to what is unread. */
  #closeGreediest(): void {
    // Those that were closed just now are still among them, and hold nothing for long.
    const connections = [...this.#sockets].map((one) => ({ socket: one[0], unread: one[0].destroyed ? 0 : unreadOf(one) }))
    let unread = connections.reduce((sum, one) => sum + one.unread, 0)
    if (unread <= mostUnreadByAll) return
    for (const one of connections.toSorted((left, right) => right.unread - left.unread)) {
      if (unread <= mostUnreadByAll) return
      unread -= one.unread
      this.#stalled++
      one.socket.destroy()
    }
  }

  #closeStalled(): void {
    for (const [socket, connection] of this.#sockets) {
      const unread = unreadOf([socket, connection])
      if (connection.unread > mostUnreadBytes && unread >= connection.unread) {
        this.#stalled++
        socket.destroy()
      } else connection.unread = unread
    }
  }
}

interface Connection {
  /** How many bytes at the last sweep. */
  unread: number
  readonly underWay: Set<ServerResponse>
}

/** What waits to be sent: that of the answer whose turn it is stands in the socket, that of those behind it with them. */
const unreadOf = ([{ writableLength }, { underWay }]: readonly [Socket, Connection]): number => {
  let unread = writableLength
  for (const response of underWay) if (response.socket === null) unread += response.writableLength
  return unread
}

export const answerJson = (response: ServerResponse, status: number, body: unknown): void => {
  const text = `${JSON.stringify(body)}\n`
  response.writeHead(status, { "content-type": "application/json; charset=utf-8", "content-length": Buffer.byteLength(text) })
  response.end(text)
}

import { randomUUID } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"
import { toNodeHandler } from "@modelcontextprotocol/node"
import { isInitializeRequest, type McpServer, WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/server"
import { HttpProblem } from "../errors.ts"
import type { Listener } from "./ChangeNotices.ts"
import type { MakeServer } from "./makeServer.ts"
import { beginning, SessionEvents } from "./SessionEvents.ts"

export interface HttpSessionsOptions {
  readonly make: MakeServer
  readonly log: (line: string) => unknown
  /** How many principals share the sessions. */
  readonly principals?: number
  readonly now?: () => number
}

interface Session {
  /** Whose it is: to all others it is unknown. */
  readonly principal: string
  readonly server: McpServer
  readonly subscriptions: Set<string>
  readonly transport: WebStandardStreamableHTTPServerTransport
  /** Whether it has come for its notices. */
  listens: boolean
  /** Requests that are being answered, among them the stream of notices. */
  underWay: number
  touchedAt: number
}

const mostSessions = 128

/** However many principals there are, each may have so many. */
const leastOfOne = 4

/** How long a session lives that nobody uses. */
const idleMs = 30 * 60_000

const sweepMs = 60_000

/** What clients wait for before they connect again. */
const reconnectMs = 1000

/**
 * Clients of the 2025 protocol over HTTP: each has a session, over whose stream of notices it hears of what it subscribed to.
 * A session owns nothing but its subscriptions; the streams belong to all.
 *
 * **Bounds** 128 sessions of 256 KB for messages that may be asked for again, of which each principal has its equal part, and 4
 * at least; beyond, the one of its own that is longest out of use ends. One that nobody uses for 30 minutes ends, too.
 */
export class HttpSessions implements Listener {
  readonly #options: HttpSessionsOptions
  readonly #now: () => number
  readonly #sessions = new Map<string, Session>()
  readonly #sweep: NodeJS.Timeout

  constructor(options: HttpSessionsOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#sweep = setInterval(() => this.expire(), sweepMs).unref()
  }

  get size(): number {
    return this.#sessions.size
  }

  /** **Fails** with `HttpProblem` where there is no room for one more session. */
  async handle(request: IncomingMessage, response: ServerResponse, principal: string, body?: unknown): Promise<void> {
    const id = request.headers["mcp-session-id"]
    const session = typeof id === "string" ? this.#sessions.get(id) : isInitializeRequest(body) ? await this.#begin(principal) : undefined
    if (session?.principal !== principal) return answerUnknown(response)
    session.underWay++
    response.once("close", () => {
      session.underWay--
      session.touchedAt = this.#now()
    })
    const { transport } = session
    const fetch: Fetch = async (asked, options) => {
      if (asked.method === "GET" && !session.listens) {
        session.listens = true
        // What was to be told before it came is told now; the package would leave it out.
        if (!asked.headers.has("last-event-id")) asked.headers.set("last-event-id", beginning)
      }
      const answer = await transport.handleRequest(asked, options)
      // The headers alone say that it is listened to; the first notice may be long in coming.
      if (asked.method === "GET") setImmediate(() => response.headersSent && response.flushHeaders())
      return answer
    }
    await toNodeHandler({ fetch })(request, response, body)
  }

  listChanged(): void {
    for (const { server } of this.#sessions.values()) if (server.isConnected()) server.sendResourceListChanged()
  }

  changed(uri: string): void {
    for (const { server, subscriptions } of this.#sessions.values())
      if (subscriptions.has(uri) && server.isConnected()) void server.server.sendResourceUpdated({ uri }).catch(() => {})
  }

  /** Ends what nobody has used for too long. */
  expire(): void {
    const now = this.#now()
    for (const [id, { touchedAt, underWay }] of this.#sessions) if (underWay === 0 && now - touchedAt > idleMs) void this.#end(id)
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep)
    await Promise.all([...this.#sessions.keys()].map((id) => this.#end(id)))
  }

  async #begin(principal: string): Promise<Session> {
    const { log, make, principals = 1 } = this.#options
    const most = Math.max(leastOfOne, Math.floor(mostSessions / principals))
    const own = [...this.#sessions].filter(([, session]) => session.principal === principal)
    if (own.length >= most) {
      const [idlest] = own.filter(([, { underWay }]) => underWay === 0).toSorted(([, a], [, b]) => a.touchedAt - b.touchedAt)
      if (idlest === undefined)
        throw new HttpProblem(503, `${most} sessions of yours are in use, which is the most`, "Try again later.", { "retry-after": "5" })
      await this.#end(idlest[0])
    }
    const id = randomUUID()
    const subscriptions = new Set<string>()
    const server = make({ era: "legacy", principal, subscriptions })
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => id,
      eventStore: new SessionEvents(),
      retryInterval: reconnectMs
    })
    transport.onerror = (error) => void log(`MCP: ${error.message}`)
    const session: Session = {
      principal,
      server,
      subscriptions,
      transport,
      listens: false,
      underWay: 0,
      touchedAt: this.#now()
    }
    // A session that its client ends is closed by the transport.
    server.server.onclose = () => this.#sessions.delete(id)
    this.#sessions.set(id, session)
    await server.connect(transport)
    return session
  }

  async #end(id: string): Promise<void> {
    const session = this.#sessions.get(id)
    this.#sessions.delete(id)
    await session?.server.close()
  }
}

type Fetch = Parameters<typeof toNodeHandler>[0]["fetch"]

/** As the protocol has it: a client that reads this begins another session. */
const answerUnknown = (response: ServerResponse): void => {
  const body = JSON.stringify({ jsonrpc: "2.0", error: { code: -32_001, message: "Session not found" }, id: null })
  response.writeHead(404, { "content-type": "application/json", "content-length": Buffer.byteLength(body) }).end(body)
}

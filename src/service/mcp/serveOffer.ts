import type { IncomingMessage } from "node:http"
import type { AuthInfo } from "@modelcontextprotocol/server"
import { HttpProblem } from "../errors.ts"
import { answerJson, HttpServer } from "../HttpServer.ts"
import { readJson } from "../jsonBody.ts"
import { openTokens } from "../Token.ts"
import type { ChangeNotices } from "./ChangeNotices.ts"
import { type MakeServer, owner } from "./makeServer.ts"

export interface ServeOptions {
  readonly make: MakeServer
  /** Told of changes of resources; passed on to who has subscribed. */
  readonly notices: ChangeNotices
  readonly log: (line: string) => unknown
}

export interface ServeHttpOptions extends ServeOptions {
  readonly address: { readonly host: string; readonly port: number }
  readonly hosts: ReadonlyArray<string>
  readonly tokenFile: string
}

export interface RunningMcp {
  /** Resolves when the client has gone; over HTTP never. */
  readonly closed: Promise<void>
  readonly close: () => Promise<void>
}

/** How many requests may be worked on at a time, long polls among them; each principal has its equal part, and these at least. */
const mostRequests = 128
const leastRequests = 8

/** How many clients of the newer protocol may listen to changes at a time. */
const maxSubscriptions = 64

/** Serves one client on standard input and output. */
export const serveStdioOffer = async ({ log, make, notices }: ServeOptions): Promise<RunningMcp> => {
  const { serveStdio, StdioServerTransport } = await import("@modelcontextprotocol/server/stdio")
  const transport = new StdioServerTransport()
  const closed = new Promise<void>((resolve) => {
    process.stdin.once("close", resolve)
    process.stdin.once("end", resolve)
  })
  const handle = serveStdio(
    (context) => {
      const subscriptions = new Set<string>()
      const server = make({ era: context.era, principal: owner, subscriptions })
      notices.listeners.clear()
      notices.listeners.add({
        // A client that did not ask for them gets none: the package looks at what it has subscribed to.
        listChanged: () => server.isConnected() && server.sendResourceListChanged(),
        changed: (uri) => {
          if (!server.isConnected() || (context.era === "legacy" && !subscriptions.has(uri))) return
          server.server.sendResourceUpdated({ uri }).catch(() => {})
        }
      })
      return server
    },
    { transport, maxSubscriptions, onerror: (error) => void log(`MCP: ${error.message}`) }
  )
  return { closed, close: () => handle.close() }
}

/**
 * Serves any number of clients at `/mcp` on loopback, behind the same guards as the service: those of 2026-07-28 request by
 * request, those of 2025-11-25 in sessions. One of 2025 that sends no session id is answered, too, but can't subscribe.
 */
export const serveHttpOffer = async (options: ServeHttpOptions): Promise<RunningMcp & { readonly url: string }> => {
  const { address, hosts, log, make, notices, tokenFile } = options
  const [{ createMcpHandler, isInitializeRequest, isLegacyRequest }, { toNodeHandler, toWebRequest }, { HttpSessions }] = await Promise.all(
    [import("@modelcontextprotocol/server"), import("@modelcontextprotocol/node"), import("./HttpSessions.ts")]
  )
  const handler = createMcpHandler(({ authInfo, era }) => make({ era, principal: authInfo?.clientId ?? owner, subscriptions: undefined }), {
    maxSubscriptions,
    onerror: (error) => void log(`MCP: ${error.message}`)
  })
  const tokens = await openTokens(tokenFile)
  const sessions = new HttpSessions({ make, log, principals: tokens.length })
  notices.listeners.add(sessions)
  notices.listeners.add({
    listChanged: () => handler.notify.resourcesChanged(),
    changed: (uri) => handler.notify.resourceUpdated(uri)
  })
  const handle = toNodeHandler(handler)
  const isOfSession = async (request: IncomingMessage, body?: unknown): Promise<boolean> =>
    (request.headers["mcp-session-id"] !== undefined || isInitializeRequest(body))
    && isLegacyRequest(await toWebRequest(request, body), body)
  const most = Math.max(leastRequests, Math.floor(mostRequests / tokens.length))
  /** Of each principal. */
  const requests = new Map<string, number>()
  const server = await HttpServer.listen({
    ...address,
    tokens,
    hosts: [...hosts, address.host],
    log,
    isOpen: (path) => path === "/health",
    answer: async (request: IncomingMessage & { auth?: AuthInfo }, response, { pathname }, principal) => {
      if (pathname === "/health") return answerJson(response, 200, { status: "ok" })
      // The package hands it on to the tools. It has no use for the token, which is so kept out of everything that it makes.
      request.auth = { clientId: principal, token: "", scopes: [] }
      if (pathname !== "/mcp") throw new HttpProblem(404, "There is nothing at this path", "MCP is at /mcp.")
      if (request.method !== "POST") {
        if (await isOfSession(request)) return sessions.handle(request, response, principal)
        return handle(request, response)
      }
      const underWay = requests.get(principal) ?? 0
      if (underWay >= most)
        throw new HttpProblem(503, `${most} requests of yours are being worked on, which is the most`, "Try again later.", {
          "retry-after": "1"
        })
      requests.set(principal, underWay + 1)
      response.once("close", () => requests.set(principal, requests.get(principal)! - 1))
      const body = await readJson(request)
      if (Array.isArray(body) && body.length > 100) throw new HttpProblem(400, "The batch has more than 100 messages", "Send fewer.")
      if (await isOfSession(request, body)) return sessions.handle(request, response, principal, body)
      await handle(request, response, body)
    }
  })
  return {
    url: server.url,
    closed: new Promise(() => {}),
    close: async () => {
      await sessions.close()
      await handler.close()
      await server.close()
    }
  }
}

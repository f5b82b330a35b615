import type { StreamHost } from "../../host/index.ts"
import { HttpProblem } from "../errors.ts"
import { answerJson, HttpServer } from "../HttpServer.ts"
import { readJson } from "../jsonBody.ts"
import { openToken } from "../Token.ts"
import { ChangeNotices } from "./ChangeNotices.ts"
import { makeServer } from "./makeServer.ts"
import { McpStreams } from "./McpStreams.ts"
import { uriOf } from "./tools.ts"

export interface McpOptions {
  readonly host: StreamHost
  readonly version: string
  readonly log: (line: string) => unknown
}

export interface McpHttpOptions extends McpOptions {
  readonly address: { readonly host: string; readonly port: number }
  readonly hosts: ReadonlyArray<string>
  readonly tokenFile: string
}

export interface RunningMcp {
  /** Resolves when the client has gone; over HTTP never. */
  readonly closed: Promise<void>
  readonly close: () => Promise<void>
}

/** How many requests may be worked on at a time; long polls among them. */
const mostRequests = 128

/** Serves one client on standard input and output. The streams end with it. */
export const serveMcpStdio = async ({ host, log, version }: McpOptions): Promise<RunningMcp> => {
  const { serveStdio, StdioServerTransport } = await import("@modelcontextprotocol/server/stdio")
  const notices = new ChangeNotices()
  const streams = new McpStreams({ host, onChange: notices.tell })
  const subscriptions = new Set<string>()
  const transport = new StdioServerTransport()
  const closed = new Promise<void>((resolve) => {
    process.stdin.once("close", resolve)
    process.stdin.once("end", resolve)
  })
  const handle = serveStdio(
    (context) => {
      const server = makeServer({ streams, host, version, subscriptions }, context)
      notices.listeners.clear()
      notices.listeners.add({
        // A client that did not ask for them gets none: the package looks at what it has subscribed to.
        listChanged: () => server.isConnected() && server.sendResourceListChanged(),
        changed: (id) => {
          if (!server.isConnected() || (context.era === "legacy" && !subscriptions.has(uriOf(id)))) return
          server.server.sendResourceUpdated({ uri: uriOf(id) }).catch(() => {})
        }
      })
      return server
    },
    { transport, maxSubscriptions: 64, onerror: (error) => void log(`MCP: ${error.message}`) }
  )
  return {
    closed,
    close: async () => {
      await streams.close()
      await handle.close()
    }
  }
}

/** Serves any number of clients at `/mcp` on loopback, behind the same guards as the service. The streams stay when they go. */
export const serveMcpHttp = async (options: McpHttpOptions): Promise<RunningMcp & { readonly url: string }> => {
  const { address, host, hosts, log, tokenFile, version } = options
  const [{ createMcpHandler }, { toNodeHandler }] = await Promise.all([
    import("@modelcontextprotocol/server"),
    import("@modelcontextprotocol/node")
  ])
  const notices = new ChangeNotices()
  const streams = new McpStreams({ host, onChange: notices.tell })
  const handler = createMcpHandler((context) => makeServer({ streams, host, version }, context), {
    maxSubscriptions: 64,
    onerror: (error) => void log(`MCP: ${error.message}`)
  })
  notices.listeners.add({
    listChanged: () => handler.notify.resourcesChanged(),
    changed: (id) => handler.notify.resourceUpdated(uriOf(id))
  })
  const handle = toNodeHandler(handler)
  const token = await openToken(tokenFile)
  let requests = 0
  const server = await HttpServer.listen({
    ...address,
    token,
    hosts: [...hosts, address.host],
    log,
    isOpen: (path) => path === "/health",
    answer: async (request, response, { pathname }) => {
      if (pathname === "/health") return answerJson(response, 200, { status: "ok" })
      if (pathname !== "/mcp") throw new HttpProblem(404, "There is nothing at this path", "MCP is at /mcp.")
      if (request.method !== "POST") return handle(request, response)
      if (requests >= mostRequests)
        throw new HttpProblem(503, `${mostRequests} requests are being worked on, which is the most`, "Try again later.", {
          "retry-after": "1"
        })
      requests++
      response.once("close", () => requests--)
      const body = await readJson(request)
      if (Array.isArray(body) && body.length > 100) throw new HttpProblem(400, "The batch has more than 100 messages", "Send fewer.")
      await handle(request, response, body)
    }
  })
  return {
    url: server.url,
    closed: new Promise(() => {}),
    close: async () => {
      await streams.close()
      await handler.close()
      await server.close()
    }
  }
}

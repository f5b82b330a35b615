import { spawn } from "node:child_process"
import { once } from "node:events"
import http from "node:http"
import net, { type AddressInfo, type Socket } from "node:net"
import { NodeStreamableHTTPServerTransport, toNodeHandler } from "@modelcontextprotocol/node"
import { createMcpHandler, type EventStore, type JSONRPCMessage, type McpHttpHandler, type McpServer } from "@modelcontextprotocol/server"
import { type HostOptions, StreamHost } from "rtfs-streams"
import { weatherServer } from "./weatherServer.ts"

export interface ServedMcp extends AsyncDisposable {
  readonly url: string
  readonly port: number
  readonly handler: McpHttpHandler
  /** What the server did, in order. */
  readonly heard: Array<string>
  /** Breaks all connections off. */
  readonly cut: () => void
}

/** The weather server on HTTP, in both eras; or in the newer one alone. */
export const serveWeather = async (options: { readonly legacy?: "stateless" | "reject" } = {}): Promise<ServedMcp> => {
  const heard: Array<string> = []
  const handler = createMcpHandler(() => weatherServer({ tell: (line) => void heard.push(line) }), options)
  return { ...(await listening(http.createServer(toNodeHandler(handler)), "/mcp")), handler, heard }
}

const listening = async (
  server: http.Server,
  path: string
): Promise<Pick<ServedMcp, "url" | "port" | "cut" | typeof Symbol.asyncDispose>> => {
  const sockets = new Set<Socket>()
  server.on("connection", (socket: Socket) => {
    sockets.add(socket)
    socket.on("close", () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: `http://127.0.0.1:${port}${path}`,
    port,
    cut,
    [Symbol.asyncDispose]: async () => {
      cut()
      await new Promise((resolve) => server.close(resolve))
    }
  }
}

export const hostWith = (options: HostOptions): Promise<StreamHost> => StreamHost.start({ log: () => {}, print: () => {}, ...options })

export const stdioServer = (...args: ReadonlyArray<string>) => ({
  command: process.execPath,
  args: [new URL("./weatherStdio.ts", import.meta.url).pathname, ...args]
})

const everything = new URL("../../../node_modules/@modelcontextprotocol/server-everything/dist/index.js", import.meta.url).pathname

/** The reference server of the protocol, as a process. */
export const everythingServer = { command: process.execPath, args: [everything, "stdio"] }

/** The same behind HTTP, in one of its two transports. */
export const serveEverything = async (transport: "streamableHttp" | "sse"): Promise<AsyncDisposable & { readonly url: string }> => {
  const port = await freePort()
  const child = spawn(process.execPath, [everything, transport], {
    env: { PATH: process.env["PATH"], PORT: String(port) },
    stdio: ["ignore", "ignore", "pipe"]
  })
  const closed = once(child, "close")
  await new Promise<void>((resolve) => {
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      if (text.includes(`port ${port}`)) resolve()
    })
  })
  return {
    url: `http://127.0.0.1:${port}/${transport === "sse" ? "sse" : "mcp"}`,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL")
      await closed
    }
  }
}

const freePort = async (): Promise<number> => {
  const server = net.createServer()
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

interface ServedSessions extends ServedMcp {
  readonly breakNextAfter: (events: number) => void
  /** Tells every client, where its stream of notices stands. */
  readonly changed: (uri: string) => void
  /** Lets no client listen to notices until the function that it gives is called. */
  readonly holdNotices: () => () => void
}

/** A server with a session for each client, whose streams can be gone on with: as the era of 2025 has it. */
export const serveSessions = async (): Promise<ServedSessions> => {
  const heard: Array<string> = []
  const servers: Array<McpServer> = []
  let held: Promise<void> | undefined
  const sessions = new Map<string, NodeStreamableHTTPServerTransport>()
  let breakAfter: number | undefined
  const server = http.createServer((request, response) => {
    heard.push(`${request.method} ${request.headers["last-event-id"] === undefined ? "" : "again"}`.trim())
    const id = request.headers["mcp-session-id"] as string | undefined
    const known = id === undefined ? undefined : sessions.get(id)
    const transport =
      known
      ?? new NodeStreamableHTTPServerTransport({
        sessionIdGenerator: () => crypto.randomUUID(),
        eventStore: eventStore(),
        onsessioninitialized: (session) => void sessions.set(session, transport)
      })
    if (breakAfter !== undefined && request.method === "POST")
      cutAfter(
        response,
        () => breakAfter,
        () => (breakAfter = undefined)
      )
    const begun = (): Promise<void> => {
      const weather = weatherServer({ tell: (line) => void heard.push(line) })
      servers.push(weather)
      return weather.connect(transport)
    }
    const ready = known === undefined ? begun() : request.method === "GET" ? held : undefined
    void Promise.resolve(ready).then(() => transport.handleRequest(request, response))
  })
  const served = await listening(server, "/mcp")
  return {
    ...served,
    heard,
    handler: undefined as never,
    breakNextAfter: (events) => (breakAfter = events),
    changed: (uri) => {
      for (const { server: each } of servers) void each.sendResourceUpdated({ uri })
    },
    holdNotices: () => {
      let release: () => void
      held = new Promise((resolve) => (release = resolve))
      return () => release()
    }
  }
}

/** Breaks the connection of an answer off behind so many pieces of a stream of tool reports. */
const cutAfter = (response: http.ServerResponse, most: () => number | undefined, done: () => void): void => {
  const write = response.write.bind(response) as (...args: ReadonlyArray<unknown>) => boolean
  let seen = 0
  response.write = ((piece: unknown, ...rest: ReadonlyArray<unknown>) => {
    const isReport = Buffer.from(piece as Uint8Array).includes("notifications/progress")
    const result = write(piece, ...rest)
    if (isReport && ++seen === most()) {
      done()
      setImmediate(() => response.socket?.end())
    }
    return result
  }) as typeof response.write
}

const eventStore = (): EventStore => {
  const events: Array<{ readonly streamId: string; readonly message: JSONRPCMessage }> = []
  return {
    storeEvent: async (streamId, message) => String(events.push({ streamId, message })),
    replayEventsAfter: async (lastEventId, { send }) => {
      const { streamId } = events[Number(lastEventId) - 1]!
      for (const [index, event] of events.entries())
        if (index >= Number(lastEventId) && event.streamId === streamId) await send(String(index + 1), event.message)
      return streamId
    }
  }
}

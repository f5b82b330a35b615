import http, { type IncomingMessage, type RequestListener, type ServerResponse } from "node:http"
import net, { type AddressInfo, type Socket } from "node:net"
import { StreamHost, type HostOptions } from "rtfs-streams"

/** A server of this machine for one test: what it was asked, and its port. */
export interface TestServer extends AsyncDisposable {
  readonly port: number
  readonly url: string
  readonly requests: Array<IncomingMessage>
  readonly connections: () => number
}

const listen = async (server: http.Server | net.Server, requests: Array<IncomingMessage>): Promise<TestServer> => {
  const sockets = new Set<Socket>()
  let connections = 0
  server.on("connection", (socket: Socket) => {
    connections++
    sockets.add(socket)
    socket.on("close", () => sockets.delete(socket))
    socket.on("error", () => {})
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    requests,
    connections: () => connections,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    }
  }
}

export const serveHttp = (
  answer: (request: IncomingMessage, response: ServerResponse, ordinal: number) => unknown
): Promise<TestServer> => {
  const requests: Array<IncomingMessage> = []
  const listener: RequestListener = (request, response) => {
    requests.push(request)
    response.on("error", () => {})
    answer(request, response, requests.length)
  }
  return listen(http.createServer({ keepAliveTimeout: 1000 }, listener), requests)
}

/** A peer that speaks its bytes, whatever they mean, once it has been asked. */
export const serveBytes = (speak: (socket: Socket, ordinal: number) => unknown): Promise<TestServer> => {
  let ordinal = 0
  return listen(
    net.createServer((socket) => {
      socket.once("data", () => speak(socket, ++ordinal))
    }),
    []
  )
}

export const bodyOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

/** A host whose programs may talk to the servers of a test, and what they print. */
export const hostFor = (peers: ReadonlyArray<TestServer>, options: HostOptions = {}): Promise<StreamHost> =>
  StreamHost.start({ policy: { net: peers.map(({ port }) => `127.0.0.1:${port}`) }, log: () => {}, print: () => {}, ...options })

/** What a stream of a program gives, and its failure. */
export const collect = async (
  host: StreamHost,
  source: string
): Promise<{ readonly items: ReadonlyArray<unknown>; readonly failure: any }> => {
  const items: Array<unknown> = []
  const failure: unknown = await host.run(source, { onItem: (item) => void items.push(item) }).then(
    () => undefined,
    (error: unknown) => error
  )
  return { items, failure }
}

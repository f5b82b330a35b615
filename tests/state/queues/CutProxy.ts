import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net"

/** Stands between a client and its server on this machine: closes the connections of that client alone, or holds back what comes to it. */
export class CutProxy {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** Of each connection to the server, the client. */
  readonly #clients = new Map<Socket, Socket>()
  #isDown = false
  #received = 0

  private constructor(server: Server) {
    this.#server = server
  }

  static async to(url: string): Promise<CutProxy> {
    const { hostname, port } = new URL(url)
    const server = createServer()
    const proxy = new CutProxy(server)
    server.on("connection", (client) => proxy.#join(client, connect(Number(port), hostname)))
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    return proxy
  }

  urlOf(url: string): string {
    const through = new URL(url)
    through.host = `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
    return through.toString()
  }

  /** How many bytes the server has sent into this process. */
  get received(): number {
    return this.#received
  }

  /** Closes all connections; new ones are refused until `mend`. */
  cut(): void {
    this.#isDown = true
    for (const socket of this.#sockets) socket.destroy()
  }

  mend(): void {
    this.#isDown = false
  }

  /** Holds back what the server sends, until `flow`. */
  stall(): void {
    for (const [server, client] of this.#clients) server.unpipe(client).pause()
  }

  flow(): void {
    for (const [server, client] of this.#clients) server.pipe(client)
  }

  close(): void {
    this.cut()
    this.#server.close()
  }

  #join(client: Socket, server: Socket): void {
    if (this.#isDown) {
      client.destroy()
      server.on("error", () => {}).destroy()
      return
    }
    for (const [from, to] of [
      [client, server],
      [server, client]
    ] as const) {
      this.#sockets.add(from)
      from
        .on("error", () => {})
        .on("close", () => {
          this.#sockets.delete(from)
          this.#clients.delete(from)
          to.destroy()
        })
      if (from === server) from.on("data", ({ byteLength }: Buffer) => (this.#received += byteLength))
      from.pipe(to)
    }
    this.#clients.set(server, client)
  }
}

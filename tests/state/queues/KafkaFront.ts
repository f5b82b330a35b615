import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net"
import { createServer as createTlsServer, type TlsOptions } from "node:tls"

const saslHandshake = 17
const apiVersions = 18
const saslAuthenticate = 36

/** What the brokers of the stand-in call themselves; as long as `localhost`, by which the fronts are called. */
const theirs = Buffer.from("127.0.0.1")
const ours = Buffer.from("localhost")

export interface FrontOptions {
  readonly tls?: TlsOptions
  readonly user?: { readonly name: string; readonly password: string }
}

/**
 * Stands before the brokers of a stand-in, which know neither TLS nor passwords: one listener for each, called `localhost`. It wants
 * SASL/PLAIN where there is a user, and writes itself into the answers that say where brokers are.
 */
export class KafkaFront {
  /** How many proved who they are, and how many did not. */
  readonly proofs = { good: 0, bad: 0 }
  readonly #options: FrontOptions
  readonly #servers: Array<Server> = []
  readonly #sockets = new Set<Socket>()
  /** Of fronts, by the port of the broker. */
  readonly #ports = new Map<number, number>()

  private constructor(options: FrontOptions) {
    this.#options = options
  }

  static async before(url: string, options: FrontOptions): Promise<KafkaFront> {
    const front = new KafkaFront(options)
    for (const broker of url.slice("kafka://".length).split(",")) {
      const port = Number(broker.split(":")[1])
      const server = options.tls === undefined ? createServer() : createTlsServer(options.tls)
      server.on(options.tls === undefined ? "connection" : "secureConnection", (client: Socket) => front.#join(client, port))
      server.on("tlsClientError", () => {})
      await new Promise<void>((resolve) => server.listen(0, "localhost", resolve))
      front.#servers.push(server)
      front.#ports.set(port, (server.address() as AddressInfo).port)
    }
    return front
  }

  get brokers(): string {
    return [...this.#ports.values()].map((port) => `localhost:${port}`).join(",")
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
    for (const server of this.#servers) server.close()
  }

  #join(client: Socket, port: number): void {
    const broker = connect(port, "127.0.0.1")
    let isProven = this.#options.user === undefined
    for (const [socket, other] of [
      [client, broker],
      [broker, client]
    ] as const) {
      this.#sockets.add(socket)
      socket.on("error", () => {}).on("close", () => other.destroy())
    }
    onFrames(client, (frame) => {
      const key = frame.readInt16BE(4)
      if (key === saslHandshake) return client.write(answer(frame, Buffer.from([0, 0, 0, 0, 0, 1, 0, 5, ...Buffer.from("PLAIN")])))
      if (key === saslAuthenticate) {
        isProven = this.#isUser(frame)
        this.proofs[isProven ? "good" : "bad"]++
        // A tag, the code, no message, no bytes, for ever, a tag.
        const code = isProven ? 0 : 58
        return client.write(answer(frame, Buffer.from([0, 0, code, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0])))
      }
      if (!isProven && key !== apiVersions) return client.destroy()
      return broker.write(frame)
    })
    onFrames(broker, (frame) => client.write(this.#renamed(frame)))
  }

  /** The token is the last of the request: a tag, its length and one more, then it, and a tag. */
  #isUser(frame: Buffer): boolean {
    const { name, password } = this.#options.user!
    return frame.subarray(0, -1).toString("latin1").endsWith(`\0${name}\0${password}`)
  }

  #renamed(frame: Buffer): Buffer {
    for (let at = frame.indexOf(theirs); at !== -1; at = frame.indexOf(theirs, at + 1)) {
      const port = this.#ports.get(frame.readInt32BE(at + theirs.length))
      if (port === undefined) continue
      ours.copy(frame, at)
      frame.writeInt32BE(port, at + ours.length)
    }
    return frame
  }
}

/** Of a request: its length, key, version and number. */
const answer = (request: Buffer, body: Buffer): Buffer => {
  const head = Buffer.alloc(8)
  head.writeInt32BE(4 + body.length)
  request.copy(head, 4, 8, 12)
  return Buffer.concat([head, body])
}

const onFrames = (socket: Socket, onFrame: (frame: Buffer) => void): void => {
  let held = Buffer.alloc(0)
  socket.on("data", (chunk: Buffer) => {
    held = Buffer.concat([held, chunk])
    while (held.length >= 4 && held.length >= 4 + held.readInt32BE(0)) {
      const end = 4 + held.readInt32BE(0)
      onFrame(Buffer.from(held.subarray(0, end)))
      held = held.subarray(end)
    }
  })
}

import { createHash } from "node:crypto"
import { type AddressInfo, createServer, type Socket } from "node:net"
import { describe, expect, it } from "vitest"
import { WebSocketServer, type WebSocket } from "ws"
import { collect, hostFor, serveBytes } from "./servers.ts"

const serve = async (speak: (socket: WebSocket, ordinal: number) => unknown) => {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: true })
  await new Promise((resolve) => server.on("listening", resolve))
  const { port } = server.address() as AddressInfo
  let ordinal = 0
  const headers: Array<unknown> = []
  server.on("connection", (socket, request) => {
    socket.on("error", () => {})
    headers.push({
      authorization: request.headers.authorization,
      extensions: request.headers["sec-websocket-extensions"],
      protocol: socket.protocol
    })
    speak(socket, ++ordinal)
  })
  return {
    url: `ws://127.0.0.1:${port}`,
    headers,
    clients: server.clients,
    options: { policy: { net: [`127.0.0.1:${port}`] } },
    [Symbol.asyncDispose]: async () => {
      for (const client of server.clients) client.terminate()
      await new Promise((resolve) => server.close(resolve))
    }
  }
}

const connect = (url: string, options = ""): string => `(call :stream.ws.connect "${url}" {${options}})`

describe("stream.ws.connect", () => {
  it("reads text and bytes in order, and tells once of the end", async () => {
    await using server = await serve((socket) => {
      socket.send("one")
      socket.send(Buffer.from([1, 2]))
      socket.send("")
      socket.close(1000, "bye")
    })
    const told: Array<unknown> = []
    const tell = (...args: ReadonlyArray<unknown>) => void told.push(args)
    await using host = await hostFor([], {
      ...server.options,
      secrets: { KEY: "canary-key" },
      bindings: { open: () => tell("open"), message: tell, closed: (code: unknown, reason: unknown) => tell("close", code, reason) }
    })
    await host.run(
      connect(
        server.url,
        ':headers {"Authorization" "{{secret:KEY}}"} :protocols ["a" "b"] :on-open open :on-message message :on-close closed'
      )
    )
    expect(told).toEqual([["open"], ["one"], [new Uint8Array([1, 2])], [""], ["close", 1000, "bye"]])
    expect(server.headers).toEqual([{ authorization: "canary-key", extensions: undefined, protocol: "a" }])
  })

  it("leaves the socket alone while nobody takes messages", async () => {
    let socket!: WebSocket
    const message = "x".repeat(32 * 1024)
    let sent = 0
    await using server = await serve((opened) => {
      socket = opened
      const push = (): void => {
        for (; sent < 4000 && socket.bufferedAmount < 1024 * 1024; sent++) socket.send(message)
        if (sent < 4000 && socket.readyState === 1) setTimeout(push, 5)
      }
      push()
    })
    await using host = await hostFor([], server.options)
    let seen = 0
    await new Promise<void>((resolve) => {
      void host.run(connect(server.url), { onItem: () => (++seen === 3 ? (resolve(), new Promise(() => {})) : undefined) }).catch(() => {})
    })
    for (let before = -1; before !== sent;) {
      before = sent
      await new Promise((resolve) => setTimeout(resolve, 150))
    }
    expect(sent * message.length).toBeLessThan(24 * 1024 * 1024)
    await host.stop({ timeout: 0 })
  })

  it("fails when the connection is lost, and says so once", async () => {
    await using server = await serve((socket) => socket.send("one", () => setTimeout(() => socket.terminate(), 10)))
    const closed: Array<unknown> = []
    await using host = await hostFor([], {
      ...server.options,
      bindings: { closed: (...args: ReadonlyArray<unknown>) => void closed.push(args) }
    })
    const { failure, items } = await collect(host, connect(server.url, ":on-close closed"))
    expect([items, closed]).toEqual([["one"], [[1006, ""]]])
    expect(failure).toMatchObject({ _tag: "NetworkFailure" })
  })

  it("connects again where it was told to, and says where messages may be missing", async () => {
    await using server = await serve((socket, ordinal) =>
      socket.send(`${ordinal}`, () => (ordinal === 3 ? socket.close(1000) : setTimeout(() => socket.terminate(), 10)))
    )
    await using host = await hostFor([], server.options)
    const { failure, items } = await collect(host, connect(server.url, ":reconnect {:base-delay 1}"))
    const gap = { gap: { code: 1006, reason: "", attempts: 1 } }
    expect([items, failure]).toEqual([["1", gap, "2", gap, "3"], undefined])
  })

  it("gives up after as many attempts as it was given", async () => {
    await using server = await serveBytes((socket) => socket.end("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"))
    await using host = await hostFor([server])
    const { failure } = await collect(
      host,
      connect(server.url.replace("http", "ws"), ":reconnect {:base-delay 1 :max-delay 1 :max-attempts 3}")
    )
    expect(failure).toMatchObject({ _tag: "NetworkFailure", status: 503 })
    expect(server.connections()).toBe(3)
  })

  it("ends at once with a message that is too long", async () => {
    await using server = await serve((socket) => socket.send("x".repeat(2000)))
    await using host = await hostFor([], server.options)
    const { failure } = await collect(host, connect(server.url, ":max-message-size 1000"))
    expect(failure).toMatchObject({ _tag: "NetworkFailure", message: expect.stringContaining(":max-message-size") })
  })

  it.each([
    ["invalid UTF-8", Buffer.from([0x81, 2, 0xc3, 0x28])],
    ["a reserved bit", Buffer.from([0xf1, 0])],
    ["a fragment of nothing", Buffer.from([0x80, 0])],
    ["a masked frame", Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x61])],
    [
      "more fragments than a message has",
      Buffer.concat([Buffer.from([0x01, 0]), ...Array.from({ length: 200_000 }, () => Buffer.from([0x00, 0]))])
    ]
  ])("fails on %s and does not wait for a goodbye", { timeout: 15_000 }, async (_, frames) => {
    const accept = (key: string) => createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64")
    await using raw = await rawServer(accept, frames)
    await using host = await hostFor([], { policy: { net: ["127.0.0.1:*"] } })
    const { failure } = await collect(host, connect(raw.url))
    expect(failure).toMatchObject({ _tag: "NetworkFailure", message: expect.stringContaining("rules of the protocol") })
    // Were the peer's goodbye waited for, as `ws` does for 30 s, the test would time out.
  })

  it("sends with stream.ws.send, and is read by whoever asked", async () => {
    await using server = await serve((socket) =>
      socket.on("message", (data, isBinary) => (String(data) === "bye" ? socket.close(1000) : socket.send(data, { binary: isBinary })))
    )
    const got: Array<unknown> = []
    await using host = await hostFor([], { ...server.options, bindings: { got: (message: unknown) => void got.push(message) } })
    await host.run(`(let [h ${connect(server.url, ":on-message got")}]
      (call :stream.ws.send h "one")
      (call :stream.ws.send h "two")
      (call :stream.ws.send h "bye"))`)
    expect(got).toEqual(["one", "two"])
    await expect(host.eval('(call :stream.ws.send (call :stream.create [1]) "x")')).rejects.toThrow("does not")
    await expect(host.eval("(call :stream.ws.send (call :stream.create [1]) {:a 1})")).rejects.toThrow("string or bytes")
  })

  it("says goodbye when it is cancelled, also to a peer that does not", async () => {
    let code: number | undefined
    await using server = await serve((socket) => {
      socket.on("close", (given) => (code = given))
      socket.send("one")
    })
    const host = await hostFor([], server.options)
    const first = new Promise<void>((resolve) => void host.run(connect(server.url), { onItem: () => resolve() }).catch(() => {}))
    await first
    await host.stop({ timeout: 0 })
    while (code === undefined) await new Promise((resolve) => setImmediate(resolve))
    expect(code).toBe(1000)
  })
})

/** Shakes hands as a server does, and then speaks its bytes. */
const rawServer = async (accept: (key: string) => string, frames: Buffer) => {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on("error", () => {})
    socket.once("data", (data) => {
      const key = /sec-websocket-key: (\S+)/i.exec(String(data))![1]!
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept(key)}\r\n\r\n`
      )
      // Not in one piece with the handshake: the connection is open then.
      setTimeout(() => socket.write(frames), 30)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    }
  }
}

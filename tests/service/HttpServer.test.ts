import { connect, type Socket } from "node:net"
import { afterEach, describe, expect, it } from "vitest"
import { HttpServer } from "../../src/service/HttpServer.ts"

const sockets: Array<Socket> = []
let server: HttpServer
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await server.close()
})

const megabyte = 1024 * 1024
const listen = async (answer: (length: number) => void) => {
  server = await HttpServer.listen({
    host: "127.0.0.1",
    port: 0,
    tokens: [],
    hosts: [],
    isOpen: () => true,
    log: () => {},
    answer: async (_, response, { pathname }) => {
      const length = Number(pathname.slice(1)) * megabyte
      response.writeHead(200, { "content-length": length }).end(Buffer.alloc(length))
      answer(length)
    }
  })
}
const ask = (megabytes: number): Socket => {
  const socket = connect(Number(new URL(server.url).port), "127.0.0.1")
  socket.on("error", () => {})
  socket.pause()
  socket.write(`GET /${megabytes} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
  sockets.push(socket)
  return socket
}

describe("clients that ask for much and read nothing", () => {
  it("leave 48 MB unread together and one answer more; whoever leaves the most is cut off, and others are answered", async () => {
    let answered = 0
    let most = 0
    const given: Array<() => void> = []
    await listen(() => {
      answered++
      most = Math.max(most, server.counts.unread)
      for (const tell of given.splice(0)) tell()
    })
    // One after the other, more than the buffers of the kernel take.
    for (let index = 1; index <= 12; index++) {
      ask(16)
      while (answered < index) await new Promise<void>((resolve) => given.push(resolve))
    }
    expect(most).toBeGreaterThan(32 * megabyte)
    expect(most).toBeLessThan((48 + 17) * megabyte)
    expect(server.counts.stalled).toBeGreaterThan(0)
    expect(server.counts.connections).toBeLessThan(12)
    expect((await (await fetch(`${server.url}/1`)).arrayBuffer()).byteLength).toBe(megabyte)
  })
})

describe("answers that wait behind another one on their connection", () => {
  it("count as unread, too", async () => {
    await listen(() => {})
    const socket = ask(20)
    socket.write("GET /20 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".repeat(2))
    await expect.poll(() => server.counts.requests).toBe(3)
    await expect.poll(() => server.counts.connections).toBe(0)
    expect(server.counts.stalled).toBe(1)
  })
})

describe("a client that asks again and again", () => {
  it("is answered on one connection for as long as it likes", async () => {
    await listen(() => {})
    const socket = ask(0)
    let answers = 0
    const done = new Promise<void>((resolve, reject) => {
      socket.on("data", (bytes: Buffer) => {
        answers += bytes.toString("latin1").split("HTTP/1.1 200").length - 1
        if (answers < 2500) socket.write("GET /0 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        else resolve()
      })
      socket.on("close", () => reject(new Error(`closed after ${answers} answers`)))
    })
    socket.resume()
    await done
  })
})

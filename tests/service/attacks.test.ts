import { connect, type Socket } from "node:net"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { ServiceProcess, ticking } from "./ServiceProcess.ts"

const service = new ServiceProcess()
beforeAll(() => service.start(["serve", service.write("a.rtfs", ticking(5))]))
afterAll(() => service.remove())

const statusLine = (answer: string) => answer.slice(0, 12)
const healthy = async () => {
  expect(await (await fetch(`${service.url}/health`)).json()).toEqual({ status: "ok" })
  expect((await service.request("/status")).status).toBe(200)
}
/** A request as it stands on the wire. */
const wire = (lines: ReadonlyArray<string>, body = "") => `${lines.join("\r\n")}\r\n\r\n${body}`
const host = () => `Host: 127.0.0.1:${service.port}`
const authorization = () => `Authorization: Bearer ${service.token}`

describe("the HTTP server", () => {
  it("refuses a missing, a wrong, and a misplaced token, and says how to send the right one", async () => {
    const wrong = `${service.token.slice(0, -1)}${service.token.endsWith("A") ? "B" : "A"}`
    const attempts: ReadonlyArray<RequestInit> = [
      {},
      { headers: { authorization: `Bearer ${wrong}` } },
      { headers: { authorization: `Bearer ${service.token}x` } },
      { headers: { authorization: `Basic ${service.token}` } },
      { headers: { authorization: "Bearer " } },
      { headers: { cookie: `token=${service.token}` } }
    ]
    for (const init of attempts) {
      for (const [path, method] of [
        ["/status", "GET"],
        ["/metrics", "GET"],
        ["/streams/a/stop", "POST"],
        ["/nothing", "GET"]
      ] as const) {
        const response = await fetch(`${service.url}${path}`, { ...init, method })
        expect([response.status, response.headers.get("www-authenticate")]).toEqual([401, 'Bearer realm="rtfs-streams"'])
      }
    }
    expect((await fetch(`${service.url}/status?token=${service.token}`)).status).toBe(401)
    await healthy()
  })

  it.each(["evil.example", "evil.example:7717", "127.0.0.1.evil.example", "[::2]", "169.254.169.254", "localhost@evil.example", "a b", ""])(
    "refuses the Host %j, with and without a token",
    async (name) => {
      for (const path of ["/health", "/status"]) {
        const answer = await service.raw(wire([`GET ${path} HTTP/1.1`, `Host: ${name}`, authorization(), "Connection: close"]))
        expect(answer).toMatch(/^HTTP\/1\.1 40[03] /)
        expect(answer).not.toContain('streams":')
      }
    }
  )

  it("refuses two Hosts, and none", async () => {
    expect(statusLine(await service.raw(wire(["GET /health HTTP/1.1", host(), "Host: evil.example", "Connection: close"])))).toBe(
      "HTTP/1.1 403"
    )
    expect(statusLine(await service.raw(wire(["GET /health HTTP/1.1", "Connection: close"])))).toBe("HTTP/1.1 400")
  })

  it.each(["http://evil.example", "null", "http://localhost:3000", "https://127.0.0.1", "file://"])(
    "refuses the Origin %s, also with a token",
    async (origin) => {
      for (const path of ["/health", "/status"]) {
        const response = await service.request(path, { headers: { origin } })
        expect(response.status).toBe(403)
        expect(response.headers.get("access-control-allow-origin")).toBeNull()
      }
      const preflight = await service.request("/streams/a/stop", {
        method: "OPTIONS",
        headers: { origin, "access-control-request-method": "POST" }
      })
      expect(preflight.status).toBe(403)
    }
  )

  it("refuses bodies that are too long, too deep, or no JSON; stated and chunked", async () => {
    const send = (body: string, headers: Record<string, string> = { "content-type": "application/json" }) =>
      service.request("/streams/a/drain", { method: "POST", body, headers })
    expect(await (await send("[".repeat(100_000) + "]".repeat(100_000))).json()).toMatchObject({
      error: expect.stringContaining("nested deeper")
    })
    expect((await send(`{"timeoutMs":1`)).status).toBe(400)
    expect((await send(`{"timeoutMs":-1}`)).status).toBe(400)
    expect((await send(`{"__proto__":1}`)).status).toBe(400)
    expect((await send("timeoutMs=1", { "content-type": "application/x-www-form-urlencoded" })).status).toBe(415)
    const stated = await service.raw(
      wire(["POST /streams/a/drain HTTP/1.1", host(), authorization(), "Content-Type: application/json", "Content-Length: 1048577"])
    )
    expect(statusLine(stated)).toBe("HTTP/1.1 413")
    const chunk = `${(65_536).toString(16)}\r\n${"x".repeat(65_536)}\r\n`
    const chunked = await service.raw(
      wire(
        ["POST /streams/a/drain HTTP/1.1", host(), authorization(), "Content-Type: application/json", "Transfer-Encoding: chunked"],
        chunk.repeat(20)
      )
    )
    expect(statusLine(chunked)).toBe("HTTP/1.1 413")
    await healthy()
    expect((await service.json("/status")).services[0].status).toBe("running")
  })

  // A proxy in front and this server must never see two different requests in the same bytes.
  it.each<readonly [string, ReadonlyArray<string>, string]>([
    ["both lengths", ["Content-Length: 5", "Transfer-Encoding: chunked"], "0\r\n\r\nGET /status HTTP/1.1\r\n"],
    ["two lengths", ["Content-Length: 0", "Content-Length: 44"], ""],
    ["a length with a sign", ["Content-Length: +0"], ""],
    ["an encoding in disguise", ["Transfer-Encoding: xchunked"], "0\r\n\r\n"],
    ["an encoding that is not the last", ["Transfer-Encoding: chunked, identity"], "0\r\n\r\n"],
    ["a space before the colon", ["Transfer-Encoding : chunked"], "0\r\n\r\n"],
    ["a folded header", ["X-A: b", " Transfer-Encoding: chunked"], "0\r\n\r\n"],
    ["a chunk with a wrong size", ["Transfer-Encoding: chunked"], "zz\r\nhello\r\n0\r\n\r\n"]
  ])("answers %s with one refusal and closes", async (_, headers, body) => {
    const answer = await service.raw(
      wire(["POST /streams/none/pause HTTP/1.1", host(), authorization(), ...headers, "Connection: close"], body)
    )
    expect(answer.match(/HTTP\/1\.1 /g)).toHaveLength(1)
    expect(statusLine(answer)).toMatch(/HTTP\/1\.1 4\d\d/)
    await healthy()
  })

  it("refuses headers that are too long, upgrades, tunnels, and what is no HTTP", async () => {
    expect(statusLine(await service.raw(wire(["GET /health HTTP/1.1", host(), `X-Long: ${"x".repeat(20_000)}`])))).toBe("HTTP/1.1 431")
    expect(statusLine(await service.raw(wire(["GET /status HTTP/1.1", host(), "Connection: upgrade", "Upgrade: websocket"])))).toBe(
      "HTTP/1.1 400"
    )
    expect(statusLine(await service.raw(wire(["CONNECT evil.example:443 HTTP/1.1", host()])))).toBe("HTTP/1.1 400")
    expect(statusLine(await service.raw("\u0016\u0003\u0001\u0002\u0000\r\n\r\n"))).toBe("HTTP/1.1 400")
    expect((await service.request("/../../etc/passwd")).status).toBe(404)
    expect((await service.request("/streams/%ff/pause", { method: "POST" })).status).toBe(400)
    expect((await service.request("/status", { method: "DELETE" })).status).toBe(405)
    await healthy()
  })

  it("stays healthy while 300 clients send their headers letter by letter, and after a flood of requests", async () => {
    const slow: Array<Socket> = []
    for (let index = 0; index < 300; index++) {
      const socket = connect(service.port, "127.0.0.1")
      socket.on("error", () => {})
      socket.write("GET /status HTTP/1.1\r\nX-A: ")
      slow.push(socket)
    }
    const dropped = new Promise<void>((resolve) => {
      let closed = 0
      for (const socket of slow) socket.once("close", () => ++closed === 300 - 256 && resolve())
    })
    await dropped
    for (const socket of slow) socket.destroy()
    // Each has a connection of its own; those beyond the 256th are cut off, and the others answered.
    const flood = await Promise.allSettled(Array.from({ length: 400 }, () => service.request("/status").then(({ status }) => status)))
    const answered = flood.filter((one) => one.status === "fulfilled")
    expect(new Set(answered.map(({ value }) => value))).toEqual(new Set([200]))
    expect(answered.length).toBeGreaterThanOrEqual(200)
    await healthy()
    const metrics = await (await service.request("/metrics")).text()
    expect(Number(/refused_total\{reason="connections"\} (\d+)/.exec(metrics)![1])).toBeGreaterThanOrEqual(44)
    expect(Number(/refused_total\{reason="token"\} (\d+)/.exec(metrics)![1])).toBeGreaterThan(0)
  })

  it("never says its token", async () => {
    const answers = await Promise.all(["/status", "/metrics", "/nothing"].map(async (path) => (await service.request(path)).text()))
    expect(await service.stop()).toBe(0)
    const { stderr, stdout } = await service.running.outcome
    expect([...answers, stderr, stdout].join("\n")).not.toContain(service.token)
  })
})

import { gzipSync } from "node:zlib"
import type { Socket } from "node:net"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import { StreamHost as EffectHost } from "rtfs-streams/effect"
import { describe, expect, it } from "vitest"
import { pass, settle } from "../timedHost.ts"
import { collect, hostFor, serveBytes, serveHttp, type TestServer } from "./servers.ts"

// What a peer may do to whoever reads from it: each case has to end with a failure that says what it was, within its
// deadline. All cases of time run on a virtual clock: nobody waits for them.

const get = (url: string, options = ""): string => `(call :stream.http.get "${url}" {:max-attempts 1 ${options}})`

const endless = (socket: Socket, bytes: string): void => {
  const push = (): void => {
    if (!socket.destroyed) socket.write(bytes, () => setImmediate(push))
  }
  push()
}

describe("a hostile peer", () => {
  it.each<[string, (socket: Socket) => unknown, string]>([
    ["says nothing", () => {}, "nothing came for 30000 ms"],
    [
      "sends a header a second",
      (socket) => (socket.write("HTTP/1.1 200 OK\r\n"), void setInterval(() => socket.destroyed || socket.write("X-A: b\r\n"), 20).unref()),
      "nothing came for 30000 ms"
    ],
    [
      "stops in the middle of the body",
      (socket) => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"),
      "nothing came for 30000 ms"
    ]
  ])("that %s is given up on", (_, speak, problem) =>
    Effect.gen(function* () {
      const server = yield* Effect.acquireRelease(
        Effect.promise(() => serveBytes((socket) => speak(socket))),
        (made) => Effect.promise(() => made[Symbol.asyncDispose]())
      )
      const host = yield* EffectHost
      const run = yield* Effect.forkChild(Effect.result(host.run(get(server.url))))
      while (server.connections() === 0) yield* settle
      yield* pass(29_000, 1000)
      expect(run.pollUnsafe()).toBe(undefined)
      yield* pass(12_000, 1000)
      const outcome = yield* Effect.promise(async () => run.pollUnsafe())
      expect(String(outcome)).toContain(problem)
    }).pipe(
      Effect.provide(EffectHost.layer({ policy: { all: true }, log: () => {} })),
      Effect.scoped,
      Effect.provide(TestClock.layer()),
      Effect.runPromise
    )
  )

  it.each<[string, string | ((socket: Socket) => void), string]>([
    ["breaks off before it answers", (socket) => socket.destroy(), "ECONNRESET"],
    ["breaks off in its headers", (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-"), "broke the connection off"],
    [
      "sends headers without end",
      (socket) => (socket.write("HTTP/1.1 200 OK\r\n"), endless(socket, `X-A: ${"b".repeat(1000)}\r\n`)),
      "longer than 32 KB"
    ],
    ["only ever hints", (socket) => endless(socket, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), "interim answers"],
    ["speaks no HTTP", "SSH-2.0-OpenSSH_9.2\r\n", "HPE_"],
    ["gives two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "HPE_"],
    [
      "gives a length and chunks",
      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
      "HPE_"
    ],
    ["redirects without end", "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", "more than 5 times"],
    ["gives an encoding of its own", "HTTP/1.1 200 OK\r\nContent-Encoding: rot13\r\nContent-Length: 3\r\n\r\nabc", "not asked for"],
    ["encodes three times over", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip, gzip\r\nContent-Length: 3\r\n\r\nabc", "3 times over"],
    [
      "answers with a part that was not asked for",
      "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 5-7/8\r\nContent-Length: 3\r\n\r\nabc",
      "status is 206"
    ],
    ["sends invalid UTF-8", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na\xff\xfe", "no UTF-8"]
  ])("that %s is an error that says so", async (_, speak, problem) => {
    await using server = await serveBytes((socket) =>
      typeof speak === "string" ? void socket.write(Buffer.from(speak, "latin1")) : speak(socket)
    )
    await using host = await hostFor([server])
    const { failure } = await collect(host, get(server.url))
    expect(failure.message).toContain(problem)
  })

  it.each([
    [":format :lines", "the line is longer than 1048576 bytes"],
    [":format :ndjson", "a record is longer than"],
    [":format :sse", "an event is longer than"],
    [":max-body-size 3000000", "longer than 3000000 bytes"]
  ])("that sends without end under {%s} is an error that says so", async (options, problem) => {
    await using server = await serveHttp((_, response) => {
      response.setHeader("Content-Type", "text/event-stream")
      if (options.includes("ndjson")) response.write('"')
      endless(response as unknown as Socket, "x".repeat(64 * 1024))
    })
    await using host = await hostFor([server])
    const { failure } = await collect(host, get(server.url, options))
    expect(failure.message).toContain(problem)
  })

  it("that sends a bomb is an error, long before it has gone off", async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024))
    await using server = await serveHttp((_, response) => response.writeHead(200, { "Content-Encoding": "gzip" }).end(bomb))
    await using host = await hostFor([server])
    let bytes = 0
    const failure = await host
      .run(get(server.url, ":format :binary"), { onItem: (chunk) => void (bytes += (chunk as Uint8Array).length) })
      .catch((error: Error) => error)
    expect(failure).toMatchObject({ message: expect.stringContaining("more than 200 times") })
    expect(bytes).toBeLessThan(20 * 1024 * 1024)
  })

  it("that asks for years of rest gets a minute, and one that asks for none gets some", () =>
    Effect.gen(function* () {
      const server: TestServer = yield* Effect.acquireRelease(
        Effect.promise(() =>
          serveHttp((_, response, ordinal) =>
            ordinal === 3 ? response.end("ok") : response.writeHead(429, { "Retry-After": ordinal === 1 ? "99999999" : "0" }).end()
          )
        ),
        (made) => Effect.promise(() => made[Symbol.asyncDispose]())
      )
      const host = yield* EffectHost
      const run = yield* Effect.forkChild(host.run(`(call :stream.await (call :stream.http.get "${server.url}" {}))`))
      while (server.requests.length === 0) yield* settle
      yield* pass(59_000, 1000)
      expect(server.requests.length).toBe(1)
      let waited = 0
      for (; server.requests.length === 1; waited += 10) yield* pass(10)
      expect(waited).toBeLessThanOrEqual(2000)
      yield* pass(80, 10)
      expect(server.requests.length).toBe(2)
      yield* pass(2000, 100)
      while (server.requests.length === 2) yield* settle
      while (run.pollUnsafe() === undefined) yield* pass(10)
      expect(server.requests.length).toBe(3)
    }).pipe(
      Effect.provide(EffectHost.layer({ policy: { all: true }, log: () => {} })),
      Effect.scoped,
      Effect.provide(TestClock.layer()),
      Effect.runPromise
    ))
})

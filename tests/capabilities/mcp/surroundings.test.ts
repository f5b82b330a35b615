import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import { afterEach, describe, expect, it, vi } from "vitest"
import { StreamHost as TimedHost } from "rtfs-streams/effect"
import { hostFor, serveHttp, type TestServer } from "../network/servers.ts"
import { hostWith, serveWeather } from "./mcpServers.ts"

const feedOf = (count: number, after?: (ordinal: number) => "cut" | "refuse" | undefined): Promise<TestServer> =>
  serveHttp((request, response, ordinal) => {
    const fate = after?.(ordinal)
    if (fate === "refuse") return response.writeHead(503).end()
    response.writeHead(200, { "Content-Type": "text/event-stream" })
    const from = Number(request.headers["last-event-id"] ?? 0)
    const events = Array.from({ length: count }, (_, index) => `id: ${index + 1}\ndata: ${index + 1}\n\n`).slice(from)
    if (fate === "cut") return response.write(events[0], () => response.socket!.end())
    return response.end(events.join(""))
  })

afterEach(() => vi.unstubAllEnvs())

describe("an MCP stream in a service", () => {
  it("tries a chunk again that its processor failed on, over the same connection", async () => {
    await using server = await feedOf(4)
    const tried: Array<unknown> = []
    const told: Array<unknown> = []
    let left = 2
    const flaky = (state: ReadonlyArray<number>, chunk: number) => {
      tried.push(chunk)
      if (chunk === 2 && left-- > 0) throw new Error("not yet")
      return { state: [...state, chunk] }
    }
    await using host = await hostFor([server], { bindings: { flaky, told: (value: unknown) => void told.push(value) } })
    const service = await host.spawn(
      `(def h (mcp-stream "${server.url}/feed" flaky []))
       (call :stream.await h)
       (told (call :mcp.stream.inspect h))`,
      { name: "feed", restart: "temporary" }
    )
    await service.result
    expect(tried).toEqual([1, 2, 2, 2, 3, 4])
    expect(server.requests.length).toBe(1)
    expect(told).toMatchObject([{ "current-state": [1, 2, 3, 4], stats: { restarts: 2, "processed-chunks": 4 }, processor: "flaky" }])
  })
})

describe("the connection of an MCP stream", () => {
  const timed = (server: TestServer, source: string) =>
    Effect.gen(function* () {
      const host = yield* TimedHost
      const context = yield* Effect.context<never>()
      let outcome: unknown
      Effect.runPromiseWith(context)(host.eval(source)).then(
        (value) => (outcome = { value }),
        (error: { readonly cause?: unknown }) => (outcome = { error: error.cause })
      )
      const asked: Array<number> = []
      let now = 0
      for (let turn = 0; outcome === undefined; turn++) {
        if (turn > 20_000) return yield* Effect.die(new Error("It does not end."))
        yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 1)))
        yield* TestClock.adjust(10)
        now += 10
        while (asked.length < server.requests.length) asked.push(now)
      }
      return { outcome: outcome as any, asked }
    }).pipe(
      Effect.provide(TimedHost.layer({ policy: { net: [`127.0.0.1:${server.port}`] }, log: () => {} })),
      Effect.provide(TestClock.layer()),
      Effect.scoped,
      Effect.runPromise
    )

  it("is tried three times in a row, with growing waits, and then the stream fails", async () => {
    await using server = await feedOf(1, () => "refuse")
    const { asked, outcome } = await timed(server, `(call :stream.await (mcp-stream "${server.url}/feed" (fn [s c m] {}) nil))`)
    expect(outcome.error.message).toContain("503")
    expect(asked.length).toBe(3)
    expect(asked[1]! - asked[0]!).toBeGreaterThanOrEqual(250)
    expect(asked[2]! - asked[1]!).toBeGreaterThanOrEqual(500)
  })

  it("counts as broken when the peer says nothing for :idle-timeout, and goes on behind the last event", async () => {
    await using server = await serveHttp((request, response, ordinal) => {
      response.writeHead(200, { "Content-Type": "text/event-stream" })
      if (ordinal === 1) return response.write("id: 1\ndata: 1\n\n")
      return response.end(`id: 2\ndata: ${JSON.stringify(request.headers["last-event-id"])}\n\n`)
    })
    const { outcome } = await timed(
      server,
      `(call :stream.await (call :mcp.stream.start {:endpoint "${server.url}/feed" :idle-timeout 2000 :initial-state [] :processor (fn [s c m] {:state (conj s c)})}))`
    )
    expect(outcome).toEqual({ value: [1, "1"] })
  })
})

describe("the environment of an MCP stream", () => {
  it("gives names a base URL, and its token to the origin of that alone", async () => {
    await using other = await serveHttp((_, response) => response.end("{}"))
    await using server = await serveHttp((_, response) => {
      response.writeHead(200, { "Content-Type": "text/event-stream" })
      response.end(`event: endpoint\ndata: ${other.url}/more\n\n`)
    })
    vi.stubEnv("CCOS_MCP_STREAM_ENDPOINT", "  ")
    vi.stubEnv("CCOS_MCP_LOCAL_SSE_URL", `${server.url}/sse/`)
    vi.stubEnv("CCOS_MCP_STREAM_BEARER_TOKEN", "token-of-the-feed")
    await using host = await hostFor([server, other])
    const resolved = (await host.eval(
      "(def h (mcp-stream weather.monitor.v1 (fn [s c m] {}))) (call :stream.await h) (:resolved (call :mcp.stream.inspect h))"
    )) as any
    expect(server.requests.map(({ headers, url }) => [url, headers.authorization])).toEqual([
      ["/sse/weather.monitor.v1", "Bearer token-of-the-feed"]
    ])
    expect(other.requests.map(({ headers, url }) => [url, headers.authorization])).toEqual([["/more", undefined]])
    expect(resolved).toMatchObject({ by: { name: "environment" }, url: `${server.url}/sse/weather.monitor.v1` })
  })

  it("can keep streams from connecting before they are resumed", async () => {
    await using server = await feedOf(2)
    vi.stubEnv("CCOS_MCP_STREAM_ENDPOINT", server.url)
    vi.stubEnv("CCOS_MCP_STREAM_AUTO_CONNECT", "off")
    await using host = await hostFor([server])
    const value = (await host.eval(`
      (def h (mcp-stream "feed" (fn [s c m] {:state c})))
      (def before (call :mcp.stream.inspect h))
      (call :ccos.thread.sleep 20)
      (def asked (:received-chunks (:stats (call :mcp.stream.inspect h))))
      (call :stream.resume h)
      {:before before :asked asked :state (call :stream.await h)}`)) as any
    expect(value.before.status.state.name).toBe("paused")
    expect(value.before.transport["auto-connect"]).toBe(false)
    expect([value.asked, value.state, server.requests.length]).toEqual([0, 2, 1])
  })

  it("reveals secrets to the server that they are for, and to nobody else", async () => {
    const secret = "s3cr3t-of-weather"
    await using server = await serveHttp((request, response) => response.writeHead(401).end(`no: ${request.headers.authorization}`))
    await using host = await hostWith({
      mcpServers: { weather: { url: server.url, headers: { Authorization: "Bearer {{secret:WEATHER}}" } } },
      secrets: { WEATHER: secret }
    })
    const value = (await host.eval(`
      (def h (mcp-stream "tool:watch" {} (fn [s c m] {}) nil))
      {:error (:message (try (call :stream.await h) (catch e e))) :inspect (call :mcp.stream.inspect h)}`)) as any
    expect(server.requests[0]!.headers.authorization).toBe(`Bearer ${secret}`)
    expect(value.error).toContain("{{secret:")
    expect(JSON.stringify(value)).not.toContain(secret)
  })

  it("refuses a redirect of a server to another peer", async () => {
    await using other = await serveHttp((_, response) => response.end())
    await using server = await serveHttp((_, response) => response.writeHead(307, { Location: `${other.url}/mcp` }).end())
    await using host = await hostWith({ mcpServers: { weather: { url: server.url } } })
    await expect(host.eval('(call :stream.await (mcp-stream "tool:watch" {} (fn [s c m] {}) nil))')).rejects.toThrow(
      `127.0.0.1:${other.port}`
    )
    expect(other.requests.length).toBe(0)
  })

  it.each([
    [{ weather: {} }, "must have either url or command"],
    [{ weather: { url: "ftp://x" } }, "http:// or https://"],
    [{ weather: { url: "http://u:p@x" } }, "can't have credentials"],
    [{ weather: { url: "http://x", comand: "y" } }, "mcpServers.weather.comand"],
    [{ "a b": { url: "http://x" } }, "must be named"]
  ])("refuses wrong servers when the host starts (%j)", async (mcpServers, message) => {
    await expect(hostWith({ mcpServers })).rejects.toThrow(message)
  })
})

describe("a server as a process", () => {
  it.each([
    ["/no/such/command", [], "its command can't be started (ENOENT)"],
    ["true", [], "the connection could not be made"],
    ["cat", [], "the connection could not be made"]
  ])("that is none (%s) is a failure that says so", async (command, args, message) => {
    await using host = await hostWith({ mcpServers: { weather: { command, args } } })
    const failure = host.run('(call :mcp.stream.start {:endpoint "tool:x" :timeout 200})')
    await expect(failure).rejects.toThrow(message)
  })
})

describe("the outputs of an MCP stream", () => {
  it("have one consumer at a time, keep the last 32 before it, and count what made way", async () => {
    await using server = await serveWeather()
    await using host = await hostWith({ mcpServers: { weather: { url: server.url } } })
    const value = (await host.eval(`
      (def h (mcp-stream "tool:weather.count" {:count 40} (fn [s c m] {:output (:n c)}) nil))
      (call :stream.await h)
      (def first (call :stream.await (call :stream.to-collection h)))
      {:first first :stats (:stats (call :mcp.stream.inspect h))}`)) as any
    expect(value.first.length).toBe(32)
    expect(value.first.at(-2)).toBe(40)
    expect(value.stats).toMatchObject({ "outputs-dropped": 9, "outputs-given": 32 })
    await expect(
      host.eval(`
        (def h (mcp-stream "tool:weather.count" {:count 1000 :delayMs 5} (fn [s c m] {:output (:n c)}) nil))
        (call :stream.for-each h {:callback (fn [x] x)})
        (call :ccos.thread.sleep 20)
        (call :stream.await (call :stream.to-collection h))`)
    ).rejects.toThrow("have a consumer")
  })

  it("end with the error of their stream", async () => {
    await using server = await serveWeather()
    await using host = await hostWith({ mcpServers: { weather: { url: server.url } } })
    const value = (await host.eval(`
      (def h (mcp-stream "tool:weather.count" {:count 5} (fn [s c m] (if (= (:n c) 3) {:action :nonsense} {:output (:n c)})) nil))
      (def seen [])
      (def message (try (call :stream.await (call :stream.to-collection h)) (catch e (:message e))))
      message`)) as any
    expect(value).toContain("unknown action :nonsense")
  })
})

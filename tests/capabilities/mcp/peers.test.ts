import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { serveFixture } from "../../drivers/conformance-server.ts"
import { serveHttp } from "../network/servers.ts"
import { hostWith, serveEverything, serveSessions, stdioServer } from "./mcpServers.ts"
import { reading } from "./weatherServer.ts"

describe("a resource of a server of 2025 over HTTP", () => {
  const following = (most: number) => `
    (def h (mcp-stream {:server "weather" :resource "weather://paris"}
      (fn [s c m] (let [t (:temperature c)] (do (if (< t ${most}) (change (inc t)) nil) {:state (conj s t) :action (if (= t ${most}) :complete :continue)}))) []))
    {:seen (call :stream.await h) :era (:era (:resolved (call :mcp.stream.inspect h)))}`

  it("is subscribed to, and read again after each change that it is told of", async () => {
    await using server = await serveSessions()
    const change = (temperature: number) => {
      reading.temperature = temperature
      server.changed("weather://paris")
    }
    await using host = await hostWith({ mcpServers: { weather: { url: server.url } }, bindings: { change } })
    reading.temperature = 20
    expect(await host.eval(following(24))).toEqual({ seen: [20, 21, 22, 23, 24], era: "2025-11-25" })
    expect(server.heard).toContain("subscribed weather://paris")
  })

  it("is not missed where it changes before the server can tell of it", async () => {
    await using server = await serveSessions()
    // What is told before the stream of notices stands is lost at the server.
    const release = server.holdNotices()
    const change = (temperature: number) => {
      reading.temperature = temperature
      server.changed("weather://paris")
      release()
    }
    await using host = await hostWith({ mcpServers: { weather: { url: server.url } }, bindings: { change } })
    reading.temperature = 20
    expect(await host.eval(following(21))).toMatchObject({ seen: [20, 21] })
  })
})

describe("a tool that asks for input", () => {
  const reasonOf = async (url: string, tool: string): Promise<unknown> => {
    await using host = await hostWith({ mcpServers: { asking: { url } } })
    const reason = await host.eval(
      `(try (call :stream.await (mcp-stream "tool:${tool}" {} (fn [s c m] {}) nil)) (catch e (:reason (:data e))))`
    )
    return (reason as { readonly name: string }).name
  }

  it("ends the stream with :input-required where the server refuses clients that nobody can be asked through", async () => {
    await using fixture = await serveFixture()
    expect(await reasonOf(fixture.url, "test_input_required_result_elicitation")).toBe("input-required")
    expect(await reasonOf(fixture.url, "test_error_handling")).toBe("tool")
  })

  it("ends the stream with :input-required where the server asks all the same", async () => {
    const results: Readonly<Record<string, object>> = {
      "server/discover": { supportedVersions: ["2026-07-28"], capabilities: { tools: {} }, ttlMs: 0, cacheScope: "private" },
      "tools/list": { tools: [{ name: "ask", inputSchema: { type: "object" } }], ttlMs: 0, cacheScope: "private" },
      "tools/call": {
        resultType: "input_required",
        inputRequests: {
          name: { method: "elicitation/create", params: { message: "Who?", requestedSchema: { type: "object", properties: {} } } }
        }
      }
    }
    await using server = await serveHttp((request, response) => {
      let text = ""
      request.setEncoding("utf8").on("data", (piece: string) => (text += piece))
      request.on("end", () => {
        const { id, method } = JSON.parse(text === "" ? "{}" : text) as { readonly id?: unknown; readonly method?: string }
        const result = { resultType: "complete", ...results[method ?? ""] }
        response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify({ jsonrpc: "2.0", id, result }))
      })
    })
    expect(await reasonOf(`${server.url}/mcp`, "ask")).toBe("input-required")
  })
})

describe("a server as a process of its own time", () => {
  it("is asked again in its own words when it ends itself at the first question; its last report comes before the result", async () => {
    const abrupt = { command: process.execPath, args: [new URL("./abruptStdio.ts", import.meta.url).pathname] }
    await using host = await hostWith({ mcpServers: { abrupt } })
    for (let times = 0; times < 3; times++) {
      const value = (await host.eval(`
        (def h (mcp-stream "tool:count" {} (fn [s c m] {:state (conj s (if (map? c) (:progress c) c))}) []))
        {:seen (call :stream.await h) :resolved (:resolved (call :mcp.stream.inspect h))}`)) as any
      expect(value.seen).toEqual([1, 2, 3, "done"])
      expect(value.resolved).toMatchObject({ era: "2025-11-25" })
    }
  })

  it.each(["serve", "reject"])("hears of a cancellation (%s)", async (legacy) => {
    const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-mcp-"))
    try {
      const file = join(folder, "heard")
      await using host = await hostWith({ mcpServers: { weather: stdioServer(legacy, file) } })
      await host.eval(`
        (call :stream.await (mcp-stream "tool:weather.count" {:count 1000 :delayMs 5} (fn [s c m] {:action (if (= (:n c) 3) :complete :continue)}) nil))`)
      await expect.poll(() => readFileSync(file, "utf8")).toContain("cancelled")
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})

describe("a default server whose path ends in /sse", () => {
  const named = `
    (def h (mcp-stream "weather.monitor.v1" (fn [s c m] {:state (conj s c)}) []))
    {:seen (call :stream.await h) :resolved (:resolved (call :mcp.stream.inspect h))}`

  it.each([
    ["gives an event that is no endpoint", "event: chunk\ndata: 0\n\n"],
    ["says nothing but that it lives", ": here\n\n"]
  ])("is a raw feed below which names are addresses, where it %s", async (_, first) => {
    await using server = await serveHttp((request, response) => {
      if (request.method !== "GET") return response.writeHead(405).end()
      response.writeHead(200, { "Content-Type": "text/event-stream" })
      return request.url === "/sse" ? response.write(first) : response.end("data: 1\n\ndata: 2\n\n")
    })
    await using host = await hostWith({ mcpServers: { feed: { url: `${server.url}/sse` } } })
    const value = (await host.eval(named)) as any
    expect(value.seen).toEqual([1, 2])
    expect(value.resolved).toMatchObject({ transport: { name: "raw-sse" }, url: `${server.url}/sse/weather.monitor.v1` })
    expect(value.resolved.by.name).toBe("server-base")
  })

  it("is a server of 2024 where the first event is its endpoint", async () => {
    await using server = await serveEverything("sse")
    await using host = await hostWith({ mcpServers: { everything: { url: server.url } } })
    const value = (await host.eval(`
      (def h (call :mcp.stream.start {:endpoint "echo" :config {:message "hello"} :processor (fn [s c m] {:state c})}))
      {:seen (call :stream.await h) :resolved (:resolved (call :mcp.stream.inspect h))}`)) as any
    expect(value.seen).toBe("Echo: hello")
    expect([value.resolved.by.name, value.resolved.transport.name]).toEqual(["tool-name", "sse"])
  })
})

describe("the connections of a raw feed", () => {
  it("may break any number of times, as long as each brings something", async () => {
    await using server = await serveHttp((request, response) => {
      const from = Number(request.headers["last-event-id"] ?? 0)
      response.writeHead(200, { "Content-Type": "text/event-stream" })
      if (from === 8) return response.end("data: 9\n\n")
      return response.write(`retry: 1\nid: ${from + 1}\ndata: ${from + 1}\n\n`, () => response.socket!.end())
    })
    await using host = await hostWith({ policy: { net: [`127.0.0.1:${server.port}`] } })
    const value = await host.eval(`
      (call :stream.await (mcp-stream "${server.url}/feed" (fn [s c m] {:state (conj s c)}) []))`)
    expect(value).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
  })
})

import { describe, expect, it } from "vitest"
import { everythingServer, hostWith, serveEverything, serveSessions, serveWeather, stdioServer } from "./mcpServers.ts"
import { reading } from "./weatherServer.ts"

const counting = (options = "{:count 5}", endpoint = '"tool:weather.count"') => `
  (defn note [state chunk metadata] {:state (inc state) :output {:kind (:kind metadata) :chunk chunk}})
  (def h (mcp-stream ${endpoint} ${options} note 0))
  (def seen (call :stream.await (call :stream.to-collection h)))
  {:state (call :stream.await h) :seen seen :inspect (call :mcp.stream.inspect {:stream-id h})}`

const fiveAndResult = [{ n: 1 }, { n: 2 }, { n: 3 }, { n: 4 }, { n: 5 }, { done: 5 }]

const chunksOf = (value: any): ReadonlyArray<unknown> => value.seen.map(({ chunk }: any) => chunk)

/** Waits, in the program, until something is so. */
const until = (condition: string): string => `(loop [] (if ${condition} nil (do (call :ccos.thread.sleep 1) (recur))))`

describe("mcp.stream.start with a tool", () => {
  it("streams progress and the result over HTTP in the era 2026-07-28", async () => {
    await using server = await serveWeather({ legacy: "reject" })
    await using host = await hostWith({ mcpServers: { weather: { url: server.url } } })
    const value = (await host.eval(counting())) as any
    expect(chunksOf(value)).toEqual(fiveAndResult)
    expect(value.seen.map(({ kind }: any) => kind.name)).toEqual(["progress", "progress", "progress", "progress", "progress", "result"])
    expect(value.state).toBe(6)
    expect(value.inspect.resolved).toMatchObject({ era: "2026-07-28", server: "weather", tool: "weather.count" })
  })

  it("streams over HTTP in the era 2025-11-25, and goes on by Last-Event-ID after a break", async () => {
    await using server = await serveSessions()
    await using host = await hostWith({ mcpServers: { weather: { url: server.url } } })
    const value = (await host.eval(counting())) as any
    expect(chunksOf(value)).toEqual(fiveAndResult)
    expect(value.inspect.resolved).toMatchObject({ era: "2025-11-25" })
    expect(server.heard.at(-1)).toBe("DELETE")
    server.breakNextAfter(3)
    expect(chunksOf(await host.eval(counting("{:count 5 :delayMs 20}")))).toEqual(fiveAndResult)
    expect(server.heard).toContain("GET again")
    expect(server.heard.filter((line) => line === "called").length).toBe(2)
  })

  it.each([
    ["reject", "2026-07-28"],
    ["serve", "2026-07-28"]
  ])("streams over stdio (%s)", async (legacy, era) => {
    await using host = await hostWith({ mcpServers: { weather: stdioServer(legacy) } })
    const value = (await host.eval(counting())) as any
    expect(chunksOf(value)).toEqual(fiveAndResult)
    expect(value.inspect.resolved).toMatchObject({ era })
  })

  it("finds a tool or a resource by its bare name, and says what there is otherwise", async () => {
    await using server = await serveWeather()
    await using host = await hostWith({
      mcpServers: { weather: { url: server.url } },
      mcpEndpoints: { "weather.monitor.v1": { server: "weather", tool: "weather.count" } }
    })
    const named = (await host.eval(counting("{:count 5}", '"weather.count"'))) as any
    expect(chunksOf(named)).toEqual(fiveAndResult)
    expect(named.inspect.resolved.by.name).toBe("tool-name")
    const catalogued = (await host.eval(counting("{:count 5}", "weather.monitor.v1"))) as any
    expect(catalogued.inspect.resolved.by.name).toBe("catalogue")
    await expect(host.eval(counting("{}", '"weather.nothing"'))).rejects.toThrow(
      "It has the tools weather.count, weather.broken and the resources weather://paris"
    )
  })

  it("ends with the error that a tool reports, behind its chunk", async () => {
    await using server = await serveWeather()
    await using host = await hostWith({ mcpServers: { weather: { url: server.url } } })
    const value = (await host.eval(`
      (def h (mcp-stream "tool:weather.broken" {} (fn [s c m] {:state [(:kind m) c]}) nil))
      {:error (try (call :stream.await h) (catch e (:message e))) :state (:current-state (call :mcp.stream.inspect h))}`)) as any
    expect(value.state).toEqual([expect.objectContaining({ name: "error" }), "no such city"])
    expect(value.error).toContain("the tool reported an error: no such city")
    expect(
      await host.eval(`(call :stream.await (mcp-stream "tool:weather.broken" {} (fn [s c m] {:state c :action :complete}) nil))`)
    ).toBe("no such city")
    await expect(host.eval(counting('{:count "many"}'))).rejects.toThrow("data/count must be integer")
    await expect(host.eval(counting("{}", '"tool:weather.nothing"'))).rejects.toThrow("Check the name of the tool")
  })

  it("cancels the call at the peer when the processor is done before it", async () => {
    await using server = await serveWeather()
    await using host = await hostWith({ mcpServers: { weather: { url: server.url } } })
    const state = await host.eval(`
      (call :stream.await (mcp-stream "tool:weather.count" {:count 1000 :delayMs 5} (fn [s c m] {:state c :action (if (= (:n c) 3) :complete :continue)})))`)
    expect(state).toEqual({ n: 3 })
    await expect.poll(() => server.heard).toContain("cancelled")
  })

  it("tells a server of 2025 of the cancellation before it says goodbye", async () => {
    await using server = await serveSessions()
    await using host = await hostWith({ mcpServers: { weather: { url: server.url } } })
    await host.eval(`
      (call :stream.await (mcp-stream "tool:weather.count" {:count 1000 :delayMs 5} (fn [s c m] {:action (if (= (:n c) 3) :complete :continue)}) nil))`)
    await expect.poll(() => server.heard).toContain("cancelled")
    expect(server.heard).toContain("DELETE")
  })

  it("makes an error of an answer that breaks off, and calls only harmless tools again", async () => {
    await using server = await serveWeather({ legacy: "reject" })
    await using host = await hostWith({ mcpServers: { weather: { url: server.url } }, bindings: { cut: () => server.cut() } })
    const call = (reissue: boolean) => `
      (def h (call :mcp.stream.start {:endpoint "tool:weather.count" :config {:count 4 :delayMs 20} :reissue ${reissue} :initial-state []
        :processor (fn [s c m] (do (if (= (count s) 1) (cut) nil) {:state (conj s c)}))}))
      (call :stream.await h)`
    await expect(host.eval(call(false))).rejects.toThrow("the answer of its tool broke off")
    expect(server.heard.filter((line) => line === "called").length).toBe(1)
    const chunks = (await host.eval(call(true))) as ReadonlyArray<unknown>
    expect(chunks.at(-1)).toEqual({ done: 4 })
    expect(server.heard.filter((line) => line === "called").length).toBe(3)
  })

  it.each(["http", "stdio"])("does not read a peer over %s while the queue is full, and then loses nothing", async (transport) => {
    await using server = await serveWeather()
    await using host = await hostWith({ mcpServers: { weather: transport === "http" ? { url: server.url } : stdioServer("serve") } })
    const value = (await host.eval(`
      (def h (call :mcp.stream.start {:endpoint "tool:weather.count" :config {:count 3000 :size 2000} :queue-capacity 8 :initial-state []
        :processor (fn [s c m] {:state (conj s (:n c)) :action (if (= (:n c) 2) :pause :continue)})}))
      ${until("(>= (:queued-chunks (:stats (call :mcp.stream.inspect h))) 8)")}
      (call :ccos.thread.sleep 50)
      (def full (:queued-chunks (:stats (call :mcp.stream.inspect {:stream-id h :include-queue false}))))
      (call :stream.resume h)
      {:full full :seen (call :stream.await h)}`)) as any
    expect(value.full).toBeLessThanOrEqual(12)
    expect(value.seen).toEqual([...Array.from({ length: 3000 }, (_, index) => index + 1), null])
  })
})

describe("mcp.stream.start with a resource", () => {
  it("gives what it holds, again after each change, and leaves out what was overtaken", async () => {
    await using server = await serveWeather()
    const change = (temperature: number) => {
      reading.temperature = temperature
      for (let times = 0; times < 5; times++) server.handler.notify.resourceUpdated("weather://paris")
    }
    await using host = await hostWith({ mcpServers: { weather: { url: server.url } }, bindings: { change } })
    reading.temperature = 20
    const state = (await host.eval(`
      (call :stream.await (mcp-stream {:server "weather" :resource "weather://paris"}
        (fn [s c m] (let [t (:temperature c)] (do (if (< t 23) (change (inc t)) nil) {:state (conj s t) :action (if (= t 23) :complete :continue)}))) []))`)) as ReadonlyArray<number>
    expect([...new Set(state)]).toEqual([20, 21, 22, 23])
    // Five notices of one change are read once, or twice where they came while it was being read.
    expect(state.length).toBeLessThanOrEqual(8)
  })

  it("tells of changes alone with :read false", async () => {
    await using server = await serveWeather()
    await using host = await hostWith({ mcpServers: { weather: { url: server.url } } })
    const started = host.eval(
      `(call :stream.await (mcp-stream "resource:weather://paris" {:read false} (fn [s c m] {:state c :action :complete}) nil))`
    )
    const timer = setInterval(() => server.handler.notify.resourceUpdated("weather://paris"), 10)
    expect(await started).toEqual({ uri: "weather://paris" })
    clearInterval(timer)
  })
})

describe("the reference server", () => {
  const longRunning = `
    (defn note [state chunk metadata] {:state (conj state (if (map? chunk) (:progress chunk) chunk))})
    (def h (mcp-stream "tool:trigger-long-running-operation" {:duration 0.05 :steps 5} note []))
    {:state (call :stream.await h) :resolved (:resolved (call :mcp.stream.inspect h))}`
  const expected = [1, 2, 3, 4, 5, "Long running operation completed. Duration: 0.05 seconds, Steps: 5."]

  it("streams over stdio, with its changes of resources", async () => {
    await using host = await hostWith({ mcpServers: { everything: everythingServer } })
    const value = (await host.eval(longRunning)) as any
    expect(value.state).toEqual(expected)
    expect(value.resolved).toMatchObject({ era: "2025-11-25" })
    expect(value.resolved.transport.name).toBe("stdio")
    const read = await host.eval(
      `(call :stream.await (mcp-stream "resource:demo://resource/dynamic/text/1" (fn [s c m] {:state c :action :complete})))`
    )
    expect(read).toEqual(expect.stringContaining("Resource 1"))
  })

  it.each([
    ["streamableHttp", "http"],
    ["sse", "sse"]
  ] as const)("streams over %s", async (transport, name) => {
    await using server = await serveEverything(transport)
    await using host = await hostWith({ mcpServers: { everything: { url: server.url } } })
    const value = (await host.eval(longRunning)) as any
    expect(value.state).toEqual(expected)
    expect(value.resolved.transport.name).toBe(name)
  })
})

import { mkdtempSync, rmSync } from "node:fs"
import type { IncomingMessage, ServerResponse } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { hostFor, serveHttp, type TestServer } from "../network/servers.ts"

/** A feed of events `n` with the ids 1, 2, …, that goes on behind `Last-Event-ID`. */
const feed = (values: ReadonlyArray<unknown>, options: { readonly end?: boolean; readonly cutAfter?: number } = {}): Promise<TestServer> =>
  serveHttp((request, response, ordinal) => {
    const from = Number(request.headers["last-event-id"] ?? 0)
    begin(response)
    const events = values.map((value, index) => `id: ${index + 1}\ndata: ${JSON.stringify(value)}\n\n`)
    if (ordinal === 1 && options.cutAfter !== undefined) {
      const { socket } = response
      return response.write(events.slice(0, options.cutAfter).join(""), () => socket!.end())
    }
    for (const event of events.slice(from)) response.write(event)
    if (options.end === true) response.end()
  })

const begin = (response: ServerResponse): void => {
  response.writeHead(200, { "Content-Type": "text/event-stream" })
  response.flushHeaders()
}

const start = (server: TestServer, rest: string): string => `(call :mcp.stream.start {:endpoint "${server.url}/feed" ${rest}})`

const numbers = (count: number): ReadonlyArray<unknown> => Array.from({ length: count }, (_, index) => ({ n: index + 1 }))

describe("mcp.stream.start", () => {
  it("hands chunks to the processor with its state, and completes when it says so", async () => {
    await using server = await feed(numbers(9))
    await using host = await hostFor([server])
    const value = (await host.eval(`
      (defn five [state chunk metadata]
        (let [seen (conj (:seen state) (:n chunk))]
          {:state {:seen seen :last metadata} :action (if (= (count seen) 5) :complete :continue)}))
      (def h (mcp-stream "${server.url}/feed" five {:seen []}))
      {:state (call :stream.await h) :status (call :stream.status h) :inspect (call :mcp.stream.inspect {:stream-id h})}`)) as any
    expect(value.state.seen).toEqual([1, 2, 3, 4, 5])
    expect(value.state.last).toMatchObject({ seq: 5, id: "5", origin: `${server.url}/feed` })
    expect(value.status.state.name).toBe("completed")
    expect(value.inspect).toMatchObject({
      processor: "five",
      stats: { "processed-chunks": 5 },
      "persistence-enabled": true,
      cursor: { seq: 5, "last-event-id": "5" }
    })
    expect(value.inspect.status.state.name).toBe("completed")
    expect(value.inspect.resolved.transport.name).toBe("raw-sse")
  })

  it("leaves the state alone where the processor gives none, and keeps count without a processor", async () => {
    await using server = await feed(numbers(3), { end: true })
    await using host = await hostFor([server])
    expect(await host.eval(`(call :stream.await ${start(server, ":processor (fn [s c m] {}) :initial-state 7")})`)).toBe(7)
    expect(await host.eval(`(call :stream.await ${start(server, "")})`)).toMatchObject({
      count: 3,
      "last-chunk": { n: 3 },
      messages: numbers(3)
    })
  })

  it("gives outputs on, each once and in order, however slow the consumer is", async () => {
    await using server = await feed(numbers(200), { end: true })
    const seen: Array<unknown> = []
    const slow = async (n: unknown) => {
      if (seen.length % 20 === 0) await new Promise((resolve) => setImmediate(resolve))
      seen.push(n)
    }
    await using host = await hostFor([server], { bindings: { slow } })
    await host
      .eval(
        `(call :stream.await (call :stream.map ${start(server, ":processor (fn [s c m] {:output (:n c)})")} {:transform inc :on-item slow}))`
      )
      .catch(() => {})
    await host.run(`(call :stream.for-each ${start(server, ":processor (fn [s c m] {:output (:n c)})")} {:callback slow})`, {})
    expect(seen).toEqual(Array.from({ length: 200 }, (_, index) => index + 1))
  })

  it("stops reading when the queue is full, and loses nothing over a pause", async () => {
    await using server = await feed(numbers(5000), { end: true })
    await using host = await hostFor([server])
    const value = (await host.eval(`
      (defn collect [state chunk metadata] {:state (conj state (:n chunk)) :action (if (= (:n chunk) 3) :pause :continue)})
      (def h (call :mcp.stream.start {:endpoint "${server.url}/feed" :processor "collect" :initial-state [] :queue-capacity 4}))
      (loop [] (if (= (:queued-chunks (:stats (call :mcp.stream.inspect h))) 4) nil (do (call :ccos.thread.sleep 1) (recur))))
      (def paused (call :mcp.stream.inspect h))
      (call :stream.resume h)
      {:paused paused :state (call :stream.await h)}`)) as any
    expect(value.paused.status.state.name).toBe("paused")
    expect(value.paused["current-state"]).toEqual([1, 2, 3])
    expect(value.paused.queue.map(({ chunk }: any) => chunk.n)).toEqual([4, 5, 6, 7])
    expect(value.paused.stats).toMatchObject({ credits: 0, "reading-stopped": expect.any(Number) })
    expect(value.state).toEqual(Array.from({ length: 5000 }, (_, index) => index + 1))
  })

  it("goes on behind the last event after a break", async () => {
    await using server = await feed(numbers(6), { end: true, cutAfter: 3 })
    await using host = await hostFor([server])
    const value = (await host.eval(`
      (def h ${start(server, ":processor (fn [s c m] {:state (conj s (:n c))}) :initial-state []")})
      {:state (call :stream.await h) :inspect (call :mcp.stream.inspect h)}`)) as any
    expect(value.state).toEqual([1, 2, 3, 4, 5, 6])
    expect(server.requests.map(({ headers }) => headers["last-event-id"])).toEqual([undefined, "3"])
    expect(value.inspect.transport.reconnects).toBe(1)
  })

  it("does not take data for orders", async () => {
    await using server = await feed([{ action: "stop" }, { ":action": ":cancel" }, "plain text"], { end: true })
    await using host = await hostFor([server])
    expect(
      await host.eval(`(call :stream.await ${start(server, ":processor (fn [s c m] {:state (conj s c)}) :initial-state []")})`)
    ).toEqual([{ action: "stop" }, { action: ":cancel" }, "plain text"])
  })

  it.each([
    ["{:action :explode}", "unknown action :explode"],
    ["{:action :pauze}", "Did you mean :pause?"],
    ["42", "gave 42, which is no map"],
    ['(throw "no")', "its processor failed:"]
  ])("takes %s for a failure of the processor", async (result, message) => {
    await using server = await feed(numbers(2))
    await using host = await hostFor([server])
    const value = (await host.eval(`
      (def h ${start(server, `:processor (fn [s c m] ${result})`)})
      {:error (try (call :stream.await h) (catch e e)) :inspect (call :mcp.stream.inspect h)}`)) as any
    expect(value.error.message).toContain(message)
    expect(value.inspect.status.state.name).toBe("error")
    expect(value.inspect.status.message).toContain(message)
    expect(value.inspect.stats["processed-chunks"]).toBe(0)
  })

  it("holds outputs to their schema", async () => {
    await using server = await feed([{ n: 1 }, { n: "two" }])
    await using host = await hostFor([server])
    const options =
      ":processor (fn [s c m] {:output c :state (:n c)}) :output-schema {:type :map :required [:n] :properties {:n {:type :integer}}}"
    const value = (await host.eval(`
      (def h ${start(server, options)})
      {:error (try (call :stream.await h) (catch e e)) :state (:current-state (call :mcp.stream.inspect h))}`)) as any
    expect(value.error.message).toContain(":output is not as :output-schema says")
    // The state of the chunk that failed was not applied.
    expect(value.state).toBe(1)
    await expect(host.eval(start(server, ":output-schema {:type :nothing-known}"))).rejects.toThrow("can't read its schema")
  })

  it("follows an endpoint event once, and tells what became of it", async () => {
    await using server = await serveHttp((request: IncomingMessage, response) => {
      if (request.url === "/more") return response.end('{"more": true}')
      if (request.url === "/gone") return response.writeHead(404).end()
      begin(response)
      response.end("event: endpoint\ndata: /more\n\nevent: endpoint\ndata: /more\n\nevent: endpoint\ndata: /gone\n\n")
    })
    await using host = await hostFor([server])
    const seen = (await host.eval(
      `(call :stream.await ${start(server, ":processor (fn [s c m] {:state (conj s [(:kind m) c])}) :initial-state []")})`
    )) as any
    expect(seen.map(([kind, chunk]: any) => [kind.name, chunk])).toEqual([
      ["sse", "/more"],
      ["follow-up", { more: true }],
      ["sse", "/more"],
      ["sse", "/gone"],
      ["follow-up-error", { target: `${server.url}/gone`, error: expect.stringContaining("404") }]
    ])
  })

  it("can be stopped and cancelled, and then takes nothing more", async () => {
    await using server = await feed(numbers(3))
    await using host = await hostFor([server])
    const value = (await host.eval(`
      (def h ${start(server, ":processor (fn [s c m] {:state (conj s (:n c)) :action (if (= (:n c) 2) :stop :continue)}) :initial-state []")})
      (def stopped {:state (call :stream.await h) :status (:state (call :stream.status h))})
      (def c ${start(server, ":processor (fn [s c m] {:action :cancel})")})
      (def cancelled (try (call :stream.await c) (catch e (:message e))))
      {:stopped stopped :cancelled cancelled :status (:state (call :stream.status c)) :inspect (:status (call :mcp.stream.inspect c))}`)) as any
    expect(value.stopped.state).toEqual([1, 2])
    expect(value.stopped.status.name).toBe("stopped")
    expect(value.cancelled).toContain("cancelled")
    expect(value.status.name).toBe("cancelled")
    expect(value.inspect.state.name).toBe("cancelled")
  })

  it("names what is wrong with a call", async () => {
    await using host = await hostFor([], { mcpServers: { one: { url: "http://127.0.0.1:1/mcp" }, two: { url: "http://127.0.0.1:1/mcp" } } })
    const refused = (options: string) => expect(host.eval(`(call :mcp.stream.start ${options})`)).rejects
    await refused("{}").toThrow("needs :endpoint")
    await refused("{:endpoint 7}").toThrow("as a text or a map")
    await refused('{:endpoint {:tool "a" :resource "b"}}').toThrow("must have one of")
    await refused('{:endpoint "tool:x"}').toThrow("this host has several servers (one, two)")
    await refused('{:endpoint "three/tool:x"}').toThrow('unknown MCP server "three"')
    await refused('{:endpoint "one/tool:x" :processor "nobody"}').toThrow("has no function nobody")
    await refused('{:endpoint "http://127.0.0.1:9/feed"}').toThrow("the network peer 127.0.0.1:9")
  })

  it("needs a grant", async () => {
    await using host = await hostFor([])
    await expect(host.eval('(call :mcp.stream.start {:endpoint "tool:x"})')).rejects.toThrow(":mcp.stream.start needs :mcp")
  })
})

describe("mcp.stream.inspect", () => {
  it("gives an error value for an unknown stream, and lists those that there are", async () => {
    await using server = await feed(numbers(1))
    await using host = await hostFor([server])
    const value = (await host.eval(`
      (def h ${start(server, ':stream-id "mine" :processor (fn [s c m] {:action :pause}) :initial-state {:a 1}')})
      {:unknown (call :mcp.stream.inspect {:stream-id "nobody"})
       :short (call :mcp.stream.inspect {:stream_id "mine" :include_state false :include-initial-state false :include-queue false})
       :all (call :mcp.stream.inspect {})
       :stopped (call :mcp.stream.stop {:stream-id "mine"})
       :after (call :mcp.stream.inspect {:stream-id "mine"})}`)) as any
    expect(value.unknown.message).toContain("knows no MCP stream nobody")
    expect(Object.keys(value.short)).not.toContain("current-state")
    expect(Object.keys(value.short)).not.toContain("queue")
    expect(value.all).toMatchObject({ total: 1, streams: [{ "stream-id": "mine", "initial-state": { a: 1 } }] })
    expect(value.stopped).toEqual({ a: 1 })
    expect(value.after.type.name).toBe("unknown-stream")
  })
})

describe("mcp.stream.stop", () => {
  it("forgets a stream whether it runs, has ended or has failed", async () => {
    await using server = await feed(numbers(2))
    await using host = await hostFor([server])
    const stopped = async (processor: string, awaited: boolean) =>
      (await host.eval(`
        (def h ${start(server, `:stream-id "mine" :initial-state 7 :processor ${processor}`)})
        ${awaited ? "(try (call :stream.await h) (catch e nil))" : ""}
        {:stopped (call :mcp.stream.stop {:stream-id "mine"})
         :resumed (try (call :mcp.stream.resume {:stream-id "mine"}) (catch e (:message e)))
         :total (:total (call :mcp.stream.inspect {}))}`)) as any
    for (const [processor, awaited] of [
      ["(fn [s c m] {:action :pause})", false],
      ["(fn [s c m] {:action :complete})", true],
      ["(fn [s c m] {:action :nonsense})", true]
    ] as const) {
      expect(await stopped(processor, awaited)).toEqual({
        stopped: 7,
        resumed: expect.stringContaining("keeps no snapshot of it"),
        total: 0
      })
    }
  })
})

describe("mcp.stream.resume", () => {
  const inFolder = async (use: (dataDir: string) => Promise<void>): Promise<void> => {
    const dataDir = mkdtempSync(join(tmpdir(), "rtfs-mcp-"))
    try {
      await use(dataDir)
    } finally {
      rmSync(dataDir, { recursive: true })
    }
  }

  it("goes on in another host with the state, the cursor and the processor that was written out", () =>
    inFolder(async (dataDir) => {
      await using server = await feed(numbers(7))
      const first = await hostFor([server], { dataDir })
      const factor = 3
      await first.eval(`
        (def factor ${factor})
        (def h ${start(server, ':stream-id "mine" :initial-state [] :processor (fn [s c m] {:state (conj s (* factor (:n c))) :action (if (= (count s) 3) :pause (if (= (count s) 6) :complete :continue))})')})
        (loop [] (if (= :paused (:state (call :stream.status h))) nil (do (call :ccos.thread.sleep 1) (recur))))`)
      await first[Symbol.asyncDispose]()
      await using second = await hostFor([server], { dataDir })
      const value = (await second.eval(`
        (def h (call :mcp.stream.resume {:stream-id "mine"}))
        (def before (call :mcp.stream.inspect h))
        (call :stream.resume h)
        {:before before :state (call :stream.await h)}`)) as any
      expect(value.before.status.state.name).toBe("paused")
      expect(value.before["current-state"]).toEqual([3, 6, 9, 12])
      expect(value.state).toEqual([3, 6, 9, 12, 15, 18, 21])
      expect(server.requests.at(-1)!.headers["last-event-id"]).toBe("4")
    }))

  it("finds a processor by its name, keeps an end an end, and knows what it does not know", () =>
    inFolder(async (dataDir) => {
      await using server = await feed(numbers(2), { end: true })
      const count = "(defn tally [s c m] {:state (inc s)})"
      const first = await hostFor([server], { dataDir })
      await first.eval(
        `${count} (call :stream.await (call :mcp.stream.start {:endpoint "${server.url}/feed" :stream-id "done" :processor "tally" :initial-state 0}))`
      )
      await first[Symbol.asyncDispose]()
      await using second = await hostFor([server], { dataDir })
      await expect(second.eval('(call :mcp.stream.resume {:stream-id "done"})')).rejects.toThrow("has no function tally")
      expect(await second.eval(`${count} (call :stream.await (call :mcp.stream.resume {:stream-id "done"}))`)).toBe(2)
      expect(server.requests.length).toBe(1)
      await expect(second.eval('(call :mcp.stream.resume {:stream-id "other"})')).rejects.toThrow("keeps no snapshot of it")
    }))

  it("finds nothing of a stream that another process has stopped without going on with it", () =>
    inFolder(async (dataDir) => {
      await using server = await feed(numbers(2), { end: true })
      const first = await hostFor([server], { dataDir })
      const counted = '{:stream-id "done" :processor (fn [s c m] {:state (inc s)}) :initial-state 0}'
      await first.eval(`(call :stream.await (call :mcp.stream.start (assoc ${counted} :endpoint "${server.url}/feed")))`)
      await first[Symbol.asyncDispose]()
      await using second = await hostFor([server], { dataDir })
      expect(await second.eval('(call :mcp.stream.stop {:stream-id "done"})')).toBe(2)
      await expect(second.eval('(call :mcp.stream.resume {:stream-id "done"})')).rejects.toThrow("keeps no snapshot of it")
      expect(await second.eval('(:type (call :mcp.stream.stop {:stream-id "done"}))')).toMatchObject({ name: "unknown-stream" })
    }))
})

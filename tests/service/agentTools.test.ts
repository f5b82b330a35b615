import { Client, InMemoryTransport } from "@modelcontextprotocol/client"
import { afterEach, describe, expect, it, vi } from "vitest"
import { makeServer } from "../../src/service/mcp/makeServer.ts"
import { streamOffer } from "../../src/service/mcp/streamOffer.ts"
import { toolSchemas } from "../../src/service/mcp/toolSchemas.ts"
import { serveWeather } from "../capabilities/mcp/mcpServers.ts"
import { AgentHost, counting, silent } from "./agentHost.ts"

let agent: AgentHost
afterEach(async () => {
  vi.useRealTimers()
  await agent[Symbol.asyncDispose]()
})

const isCompleted = ({ state }: { readonly state: string }): boolean => state === "completed"
const countOf = (count: number) => ({ endpoint: "tool:weather.count", config: { count } })

describe("a stream of an MCP endpoint", () => {
  const withWeather = async () => {
    const server = await serveWeather()
    agent = await AgentHost.start({ mcpServers: { weather: { url: server.url } } })
    return server
  }

  it("gives a tool its arguments, and its chunks to a processor with a state", async () => {
    await using _server = await withWeather()
    const { stream_id } = await agent.call("stream_start", {
      ...countOf(4),
      processor:
        "(fn [sum chunk metadata] (if (= :progress (:kind metadata)) {:state (+ sum (:n chunk)) :output {:sum (+ sum (:n chunk)) :at (:progress metadata)}} {}))",
      initial_state: 100
    })
    expect(await agent.items(stream_id)).toEqual([
      { sum: 101, at: 1 },
      { sum: 103, at: 2 },
      { sum: 106, at: 3 },
      { sum: 110, at: 4 }
    ])
    const chunks = await agent.items(stream_id, { from: "chunks" })
    expect(chunks.map(({ chunk }) => chunk)).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }, { n: 4 }, expect.anything()])
    expect(chunks.map(({ metadata }) => metadata.kind)).toEqual([":progress", ":progress", ":progress", ":progress", ":result"])
    const { items } = await agent.call("stream_read", { stream_id, from: "chunks", tail: 2 })
    expect(items.map(({ seq }: any) => seq)).toEqual([4, 5])
    const inspected = await agent.call("stream_inspect", { stream_id, include_state: true })
    expect(inspected.processor_state).toBe(110)
    expect(inspected.resolved).toMatchObject({ server: "weather", tool: "weather.count" })
    expect((await agent.call("stream_inspect", { stream_id })).processor_state).toBeUndefined()
  })

  it("takes processors with fewer parameters, with types, by name, and with a comment at the end", async () => {
    await using _server = await withWeather()
    for (const processor of [
      "(fn [state chunk] {:state (inc state) :output (:n chunk)})",
      "(fn [state : int chunk : any metadata : any] {:state (inc state) :output (:n chunk)}) ; done",
      "(let [step (fn [state chunk & more] {:state (inc state) :output (:n chunk)})] step)"
    ]) {
      const { stream_id } = await agent.call("stream_start", { ...countOf(2), processor, initial_state: 0 })
      expect(await agent.items(stream_id)).toEqual([1, 2, null])
      expect((await agent.call("stream_inspect", { stream_id, include_state: true })).processor_state).toBe(3)
    }
    await expect(agent.call("stream_start", { ...countOf(2), processor: "(fn [s c m] {}) (fn [] 1)" })).rejects.toThrow("2 expressions")
  })

  it("stays paused by its processor until stream_resume, and ends by its word", async () => {
    await using _server = await withWeather()
    const { stream_id } = await agent.call("stream_start", {
      ...countOf(5),
      processor: "(fn [n chunk metadata] {:state (inc n) :output (:n chunk) :action (if (= n 1) :pause (if (= n 3) :stop :continue))})",
      initial_state: 0
    })
    expect(await agent.items(stream_id, { most: 2 })).toEqual([1, 2])
    const inspected = await agent.inspectUntil(stream_id, ({ queue }) => queue.length === 4, { include_queue: true })
    expect(inspected.state).toBe("paused")
    expect(inspected.queue.map(({ chunk }: any) => chunk.n)).toEqual([3, 4, 5, undefined])
    await agent.call("stream_resume", { stream_id, reason: "go on" })
    expect(await agent.items(stream_id)).toEqual([1, 2, 3, 4])
  })

  it("waits where nobody reads, or forgets the oldest", async () => {
    await using server = await withWeather()
    const waiting = await agent.call("stream_start", { ...countOf(300), queue_capacity: 3, overflow: "wait" })
    expect(waiting.items).toBeLessThanOrEqual(3)
    const dropping = await agent.call("stream_start", { ...countOf(300), queue_capacity: 3, overflow: "drop-oldest" })
    const last = await agent.inspectUntil(dropping.stream_id, isCompleted)
    expect(last).toMatchObject({ items: 301, queued: 3, dropped: 298 })
    expect(await agent.items(waiting.stream_id)).toHaveLength(301)
    expect(server.heard.filter((line) => line === "called")).toHaveLength(2)
  })

  it("cuts what inspect shows of a long state", async () => {
    await using _server = await withWeather()
    const { stream_id } = await agent.call("stream_start", {
      endpoint: "tool:weather.count",
      config: { count: 3, size: 5000 },
      processor: "(fn [all chunk metadata] {:state (conj all chunk)})",
      initial_state: []
    })
    await agent.inspectUntil(stream_id, isCompleted)
    const { processor_state, ...rest } = await agent.call("stream_inspect", { stream_id, include_state: true, include_queue: true })
    expect(processor_state).toMatchObject({ truncated: true, size: expect.any(Number) })
    expect(processor_state.size).toBeGreaterThan(15_000)
    expect(JSON.stringify([processor_state, rest]).length).toBeLessThan(20_000)
  })

  it("says what is wrong with an endpoint, a processor and arguments", async () => {
    await using _server = await withWeather()
    const broken = await agent.call("stream_start", { endpoint: "tool:weather.broken" })
    expect((await agent.items(broken.stream_id)).length).toBeGreaterThan(0)
    // What shows itself soon is the answer of `stream_start`; on a busy machine the stream has failed a moment later.
    const whyItFails = (args: object): Promise<string> =>
      agent.call("stream_start", args).then(
        async ({ stream_id }) => (await agent.inspectUntil(stream_id, ({ state }) => state === "failed")).error,
        (error: Error) => error.message
      )
    expect(await whyItFails({ endpoint: "tool:weather.nothing" })).toContain("weather.nothing not found")
    expect(await whyItFails({ ...countOf(1), processor: "(fn [s c m] :x)" })).toContain("no map")
    expect(await whyItFails({ ...countOf(1), processor: "(fn [s c m] {:action :contine})" })).toContain(":continue")
    await expect(agent.call("stream_start", { ...countOf(1), processor: "(fn [s c m]" })).rejects.toThrow("never closed")
    await expect(agent.call("stream_start", { rtfs: counting, initial_state: 1 })).rejects.toThrow("belong to an endpoint")
    const plain = await agent.call("stream_start", { rtfs: counting })
    await expect(agent.call("stream_read", { stream_id: plain.stream_id, from: "chunks" })).rejects.toThrow("only those of MCP endpoints")
  })
})

describe("the tools", () => {
  it("show why a stream was paused or resumed, and by default no state and no queue", async () => {
    agent = await AgentHost.start()
    const { stream_id } = await agent.call("stream_start", { rtfs: counting, queue_capacity: 5 })
    await agent.call("stream_pause", { stream_id, reason: "too fast" })
    const paused = await agent.call("stream_inspect", { stream_id })
    expect(paused).toMatchObject({ state: "paused", last_asked: { action: "pause", reason: "too fast", at: agent.time } })
    expect(paused.parts[0].actors).toBeUndefined()
    expect((await agent.call("stream_inspect", { stream_id, include_queue: true })).parts[0].actors.length).toBeGreaterThan(0)
    await agent.call("stream_resume", { stream_id })
    expect((await agent.call("stream_inspect", { stream_id })).last_asked).toEqual({ action: "resume", at: agent.time })
  })

  it("read the tail, in both bounds, and never more than asked", async () => {
    agent = await AgentHost.start()
    const { stream_id } = await agent.call("stream_start", { rtfs: "(call :stream.map (range 1 200) {:transform identity})" })
    await agent.inspectUntil(stream_id, isCompleted)
    const seqs = async (args: object) => (await agent.call("stream_read", { stream_id, ...args })).items.map(({ value }: any) => value)
    expect(await seqs({ tail: 3 })).toEqual([197, 198, 199])
    expect(await seqs({ tail: 30, max_items: 2 })).toEqual([198, 199])
    expect(await seqs({ tail: 25 })).toHaveLength(25)
    expect(await seqs({})).toHaveLength(20)
    await expect(agent.call("stream_read", { stream_id, tail: 3, cursor: "x" })).rejects.toThrow("one of them")
    const chars = await agent.call("stream_read", { stream_id, max_items: 50, max_chars: 100 })
    expect(chars.items.map(({ value }: any) => String(value)).join("").length).toBeLessThanOrEqual(100)
    expect(chars.more).toBe(true)
  })

  it("tell who waits that the call goes on, until there is an item or the time is up", async () => {
    agent = await AgentHost.start()
    const { stream_id } = await agent.call("stream_start", { rtfs: silent })
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] })
    const told: Array<[number, number | undefined]> = []
    const reading = agent.call(
      "stream_read",
      { stream_id, wait_ms: 7000 },
      { progress: async (done, total) => void told.push([done, total]) }
    )
    await vi.advanceTimersByTimeAsync(7000)
    expect((await reading).items).toEqual([])
    expect(told).toEqual([
      [2000, 7000],
      [4000, 7000],
      [6000, 7000]
    ])
    await vi.advanceTimersByTimeAsync(10_000)
    expect(told).toHaveLength(3)
  })

  it("tell so only who has asked for it with a token", async () => {
    agent = await AgentHost.start()
    const { stream_id } = await agent.call("stream_start", { rtfs: silent })
    const served = { era: "legacy", principal: "owner", subscriptions: undefined } as const
    const server = makeServer(streamOffer({ streams: agent.streams, host: agent.host, version: "1" }), served)
    const client = new Client({ name: "test", version: "1" })
    const [there, here] = InMemoryTransport.createLinkedPair()
    await Promise.all([server.connect(there), client.connect(here)])
    const seen: Array<unknown> = []
    here.onmessage = new Proxy(here.onmessage!, {
      apply: (tell, self, args) => {
        seen.push((args[0] as { method?: string }).method)
        return Reflect.apply(tell, self, args)
      }
    })
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] })
    const told: Array<unknown> = []
    const asked = { name: "stream_read", arguments: { stream_id, wait_ms: 3000 } }
    const [withToken, without] = [client.callTool(asked, { onprogress: (progress) => void told.push(progress) }), client.callTool(asked)]
    await vi.advanceTimersByTimeAsync(3000)
    await Promise.all([withToken, without])
    expect(told).toEqual([{ progress: 2000, total: 3000, message: `${stream_id} is running; no new item yet` }])
    expect(seen.filter((method) => method === "notifications/progress")).toHaveLength(1)
    await client.close()
  })

  it("page through a list while streams come and go", async () => {
    agent = await AgentHost.start()
    const ids: Array<string> = []
    for (let index = 0; index < 60; index++) ids.push((await agent.call("stream_start", { rtfs: `[${index}]` })).stream_id)
    const first = await agent.call("stream_list")
    expect(first.streams.map(({ stream_id }: any) => stream_id)).toEqual(ids.slice(10).toReversed())
    await agent.call("stream_start", { rtfs: "[99]" })
    const second = await agent.call("stream_list", { cursor: first.next_cursor })
    expect(second.streams.map(({ stream_id }: any) => stream_id)).toEqual(ids.slice(0, 10).toReversed())
    expect(second.next_cursor).toBeUndefined()
    expect((await agent.call("stream_list", { state: "running" })).streams).toEqual([])
    await expect(agent.call("stream_list", { cursor: "-1" })).rejects.toThrow("Call again without a cursor")
    const sources = await agent.call("stream_sources", { limit: 3 })
    expect(sources.sources).toHaveLength(3)
    const next = await agent.call("stream_sources", { limit: 3, cursor: sources.next_cursor })
    expect(next.sources[0].endpoint).not.toBe(sources.sources[0].endpoint)
  })

  it("have a description for each argument", () => {
    for (const { properties } of Object.values(toolSchemas))
      for (const property of Object.values(properties)) expect(property).toMatchObject({ description: expect.stringMatching(/./) })
  })
})

describe("a stream that nobody asks about", () => {
  it("is cancelled and forgotten after its ttl_s, by the server's own sweep; one that is waited for is not", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] })
    agent = await AgentHost.start()
    const [idle, asked, waited] = [
      await agent.call("stream_start", { rtfs: counting, ttl_s: 10 }),
      await agent.call("stream_start", { rtfs: counting, ttl_s: 10 }),
      await agent.call("stream_start", { rtfs: silent, ttl_s: 1 })
    ]
    const gone = new AbortController()
    const reading = agent.call("stream_read", { stream_id: waited.stream_id, wait_ms: 20_000 }, { signal: gone.signal })
    agent.time += 9000
    vi.advanceTimersByTime(1000)
    await agent.call("stream_inspect", { stream_id: asked.stream_id })
    agent.time += 2000
    vi.advanceTimersByTime(1000)
    const left = (await agent.call("stream_list")).streams.map(({ stream_id }: any) => stream_id)
    expect(left).toEqual([waited.stream_id, asked.stream_id])
    await expect(agent.call("stream_read", { stream_id: idle.stream_id })).rejects.toThrow("has expired")
    gone.abort()
    await reading
    agent.time += 1001
    vi.advanceTimersByTime(1000)
    expect((await agent.call("stream_list")).total).toBe(1)
    await vi.waitUntil(() => (agent.host.inspect() as any).streams.filter(({ status }: any) => status === "running").length === 1)
  })
})

describe("principals", () => {
  it("see and steer only their own streams, with keys of their own and an equal part of the room", async () => {
    agent = await AgentHost.start({}, { principals: 500 })
    const [anna, ben] = [{ principal: "anna" }, { principal: "ben" }]
    const request = { rtfs: counting, queue_capacity: 2, idempotency_key: "k" }
    const hers = await agent.call("stream_start", request, anna)
    const his = await agent.call("stream_start", request, ben)
    expect(his.stream_id).not.toBe(hers.stream_id)
    expect((await agent.call("stream_start", { idempotency_key: "k", queue_capacity: 2, rtfs: counting }, anna)).stream_id).toBe(
      hers.stream_id
    )
    expect((await agent.call("stream_list", {}, anna)).total).toBe(1)
    for (const tool of ["stream_read", "stream_inspect", "stream_pause", "stream_resume", "stream_stop"] as const)
      await expect(agent.call(tool, { stream_id: hers.stream_id }, ben)).rejects.toThrow("There is no stream")
    await agent.call("stream_start", { rtfs: counting }, anna)
    await expect(agent.call("stream_start", { rtfs: counting }, anna)).rejects.toThrow(/2 streams of yours.*stream_stop/)
    await agent.call("stream_start", { rtfs: counting }, ben)
    await agent.call("stream_stop", { stream_id: hers.stream_id, mode: "cancel" }, anna)
    await agent.call("stream_start", { rtfs: counting }, anna)
  })
})

describe("changes", () => {
  it("are told when a stream pauses, goes on and ends", async () => {
    agent = await AgentHost.start()
    const { stream_id } = await agent.call("stream_start", { rtfs: silent })
    const changesOf = async (done: Promise<unknown>) => {
      agent.changes.length = 0
      await done
      return agent.changes.includes(stream_id)
    }
    expect(await changesOf(agent.call("stream_pause", { stream_id }))).toBe(true)
    expect(await changesOf(agent.call("stream_resume", { stream_id }))).toBe(true)
    expect(await changesOf(agent.call("stream_stop", { stream_id, mode: "cancel" }))).toBe(true)
  })
})

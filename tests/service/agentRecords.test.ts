import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, describe, expect, it } from "vitest"
import type { Records } from "../../src/host/index.ts"
import { serveWeather } from "../capabilities/mcp/mcpServers.ts"
import { AgentHost, counting, silent } from "./agentHost.ts"

/** A store that outlives the servers of a test. */
class KeptRecords implements Records {
  readonly isDurable = true
  readonly kept = new Map<string, string>()
  isFull = false
  all = async () => new Map([...this.kept].map(([name, text]) => [name, JSON.parse(text) as unknown]))
  set = async (name: string, value: unknown) => {
    if (this.isFull) throw new Error("the disk is full")
    this.kept.set(name, JSON.stringify(value))
  }
  remove = async (name: string) => void this.kept.delete(name)
}

const agents: Array<AgentHost> = []
afterEach(() => Promise.all(agents.splice(0).map((agent) => agent[Symbol.asyncDispose]())))

/** A server on this store; one that was there before counts as crashed, since nothing of it is written any more. */
const serverOn = async (records: KeptRecords, time: number, options = {}): Promise<AgentHost> => {
  const own = { isDurable: true, all: records.all, set: records.set, remove: records.remove }
  const agent = await AgentHost.start(options, { records: own, time })
  agents.push(agent)
  return agent
}
const crash = async (agent: AgentHost): Promise<void> => {
  await agent.streams.close()
  await agent.host.stop({ timeout: 0 })
  agents.splice(agents.indexOf(agent), 1)
}

describe("what is kept of agents' streams", () => {
  it("is started anew three times by servers that end soon, and then no more", async () => {
    const records = new KeptRecords()
    let agent = await serverOn(records, 0)
    const { stream_id } = await agent.call("stream_start", { rtfs: counting, queue_capacity: 5 })
    const states: Array<string> = []
    for (let life = 2; life <= 4; life++) {
      await crash(agent)
      agent = await serverOn(records, life * 1000)
      states.push((await agent.inspectUntil(stream_id, ({ state }) => state !== "created")).state)
    }
    expect(states).toEqual(["running", "running", "failed"])
    expect((await agent.call("stream_inspect", { stream_id })).error).toContain("ended 3 times soon after")
  })

  it("counts only lives that were short", async () => {
    const records = new KeptRecords()
    let agent = await serverOn(records, 0)
    const { stream_id } = await agent.call("stream_start", { rtfs: counting, queue_capacity: 5 })
    for (let life = 2; life <= 6; life++) {
      await crash(agent)
      agent = await serverOn(records, life * 20_000)
    }
    expect(await agent.inspectUntil(stream_id, ({ state }) => state !== "created")).toMatchObject({ state: "running", restarts: 5 })
  })

  it("is gone with a stream that could not be started, has expired, or was pushed out", async () => {
    const records = new KeptRecords()
    const agent = await serverOn(records, 0)
    await expect(agent.call("stream_start", { rtfs: "(call :stream.nothing)" })).rejects.toThrow("stream.nothing")
    expect(records.kept.size).toBe(0)
    await agent.call("stream_start", { rtfs: silent, ttl_s: 5 })
    expect(records.kept.size).toBe(1)
    agent.time += 5001
    agent.streams.expire()
    await expect.poll(() => records.kept.size).toBe(0)
    for (let index = 0; index < 205; index++) await agent.call("stream_start", { rtfs: `[${index}]` })
    agent.streams.expire()
    await expect.poll(() => records.kept.size).toBe(200)
  })

  it("is gone with what the store has of an MCP stream, also of one that had ended before a crash, on a server that has no grants", async () => {
    const dataDir = mkdtempSync(join(tmpdir(), "rtfs-streams-agents-"))
    await using weather = await serveWeather()
    const granted = { dataDir, mcpServers: { weather: { url: weather.url } } }
    try {
      const records = new KeptRecords()
      const before = await serverOn(records, 0, granted)
      const { stream_id } = await before.call("stream_start", { endpoint: "tool:weather.count", config: { count: 2 } })
      await before.inspectUntil(stream_id, ({ state }) => state === "completed")
      const resume = `(try (call :mcp.stream.resume {:stream-id "${stream_id}"}) (catch error (:message error)))`
      await crash(before)
      const after = await serverOn(records, 60_000, { dataDir })
      expect(await after.call("stream_inspect", { stream_id })).toMatchObject({ state: "completed", restarts: 1 })
      after.time += 3_600_001
      after.streams.expire()
      await expect.poll(() => records.kept.size).toBe(0)
      expect(after.logged).toEqual([])
      await crash(after)
      const last = await serverOn(records, 120_000, granted)
      expect(await last.host.eval(resume)).toContain("keeps no snapshot of it")
      await crash(last)
    } finally {
      rmSync(dataDir, { recursive: true, force: true })
    }
  })

  it("says why a stream can't go on: what the server before granted and this one does not", async () => {
    const records = new KeptRecords()
    const before = await serverOn(records, 0, { policy: { all: true } })
    const program = '(call :stream.file.read "README.md" {:format :lines})'
    const { stream_id } = await before.call("stream_start", { rtfs: program, queue_capacity: 1 })
    await crash(before)
    const after = await serverOn(records, 60_000)
    expect(await after.inspectUntil(stream_id, ({ state }) => state === "failed")).toMatchObject({
      error: expect.stringContaining("Not permitted")
    })
  })

  it("is passed over, and told, where another version has written it", async () => {
    const records = new KeptRecords()
    await records.set("s-old", { what: "else" })
    const agent = await serverOn(records, 0)
    expect((await agent.call("stream_list")).total).toBe(0)
    expect(agent.logged.join()).toContain("s-old")
  })

  it.each<readonly [string, object]>([
    ["no count of its short lives", { shortLives: undefined }],
    ["a beginning that is no time", { begunAt: 1e300 }],
    ["the id of another", { id: "s-another" }],
    ["a request that no call could make", { request: { rtfs: counting, ttl_s: -1 } }],
    ["a request of two kinds of text", { request: { rtfs: [counting] } }],
    ["an end that is none", { end: { status: "running", items: 0 } }],
    ["an action that is none", { steering: { action: "stop", at: 0 } }]
  ])("is passed over, and told, where it has %s", async (_, wrong) => {
    const records = new KeptRecords()
    const before = await serverOn(records, 0)
    const { stream_id } = await before.call("stream_start", { rtfs: counting, queue_capacity: 5 })
    await crash(before)
    await records.set(stream_id, { ...JSON.parse(records.kept.get(stream_id)!), ...wrong })
    const agent = await serverOn(records, 1000)
    expect((await agent.call("stream_list")).total).toBe(0)
    expect(agent.logged.join()).toContain(stream_id)
  })

  it("gives way, once ended, only to streams of the same principal", async () => {
    const agent = await AgentHost.start({}, { principals: 100 })
    agents.push(agent)
    const { stream_id } = await agent.call("stream_start", { rtfs: "[1]" }, { principal: "one" })
    for (let index = 0; index < 5; index++) await agent.call("stream_start", { rtfs: `[${index}]` }, { principal: "other" })
    agent.streams.expire()
    expect(agent.streams.of("one").map(({ id }) => id)).toEqual([stream_id])
    expect(agent.streams.of("other")).toHaveLength(2)
  })

  it("is not promised where it can't be written: the start fails and nothing runs; what runs goes on", async () => {
    const records = new KeptRecords()
    const agent = await serverOn(records, 0)
    const { stream_id } = await agent.call("stream_start", { rtfs: silent })
    records.isFull = true
    await expect(agent.call("stream_start", { rtfs: counting })).rejects.toThrow("the disk is full")
    expect((await agent.call("stream_list")).total).toBe(1)
    await agent.call("stream_pause", { stream_id })
    expect((await agent.call("stream_inspect", { stream_id })).state).toBe("paused")
    await expect.poll(() => agent.logged.join()).toContain("the disk is full")
  })

  it("has the end of a stream that ends while it is being started", async () => {
    const records = new KeptRecords()
    let agent = await serverOn(records, 0)
    const { stream_id } = await agent.call("stream_start", { rtfs: "(+ 1 2)" })
    await crash(agent)
    agent = await serverOn(records, 60_000)
    expect(await agent.call("stream_inspect", { stream_id })).toMatchObject({ state: "completed", result: "3" })
  })
})

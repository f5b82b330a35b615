import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { afterEach, describe, expect, it } from "vitest"
import { serveWeather, type ServedMcp } from "../capabilities/mcp/mcpServers.ts"
import { counting } from "./agentHost.ts"
import { ServiceProcess, until } from "./ServiceProcess.ts"

let service: ServiceProcess
let weather: ServedMcp
let client: Client
afterEach(async () => {
  await client?.close()
  service.remove()
  await weather?.[Symbol.asyncDispose]()
})

const call = async (name: string, args: Record<string, unknown> = {}): Promise<any> => {
  const { content, isError, structuredContent } = await client.callTool({ name, arguments: args })
  if (isError === true) throw new Error((content as ReadonlyArray<{ text: string }>)[0]!.text)
  return structuredContent
}
const values = ({ items }: { readonly items: ReadonlyArray<{ readonly value: unknown }> }) => items.map(({ value }) => value)

/** `mcp --http` on the data directory of this test, and a client of it. */
const serve = async (flags: ReadonlyArray<string> = []) => {
  await client?.close()
  await service.start(["mcp", "--http"], {
    flags: ["--data-dir", join(service.folder, "data"), "--config", join(service.folder, "config.json"), ...flags]
  })
  client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode: "auto" } })
  const requestInit = { headers: { authorization: `Bearer ${service.token}` } }
  await client.connect(new StreamableHTTPClientTransport(new URL(`${service.url}/mcp`), { requestInit }))
}
const kill = async () => {
  service.running.process.kill("SIGKILL")
  await service.running.outcome
}
const checkpointed = `(call :stream.with-checkpointing ${counting} {:stream-id "counted" :checkpoint-interval 20})`
const inspectUntil = (stream_id: string, isWanted: (inspected: any) => boolean) =>
  until(() => call("stream_inspect", { stream_id, include_state: true }), isWanted)

describe("streams of agents", () => {
  it("go on under their ids after kill -9, from where each can, and cursors of before say what is lost", async () => {
    service = new ServiceProcess()
    weather = await serveWeather()
    writeFileSync(join(service.folder, "config.json"), JSON.stringify({ mcpServers: { weather: { url: weather.url } } }))
    await serve()
    expect((await client.listTools()).tools.find(({ name }) => name === "stream_start")!.description).toContain("goes on after a restart")

    const plain = await call("stream_start", { rtfs: counting, queue_capacity: 5, idempotency_key: "once" })
    const { next_cursor } = await call("stream_read", { stream_id: plain.stream_id, max_items: 3 })
    const kept = await call("stream_start", { rtfs: checkpointed, overflow: "drop-oldest", queue_capacity: 10 })
    const ended = await call("stream_start", { rtfs: "(call :stream.map [1 2] {:transform inc})" })
    await inspectUntil(ended.stream_id, ({ state }) => state === "completed")
    const watching = await call("stream_start", {
      endpoint: "resource:weather://paris",
      processor: "(fn [seen chunk metadata] {:state (inc seen) :output (inc seen)})",
      initial_state: 0
    })
    await inspectUntil(watching.stream_id, ({ processor_state }) => processor_state === 1)
    const stopped = await call("stream_start", { rtfs: counting })
    await call("stream_stop", { stream_id: stopped.stream_id, mode: "cancel" })
    const paused = await call("stream_start", { rtfs: counting, queue_capacity: 5 })
    await call("stream_pause", { stream_id: paused.stream_id, reason: "the night" })
    await inspectUntil(kept.stream_id, ({ items }) => items > 500)
    await until(
      async () => (await call("stream_inspect", { stream_id: kept.stream_id })).items,
      (items) => items > 5000
    )

    await kill()
    await serve()
    const { streams } = await call("stream_list")
    expect(streams.map(({ stream_id }: any) => stream_id).toReversed()).toEqual(
      [plain, kept, ended, watching, stopped, paused].map(({ stream_id }) => stream_id)
    )
    await expect(call("stream_read", { stream_id: plain.stream_id, cursor: next_cursor })).rejects.toThrow(
      /before the server was restarted\. Items 1 to 3 had been read.*is lost.*from its beginning.*Call stream_read without a cursor/
    )
    expect(values(await call("stream_read", { stream_id: plain.stream_id, max_items: 3, wait_ms: 5000 }))).toEqual([0, 1, 2])
    expect((await call("stream_start", { queue_capacity: 5, rtfs: counting, idempotency_key: "once" })).stream_id).toBe(plain.stream_id)
    const again = await call("stream_read", { stream_id: kept.stream_id, wait_ms: 5000 })
    expect(again.items[0].value).toBeGreaterThan(0)
    expect(await call("stream_inspect", { stream_id: ended.stream_id })).toMatchObject({ state: "completed", items: 0, restarts: 1 })
    expect(await call("stream_inspect", { stream_id: stopped.stream_id })).toMatchObject({ state: "cancelled" })
    // The resource is read again, by a processor that has its state.
    await inspectUntil(watching.stream_id, ({ processor_state }) => processor_state >= 2)
    expect(values(await call("stream_read", { stream_id: watching.stream_id, wait_ms: 5000 }))[0]).toBe(2)
    expect(await call("stream_inspect", { stream_id: paused.stream_id })).toMatchObject({
      state: "paused",
      last_asked: { action: "pause", reason: "the night" }
    })
    await call("stream_resume", { stream_id: paused.stream_id })
    expect(values(await call("stream_read", { stream_id: paused.stream_id, max_items: 2, wait_ms: 5000 }))).toEqual([0, 1])

    // An orderly end keeps them, too; what was stopped or has ended stays so.
    expect(await service.stop()).toBe(0)
    await serve()
    const states = Object.fromEntries((await call("stream_list")).streams.map(({ state, stream_id }: any) => [stream_id, state]))
    expect(Object.values(states).toSorted()).toEqual(["cancelled", "completed", "running", "running", "running", "running"])
    expect((await call("stream_inspect", { stream_id: kept.stream_id })).restarts).toBe(2)
  }, 60_000)
})

describe("a service", () => {
  it("goes on from its checkpoint after kill -9, with each item once in its file", async () => {
    service = new ServiceProcess()
    const out = join(service.folder, "out.txt")
    const numbers = "(call :stream.rate-limit (call :stream.from-collection (range 0 3000)) {:rate 2000 :burst 10})"
    const lines = `(call :stream.map ${numbers} {:transform (fn [n] (str n "\\n"))})`
    const kept = `(call :stream.with-checkpointing ${lines} {:stream-id "numbers" :checkpoint-interval 20})`
    const program = `(call :stream.file.write "${out}" {:data-source ${kept}})`
    const file = service.write("numbers.rtfs", program)
    const flags = ["--data-dir", join(service.folder, "data"), "--allow-write", service.folder, "--restart", "transient"]
    const processed = async () => (await service.json("/status")).streams[0]?.processed ?? 0
    await service.start(["serve", file], { flags })
    await until(processed, (count) => count > 500)
    await kill()
    await service.start(["serve", file], { flags })
    const ended = await until(
      async () => (await service.json("/status")).services[0],
      ({ status }) => status === "completed"
    )
    expect(ended.error).toBeUndefined()
    const written = readFileSync(out, "utf8").trimEnd().split("\n").map(Number)
    expect(written).toEqual(Array.from({ length: 3000 }, (_, index) => index))
  }, 60_000)
})

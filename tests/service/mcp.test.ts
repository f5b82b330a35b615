import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio"
import { writeFileSync } from "node:fs"
import { connect as netConnect } from "node:net"
import { fileURLToPath } from "node:url"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { ServiceProcess } from "./ServiceProcess.ts"

const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url))
const service = new ServiceProcess()
const tokenOfBen = "b".repeat(40)
beforeAll(() => {
  writeFileSync(service.tokenFile, `anna ${"a".repeat(40)}\nben ${tokenOfBen}\n`, { mode: 0o600 })
  return service.start(["mcp", "--http"])
})
afterAll(() => service.remove())

type Era = "legacy" | "auto"
let client: Client
afterEach(() => client.close())

const connect = async (transport: "stdio" | "http", mode: Era, token = service.token): Promise<Client> => {
  client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode } })
  await client.connect(
    transport === "stdio"
      ? new StdioClientTransport({ command: process.execPath, args: [main, "mcp"], stderr: "ignore" })
      : new StreamableHTTPClientTransport(new URL(`${service.url}/mcp`), {
          requestInit: { headers: { authorization: `Bearer ${token}` } }
        })
  )
  return client
}

const call = async (name: string, args: Record<string, unknown> = {}): Promise<any> => {
  const { content, isError, structuredContent } = await client.callTool({ name, arguments: args })
  const text = (content as ReadonlyArray<{ text: string }>)[0]!.text
  if (isError === true) throw new Error(text)
  expect(JSON.parse(text)).toEqual(structuredContent)
  return structuredContent
}
const values = ({ items }: { readonly items: ReadonlyArray<{ readonly value: unknown }> }) => items.map(({ value }) => value)
const counting = "(call :stream.generate {:generator (fn [n] [n (inc n)]) :initial-state 0})"

describe.each<["stdio" | "http", Era]>([
  ["stdio", "legacy"],
  ["stdio", "auto"],
  ["http", "legacy"],
  ["http", "auto"]
])("the MCP server over %s, %s", (transport, mode) => {
  it("starts a stream, reads it page by page without consuming, pauses, resumes and stops it", async () => {
    await connect(transport, mode)
    const { tools } = await client.listTools()
    expect(tools.map(({ name }) => name).toSorted()).toEqual([
      "stream_inspect",
      "stream_list",
      "stream_pause",
      "stream_read",
      "stream_resume",
      "stream_sources",
      "stream_start",
      "stream_stop"
    ])
    const { resource_uri, state, stream_id } = await call("stream_start", { rtfs: counting, queue_capacity: 100 })
    expect(state).toBe("running")
    const first = await call("stream_read", { stream_id, max_items: 5, wait_ms: 5000 })
    expect(values(first)).toEqual([0, 1, 2, 3, 4])
    expect(first.items.map(({ seq }: any) => seq)).toEqual([1, 2, 3, 4, 5])
    const second = await call("stream_read", { stream_id, cursor: first.next_cursor, max_items: 3, wait_ms: 5000 })
    expect([values(second), second.dropped]).toEqual([[5, 6, 7], 0])
    expect(values(await call("stream_read", { stream_id, cursor: first.next_cursor, max_items: 3 }))).toEqual([5, 6, 7])

    expect((await call("stream_pause", { stream_id })).state).toBe("paused")
    expect((await call("stream_pause", { stream_id })).state).toBe("paused")
    expect((await call("stream_resume", { stream_id })).state).toBe("running")
    expect((await call("stream_list")).streams).toContainEqual(expect.objectContaining({ stream_id, state: "running" }))
    expect((await call("stream_inspect", { stream_id, include_queue: true })).parts[0].actors.length).toBeGreaterThan(0)
    const { contents } = await client.readResource({ uri: resource_uri })
    expect(JSON.parse((contents[0] as { text: string }).text)).toMatchObject({ stream_id, state: "running" })

    expect((await call("stream_stop", { stream_id, mode: "cancel" })).state).toBe("cancelled")
    expect((await call("stream_stop", { stream_id })).state).toBe("cancelled")
  })

  it("reads a stream to its end, and starts sources and values too", async () => {
    await connect(transport, mode)
    const ending = await call("stream_start", { rtfs: "(call :stream.map [1 2 3] {:transform inc})" })
    const page = await call("stream_read", { stream_id: ending.stream_id, wait_ms: 5000 })
    expect(values(page)).toEqual([2, 3, 4])
    const end = await call("stream_read", { stream_id: ending.stream_id, cursor: page.next_cursor, wait_ms: 5000 })
    expect(end).toMatchObject({ items: [], state: "completed", done: true, more: false })
    const listed = await call("stream_sources", { query: "collection" })
    expect(listed.sources.map(({ endpoint }: any) => endpoint)).toEqual(["stream.from-collection"])
    const source = await call("stream_start", {
      endpoint: "stream.from-collection",
      config: { [listed.sources[0].arguments[0]]: ["a", ") (evil", { x: 1 }] }
    })
    expect(values(await call("stream_read", { stream_id: source.stream_id, wait_ms: 5000 }))).toEqual(["a", ") (evil", { x: 1 }])
    const value = await call("stream_start", { rtfs: "(+ 1 2)" })
    expect(value).toMatchObject({ state: "completed", result: "3" })
  })
})

describe("the tools", () => {
  it("say what to call next where something is wrong", async () => {
    await connect("http", "auto")
    const other = await call("stream_start", { rtfs: counting })
    const { stream_id } = await call("stream_start", { rtfs: counting })
    const { next_cursor } = await call("stream_read", { stream_id: other.stream_id, wait_ms: 2000 })
    const wrong: ReadonlyArray<[string, Record<string, unknown>, string | RegExp]> = [
      ["stream_read", { stream_id: "none" }, "Call stream_list"],
      ["stream_read", { stream_id, cursor: next_cursor }, "stream_list"],
      ["stream_read", { stream_id, cursor: "x" }, "stream_list"],
      ["stream_read", { stream_id, max_items: 101 }, /max_items|100/],
      ["stream_read", { stream_id, nothing: 1 }, /nothing|additional/],
      ["stream_start", {}, "Call stream_start with one of them"],
      ["stream_start", { endpoint: "stream.nothing" }, /no source "stream.nothing".*:mcp.stream.start needs :mcp[\s\S]*stream_sources/],
      ["stream_start", { endpoint: "stream.map" }, "stream_sources"],
      ["stream_start", { endpoint: "stream.generate", config: { "a) (b": 1 } }, "no name of an option"],
      ["stream_start", { rtfs: "(call :stream.map" }, /1:\d+/],
      ["stream_start", { rtfs: '(call :stream.file.read "/etc/passwd")' }, "Not permitted"]
    ]
    for (const [name, args, message] of wrong) await expect(call(name, args), JSON.stringify(args)).rejects.toThrow(message)
    for (const id of [stream_id, other.stream_id]) await call("stream_stop", { stream_id: id, mode: "cancel" })
  })

  it("give the same stream for the same idempotency_key, also when asked twice at once", async () => {
    await connect("http", "auto")
    const request = { rtfs: counting, idempotency_key: "k1" }
    const [one, two] = await Promise.all([call("stream_start", request), call("stream_start", request)])
    expect(two.stream_id).toBe(one.stream_id)
    await expect(call("stream_start", { ...request, rtfs: "[1]" })).rejects.toThrow("idempotency_key")
    await call("stream_stop", { stream_id: one.stream_id, mode: "cancel" })
  })

  it("forget the oldest under drop-oldest, and say how many; wait under wait, and lose none", async () => {
    await connect("http", "auto")
    const items = `(call :stream.map [${Array.from({ length: 50 }, (_, index) => index).join(" ")}] {:transform identity})`
    const dropping = await call("stream_start", { rtfs: items, queue_capacity: 10, overflow: "drop-oldest" })
    const { streams } = { streams: (await call("stream_list")).streams }
    expect(streams.find((one: any) => one.stream_id === dropping.stream_id)).toMatchObject({ items: 50, queued: 10, dropped: 40 })
    expect(values(await call("stream_read", { stream_id: dropping.stream_id }))).toEqual([40, 41, 42, 43, 44, 45, 46, 47, 48, 49])

    const waiting = await call("stream_start", { rtfs: items, queue_capacity: 10 })
    const seen: Array<unknown> = []
    for (let cursor: string | undefined, isDone = false; !isDone;) {
      const page = await call("stream_read", {
        stream_id: waiting.stream_id,
        max_items: 7,
        wait_ms: 2000,
        ...(cursor === undefined ? {} : { cursor })
      })
      expect(page.dropped).toBe(0)
      seen.push(...values(page))
      cursor = page.next_cursor
      isDone = page.done === true
    }
    expect(seen).toEqual(Array.from({ length: 50 }, (_, index) => index))
  })

  it("cut an item that is longer than the page, and name the resource that has all of it", async () => {
    await connect("http", "auto")
    const { stream_id } = await call("stream_start", { rtfs: `(call :stream.map [1] {:transform (fn [n] (str "${"x".repeat(5000)}"))})` })
    const [item] = (await call("stream_read", { stream_id, max_chars: 1000, wait_ms: 2000 })).items
    expect(item.value).toMatchObject({ truncated: true, size: 5002, beginning: `"${"x".repeat(499)}` })
    const { contents } = await client.readResource({ uri: item.value.resource_uri })
    expect((contents[0] as { text: string }).text).toBe(JSON.stringify("x".repeat(5000)))
  })

  it("carry 200 streams at once", async () => {
    await connect("http", "auto")
    // Each goes on, since nobody has read what it gave first.
    const inTens = async <Value>(one: (index: number) => Promise<Value>): Promise<ReadonlyArray<Value>> => {
      const done: Array<Value> = []
      for (let index = 0; index < 200; index += 10)
        done.push(...(await Promise.all(Array.from({ length: 10 }, (_, offset) => one(index + offset)))))
      return done
    }
    const started = await inTens((index) => call("stream_start", { rtfs: counting.replace("0}", `${index}}`), queue_capacity: 5 }))
    expect((await call("stream_list", { state: "running" })).total).toBeGreaterThanOrEqual(200)
    const read = await inTens((index) => call("stream_read", { stream_id: started[index].stream_id, max_items: 2, wait_ms: 5000 }))
    expect(read.map(values)).toEqual(Array.from({ length: 200 }, (_, index) => [index, index + 1]))
    const stopped = await inTens((index) => call("stream_stop", { stream_id: started[index].stream_id, mode: "cancel" }))
    expect(new Set(stopped.map(({ state }) => state))).toEqual(new Set(["cancelled"]))
  })
})

describe("resources", () => {
  it.each<["stdio" | "http", Era]>([
    ["stdio", "legacy"],
    ["stdio", "auto"],
    ["http", "auto"]
  ])("tell of changes over %s, %s, gathered", async (transport, mode) => {
    await connect(transport, mode)
    const updates: Array<string> = []
    const updated = new Promise<void>((resolve) => {
      client.setNotificationHandler("notifications/resources/updated", ({ params }) => {
        updates.push(params.uri)
        resolve()
      })
    })
    const { resource_uri, stream_id } = await call("stream_start", { rtfs: counting, overflow: "drop-oldest", queue_capacity: 10 })
    if (mode === "legacy") await client.subscribeResource({ uri: resource_uri })
    else await client.listen({ resourceSubscriptions: [resource_uri] })
    await updated
    const { items } = await call("stream_inspect", { stream_id })
    expect(items).toBeGreaterThan(1000)
    expect(updates.length).toBeLessThan(10)
    expect(new Set(updates)).toEqual(new Set([resource_uri]))
    await call("stream_stop", { stream_id, mode: "cancel" })
  })
})

describe("the outputs of a stream", () => {
  it("are a resource that is read page by page, and makes no room", async () => {
    await connect("http", "auto")
    const { resource_uri, stream_id } = await call("stream_start", { rtfs: counting, queue_capacity: 5 })
    const read = async (query: string) => {
      const { contents } = await client.readResource({ uri: `${resource_uri}/outputs${query}` })
      return JSON.parse((contents[0] as { text: string }).text)
    }
    expect(values(await read(""))).toEqual([0, 1, 2, 3, 4])
    const first = await read("?limit=2")
    expect([values(first), first.more, first.state]).toEqual([[0, 1], true, "running"])
    expect(values(await read(`?cursor=${first.next_cursor}`))).toEqual([2, 3, 4])
    expect(values(await read(`?cursor=${first.next_cursor}&limit=1`))).toEqual([2])
    expect(values(await read(`?limit=1&cursor=${first.next_cursor}`))).toEqual([2])
    await expect(read("?cursor=x")).rejects.toThrow("cursor")
    expect((await call("stream_inspect", { stream_id })).items).toBe(5)
    const { resourceTemplates } = await client.listResourceTemplates()
    expect(resourceTemplates.map(({ uriTemplate }) => uriTemplate)).toContain("rtfs-stream:///{id}/outputs{?cursor,limit}")
    await call("stream_stop", { stream_id, mode: "cancel" })
  })
})

describe("over HTTP", () => {
  it.each<Era>(["legacy", "auto"])("knows each by the token, and shows nobody the streams of another (%s)", async (mode) => {
    await connect("http", mode)
    const { resource_uri, stream_id } = await call("stream_start", { rtfs: counting })
    expect((await client.listResources()).resources.map(({ uri }) => uri)).toContain(resource_uri)
    expect((await call("stream_inspect", { stream_id })).owner).toBe("anna")
    await client.close()
    await connect("http", mode, tokenOfBen)
    await expect(call("stream_read", { stream_id })).rejects.toThrow("There is no stream")
    await expect(client.readResource({ uri: resource_uri })).rejects.toThrow(/not found/i)
    expect((await client.listResources()).resources).toEqual([])
    expect((await call("stream_list")).total).toBe(0)
    await client.close()
    await connect("http", mode)
    await call("stream_stop", { stream_id, mode: "cancel" })
  })

  it("refuses what has no token, another Host or an Origin, and bodies that are too deep", async () => {
    await connect("http", "auto")
    const url = `${service.url}/mcp`
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" })
    const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" }
    expect((await fetch(url, { method: "POST", body, headers })).status).toBe(401)
    expect((await service.request("/mcp", { method: "POST", body, headers: { ...headers, origin: "http://evil.example" } })).status).toBe(
      403
    )
    expect(await service.raw(`POST /mcp HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 403/
    )
    const deep = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"stream_list","arguments":${"[".repeat(1000)}${"]".repeat(1000)}}}`
    expect((await service.request("/mcp", { method: "POST", body: deep, headers })).status).toBe(400)
  })

  it("closes a connection that sends requests without waiting for answers", async () => {
    await connect("http", "auto")
    const nothing = "(call :stream.filter (call :stream.periodic {:interval 100 :generator (fn [t] t)}) {:predicate (fn [x] false)})"
    const { stream_id } = await call("stream_start", { rtfs: nothing })
    const params = { name: "stream_read", arguments: { stream_id, wait_ms: 20_000 } }
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params })
    const one = [
      "POST /mcp HTTP/1.1",
      `Host: 127.0.0.1:${service.port}`,
      `Authorization: Bearer ${service.token}`,
      "Content-Type: application/json",
      "Accept: application/json, text/event-stream",
      `Content-Length: ${body.length}`,
      "",
      body
    ].join("\r\n")
    expect(await service.raw(one.repeat(10))).toBe("")
    await call("stream_stop", { stream_id, mode: "cancel" })
  })

  it("answers one principal while another has as many requests under way as it may", async () => {
    await connect("http", "auto", tokenOfBen)
    const head = `POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:${service.port}\r\nAuthorization: Bearer ${service.token}\r\nContent-Type: application/json\r\n`
    // Their bodies never come.
    const unfinished = Array.from({ length: 64 }, () => netConnect(service.port, "127.0.0.1"))
    try {
      for (const socket of unfinished) socket.write(`${head}Content-Length: 100\r\n\r\n`)
      await expect
        .poll(() => service.raw(`${head}Connection: close\r\nContent-Length: 2\r\n\r\n{}`))
        .toMatch(/^HTTP\/1.1 503.*64 requests of yours/s)
      expect((await call("stream_list")).total).toBe(0)
    } finally {
      for (const socket of unfinished) socket.destroy()
    }
  })
})

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { DatabaseSync } from "node:sqlite"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { Flow, keyword, StreamHost } from "rtfs-streams"
import { WebSocketServer } from "ws"
import { bodyOf, serveHttp } from "../capabilities/network/servers.ts"
import { specificationBlocks } from "../rtfs/specificationBlocks.ts"

// The calls of the specification as they stand there, with what they leave open bound to something that can be looked at.

const root = mkdtempSync(join(tmpdir(), "rtfs-streams-specification-"))
mkdirSync(root, { recursive: true })
afterAll(() => rmSync(root, { recursive: true }))

/** The part of a block, from one comment to the next, that contains a text. */
const partWith = (text: string): string => {
  const parts = specificationBlocks.flatMap((block) => block.split(/\n\n(?=;;)/)).filter((part) => part.includes(text))
  expect(parts).toHaveLength(1)
  return parts[0]!
}

interface Calls {
  /** What each binding was called with, in order, and what was printed. */
  readonly calls: ReadonlyArray<readonly [name: string, ...args: ReadonlyArray<unknown>]>
  readonly error?: Error
}

/** Runs a program whose bindings note that they were called; a function among them says what the call gives. */
const run = async (program: string, bindings: Record<string, unknown>, connections: Record<string, string> = {}): Promise<Calls> => {
  const calls: Array<readonly [string, ...Array<unknown>]> = []
  const noting = (name: string, f: (...args: Array<unknown>) => unknown) => (...args: Array<unknown>) => {
    calls.push([name, ...args])
    return f(...args)
  }
  await using host = await StreamHost.start({
    policy: { all: true, fsRoot: root },
    connections,
    print: (line) => calls.push(["println", line]),
    bindings: Object.fromEntries(
      Object.entries(bindings).map(([name, value]) => [name, typeof value === "function" ? noting(name, value as () => unknown) : value])
    )
  })
  return await host.run(program).then(
    () => ({ calls }),
    (error: Error) => ({ calls, error })
  )
}

const nothing = () => {}
async function* asynchronous<Item>(...items: ReadonlyArray<Item>) {
  yield* items
}

describe("the specification's calls", () => {
  it("read a file in chunks of bytes that cut no character, and say once that it is complete", async () => {
    const text = "Zeile ä€😀\n".repeat(3000)
    writeFileSync(join(root, "large-dataset.json"), text)
    const { calls } = await run(partWith(":stream.file.read"), {
      "process-json-chunk": nothing,
      "finalize-processing": nothing,
      "handle-file-error": nothing
    })
    const chunks = calls.slice(0, -1).map(([name, chunk]) => (expect(name).toBe("process-json-chunk"), chunk as string))
    expect(chunks.join("")).toBe(text)
    expect(chunks.length).toBe(Math.ceil(Buffer.byteLength(text) / 8192))
    for (const chunk of chunks) expect(Buffer.byteLength(chunk)).toBeLessThanOrEqual(8192 + 3)
    expect(calls.at(-1)).toEqual(["finalize-processing"])
  })

  it("tell of a file that is not there once, and of nothing else", async () => {
    rmSync(join(root, "large-dataset.json"), { force: true })
    const { calls, error } = await run(partWith(":stream.file.read"), {
      "process-json-chunk": nothing,
      "finalize-processing": nothing,
      "handle-file-error": nothing
    })
    expect(calls).toEqual([["handle-file-error", expect.objectContaining({ message: expect.stringContaining("there is no such file") })]])
    expect(error).toMatchObject({ _tag: "FileFailure" })
  })

  it.each<[string, () => unknown]>([
    ["an asynchronous generator", () => asynchronous("one\n", "two\n")],
    ["a web stream", () => new ReadableStream({ start: (c) => (c.enqueue("one\n"), c.enqueue("two\n"), c.close()) })],
    ["a generator", () => ["one\n", "two\n"].values()],
    ["a vector", () => ["one\n", "two\n"]],
    ["a flow", () => Flow.from(["one", "two"]).map((line) => `${line}\n`)]
  ])("write to a file what %s gives", async (_, data) => {
    const { calls } = await run(partWith(":stream.file.write"), { "lazy-data-sequence": data() })
    expect(calls).toEqual([["println", "Write complete"]])
    expect(readFileSync(join(root, "output.txt"), "utf8")).toBe("one\ntwo\n")
  })

  it("read a database, and write into the only one there is", async () => {
    const file = join(root, "block.db")
    const database = new DatabaseSync(file)
    database.exec("PRAGMA journal_mode = WAL; CREATE TABLE large_table (id INTEGER); CREATE TABLE target_table (id INTEGER)")
    database.exec("INSERT INTO large_table SELECT value FROM json_each('[1,2,3]')")
    const block = specificationBlocks.find((text) => text.includes(":stream.db.query"))!
    const rows = Array.from({ length: 2500 }, (_, id) => ({ id }))
    const { calls, error } = await run(block, { "process-database-row": nothing, "log-progress": nothing, "input-stream": rows }, { "db-conn": `sqlite:${file}` })
    expect(error).toBe(undefined)
    expect(calls.filter(([name]) => name === "process-database-row").map(([, row]) => row)).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }])
    expect(calls.filter(([name]) => name === "log-progress").map(([, count]) => count)).toEqual([1000, 1000, 500])
    expect(database.prepare("SELECT count(*) AS n FROM target_table").get()).toEqual({ n: 2500 })
    database.close()
  })

  it("read over HTTP, and say once that it is complete", async () => {
    await using server = await serveHttp((_, response) => response.end("a large data set"))
    const block = partWith(":stream.http.get").replace("https://api.example.com", server.url)
    const { calls } = await run(block, { "accumulate-data": nothing, "process-complete-data": nothing })
    expect(calls.slice(0, -1).map(([, chunk]) => chunk).join("")).toBe("a large data set")
    expect(calls.at(-1)).toEqual(["process-complete-data"])
    expect(server.requests[0]!.headers.accept).toBe("application/json")
  })

  it("read a WebSocket from its opening to its close", async () => {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1" })
    await once(server, "listening")
    server.on("connection", (socket) => socket.send("hello", () => socket.close(1000)))
    const block = partWith(":stream.ws.connect").replace("wss://api.example.com", `ws://127.0.0.1:${(server.address() as AddressInfo).port}`)
    const { calls } = await run(block, { "handle-realtime-data": nothing, "handle-connection-error": nothing, "cleanup-resources": nothing })
    server.close()
    expect(calls).toEqual([["println", "Connected"], ["handle-realtime-data", "hello"], ["cleanup-resources"]])
  })

  it("take batches from a queue, acknowledge them, and fill another", async () => {
    const block = partWith(":stream.queue.consume").replace(":batch-size 10", ":batch-size 10 :wait 0")
    const seed = `(call :stream.await (call :stream.queue.produce "input-queue" {:data-stream processed-data}))`
    const { calls, error } = await run(`${seed}\n${block}\n${partWith(":stream.queue.produce")}`, {
      "processed-data": Array.from({ length: 25 }, (_, n) => n),
      "process-message-batch": nothing,
      "acknowledge-processed": nothing,
      "update-progress": nothing
    })
    expect(error).toBe(undefined)
    const batches = calls.filter(([name]) => name === "process-message-batch").map(([, messages]) => messages as ReadonlyArray<{ readonly id: string; readonly body: number }>)
    expect(batches.map((batch) => batch.length)).toEqual([10, 10, 5])
    expect(batches.flat().map(({ body }) => body)).toEqual(Array.from({ length: 25 }, (_, n) => n))
    const acknowledged = calls.filter(([name]) => name === "acknowledge-processed").flatMap(([, ids]) => ids as ReadonlyArray<string>)
    expect(acknowledged).toEqual(batches.flat().map(({ id }) => id))
    expect(calls.filter(([name]) => name === "update-progress")).toEqual([["update-progress", 25]])
  })

  it("post in batches, and hand over what nobody takes", async () => {
    await using server = await serveHttp(async (request, response) => response.writeHead((await bodyOf(request)).startsWith("[100,") ? 422 : 200).end("seen"))
    const items = Array.from({ length: 250 }, (_, index) => index)
    const block = partWith(":stream.http.bulk-post").replace("https://api.example.com", server.url)
    const { calls, error } = await run(block, { "items-to-send": items, "handle-success": nothing, "handle-batch-error": nothing })
    expect(error).toBe(undefined)
    expect(calls).toEqual([
      ["handle-success", { status: 200, body: "seen", items: 100 }],
      ["handle-batch-error", expect.objectContaining({ message: expect.stringContaining("422") }), items.slice(100, 200)],
      ["handle-success", { status: 200, body: "seen", items: 50 }]
    ])
  })

  it("stream from a collection in chunks, the last one short", async () => {
    const { calls } = await run(partWith(":stream.from-collection"), { "process-batch": async () => {} })
    expect(calls.map(([, chunk]) => chunk)).toEqual([[1, 2, 3], [4, 5, 6], [7, 8, 9], [10]])
  })

  it("stream to a collection, which :on-complete receives", async () => {
    const { calls } = await run(partWith(":stream.to-collection"), { "input-stream": asynchronous<unknown>(1, { a: "b" }) })
    expect(calls).toEqual([["println", "Collected: [1 {:a \"b\"}]"]])
  })

  it("generate until :done", async () => {
    const { calls } = await run(partWith(":stream.generate"), { "process-generated": nothing })
    expect(calls.map(([, value]) => value)).toEqual(Array.from({ length: 1000 }, (_, index) => index))
  })

  it("map, with functions of the program and of the host", async () => {
    expect((await run(partWith("string/upper-case"), { "input-stream": ["a", "ß"], "send-to-output": async () => {} })).calls).toEqual([
      ["send-to-output", "A"],
      ["send-to-output", "SS"]
    ])
    const parsed = await run(partWith("json/parse"), { "json-stream": asynchronous("{\"a\":[1,null]}", "2"), "validate-and-store": nothing })
    expect(parsed.calls).toEqual([["validate-and-store", { a: [1, null] }], ["validate-and-store", 2]])
  })

  it("filter, and leave repeats out", async () => {
    const kept = await run(partWith(":stream.filter data-stream"), { "data-stream": ["a", "", [1], []], "process-valid-chunk": nothing })
    expect(kept.calls.map(([, chunk]) => chunk)).toEqual(["a", [1]])
    const items = [{ id: 1 }, { id: "1" }, { id: 1, again: true }, {}, { id: null }]
    const unique = await run(partWith(":stream.distinct"), { "data-stream": items, "store-unique-item": nothing })
    expect(unique.calls.map(([, item]) => item)).toEqual([{ id: 1 }, { id: "1" }, {}])
  })

  it("reduce to one result, also where there is nothing, and group", async () => {
    expect((await run(partWith(":stream.reduce data-stream"), { "data-stream": ["a", "b"] })).calls).toEqual([["println", "Total items: 2"]])
    expect((await run(partWith(":stream.reduce data-stream"), { "data-stream": asynchronous() })).calls).toEqual([["println", "Total items: 0"]])
    const items = [{ category: "x", n: 1 }, { category: "y", n: 2 }, { category: "x", n: 3 }]
    const grouped = await run(partWith(":stream.group-by"), { "data-stream": items, "process-grouped-data": nothing })
    expect(grouped.calls).toEqual([["process-grouped-data", { x: [items[0], items[2]], y: [items[1]] }]])
  })

  it("batch by size, with the rest at the end", async () => {
    const items = Array.from({ length: 250 }, (_, index) => index)
    const { calls } = await run(partWith(":stream.batch data-stream"), { "data-stream": items, "process-batch": nothing })
    expect(calls.map(([, batch]) => (batch as ReadonlyArray<number>).length)).toEqual([100, 100, 50])
    expect(calls.flatMap(([, batch]) => batch)).toEqual(items)
  })

  it("compute over sliding windows, and over a state that is cleaned up at the end", async () => {
    const items = Array.from({ length: 22 }, (_, index) => index)
    const sliding = await run(partWith(":stream.sliding-window"), { "data-stream": items, "compute-moving-average": nothing })
    expect(sliding.calls).toEqual([items.slice(0, 10), items.slice(5, 15), items.slice(10, 20)].map((window) => ["compute-moving-average", window]))
    const stateful = await run(partWith(":stream.stateful"), {
      "input-stream": asynchronous(1, 2),
      "update-state": async (state: unknown, chunk: unknown) => ({ ...(state as object), [`of ${String(chunk)}`]: chunk }),
      "process-with-state": nothing,
      "cleanup-state": nothing
    })
    expect(stateful.calls).toEqual([
      ["update-state", {}, 1],
      ["process-with-state", { "of 1": 1 }, 1],
      ["update-state", { "of 1": 1 }, 2],
      ["process-with-state", { "of 1": 1, "of 2": 2 }, 2],
      ["cleanup-state", { "of 1": 1, "of 2": 2 }]
    ])
  })

  it("validate types, with all errors of an item, and migrate items of an older schema", async () => {
    const items = [{ id: 1, name: "a" }, { id: "x" }, { id: 2, name: "b", more: [] }]
    const validated = await run(partWith(":stream.validate-types"), {
      "input-stream": items,
      "process-typed-item": nothing,
      "handle-validation-error": async () => {}
    })
    expect(validated.calls.filter(([name]) => name === "process-typed-item").map(([, item]) => item)).toEqual([items[0], items[2]])
    expect(validated.calls.filter(([name]) => name === "handle-validation-error")).toEqual([
      [
        "handle-validation-error",
        [
          { path: [keyword("id")], expected: keyword("integer"), actual: keyword("string"), got: '"x"', message: "id: expected integer, got string" },
          expect.objectContaining({ path: [keyword("name")], got: "nothing" })
        ],
        items[1]
      ]
    ])
    const migrated = await run(partWith(":stream.schema-evolution"), {
      "input-stream": [{ first: "a" }, { name: "b" }],
      "v2-schema": { type: "map", required: ["first"], properties: { first: { type: "string" } } },
      "migrate-v1-to-v2": (old: unknown) => ({ first: (old as { name: string }).name }),
      "process-with-new-schema": nothing
    })
    expect(migrated.calls.filter(([name]) => name === "process-with-new-schema").map(([, item]) => item)).toEqual([{ first: "a" }, { first: "b" }])
    expect(migrated.calls.filter(([name]) => name === "migrate-v1-to-v2")).toHaveLength(1)
  })

  it("compute once for each key, and tell hits from misses", async () => {
    const { calls } = await run(partWith(":stream.with-cache"), {
      "input-stream": [{ id: 1 }, { id: 2 }, { id: 1, again: true }],
      "expensive-computation": async (item: unknown) => (item as { id: number }).id * 10,
      "use-cached-result": nothing,
      "compute-and-cache": nothing
    })
    expect(calls).toEqual([
      ["compute-and-cache", { id: 1 }],
      ["expensive-computation", { id: 1 }],
      ["compute-and-cache", { id: 2 }],
      ["expensive-computation", { id: 2 }],
      ["use-cached-result", 10]
    ])
  })

  it("open a circuit when half of the calls fail", async () => {
    const { calls, error } = await run(partWith(":stream.with-circuit-breaker"), {
      stream: Flow.from(Array.from({ length: 20 }, (_, n) => n)).map(
        (n) => {
          if (n % 2 === 1) throw new Error("no")
          return n
        },
        { onFailure: "skip" }
      ),
      "log-circuit-open": nothing,
      "log-circuit-closed": nothing
    })
    expect(error).toBeUndefined()
    expect(calls).toEqual([["log-circuit-open"]])
  })

  it("build a pipeline of functions of the host, asynchronous ones among them, and hand over its result once", async () => {
    const block = specificationBlocks.find((text) => text.includes("create-data-pipeline"))!
    const { calls } = await run(block, {
      "input-stream": Array.from({ length: 120 }, (_, n) => n),
      "validate-chunk": async (n: unknown) => ({ n, isEven: (n as number) % 2 === 0 }),
      "valid?": (chunk: unknown) => (chunk as { isEven: boolean }).isEven,
      "process-batch": (batch: unknown) => (batch as ReadonlyArray<{ n: number }>).reduce((sum, { n }) => sum + n, 0),
      "aggregate-results": async (sum: unknown, next: unknown) => (sum as number) + (next as number),
      "store-result": nothing
    })
    expect(calls.filter(([name]) => name === "process-batch").map(([, batch]) => (batch as ReadonlyArray<unknown>).length)).toEqual([50, 10])
    expect(calls.filter(([name]) => name === "store-result")).toEqual([["store-result", 3540]])
  })

  it("create, pause and resume: everything comes, in order, after the resumption", async () => {
    const taken: Array<number> = []
    async function* controllable() {
      for (let n = 0; n < 5; n++) {
        taken.push(n)
        yield n
      }
    }
    const block = partWith(":stream.create controllable-stream")
    const { error } = await run(block, { "controllable-stream": controllable() })
    expect(error).toBeUndefined()
    expect(taken).toEqual([0, 1, 2, 3, 4])
  })

  it("branch: every item to each processor, and one word at the end", async () => {
    const { calls, error } = await run(partWith(":stream.branch"), { "input-stream": ["a", "b"], "send-to-analytics": nothing, "store-for-later": async () => {} })
    expect(error).toBeUndefined()
    for (const name of ["send-to-analytics", "store-for-later"]) expect(calls.filter((call) => call[0] === name)).toEqual([[name, "a"], [name, "b"]])
    expect(calls.filter(([name]) => name === "println")).toEqual([["println", "All branches complete"]])
    expect(calls.at(-1)![0]).toBe("println")
  })

  it("merge three streams in turn", async () => {
    const { calls } = await run(partWith(":stream.merge"), { stream1: [1, 2, 3], stream2: [10, 20], stream3: [100], "process-merged-item": nothing })
    expect(calls.map(([, item]) => item)).toEqual([1, 10, 100, 2, 20, 3])
  })

  it("process partitions of their own, as streams of the program or of the host, and combine what they give", async () => {
    const items = [0, 1, 2, 3, 4, 5, 6, 7, 8].map((id) => ({ id }))
    const combined: Array<unknown> = []
    const block = partWith(":stream.parallel").replace("(call :stream.parallel", "(call :stream.await (call :stream.parallel").concat(")")
    const combine = (results: unknown) => void combined.push(results)
    const ofHost = (partition: unknown) => Flow.of<{ id: number }>(partition).map(({ id }) => id)
    await run(block, { "input-stream": items, "process-partition": ofHost, "combine-partition-results": combine })
    await run(`(defn process-partition [s] (stream.reduce s (fn [sum item] (+ sum (:id item))) 0)) ${block}`, {
      "input-stream": items,
      "combine-partition-results": combine
    })
    expect(combined).toEqual([
      [[0, 4, 8], [1, 5], [2, 6], [3, 7]],
      [12, 6, 8, 10]
    ])
  })

  it("produce ahead of who takes, and say so when the buffer has filled", async () => {
    const produced = partWith(":stream.producer").replace(":on-backpressure", ":on-value (fn [n] (take-value n))\n :on-backpressure")
    let fill = () => {}
    const filled = new Promise<void>((resolve) => (fill = resolve))
    const { calls, error } = await run(produced, {
      "slow-data-generator": async (n: unknown) => ((n as number | null) ?? 0) < 200 ? [n ?? 0, ((n as number | null) ?? 0) + 1] : keyword("done"),
      "slow-down-production": () => fill(),
      "take-value": (n: unknown) => (n === 0 ? filled : undefined)
    })
    expect(error).toBeUndefined()
    expect(calls.filter(([name]) => name === "take-value").map(([, n]) => n)).toEqual(Array.from({ length: 200 }, (_, n) => n))
    // The first item holds everything up until 80 are there.
    const made = (from: number) => calls.slice(0, from).filter(([name]) => name === "slow-data-generator").length
    expect(made(calls.findIndex(([name]) => name === "slow-down-production"))).toBe(80)
  })

  it("consume from a buffer, and signal when it is full", async () => {
    const { calls, error } = await run(partWith(":stream.consumer"), {
      "input-stream": Array.from({ length: 120 }, (_, n) => n),
      "slow-processor": async () => {},
      "signal-slow-down": nothing
    })
    expect(error).toBeUndefined()
    expect(calls.filter(([name]) => name === "slow-processor").map(([, n]) => n)).toEqual(Array.from({ length: 120 }, (_, n) => n))
    expect(calls[0]).toEqual(["signal-slow-down"])
  })

  it("collect metrics, and show a sample of the items, beside the stream", async () => {
    const metrics = await run(`(call :stream.for-each ${partWith(":stream.with-metrics")} {:callback (fn [x] x)})`, {
      stream: [1, 2, 3],
      "send-to-monitoring-system": async () => {}
    })
    expect(metrics.calls).toEqual([
      [
        "send-to-monitoring-system",
        expect.objectContaining({
          "metrics-name": "data-processing-pipeline",
          final: true,
          throughput: expect.objectContaining({ in: 3, out: 3 }),
          latency: null,
          errors: expect.objectContaining({ failed: 0 }),
          backpressure: expect.objectContaining({ items: 0 })
        })
      ]
    ])
    const debugged = await run(`(call :stream.for-each ${partWith(":stream.debug")} {:callback (fn [x] x)})`, {
      stream: Array.from({ length: 1000 }, (_, n) => n),
      "debug-log-stream-event": nothing
    })
    expect(debugged.calls.length).toBeGreaterThan(60)
    expect(debugged.calls.length).toBeLessThan(140)
    for (const [, event] of debugged.calls) {
      expect(event).toMatchObject({ item: expect.any(Number), sequence: expect.any(Number), node: "debug", time: expect.any(Number), level: keyword("debug") })
    }
  })
})

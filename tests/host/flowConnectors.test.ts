import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { WebSocketServer } from "ws"
import { afterAll, afterEach, describe, expect, it } from "vitest"
import { Flow, type HostOptions, StreamHost } from "rtfs-streams"
import { Marketplace } from "../../src/capabilities/index.ts"
import { flowValue } from "../../src/host/flowValue.ts"

const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-flow-"))
const closing: Array<() => unknown> = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})
afterAll(() => rmSync(folder, { recursive: true }))

const hostWith = async (options: HostOptions) => {
  const host = await StreamHost.start(options)
  closing.push(() => host.stop())
  return host
}

const collected = async <Item>(items: AsyncIterable<Item>): Promise<ReadonlyArray<Item>> => {
  const all: Array<Item> = []
  for await (const item of items) all.push(item)
  return all
}

const identity = (item: unknown) => item

/** One flow by each method, for what the catalogue says that there is. */
const flows: ReadonlyArray<Flow<unknown>> = [
  Flow.from([1]),
  Flow.from((function* () {})()),
  Flow.merge([Flow.from([1])]),
  Flow.generate(0, () => "done"),
  Flow.periodic(10, identity),
  Flow.producer(0, () => "done"),
  Flow.fromFile("a"),
  Flow.fromHttp("http://localhost/a"),
  Flow.fromWebSocket("ws://localhost/a"),
  Flow.fromQuery("select 1"),
  Flow.fromQueue("a"),
  Flow.from([1]).map(identity),
  Flow.from([1]).filter(Boolean),
  Flow.from([1]).distinct(),
  Flow.from([1]).validate("integer"),
  Flow.from([1]).evolve("integer", { migrate: identity }),
  Flow.from([1]).cached(identity),
  Flow.from([1]).withDeadLetter(),
  Flow.from([1]).withCircuitBreaker(),
  Flow.from([1]).batch(2),
  Flow.from([1]).window(10),
  Flow.from([1]).slidingWindow({ size: 2 }),
  Flow.from([1]).sessionWindow({ key: identity, timeout: 10 }),
  Flow.from([1]).stateful(0, (state) => [state]),
  Flow.from([1]).rateLimit(1),
  Flow.from([1]).reduce(0, (sum) => sum),
  Flow.from([1]).groupBy(identity),
  Flow.from([1]).parallel({ parallelism: 2, key: identity, processor: (stream: Flow<number>) => stream }),
  Flow.from([1]).branch({ all: { processor: (stream) => stream } }),
  Flow.from([1]).forEach(identity),
  Flow.from([1]).consume(identity),
  Flow.from([1]).withCheckpointing(),
  Flow.from([1]).gracefulShutdown(),
  Flow.from([1]).memoryEfficient({ maxMemory: "8MB" }),
  Flow.from([1]).withRecovery(identity),
  Flow.from([1]).withMetrics(),
  Flow.from([1]).debug(),
  Flow.from([1]).toFile("a"),
  Flow.from([1]).postTo("http://localhost/a"),
  Flow.from([1]).toTable("a"),
  Flow.from([1]).toQueue("a")
]

describe("Flow", () => {
  it("has a method for each capability that streams are made of", () => {
    const streams = new Marketplace().all().filter(({ kind }) => kind !== "control")
    const built = new Set(flows.map((flow) => flowValue(flow)!.capability.id))
    // A flow is a pipeline by itself, and an iterable or an array takes its items: `host.stream`.
    const byThemselves = ["stream.pipeline", "stream.to-collection", "stream.resume-from-checkpoint"]
    expect(streams.map(({ id }) => id).filter((id) => !built.has(id) && !byThemselves.includes(id))).toEqual([])
  })

  it("writes to a table and reads what a query finds", async () => {
    const path = join(folder, "shop.db")
    const database = new DatabaseSync(path)
    database.exec("create table orders (id integer primary key, customer text)")
    database.close()
    const host = await hostWith({ connections: { shop: `sqlite:${path}` }, policy: { db: [`sqlite:${path}`] } })
    const committed: Array<number> = []
    const orders = Flow.from([1, 2, 3]).map((id) => ({ id, customer: `c${id}` }))
    await host.runFlow(orders.toTable("orders", { connection: "shop", batchSize: 2, onBatchComplete: (rows) => committed.push(rows) }))
    expect(committed).toEqual([2, 1])
    const late = Flow.fromQuery("select * from orders where id > ?", { params: [1], orderKey: "id", fetchSize: 1 })
    expect(await collected(host.stream(late))).toEqual([
      { id: 2, customer: "c2" },
      { id: 3, customer: "c3" }
    ])
  })

  it("publishes to a queue and consumes it", async () => {
    const host = await hostWith({ policy: { queue: ["orders"] } })
    const sent: Array<number> = []
    await host.runFlow(Flow.from([{ n: 1 }, { n: 2 }]).toQueue("orders", { batchSize: 2, onSent: (messages) => sent.push(messages) }))
    expect(sent).toEqual([2])
    const messages = await collected(host.stream(Flow.fromQueue<{ readonly n: number }>("orders", { wait: 50, maxInFlight: 10 })))
    expect(messages.map(({ attempts, body }) => [body.n, attempts])).toEqual([
      [1, 1],
      [2, 1]
    ])
  })

  it("consumes a queue beside an iterable, which has no name that a checkpoint could know", async () => {
    const host = await hostWith({ policy: { queue: ["orders"] } })
    await host.runFlow(Flow.from([1, 2]).toQueue("orders"))
    const numbers = Flow.from(
      (function* () {
        yield 10
        yield 20
      })()
    )
    const bodies = Flow.fromQueue<number>("orders", { wait: 50 }).map(({ body }) => body)
    expect([...(await collected(host.stream(Flow.merge([bodies, numbers]))))].sort((a, b) => a - b)).toEqual([1, 2, 10, 20])
  })

  it("reads from a web server and posts to it, by a policy of its own", async () => {
    const posted: Array<unknown> = []
    let refusals = 1
    const server = createServer((request, response) => {
      if (request.method === "GET") return response.end('{"n":1}\n{"n":2}\n')
      if (refusals-- > 0) return response.writeHead(503).end()
      let body = ""
      request
        .on("data", (chunk) => (body += chunk))
        .on("end", () => {
          posted.push(JSON.parse(body))
          response.end("{}")
        })
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    closing.push(() => server.close())
    const peer = `127.0.0.1:${(server.address() as AddressInfo).port}`
    const host = await hostWith({ policy: { net: [peer] } })
    const items = Flow.fromHttp<{ readonly n: number }>(`http://${peer}/`, { format: "ndjson" })
    await host.runFlow(items.map(({ n }) => n * 10).postTo(`http://${peer}/`, { retryPolicy: { baseDelay: 1 } }))
    expect(posted).toEqual([[10, 20]])
  })

  it("reads the messages of a WebSocket", async () => {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1" })
    closing.push(() => server.close())
    await new Promise((resolve) => server.once("listening", resolve))
    server.on("connection", (socket) => {
      socket.send("one")
      socket.close(1000)
    })
    const peer = `127.0.0.1:${(server.address() as AddressInfo).port}`
    const host = await hostWith({ policy: { net: [peer] } })
    expect(await collected(host.stream(Flow.fromWebSocket(`ws://${peer}/`)))).toEqual(["one"])
  })
})

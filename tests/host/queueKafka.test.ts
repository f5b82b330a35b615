import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { afterAll, describe, expect, it } from "vitest"
import { StreamHost } from "rtfs-streams"
import { openQueueBackend } from "../../src/state/index.ts"
import { kafkaApi, KafkaMock } from "../state/queues/KafkaMock.ts"
import { runConsumer } from "./runConsumer.ts"

// Kafka as programs see it, against librdkafka's mock cluster.

const mocks: Array<KafkaMock> = []
const first = await KafkaMock.start()
if (first instanceof KafkaMock) mocks.push(first)
const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-kafka-"))
afterAll(() => {
  mocks.forEach((mock) => mock.stop())
  rmSync(folder, { recursive: true })
})

const range = (count: number) => Array.from({ length: count }, (_, n) => n)
const depthOf = (mock: KafkaMock, queue: string) =>
  Effect.runPromise(Effect.scoped(Effect.flatMap(openQueueBackend(mock.url), (backend) => backend.depth(queue))))

/** A first consumer of a group waits three seconds there, and must not be given up meanwhile. */
const lease = ":visibility-timeout 4"
const title = first instanceof KafkaMock ? "queues of programs, Kafka" : `queues of programs, Kafka: ${first}`

describe.skipIf(!(first instanceof KafkaMock)).concurrent(title, () => {
  const shared = first as KafkaMock

  it("gives back what a program failed on, and puts what comes too often aside", async () => {
    await shared.topic("orders", 2)
    const done: Array<number> = []
    const acknowledged: Array<string> = []
    const bindings = {
      data: range(60),
      work: (messages: ReadonlyArray<{ readonly body: number }>) => {
        if (messages.some(({ body }) => body === 13)) throw new Error("no thirteen")
        done.push(...messages.map(({ body }) => body))
      },
      ack: (ids: ReadonlyArray<string>) => void acknowledged.push(...ids)
    }
    const host = await StreamHost.start({ policy: { queue: ["*"] }, connections: { queue: shared.url }, bindings, log: () => {} })
    await host.run(`(call :stream.queue.produce "orders" {:data-stream data})`)
    const consume = `(call :stream.queue.consume "orders"
      {:batch-size 1 :wait 300 ${lease} :max-receives 3 :dead-letter-queue "bad" :on-ack ack :on-batch (fn [messages] (work messages))})`
    let failures = 0
    let isOver = false
    while (!isOver && failures < 5) {
      await host.run(consume).then(
        () => (isOver = true),
        (error: Error) => {
          expect(error.message).toContain("no thirteen")
          failures++
        }
      )
    }
    expect(failures).toBe(3)
    const { value } = await host.run(
      `(call :stream.await (call :stream.to-collection {:source (call :stream.queue.consume "bad" {:wait 300 ${lease}})}))`
    )
    const bad = value as ReadonlyArray<{ readonly body: number }>
    expect(bad.find(({ body }) => body === 13)).toMatchObject({ attempts: 1, headers: { "original-queue": "orders", attempts: "4" } })
    expect(new Set([...done, ...bad.map(({ body }) => body)])).toEqual(new Set(range(60)))
    expect(done).not.toContain(13)
    expect(new Set(acknowledged).size + bad.length).toBe(60)
    expect(await depthOf(shared, "orders")).toEqual({ waiting: 0, held: undefined })
    await host[Symbol.asyncDispose]()
  }, 60_000)

  it("works on nothing again that a checkpoint has, though it was never acknowledged", async () => {
    const mock = (await KafkaMock.start(1)) as KafkaMock
    mocks.push(mock)
    await mock.topic("orders", 3)
    const worked: Array<number> = []
    const bindings = {
      data: range(50),
      work: (messages: ReadonlyArray<{ readonly body: number }>) => void worked.push(...messages.map(({ body }) => body))
    }
    const store = `sqlite:${join(folder, "covered.db")}`
    const program = `(call :stream.queue.consume "orders" {:wait 300 ${lease} :on-batch (fn [messages] (work messages))})`
    const run = async (body: (host: StreamHost) => Promise<unknown>) => {
      await using host = await StreamHost.start({
        store,
        policy: { queue: ["*"] },
        connections: { queue: mock.url },
        bindings,
        log: () => {}
      })
      await body(host)
    }
    // Refused for good, each time.
    await mock.errors(kafkaApi.offsetCommit, ...range(500).map(() => 30))
    await run(async (host) => {
      await host.run(`(call :stream.queue.produce "orders" {:data-stream data})`)
      await expect(host.run(program)).rejects.toThrow("refuses this user that consumer group")
    })
    await mock.clear(kafkaApi.offsetCommit)
    expect(worked.toSorted((a, b) => a - b)).toEqual(range(50))
    expect((await depthOf(mock, "orders")).waiting).toBe(50)
    await run((host) => host.run(program))
    expect((await depthOf(mock, "orders")).waiting).toBe(0)
    expect(worked.length).toBe(50)
  }, 60_000)

  it("loses nothing when the process is killed, and goes on where its checkpoint was", async () => {
    await shared.topic("work", 3)
    const count = 3000
    const kills = 2
    const work = join(folder, "killed.work")
    const host = await StreamHost.start({
      policy: { queue: ["*"] },
      connections: { queue: shared.url },
      bindings: { data: range(count) },
      log: () => {}
    })
    await host.run(`(call :stream.queue.produce "work" {:data-stream data :batch-size 500})`)
    await host[Symbol.asyncDispose]()
    const store = `sqlite:${join(folder, "killed.db")}`
    const runProcess = (isKilled: boolean) => runConsumer([store, work, "work", shared.url, "4"], isKilled)
    for (let round = 0; round < kills; round++) await runProcess(true)
    expect(await runProcess(false)).toContain("ended")
    const worked = readFileSync(work, "utf8").trimEnd().split("\n").map(Number)
    expect(new Set(worked)).toEqual(new Set(range(count)))
    // What a killed process had begun: at most what may be unacknowledged.
    expect(worked.length - count).toBeLessThanOrEqual(kills * 400)
    expect((await depthOf(shared, "work")).waiting).toBe(0)
  }, 120_000)
})

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { afterAll, describe, expect, it } from "vitest"
import { StreamHost } from "rtfs-streams"
import { openStateStore } from "../../src/state/index.ts"
import { runConsumer } from "./runConsumer.ts"

// P9: what was enqueued is dequeued; lost, unexpected and repeated messages are counted apart.

const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-queue-crashes-"))
afterAll(() => rmSync(folder, { recursive: true }))

/** `QUEUE_MESSAGES=100000 QUEUE_KILLS=20 npx vitest run tests/host/queueCrashes.test.ts` looks longer. */
const messages = Number(process.env["QUEUE_MESSAGES"] ?? 8000)
const kills = Number(process.env["QUEUE_KILLS"] ?? 3)

const range = (count: number) => Array.from({ length: count }, (_, n) => n)

const depthOf = (store: string, queue: string) =>
  Effect.runPromise(
    Effect.scoped(Effect.flatMap(openStateStore(store), ({ queues }) => Effect.flatMap(queues!, (backend) => backend.depth(queue))))
  )

describe("a queue whose messages fail", () => {
  it("adds up: every message was worked off or is a dead letter, and is acknowledged once", async () => {
    const store = `sqlite:${join(folder, "adds-up.db")}`
    const done: Array<number> = []
    const acknowledged: Array<string> = []
    const failed = new Set<number>()
    await using host = await StreamHost.start({
      store,
      policy: { queue: ["*"] },
      log: () => {},
      bindings: {
        data: range(messages),
        // One in 200 fails once, and one in 200 for ever.
        work: ({ body }: { readonly body: number }) => {
          if (body % 200 === 7) throw new Error("always")
          if (body % 200 === 13 && !failed.has(body)) {
            failed.add(body)
            throw new Error("once")
          }
          return body
        },
        note: (body: number) => void done.push(body),
        ack: (ids: ReadonlyArray<string>) => void acknowledged.push(...ids)
      }
    })
    await host.run(`(call :stream.queue.produce "all" {:data-stream data :batch-size 500})`)
    const report = await host.run(`
      (call :stream.for-each
        (call :stream.map (call :stream.queue.consume "all" {:batch-size 100 :wait 0 :on-ack ack})
          {:transform work :max-retries 1 :retry-backoff 1 :on-failure :dead-letter :dead-letter-queue "bad"})
        {:callback note})`)
    const always = range(messages).filter((n) => n % 200 === 7)
    expect(new Set(done).size).toBe(done.length)
    expect(done.length + always.length).toBe(messages)
    expect(report.deadLettered).toBe(always.length)
    expect(acknowledged.length).toBe(messages)
    expect(new Set(acknowledged).size).toBe(messages)
    // The dead letters are a queue, too.
    const bad = await host.run(
      `(call :stream.await (call :stream.to-collection {:source (call :stream.queue.consume "bad" {:batch-size 100 :wait 0})}))`
    )
    const bodies = (bad.value as ReadonlyArray<{ readonly body: { readonly body: number } }>).map(({ body }) => body.body)
    expect(bodies.toSorted((a, b) => a - b)).toEqual(always)
    const left = await host.run(`(call :stream.await (call :stream.to-collection {:source (call :stream.queue.consume "bad" {:wait 0})}))`)
    expect(left.value).toEqual([])
  }, 300_000)
})

describe("a consumer that is killed", () => {
  it("loses nothing, and works on nothing that was acknowledged again", async () => {
    const store = `sqlite:${join(folder, "killed.db")}`
    const work = join(folder, "killed.work")
    const count = 3000
    {
      await using host = await StreamHost.start({ store, policy: { queue: ["*"] }, bindings: { data: range(count) } })
      await host.run(`(call :stream.queue.produce "work" {:data-stream data :batch-size 500})`)
    }
    /** Kills it once it has acknowledged something, without waiting for a good moment. */
    const runProcess = (isKilled: boolean) => runConsumer([store, work, "work"], isKilled)
    for (let round = 0; round < kills; round++) await runProcess(true)
    expect(await runProcess(false)).toContain("ended")
    const worked = existsSync(work) ? readFileSync(work, "utf8").trimEnd().split("\n").map(Number) : []
    expect(new Set(worked)).toEqual(new Set(range(count)))
    // What a killed process had begun: at most what may be unacknowledged.
    expect(worked.length - count).toBeLessThanOrEqual(kills * 400)
    expect(await depthOf(store, "work")).toEqual({ waiting: 0, held: 0 })
  }, 120_000)
})

describe("leases of the embedded queue, by a clock that only the test moves", () => {
  const inTime = <A>(body: Effect.Effect<A, unknown, Scope.Scope>) =>
    Effect.runPromise(Effect.scoped(body).pipe(Effect.provide(TestClock.layer())))
  const message = (key: string) => ({ key, body: Buffer.from(key), contentType: "text/plain", headers: {}, time: 0 })
  const open = Effect.flatMap(openStateStore("memory:"), ({ queues }) => queues!)

  it("run out on the millisecond, and begin anew when they are extended", () =>
    inTime(
      Effect.gen(function* () {
        const backend = yield* open
        const first = yield* backend.subscribe("q", { leaseMs: 30_000, maxHeld: 10 })
        const other = yield* backend.subscribe("q", { leaseMs: 30_000, maxHeld: 10 })
        yield* backend.publish("q", [message("a")])
        const held = yield* first.receive(1)
        const looking = Effect.gen(function* () {
          const fiber = yield* Effect.forkScoped(other.receive(1))
          yield* TestClock.adjust(200)
          return yield* Fiber.join(fiber)
        })
        yield* TestClock.adjust(15_000)
        yield* first.extend(held)
        yield* TestClock.adjust(29_799)
        expect(yield* looking).toEqual([])
        yield* TestClock.adjust(1)
        const again = yield* other.receive(1)
        expect(again.map(({ attempts }) => attempts)).toEqual([2])
        // Whose lease has run out can't acknowledge what another has now.
        expect(yield* first.acknowledge(held)).toEqual([])
        expect(yield* other.acknowledge(again)).toEqual(again)
      })
    ))

  it("hold back what was given back for its delay, to the millisecond, and count only what was begun", () =>
    inTime(
      Effect.gen(function* () {
        const backend = yield* open
        const from = yield* backend.subscribe("q", { leaseMs: 30_000, maxHeld: 10 })
        yield* backend.publish("q", [message("a"), message("b"), message("c")])
        const [a, b, c] = yield* from.receive(3)
        yield* from.giveBack([a!], { delayMs: 5000, isUnstarted: false })
        yield* from.giveBack([b!], { delayMs: 20_000, isUnstarted: true })
        yield* from.acknowledge([c!])
        const attempts = Effect.gen(function* () {
          const fiber = yield* Effect.forkScoped(from.receive(3))
          yield* TestClock.adjust(200)
          return (yield* Fiber.join(fiber)).map((delivery) => [Buffer.from(delivery.body).toString(), delivery.attempts])
        })
        yield* TestClock.adjust(4799)
        expect(yield* attempts).toEqual([])
        yield* TestClock.adjust(1)
        expect(yield* attempts).toEqual([["a", 2]])
        yield* TestClock.adjust(14_599)
        expect(yield* attempts).toEqual([])
        yield* TestClock.adjust(1)
        expect(yield* attempts).toEqual([["b", 1]])
      })
    ))

  it("are over when the store is opened again: who had them is gone", async () => {
    const store = `sqlite:${join(folder, "leases.db")}`
    const scope = Scope.makeUnsafe()
    const backend = await Effect.runPromise(
      Scope.provide(
        Effect.flatMap(openStateStore(store), ({ queues }) => queues!),
        scope
      )
    )
    const receive = (from: typeof backend) =>
      Effect.runPromise(Effect.scoped(Effect.flatMap(from.subscribe("q", { leaseMs: 1e9, maxHeld: 10 }), (each) => each.receive(10))))
    await Effect.runPromise(backend.publish("q", [message("a")]))
    expect(await receive(backend)).toHaveLength(1)
    await Effect.runPromise(Scope.close(scope, Exit.void))
    const again = await Effect.runPromise(
      Effect.scoped(
        Effect.flatMap(openStateStore(store), ({ queues }) => Effect.flatMap(queues!, (each) => Effect.promise(() => receive(each))))
      )
    )
    expect(again.map(({ attempts }) => attempts)).toEqual([2])
  })
})

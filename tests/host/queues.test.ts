import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { afterAll, describe, expect, it } from "vitest"
import { type HostOptions, StreamHost } from "rtfs-streams"
import { type QueueBackend, openStateStore } from "../../src/state/index.ts"
import { freshQueue, type Server, servers } from "../state/queues/queueServers.ts"

// docs/queues.md, as programs see it.

const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-queues-"))
const all = await servers()
afterAll(async () => {
  rmSync(folder, { recursive: true })
  for (const { remove } of all) await remove()
})

let ordinal = 0

interface Setting {
  readonly options: HostOptions
  /** Looks at the queues while no host has them. */
  readonly look: <A>(body: (backend: QueueBackend) => Effect.Effect<A, unknown>) => Promise<A>
}

const embedded = (): Setting => {
  const store = `sqlite:${join(folder, `state-${++ordinal}.db`)}`
  return {
    options: { store, policy: { queue: ["*"] } },
    look: (body) => Effect.runPromise(Effect.scoped(Effect.flatMap(openStateStore(store), ({ queues }) => Effect.flatMap(queues!, body))))
  }
}

const onServer = ({ open, url }: Server): Setting => ({
  options: { policy: { queue: ["*"] }, connections: { queue: url } },
  look: (body) => Effect.runPromise(Effect.scoped(Effect.flatMap(open, body)))
})

const withHost = async <A>(options: HostOptions, body: (host: StreamHost) => Promise<A>): Promise<A> => {
  const host = await StreamHost.start({ log: () => {}, ...options })
  try {
    return await body(host)
  } finally {
    await host.stop()
  }
}

const range = (count: number) => Array.from({ length: count }, (_, n) => n)

const settings = [
  { name: "embedded", setting: embedded, unavailable: undefined, wait: 0, leases: true },
  ...all.map((server) => ({
    name: server.name,
    setting: () => onServer(server),
    unavailable: server.unavailable,
    wait: 1500,
    leases: server.leases
  }))
]

for (const { leases, name, setting, unavailable, wait } of settings) {
  const title = unavailable === undefined ? name : `${name}: ${unavailable}`
  // Side by side, because they mostly wait.
  describe.skipIf(unavailable !== undefined)(`queues of programs, ${title}`, { concurrent: true }, () => {
    it("takes what was produced, and acknowledges all of it", async () => {
      const { look, options } = setting()
      const queue = freshQueue()
      const sent: Array<number> = []
      const acknowledged: Array<string> = []
      const bindings = {
        data: range(300).map((n) => ({ n, text: "x" })),
        sent: (count: number) => void sent.push(count),
        ack: (ids: ReadonlyArray<string>) => void acknowledged.push(...ids)
      }
      await withHost({ ...options, bindings }, async (host) => {
        const produced = await host.run(`(call :stream.await (call :stream.queue.produce "${queue}" {:data-stream data :on-sent sent}))`)
        expect(produced.value).toEqual({ queue, sent: 300 })
        expect(sent.reduce((sum, count) => sum + count, 0)).toBe(300)
        expect(Math.max(...sent)).toBe(50)
        const { value } = await host.run(
          `(call :stream.await (call :stream.to-collection {:source (call :stream.queue.consume "${queue}" {:wait ${wait} :on-ack ack})}))`
        )
        const messages = value as ReadonlyArray<{ readonly id: string; readonly body: { readonly n: number }; readonly attempts: number }>
        expect(messages.map(({ body }) => body)).toEqual(range(300).map((n) => ({ n, text: "x" })))
        expect(messages.every(({ attempts }) => attempts === 1)).toBe(true)
        expect([...acknowledged].sort()).toEqual(messages.map(({ id }) => id).sort())
      })
      expect((await look((backend) => backend.depth(queue))).waiting).toBe(0)
    }, 20_000)

    it("publishes together what an asynchronous function gave one by one", async () => {
      const { look, options } = setting()
      const queue = freshQueue()
      const sent: Array<number> = []
      const bindings = { data: range(300), later: async (n: number) => n, sent: (count: number) => void sent.push(count) }
      const program = `(call :stream.await (call :stream.queue.produce "${queue}" {:data-stream (call :stream.map data {:transform later}) :batch-size 50 :on-sent sent}))`
      await withHost({ ...options, bindings }, async (host) => {
        expect((await host.run(program)).value).toEqual({ queue, sent: 300 })
      })
      expect(sent.reduce((sum, count) => sum + count, 0)).toBe(300)
      expect(sent.length).toBeLessThan(60)
      expect((await look((backend) => backend.depth(queue))).waiting).toBe(300)
    }, 20_000)

    it("gives batches to :on-batch, and gives back what it failed on", async () => {
      const { look, options } = setting()
      const queue = freshQueue()
      const batches: Array<ReadonlyArray<number>> = []
      let isBroken = true
      const bindings = {
        data: range(20),
        work: (messages: ReadonlyArray<{ readonly body: number }>) => {
          if (isBroken && messages.some(({ body }) => body === 13)) throw new Error("no thirteen")
          batches.push(messages.map(({ body }) => body))
        }
      }
      const consume = `(call :stream.queue.consume "${queue}" {:batch-size 4 :wait ${wait} :on-batch (fn [messages] (work messages))})`
      await withHost({ ...options, bindings }, async (host) => {
        await host.run(`(call :stream.queue.produce "${queue}" {:data-stream data})`)
        await expect(host.run(consume)).rejects.toThrow("no thirteen")
      })
      expect(Math.max(...batches.map((batch) => batch.length))).toBeLessThanOrEqual(4)
      isBroken = false
      await withHost({ ...options, bindings }, (host) => host.run(consume))
      expect(new Set(batches.flat())).toEqual(new Set(range(20)))
      expect((await look((backend) => backend.depth(queue))).waiting).toBe(0)
    }, 20_000)

    it("puts aside what came too often", async () => {
      const { options } = setting()
      const queue = freshQueue()
      const dead = freshQueue()
      const seen: Array<number> = []
      const bindings = {
        work: (messages: ReadonlyArray<{ readonly body: number }>) => {
          if (messages.some(({ body }) => body === 1)) throw new Error("poison")
          seen.push(...messages.map(({ body }) => body))
        }
      }
      const consume = `(call :stream.queue.consume "${queue}" {:batch-size 1 :wait ${wait} :max-receives 2 :dead-letter-queue "${dead}" :on-batch (fn [messages] (work messages))})`
      await withHost({ ...options, bindings }, async (host) => {
        await host.run(`(call :stream.queue.produce "${queue}" {:data-stream [1]})`)
        for (let run = 0; run < 2; run++) await expect(host.run(consume)).rejects.toThrow("poison")
        // What is in flight beside it counts as received, too: so these come when it is about to be put aside.
        await host.run(`(call :stream.queue.produce "${queue}" {:data-stream [0 2]})`)
        await host.run(consume)
        expect(new Set(seen)).toEqual(new Set([0, 2]))
        const { value } = await host.run(
          `(call :stream.await (call :stream.to-collection {:source (call :stream.queue.consume "${dead}" {:wait ${wait}})}))`
        )
        expect(value).toMatchObject([{ body: 1, headers: { "original-queue": queue } }])
      })
    }, 30_000)

    it("puts aside with body, key, headers and reason, at once what can't be read", async () => {
      const { look, options } = setting()
      const queue = freshQueue()
      const dead = freshQueue()
      await look((backend) =>
        backend.publish(queue, [
          {
            key: "bad",
            body: Buffer.from("{no json"),
            contentType: "application/json",
            headers: { trace: "t-1" },
            time: 1_700_000_000_000
          },
          { key: "good", body: Buffer.from("[1]"), contentType: "application/json", headers: {}, time: 1_700_000_000_000 }
        ])
      )
      const collect = (from: string, more: string) =>
        `(call :stream.await (call :stream.to-collection {:source (call :stream.queue.consume "${from}" {:wait ${wait} ${more}})}))`
      await withHost(options, async (host) => {
        const good = await host.run(collect(queue, `:dead-letter-queue "${dead}"`))
        expect(good.value).toMatchObject([{ body: [1], headers: { "message-key": "good" } }])
        const bad = (await host.run(collect(dead, ":format :text"))).value as ReadonlyArray<{ readonly headers: Record<string, string> }>
        expect(bad).toMatchObject([
          { body: "{no json", attempts: 1, headers: { trace: "t-1", "original-key": "bad", "original-queue": queue, attempts: "1" } }
        ])
        expect(bad[0]!.headers["dead-letter-reason"]).toMatch(/can't be read/)
      })
      expect((await look((backend) => backend.depth(queue))).waiting).toBe(0)
    }, 20_000)

    it("gives what a stream had begun again after :nack-delay, and not before", async () => {
      const { options } = setting()
      const queue = freshQueue()
      let failedAt = 0
      let cameAt = 0
      const bindings = {
        work: () => {
          failedAt = performance.now()
          throw new Error("broken")
        },
        came: (message: unknown) => {
          cameAt = performance.now()
          return message
        }
      }
      await withHost({ ...options, bindings }, async (host) => {
        await host.run(`(call :stream.queue.produce "${queue}" {:data-stream [1]})`)
        const failing = `(call :stream.for-each (call :stream.queue.consume "${queue}" {:nack-delay 1600}) {:callback (fn [m] (work))})`
        await expect(host.run(failing)).rejects.toThrow("broken")
        const { value } = await host.run(
          `(call :stream.await (call :stream.to-collection {:source (call :stream.map (call :stream.queue.consume "${queue}" {:wait 3000}) {:transform came})}))`
        )
        expect(cameAt - failedAt).toBeGreaterThanOrEqual(1595)
        expect(value).toMatchObject([{ body: 1, attempts: 2 }])
      })
    }, 20_000)

    it.skipIf(!leases)(
      "extends a message as long as the work on it takes, so that no other consumer gets it",
      async () => {
        const { options } = setting()
        const queue = freshQueue()
        const worked: Array<number> = []
        const bindings = {
          work: async ({ attempts }: { readonly attempts: number }) => {
            worked.push(attempts)
            await new Promise((resolve) => setTimeout(resolve, 2200))
          }
        }
        const consume = `(call :stream.for-each (call :stream.queue.consume "${queue}" {:visibility-timeout 1 :batch-size 1 :max-in-flight 1 :wait 2500}) {:callback work})`
        await withHost({ ...options, bindings }, async (host) => {
          await host.run(`(call :stream.queue.produce "${queue}" {:data-stream [1]})`)
          await Promise.all([host.run(consume), host.run(consume)])
        })
        expect(worked).toEqual([1])
      },
      20_000
    )

    it("loses nothing when it is stopped in between, and gives back what it had not begun", async () => {
      const { look, options } = setting()
      const queue = freshQueue()
      const seen: Array<number> = []
      let told = () => {}
      const some = new Promise<void>((resolve) => (told = resolve))
      const bindings = {
        data: range(500),
        work: async ({ body }: { readonly body: number }) => {
          seen.push(body)
          if (seen.length === 100) told()
          if (seen.length % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
        }
      }
      await withHost({ ...options, bindings }, async (host) => {
        await host.run(`(call :stream.queue.produce "${queue}" {:data-stream data})`)
        const ended = host.run(`(call :stream.for-each (call :stream.queue.consume "${queue}") {:callback work})`)
        ended.catch(() => {})
        await some
        await host.drain({ timeoutMs: 10_000 })
        await ended
      })
      const first = new Set(seen)
      expect(first.size).toBe(seen.length)
      // NATS counts what was given back as held until it is given again.
      const { held = 0, waiting } = await look((backend) => backend.depth(queue))
      expect(first.size + waiting + held).toBe(500)
    }, 30_000)
  })
}

import * as Effect from "effect/Effect"
import { afterAll, describe, expect, it } from "vitest"
import { StreamHost } from "../../src/host/index.ts"
import { openQueueBackend } from "../../src/state/index.ts"
import { freshQueue, servers } from "../state/queues/queueServers.ts"
import { CutProxy } from "../state/queues/CutProxy.ts"
import { backends } from "../host/databaseBackends.ts"

// What a peer sends into a stream whose consumer has stopped taking; for HTTP and WebSocket tests/capabilities/network has the same.

const mostBytes = 48 * 1024 ** 2
const bodyBytes = 32 * 1024
/** Twice of what may come. */
const messages = (2 * mostBytes) / bodyBytes

/** Runs a stream whose consumer takes five items and no further one, until the server sends nothing more. */
const received = async (proxy: CutProxy, connections: Readonly<Record<string, string>>, source: string): Promise<number> => {
  let seen = 0
  const host = await StreamHost.start({
    connections,
    policy: { all: true },
    bindings: { see: () => (++seen < 5 ? undefined : new Promise(() => {})) },
    print: () => {},
    log: () => {}
  })
  const before = proxy.received
  try {
    host.run(`(call :stream.for-each ${source} {:callback see})`).catch(() => {})
    while (seen < 5) await sleep(10)
    // Sources that ask each second are given that second.
    for (let last = -1; last !== proxy.received;) {
      last = proxy.received
      await sleep(700)
    }
    return proxy.received - before
  } finally {
    await host.stop({ timeout: 0 })
  }
}
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

const queues = await servers()
const databases = (await backends("")).filter(({ name }) => name !== "SQLite")
afterAll(async () => {
  for (const { remove } of queues) await remove()
})

describe("a consumer that takes nothing more is sent no more than 48 MB", () => {
  for (const { missing, name, url } of databases) {
    it.skipIf(missing !== undefined)(`by ${name}${missing === undefined ? "" : ` (skipped: ${missing})`}`, async () => {
      const proxy = await CutProxy.to(url)
      const rows = name === "PostgreSQL" ? `generate_series(1, ${messages}) AS seq` : `seq_1_to_${messages}`
      const query = `(call :stream.db.query "SELECT seq, repeat('x', ${bodyBytes}) AS pad FROM ${rows}" {:connection :db-conn})`
      const bare = new URL(url)
      bare.search = ""
      if (name === "MariaDB") bare.pathname = "/test"
      const bytes = await received(proxy, { "db-conn": proxy.urlOf(bare.toString()) }, query)
      expect(bytes).toBeGreaterThan(5 * bodyBytes)
      expect(bytes).toBeLessThan(mostBytes)
      proxy.close()
    })
  }

  for (const { name, proxy, unavailable, url } of queues) {
    it.skipIf(unavailable !== undefined)(
      `by ${unavailable === undefined ? name : `${name} (skipped: ${unavailable})`}`,
      async () => {
        const queue = freshQueue()
        const batch = Array.from({ length: 64 }, (_, at) => ({
          body: Buffer.alloc(bodyBytes, "x"),
          contentType: "text/plain",
          headers: {},
          time: 0,
          key: String(at)
        }))
        const fill = Effect.flatMap(openQueueBackend(url), (backend) =>
          Effect.forEach(Array.from({ length: messages / 64 }), (_, round) =>
            backend.publish(
              queue,
              batch.map((message) => ({ ...message, key: `${round}-${message.key}` }))
            )
          )
        )
        await Effect.runPromise(Effect.scoped(fill))
        const bytes = await received(proxy, { queue: url }, `(call :stream.queue.consume "${queue}")`)
        expect(bytes).toBeGreaterThan(5 * bodyBytes)
        expect(bytes).toBeLessThan(mostBytes)
      },
      60_000
    )
  }
})

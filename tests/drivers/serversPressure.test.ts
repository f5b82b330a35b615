import * as Effect from "effect/Effect"
import { afterAll, describe, expect, it } from "vitest"
import { StreamHost } from "../../src/host/index.ts"
import { openQueueBackend } from "../../src/state/index.ts"
import { freshQueue, servers } from "../state/queues/queueServers.ts"
import { CutProxy } from "../state/queues/CutProxy.ts"
import { backends } from "../host/databaseBackends.ts"
import { bodyBytes, fill, mostBytes, queryOf } from "./serversPressure.ts"

// What a peer sends into a stream whose consumer has stopped taking; for HTTP and WebSocket tests/capabilities/network has the same.
// With a consumer that is slow: node tests/drivers/serversPressure.ts

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
      const query = queryOf(name === "PostgreSQL" ? "postgres" : "mariadb", messages)
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
        await Effect.runPromise(Effect.scoped(Effect.flatMap(openQueueBackend(url), (backend) => fill(backend, queue, messages))))
        const bytes = await received(proxy, { queue: url }, `(call :stream.queue.consume "${queue}")`)
        expect(bytes).toBeGreaterThan(5 * bodyBytes)
        expect(bytes).toBeLessThan(mostBytes)
      },
      60_000
    )
  }
})

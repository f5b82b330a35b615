import { afterAll, describe, expect, it, onTestFinished } from "vitest"
import { StreamHost } from "../../src/host/index.ts"
import { promises, serverCases } from "./serversCases.ts"
import { serverKinds, type ServerName, withMySql, withPostgres } from "./serversKinds.ts"
import { OwnServer } from "./serversProcess.ts"
import { serverRun } from "./serversRuns.ts"

// The same with as many kills as one likes: node tests/drivers/servers.ts

/** One for all cases of its kind, or why there is none. */
const servers = new Map<ServerName, OwnServer | string>()
for (const name of Object.keys(serverKinds) as ReadonlyArray<ServerName>)
  servers.set(name, await OwnServer.startUnlessMissing(serverKinds[name]))
afterAll(async () => {
  for (const server of servers.values()) if (typeof server !== "string") await server.remove()
})

/** Those whose process is killed as well: the others of a kind differ in nothing that concerns it. */
const ownKills: ReadonlyArray<string> = ["postgres/insert", "redis/queue"]

const query = `(call :stream.for-each (call :stream.db.query "SELECT id, pad FROM pages" {:connection :db-conn :order-key "id" :fetch-size 10}) {:callback seen})`
const insert = `(call :stream.db.bulk-insert "numbers" {:connection :db-conn :batch-size 10 :on-batch-complete seen :data-stream endless})`
const queue = `
  (call :stream.queue.produce "q" {:batch-size 5 :data-stream endless})
  (call :stream.for-each (call :stream.queue.consume "q" {:batch-size 5}) {:callback seen})`
const programs: Readonly<Record<ServerName, string>> = { postgres: query, mariadb: insert, redis: queue, nats: queue, rabbitmq: queue }

for (const [name, found] of servers) {
  const server = found as OwnServer
  const lacks = typeof found === "string" ? found : undefined
  describe.skipIf(lacks !== undefined)(`${name} is killed${lacks === undefined ? "" : ` (skipped: ${lacks})`}`, () => {
    for (const { scenario } of serverCases.filter((each) => each.server === name)) {
      it(`in the middle of a stream, and started again: ${scenario} adds up`, async () => {
        const own = ownKills.includes(`${name}/${scenario}`) ? 1 : 0
        const options = { server: name, scenario, items: 1000, serverKills: 1, ownKills: own, seed: 5, itemsPerPause: 1 }
        const report = await serverRun(options, server)
        expect({ ...report, broken: promises(report) }).toMatchObject({ killedServers: 1, killedProcesses: own, broken: [] })
      }, 60_000)
    }

    it("and does not come back: inspect names it, nothing else stops, and its stream can be cancelled", async () => {
      if (!server.isRunning) await server.start()
      if (name === "postgres") {
        const rows = "SELECT id, repeat('x', 1000) AS pad FROM generate_series(1, 20000) AS id"
        await withPostgres(server.url, (client) => client.query(`CREATE TABLE pages AS ${rows}`))
      }
      if (name === "mariadb") await withMySql(server.url, (connection) => connection.query("CREATE TABLE numbers (id INT)"))
      let seen = 0
      const host = await StreamHost.start({
        connections: { "db-conn": server.url, queue: server.url },
        policy: { all: true },
        bindings: {
          seen: () => new Promise((resolve) => setTimeout(resolve, ++seen > 20 ? 1 : 0)),
          next: async (n: number) =>
            n % 10 === 0 ? new Promise((resolve) => setTimeout(() => resolve([{ id: n }, n + 1]), 1)) : [{ id: n }, n + 1]
        },
        print: () => {},
        log: () => {}
      })
      onTestFinished(() => host.stop({ timeout: 0 }))
      const endless = "(def endless (call :stream.generate {:initial-state 0 :generator next}))"
      const handle = await host.spawn(`${endless} ${programs[name]}`, { name: "work", restart: "temporary" })
      const ended = handle.result.catch(() => "ended")
      await until(() => seen > 20)
      await server.kill()
      await until(() => JSON.stringify(host.inspect()).includes(`127.0.0.1:${server.port}`))
      expect((await host.run("(call :stream.await (call :stream.to-collection {:source [1 2]}))")).value).toEqual([1, 2])
      // Nobody waits for the server: a stream that did would be there until the end of this test.
      await handle.cancel()
      await ended
    }, 60_000)
  })
}

const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5))
}

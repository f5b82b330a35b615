import { afterEach, describe, expect, it } from "vitest"
import { StreamHost } from "../../src/host/index.ts"
import { promises, serverCases } from "./serversCases.ts"
import { serverKinds, type ServerName, withMySql, withPostgres } from "./serversKinds.ts"
import { missing, OwnServer, type ServerKind } from "./serversProcess.ts"
import { serverRun } from "./serversRuns.ts"

// The same with as many kills as one likes: node tests/drivers/servers.ts

const titleOf = (server: ServerName) => {
  const lacks = missing(serverKinds[server])
  return { lacks, title: lacks === undefined ? server : `${server} (skipped: ${lacks})` }
}

/** Those whose process is killed as well: the others of a kind differ in nothing that concerns it. */
const ownKills: ReadonlyArray<string> = ["postgres/insert", "redis/queue"]

describe("a stream whose server is killed in the middle and started again", () => {
  for (const { scenario, server } of serverCases) {
    const { lacks, title } = titleOf(server)
    it.skipIf(lacks !== undefined)(
      `adds up: ${title}, ${scenario}`,
      async () => {
        const own = ownKills.includes(`${server}/${scenario}`) ? 1 : 0
        const report = await serverRun({ server, scenario, items: 2400, serverKills: 1, ownKills: own, seed: 5, itemsPerPause: 2 })
        expect({ ...report, broken: promises(report) }).toMatchObject({ killedServers: 1, killedProcesses: own, broken: [] })
      },
      90_000
    )
  }
})

describe("a server that does not come back", () => {
  const servers: Array<OwnServer> = []
  const hosts: Array<StreamHost> = []
  afterEach(async () => {
    for (const host of hosts.splice(0)) await host.stop({ timeout: 0 })
    for (const server of servers.splice(0)) await server.remove()
  })

  const query = `(call :stream.for-each (call :stream.db.query "SELECT id, pad FROM source" {:connection :db-conn :order-key "id" :fetch-size 10}) {:callback seen})`
  const insert = `(call :stream.db.bulk-insert "target" {:connection :db-conn :batch-size 10 :on-batch-complete seen :data-stream endless})`
  const queue = `
    (call :stream.queue.produce "q" {:batch-size 5 :data-stream endless})
    (call :stream.for-each (call :stream.queue.consume "q" {:batch-size 5}) {:callback seen})`
  const cases: ReadonlyArray<readonly [ServerName, string, string]> = [
    ["postgres", "query", query],
    ["mariadb", "insert", insert],
    ["redis", "queue", queue],
    ["nats", "queue", queue],
    ["rabbitmq", "queue", queue]
  ]

  for (const [name, kind, program] of cases) {
    const { lacks, title } = titleOf(name)
    it.skipIf(lacks !== undefined)(
      `is named by inspect, stops nothing else, and its stream can be cancelled: ${title}, ${kind}`,
      async () => {
        const server = await OwnServer.start(serverKinds[name] as ServerKind)
        servers.push(server)
        if (name === "postgres") {
          const rows = "SELECT id, repeat('x', 1000) AS pad FROM generate_series(1, 20000) AS id"
          await withPostgres(server.url, (client) => client.query(`CREATE TABLE source AS ${rows}`))
        }
        if (name === "mariadb") await withMySql(server.url, (connection) => connection.query("CREATE TABLE target (id INT)"))
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
        hosts.push(host)
        const endless = "(def endless (call :stream.generate {:initial-state 0 :generator next}))"
        const handle = await host.spawn(`${endless} ${program}`, { name: "work", restart: "temporary" })
        const ended = handle.result.catch(() => "ended")
        await until(() => seen > 20)
        await server.kill()
        await until(() => JSON.stringify(host.inspect()).includes(`127.0.0.1:${server.port}`))
        expect((await host.run("(call :stream.await (call :stream.to-collection {:source [1 2]}))")).value).toEqual([1, 2])
        // Nobody waits for the server: a stream that did would be there until the end of this test.
        await handle.cancel()
        await ended
      },
      60_000
    )
  }
})

const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5))
}

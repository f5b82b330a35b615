import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { StreamHost } from "../../src/host/index.ts"
import { backends } from "./databaseBackends.ts"

const folder = mkdtempSync(join(tmpdir(), "database-crashes-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const items = 3000

const runOnce = (...args: ReadonlyArray<string>): Promise<{ readonly signal: string | null; readonly output: string }> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [join(import.meta.dirname, "databaseRun.ts"), ...args], { stdio: ["ignore", "pipe", "inherit"] })
    let output = ""
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()))
    child.on("close", (_code, signal) => resolve({ signal, output }))
  })

for (const backend of await backends(folder)) {
  describe.skipIf(backend.missing !== undefined)(
    `${backend.name}${backend.missing === undefined ? "" : ` (skipped: ${backend.missing})`}`,
    () => {
      beforeAll(() => backend.open())
      afterAll(() => backend.close())

      it("P1 has each item once after a process that killed itself in the middle again and again", async () => {
        await backend.run("DROP TABLE IF EXISTS killed")
        await backend.run("CREATE TABLE killed (id INT)")
        const dataDir = join(folder, `${backend.name}-killed`)
        const signals: Array<string | null> = []
        const rounds = backend.name === "SQLite" ? ["3", "9", "0"] : ["4", "0"]
        for (const killAfter of rounds) {
          const { output, signal } = await runOnce(backend.url, dataDir, String(items), killAfter)
          signals.push(signal)
          if (signal === null) expect(JSON.parse(output)).toEqual({ table: "killed", rows: items })
        }
        expect(signals).toEqual(rounds.map((killAfter) => (killAfter === "0" ? null : "SIGKILL")))
        const ids = (await backend.run("SELECT id FROM killed ORDER BY id")).map(({ id }) => Number(id))
        expect(ids).toEqual(Array.from({ length: items }, (_, id) => id))
      }, 60_000)

      describe.skipIf(backend.name === "SQLite")("whose server ends our connections", () => {
        const kill =
          backend.name === "PostgreSQL"
            ? async () =>
                void (await backend.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rtfs-streams'"))
            : async () => {
                for (const { ID, id = ID } of await backend.run(
                  "SELECT id FROM information_schema.PROCESSLIST WHERE db = DATABASE() AND id <> CONNECTION_ID()"
                ))
                  await backend.run(`KILL ${String(id)}`)
              }
        const started = (bindings: Record<string, unknown>) =>
          StreamHost.start({ connections: { "db-conn": backend.url }, policy: { db: [backend.grant] }, bindings, log: () => {} })

        it("goes on behind the last row where the query has an order, and fails where it has none", async () => {
          await backend.run("DROP TABLE IF EXISTS source_rows")
          await backend.run("CREATE TABLE source_rows (id INT PRIMARY KEY)")
          await backend.run(`INSERT INTO source_rows (id) VALUES ${Array.from({ length: 12_000 }, (_, i) => `(${i})`).join(",")}`)
          for (const order of [`:order-key "id"`, ""]) {
            const seen: Array<number> = []
            const host = await started({
              see: async (row: { id: number }) => {
                if (seen.push(row.id) === 100) await kill()
              }
            })
            const running = host.run(
              `(call :stream.db.query "SELECT id, repeat('x', 2000) AS pad FROM source_rows" {:connection db-conn :fetch-size 100 ${order} :on-row (fn [row] (see row))})`
            )
            if (order === "") await expect(running).rejects.toThrow(/can't be reached/)
            else {
              await running
              expect(seen).toEqual(Array.from({ length: 12_000 }, (_, i) => i))
            }
            await host.stop({ timeout: 0 })
          }
        }, 30_000)

        it("writes on once the server is back", async () => {
          await backend.run("DROP TABLE IF EXISTS target_rows")
          await backend.run("CREATE TABLE target_rows (id INT PRIMARY KEY)")
          let batches = 0
          const host = await started({
            written: async () => {
              if (++batches % 3 === 1) await kill()
            }
          })
          const { value } = await host.run(
            `(call :stream.await (call :stream.db.bulk-insert "target_rows" {:batch-size 100 :on-batch-complete (fn [n] (written)) :data-stream (stream.map (range 0 1000) (fn [i] {:id i}))}))`
          )
          expect(value).toEqual({ table: "target_rows", rows: 1000 })
          expect(await backend.run("SELECT count(*) AS n, max(id) AS m FROM target_rows")).toMatchObject([{ m: 999 }])
          await host.stop({ timeout: 0 })
        }, 30_000)
      })
    }
  )
}

describe("a server that is not there", () => {
  it("is given a few tries, and says where it was looked for, without the password", async () => {
    const host = await StreamHost.start({
      connections: { "db-conn": "postgres://somebody:hunter2@127.0.0.1:1/nowhere" },
      policy: { db: ["postgres://127.0.0.1:1/nowhere"] },
      log: () => {}
    })
    const failed = host.run(`(call :stream.db.query "SELECT 1" {:connection db-conn :on-row (fn [row] nil)})`)
    const error = await failed.then(
      () => undefined,
      (thrown: Error) => thrown
    )
    expect(error?.message).toContain("postgres://127.0.0.1:1/nowhere can't be reached")
    expect(JSON.stringify([error, error?.message, error?.stack])).not.toContain("hunter2")
    await host.stop({ timeout: 0 })
  }, 20_000)

  it("has to be granted, and a URL with a password is no name", async () => {
    const host = await StreamHost.start({
      connections: { "db-conn": "sqlite:/tmp/other.db" },
      policy: { db: ["sqlite:/tmp/mine/", "postgres://db"] },
      log: () => {}
    })
    const query = (connection: string) => host.run(`(call :stream.db.query "SELECT 1" {:connection ${connection} :on-row (fn [row] nil)})`)
    await expect(query(":db-conn")).rejects.toThrow(/--allow-db/)
    await expect(query(`"sqlite:/tmp/mine/../other.db"`)).rejects.toThrow(/--allow-db/)
    await expect(query(`"postgres://me:secret@db/orders"`)).rejects.toThrow(/password in the URL/)
    // A driver would go where the parameter says.
    for (const parameter of ["host=127.0.0.1", "port=1", "password=secret", "sslkey=/etc/hostname"])
      await expect(query(`"postgres://db/orders?${parameter}"`)).rejects.toThrow(
        /the parameters in the URL of postgres:\/\/db:5432\/orders/
      )
    await expect(query(":db-com")).rejects.toThrow(/Did you mean :db-conn/)
    await host.stop({ timeout: 0 })
  })
})

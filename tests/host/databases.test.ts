import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as Effect from "effect/Effect"
import type { AsyncSourceSpec, OpenContext } from "../../src/actors/index.ts"
import { Marketplace, openDatabase, parseDatabaseUrl, type StreamCapability } from "../../src/capabilities/index.ts"
import { StreamHost } from "../../src/host/index.ts"
import { backends } from "./databaseBackends.ts"

const folder = mkdtempSync(join(tmpdir(), "databases-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

for (const backend of await backends(folder)) {
  // A server that is not there is no reason to fail, and none to be silent.
  describe.skipIf(backend.missing !== undefined)(
    `${backend.name}${backend.missing === undefined ? "" : ` (skipped: ${backend.missing})`}`,
    () => {
      const { column, param } = backend
      let host: StreamHost
      const logged: Array<string> = []
      let ids = 0
      beforeAll(async () => {
        await backend.open()
        host = await StreamHost.start({
          connections: { "db-conn": backend.url },
          policy: { db: [backend.grant] },
          dataDir: join(folder, `${backend.name}-data`),
          bindings: { "next-row": () => ({ id: ++ids }), never: () => new Promise(() => {}) },
          log: (line) => logged.push(line)
        })
      })
      afterAll(async () => {
        await host?.stop({ timeout: 0 })
        await backend.close()
      })
      const run = async (source: string) => (await host.run(source)).value
      const rows = (sql: string) =>
        run(
          `(call :stream.await (call :stream.to-collection {:source (call :stream.db.query ${JSON.stringify(sql)} {:connection db-conn})}))`
        )
      const table = async (name: string, columns: string) => {
        await backend.run(`DROP TABLE IF EXISTS ${name}`)
        await backend.run(`CREATE TABLE ${name} (${columns})`)
      }

      it("writes rows in batches and reads them in order, over several portions", async () => {
        await table("numbers", "id INT PRIMARY KEY, label VARCHAR(40)")
        const value = await run(`
        (call :stream.await (call :stream.db.bulk-insert "numbers" {:data-stream (stream.map (range 0 2500) (fn [i] {:id i :label (str "row " i)})) :batch-size 1000}))`)
        expect(value).toEqual({ table: "numbers", rows: 2500 })
        const read = (await run(
          `(call :stream.await (call :stream.to-collection {:source (call :stream.db.query "SELECT * FROM numbers ORDER BY id" {:connection db-conn :fetch-size 300})}))`
        )) as Array<unknown>
        expect(read).toHaveLength(2500)
        expect(read[2499]).toEqual({ id: 2499, label: "row 2499" })
      })

      it("binds parameters, whatever is in them", async () => {
        await table("texts", "id INT PRIMARY KEY, label VARCHAR(80)")
        const nasty = `'; DROP TABLE texts; -- " \\`
        await host.run(`(call :stream.db.bulk-insert "texts" {:data-stream [{:id 1 :label ${JSON.stringify(nasty)}} {:id 2 :label "x"}]})`)
        const found = await run(
          `(call :stream.await (call :stream.to-collection {:source (call :stream.db.query "SELECT id, label FROM texts WHERE label = ${param}" {:params [${JSON.stringify(nasty)}]})}))`
        )
        expect(found).toEqual([{ id: 1, label: nasty }])
      })

      it("keeps exact what JavaScript's numbers can't hold, and days and times as text", async () => {
        await table("kinds", column.kinds)
        await backend.run(column.insertKinds)
        expect(await rows("SELECT * FROM kinds")).toEqual([column.kindsRead])
      })

      it("refuses names that are not in the database, whatever they would do there", async () => {
        await table("plain", "id INT PRIMARY KEY")
        for (const name of [`plain"; DROP TABLE plain; --`, "plain` (id) VALUES (1); -- ", "nowhere", "sqlite_schema"]) {
          await expect(host.run(`(call :stream.db.bulk-insert ${JSON.stringify(name)} {:data-stream [{:id 1}]})`)).rejects.toThrow(
            /has no table/
          )
        }
        await expect(host.run(`(call :stream.db.bulk-insert "plain" {:data-stream [{"id) VALUES (1); --" 1}]})`)).rejects.toThrow(
          /has no column/
        )
        await expect(host.run(`(call :stream.db.bulk-insert "plain" {:columns [:ids] :data-stream [{:id 1}]})`)).rejects.toThrow(
          /Did you mean id/
        )
        expect(await rows("SELECT * FROM plain")).toEqual([])
      })

      it("reads only: other statements, several statements and functions that write are refused", async () => {
        await table("guarded", "id INT PRIMARY KEY")
        for (const sql of [
          "DELETE FROM guarded",
          "SELECT 1; DELETE FROM guarded",
          "ATTACH 'x.db' AS x",
          "PRAGMA user_version = 3",
          "",
          "COPY guarded TO PROGRAM 'id'"
        ]) {
          await expect(rows(sql)).rejects.toThrow(/has a query that/)
        }
        for (const sql of column.writingQueries) await expect(rows(sql), sql).rejects.toThrow(/^The database/)
      })

      it("isolates the rows that the database refuses, keeps all others in order and counts them", async () => {
        await table("strict", "id INT PRIMARY KEY, label VARCHAR(40) NOT NULL")
        const { counts, value } = await run2(
          host,
          `(call :stream.await (call :stream.db.bulk-insert "strict" {:batch-size 64 :on-failure :skip :data-stream (stream.map (range 0 300) (fn [i] {:id (if (= i 200) 7 i) :label (if (= i 77) nil (str i))}))}))`
        )
        expect(value).toEqual({ table: "strict", rows: 298 })
        expect(counts).toMatchObject({ accepted: 300, skipped: 2, undrained: 0 })
        const ids = ((await rows("SELECT id FROM strict ORDER BY id")) as Array<{ id: number }>).map(({ id }) => id)
        expect(ids).toEqual(Array.from({ length: 300 }, (_, i) => i).filter((i) => i !== 77 && i !== 200))
      })

      it("fails with the item where the policy says so, after the rows before it", async () => {
        await table("failing", "id INT PRIMARY KEY, label VARCHAR(40) NOT NULL")
        const source = `(call :stream.db.bulk-insert "failing" {:data-stream (stream.map (range 0 100) (fn [i] {:id i :label (if (= i 40) nil "x")}))})`
        await expect(host.run(source)).rejects.toThrow(/item 41|refuses a row/)
        expect(await rows("SELECT count(*) AS n FROM failing")).toEqual([{ n: 40 }])
      })

      it("ignores or replaces rows whose key is there", async () => {
        await table("merged", "id INT PRIMARY KEY, label VARCHAR(40)")
        const write = (how: string, items: string) => host.run(`(call :stream.db.bulk-insert "merged" {${how} :data-stream ${items}})`)
        await write("", `[{:id 1 :label "a"} {:id 2 :label "b"}]`)
        await write(":on-conflict :ignore :key :id", `[{:id 2 :label "B"} {:id 3 :label "c"}]`)
        await write(":on-conflict :update :key [:id]", `[{:id 1 :label "A"} {:id 4 :label "d"} {:id 4 :label "D"}]`)
        expect(await rows("SELECT * FROM merged ORDER BY id")).toEqual([
          { id: 1, label: "A" },
          { id: 2, label: "b" },
          { id: 3, label: "c" },
          { id: 4, label: "D" }
        ])
      })

      it("writes what a batch holds at its time, without waiting for it to be full", async () => {
        await table("slow", "id INT PRIMARY KEY")
        const handle = await host
          .spawn(
            `(call :stream.db.bulk-insert "slow" {:batch-size 100 :batch-timeout 20 :data-stream (call :stream.periodic {:interval 5 :generator next-row})})`,
            { name: `slow-${backend.name}`, restart: "temporary" }
          )
          .catch((error: unknown) => error as Error)
        if (handle instanceof Error) throw handle
        await until(async () => ((await rows("SELECT count(*) AS n FROM slow")) as Array<{ n: number }>)[0]!.n > 0)
        await handle.cancel()
      })

      it("goes on behind the key of its position, and refuses to without an order", async () => {
        await table("resumed", "id INT PRIMARY KEY")
        await host.run(`(call :stream.db.bulk-insert "resumed" {:data-stream (stream.map (range 0 10) (fn [i] {:id i}))})`)
        const open = (orderKey: string | undefined, position: unknown) => {
          const options = { query: "SELECT id FROM resumed;", "fetch-size": 4, timeout: 1000, "order-key": orderKey }
          const spec = (new Marketplace().get("stream.db.query") as StreamCapability).node(options, { single: false })[0] as AsyncSourceSpec
          const services = { databases: { find: () => Effect.succeed(openDatabase(parseDatabaseUrl(backend.url)!)) } }
          return spec.open({ address: "/test", services, position } as unknown as OpenContext)
        }
        const read = Effect.scoped(
          Effect.gen(function* () {
            const source = yield* open("id", { rows: 5, after: 4 })
            const batch = yield* source.read
            const next = yield* source.read
            return { batch, next, position: source.position() }
          })
        )
        expect(await Effect.runPromise(read)).toEqual({
          batch: { items: [{ id: 5 }, { id: 6 }, { id: 7 }, { id: 8 }] },
          next: { items: [{ id: 9 }] },
          position: { rows: 10, after: 9 }
        })
        await expect(Effect.runPromise(Effect.scoped(open(undefined, { rows: 5, after: null })))).rejects.toThrow(/:order-key/)
        await expect(rows("SELECT 1 AS id FROM resumed")).resolves.toHaveLength(10)
        const twice = run(`(call :stream.db.query "SELECT 1 AS id FROM resumed" {:order-key "id" :on-row (fn [row] nil)})`)
        await expect(twice).rejects.toThrow(/twice/)
      })

      it.skipIf(backend.name !== "PostgreSQL")(
        "closes its cursor, also one that the server works on, when it is cancelled",
        async () => {
          await table("many", "id INT PRIMARY KEY")
          await host.run(`(call :stream.db.bulk-insert "many" {:data-stream (stream.map (range 0 20000) (fn [i] {:id i}))})`)
          // The server may be that of others, too.
          const ours = `/* ${process.pid} */`
          const busy = async () => {
            const [found] = await backend.run(
              `SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'rtfs-streams' AND state <> 'idle' AND strpos(query, '${ours}') > 0`
            )
            return found!["n"] as number
          }
          for (const sql of [`SELECT id FROM many ${ours}`, `SELECT pg_sleep(600) AS id ${ours}`]) {
            const handle = await host.spawn(
              `(call :stream.db.query "${sql}" {:fetch-size 10 :timeout 600000 :on-row (fn [row] (never))})`,
              { name: "cancelled", restart: "temporary" }
            )
            handle.result.catch(() => {})
            await until(async () => (await busy()) > 0)
            await handle.cancel()
            await until(async () => (await busy()) === 0)
          }
        },
        20_000
      )

      it.skipIf(backend.name !== "SQLite")("shows what it waits for while somebody else holds the database", async () => {
        await table("held", "id INT PRIMARY KEY")
        await backend.run("BEGIN IMMEDIATE")
        const running = host.run(`(call :stream.await (call :stream.db.bulk-insert "held" {:data-stream [{:id 1}]}))`)
        await until(async () => JSON.stringify(host.inspect()).includes("is held by somebody else"))
        await backend.run("COMMIT")
        expect((await running).value).toEqual({ table: "held", rows: 1 })
      })

      it("fetches at most two portions ahead of a consumer that takes nothing", async () => {
        await table("lengthy", "id INT PRIMARY KEY")
        await host.run(`(call :stream.db.bulk-insert "lengthy" {:data-stream (stream.map (range 0 2000) (fn [i] {:id i}))})`)
        for (const size of [1, 50, 600]) {
          let seen = 0
          const gate = Promise.withResolvers<void>()
          const slow = await StreamHost.start({
            connections: { "db-conn": backend.url },
            policy: { db: [backend.grant] },
            bindings: { see: async () => (++seen === 10 ? gate.promise : undefined) },
            print: () => {}
          })
          const running = slow.run(
            `(call :stream.db.query "SELECT id FROM lengthy" {:connection db-conn :fetch-size ${size} :on-row (fn [row] (see row))})`
          )
          const fetched = () => {
            const { streams } = slow.inspect() as { streams: Array<{ actors: Array<{ kind: string; itemsIn: number }> }> }
            return streams[0]!.actors.find(({ kind }) => kind === "source")!.itemsIn
          }
          // Until it has read what it will: the tenth row is in the consumer's hands, those behind it nobody has asked for.
          let before = -1
          for (let same = 0; same < 5; before = fetched()) {
            await new Promise((resolve) => setTimeout(resolve, 5))
            same = seen === 10 && fetched() === before ? same + 1 : 0
          }
          expect(before - seen, `:fetch-size ${size}`).toBeLessThanOrEqual(2 * size)
          gate.resolve()
          await running
          expect(seen).toBe(2000)
          await slow.stop({ timeout: 0 })
        }
      }, 60_000)
    }
  )
}

const run2 = async (host: StreamHost, source: string) => {
  const report = await host.run(source)
  const { streams, value } = report as unknown as { value: unknown; streams: ReadonlyArray<Record<string, unknown>> }
  return { value, counts: streams[0] }
}

const until = async (holds: () => Promise<boolean>) => {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5))
}

import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { AsyncSink, AsyncSinkSpec, Database, DatabaseInsert, DatabaseRow, OpenContext } from "../../../src/actors/index.ts"
import { DatabaseFailure, Marketplace, openDatabase, parseDatabaseUrl, type StreamCapability } from "../../../src/capabilities/index.ts"
import { decodeValue, encodeValue } from "../../../src/serialization/index.ts"
import { backends } from "../../host/databaseBackends.ts"

const folder = mkdtempSync(join(tmpdir(), "exactly-once-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** How a transaction breaks: before the database has it, or after, without anybody hearing of it. */
type Break = "before" | "after"

/** Loses the connection at chosen transactions. */
const breaking = (database: Database, breaks: Map<number, Break>, count: { transactions: number }): Database => ({
  ...database,
  session: (access) =>
    Effect.map(database.session(access), (session) => {
      let isBroken = false
      const lost = () => {
        isBroken = true
        return new DatabaseFailure({ location: "test", kind: "lost", problem: "went away", fix: "" })
      }
      return new Proxy(session, {
        get: (target, name) => {
          if (name === "isBroken") return () => isBroken || target.isBroken()
          if (name !== "insert") {
            const value = target[name as keyof typeof target] as unknown
            return typeof value === "function" ? value.bind(target) : value
          }
          return async (rows: ReadonlyArray<DatabaseRow>, insert: DatabaseInsert) => {
            const how = breaks.get(count.transactions++)
            if (how === "before") throw lost()
            await target.insert(rows, insert)
            if (how === "after") throw lost()
          }
        }
      })
    })
})

for (const backend of await backends(folder)) {
  describe.skipIf(backend.missing !== undefined)(
    `bulk-insert under checkpoints, ${backend.name}${backend.missing === undefined ? "" : ` (skipped: ${backend.missing})`}`,
    () => {
      beforeAll(() => backend.open())
      afterAll(() => backend.close())

      const open = async (database: Database, position: unknown, isSealed: boolean) => {
        const { node } = new Marketplace().get("stream.db.bulk-insert") as StreamCapability
        const spec = node(
          { table: "once", "batch-size": 2, "batch-timeout": 1000, "on-conflict": "error", method: "auto", "isolate-failures": true },
          { single: false }
        )[0] as AsyncSinkSpec
        const scope = Effect.runSync(Scope.make())
        const context = {
          address: "/test/sink",
          services: { databases: { find: () => Effect.succeed(database) } },
          position,
          durable: "orders/sink",
          isSealed
        } as unknown as OpenContext
        const sink = await Effect.runPromise(Scope.provide(spec.open(context), scope))
        return { sink, close: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
      }

      const handOver = async ({ held }: AsyncSink) => {
        while (held!.isDue()) await Effect.runPromise(held!.handOver)
      }

      /** What a stream of ten items does: three to a checkpoint. A crash comes behind a step. */
      const steps = ["write", "snapshot", "store", "tell", "hand over"] as const

      /** @returns the ids in the table, and how many steps were made */
      const runToEnd = async (crashes: ReadonlySet<number>, how: "process" | "life", breaks = new Map<number, Break>()) => {
        await backend.run("DROP TABLE IF EXISTS once")
        await backend.run("CREATE TABLE once (id INT, place INT)")
        const database = breaking(openDatabase(parseDatabaseUrl(backend.url)!), breaks, { transactions: 0 })
        const items = Array.from({ length: 10 }, (_, id) => ({ id, place: id * 2 }))
        let stored: { readonly position: unknown; readonly isSealed: boolean } = { position: undefined, isSealed: false }
        let isSealed = false
        let live: unknown
        let made = 0
        let { close, sink } = await open(database, undefined, false)
        const takenAt = (position: unknown) => {
          const { count = 0, dealtWith = 0 } = (position ?? {}) as { count?: number; dealtWith?: number }
          return dealtWith + count
        }
        let next = 0
        let isFinished = false
        while (!isFinished) {
          let snapshot: Uint8Array | undefined
          for (const step of steps) {
            if (step === "write" && !isSealed) {
              const portion = items.slice(next, next + 3)
              next += portion.length
              await Effect.runPromise(sink.write(portion))
              live = sink.position()
            }
            if (step === "snapshot") {
              isSealed = next === items.length
              await Effect.runPromise(isSealed ? sink.seal! : sink.sync!)
              live = sink.position()
              snapshot = encodeValue(live)
            }
            if (step === "store") stored = { position: decodeValue(snapshot!), isSealed }
            if (step === "tell") await Effect.runPromise(sink.onStored!(decodeValue(snapshot!)))
            if (step === "hand over") {
              await handOver(sink)
              live = sink.position()
            }
            // As the actor does between any two steps: what is due is handed over.
            await handOver(sink)
            live = sink.position()
            if (!crashes.has(made++)) continue
            await close()
            if (how === "process") {
              next = takenAt(stored.position)
              ;({ close, sink } = await open(database, stored.position, (isSealed = stored.isSealed)))
            } else ({ close, sink } = await open(database, live, isSealed))
            // Whoever resumes is told the position at which it does.
            if (stored.position !== undefined) await Effect.runPromise(sink.onStored!(stored.position))
            await handOver(sink)
            live = sink.position()
            break
          }
          isFinished = isSealed && stored.isSealed && sink.held!.values().length === 0
        }
        const result = await Effect.runPromise(sink.finish)
        await close()
        await Effect.runPromise((database as unknown as { close: Effect.Effect<void> }).close)
        const ids = (await backend.run("SELECT id FROM once ORDER BY id")).map(({ id }) => Number(id))
        return { ids, made, result }
      }
      const all = Array.from({ length: 10 }, (_, id) => id)

      it("CP-2 writes each item once, wherever the process or a life of the sink ends", async () => {
        const calm = await runToEnd(new Set(), "process")
        expect(calm.ids).toEqual(all)
        expect(calm.result).toEqual({ table: "once", rows: 10 })
        for (const how of ["process", "life"] as const) {
          for (let first = 0; first < calm.made; first++) {
            expect((await runToEnd(new Set([first]), how)).ids, `${how} ends after step ${first}`).toEqual(all)
          }
          expect((await runToEnd(new Set([1, 4, 5, 8, 13]), how)).ids).toEqual(all)
        }
      })

      it("writes each item once where the connection is lost before or after a transaction", async () => {
        for (const broken of ["before", "after"] as const) {
          for (const at of [0, 3]) {
            const { ids, result } = await runToEnd(new Set(), "process", new Map([[at, broken]]))
            expect(ids, `lost ${broken} transaction ${at}`).toEqual(all)
            expect(result).toEqual({ table: "once", rows: 10 })
          }
        }
      }, 20_000)

      it("refuses to go on where another run has written, and at an older checkpoint", async () => {
        await backend.run("DROP TABLE IF EXISTS once")
        await backend.run("CREATE TABLE once (id INT, place INT)")
        const database = openDatabase(parseDatabaseUrl(backend.url)!)
        const first = await open(database, undefined, false)
        await Effect.runPromise(first.sink.write([{ id: 1, place: 1 }]))
        const older = decodeValue(encodeValue(first.sink.position()))
        await Effect.runPromise(first.sink.write([{ id: 2, place: 2 }]))
        await Effect.runPromise(first.sink.onStored!(first.sink.position()))
        await handOver(first.sink)
        await expect(open(database, older, false)).rejects.toThrow(/older checkpoint/)
        await first.close()
        await Effect.runPromise(database.close)
      })
    }
  )
}

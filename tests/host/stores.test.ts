import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { afterAll, afterEach, describe, expect, it, vi } from "vitest"
import { type HostOptions, StreamHost } from "rtfs-streams"
import { makeHostStores, type StoreName } from "../../src/host/HostStores.ts"

const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-stores-"))
afterAll(() => rmSync(folder, { recursive: true }))
afterEach(() => void vi.unstubAllEnvs())

/** The stores of a host with these options, closed as the host closes them. */
const withStores = async <A>(options: HostOptions, body: (stores: ReturnType<typeof makeHostStores>) => Effect.Effect<A, unknown>): Promise<A> => {
  const scope = Scope.makeUnsafe()
  try {
    return await Effect.runPromise(body(makeHostStores(options, scope)))
  } finally {
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

const kindOf = (options: HostOptions, name: StoreName) => withStores(options, (stores) => Effect.map(stores.storeNamed(name), ({ kind }) => kind))

describe("the stores of a host", () => {
  it("are in memory without a dataDir, in its state.db with one, or where the option store says", async () => {
    const location = (options: HostOptions) => withStores(options, ({ stateStore }) => Effect.map(stateStore, (store) => store.location))
    expect(await location({})).toBe("memory:")
    expect(await location({ dataDir: folder })).toBe(`sqlite:${join(folder, "state.db")}`)
    expect(await location({ dataDir: folder, store: `sqlite:${join(folder, "other.db")}` })).toBe(`sqlite:${join(folder, "other.db")}`)
  })

  it("are opened on first use, once, and closed with the host", async () => {
    const file = join(folder, "once.db")
    const options = { store: `sqlite:${file}` }
    await withStores(options, ({ stateStore, storeNamed }) =>
      Effect.gen(function*() {
        expect(existsSync(file)).toBe(false)
        const [a, b, c] = yield* Effect.all([stateStore, stateStore, storeNamed("embedded")], { concurrency: "unbounded" })
        expect(b).toBe(a)
        expect(c).toBe(a)
      })
    )
    // It would be in use otherwise.
    expect(await kindOf(options, "embedded")).toBe("sqlite")
  })

  it("can be opened after an attempt that failed", async () => {
    const options = { store: `sqlite:${join(folder, "retried.db")}` }
    const scope = Scope.makeUnsafe()
    const second = makeHostStores(options, scope)
    await withStores(options, (first) =>
      Effect.gen(function*() {
        yield* first.stateStore
        expect(yield* Effect.flip(second.stateStore)).toMatchObject({ _tag: "DataDirectoryInUse" })
      })
    )
    expect((await Effect.runPromise(second.stateStore)).kind).toBe("sqlite")
    await Effect.runPromise(Scope.close(scope, Exit.void))
  })

  it("names both the option and the variable where a server is not configured, and shows no URL", async () => {
    vi.stubEnv("REDIS_URL", "")
    await expect(kindOf({}, "redis")).rejects.toThrow(/connections\.redis is missing, and the environment has no REDIS_URL/)
    vi.stubEnv("DATABASE_URL", "mysql://me:secret@db/x")
    await expect(kindOf({}, "postgres")).rejects.toThrow(/^(?!.*secret).*connections\.postgres.*DATABASE_URL/)
    await expect(kindOf({ connections: { redis: "http://me:secret@x" } }, "redis")).rejects.toThrow(/^(?!.*secret).*connections\.redis is no URL/)
  })

  it("refuses URLs and connections that can't be any when the host starts", async () => {
    await expect(StreamHost.start({ store: "mysql://me:secret@db" })).rejects.toThrow(/^(?!.*secret)The host's option store .*sqlite:FILE/)
    await expect(StreamHost.start({ store: "sqlite:" })).rejects.toThrow("names no file")
    await expect(StreamHost.start({ connections: { redis: 6379 } as never })).rejects.toThrow("connections.redis must be a URL as text")
  })
})

describe("the data directory of a host", () => {
  it("belongs to one host until that has stopped", async () => {
    const dataDir = join(folder, "own")
    const first = await StreamHost.start({ dataDir })
    await expect(StreamHost.start({ dataDir })).rejects.toMatchObject({ _tag: "DataDirectoryInUse" })
    await first.stop()
    await (await StreamHost.start({ dataDir })).stop()
  })
})

import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { afterAll, afterEach, describe, expect, it } from "vitest"
import { openStateStore, type StateStore, type StoreOptions } from "../../src/state/index.ts"
import { storeContract } from "../contracts/store.ts"
import { OwnerProcess } from "./ownerProcess.ts"

const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-sqlite-"))
afterAll(() => rmSync(folder, { recursive: true }))
let places = 0
const freshFile = () => join(folder, `${++places}`, "state.db")

storeContract({ name: "sqlite", isShared: false, freshUrl: () => `sqlite:${freshFile()}` })

describe("a store in a file", () => {
  const lease = { renewMs: 1000, expiryMs: 1000 }
  const scopes: Array<Scope.Closeable> = []
  const owners: Array<OwnerProcess> = []
  afterEach(async () => {
    await Promise.all(owners.splice(0).map((owner) => owner.kill()))
    for (const scope of scopes.splice(0)) await Effect.runPromise(Scope.close(scope, Exit.void))
  })
  const open = async (file: string, options: StoreOptions = {}) => {
    const scope = Scope.makeUnsafe()
    const exit = await Effect.runPromiseExit(Scope.provide(openStateStore(`sqlite:${file}`, options), scope))
    scopes.push(scope)
    const store = await Effect.runPromise(exit)
    return { store, close: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
  }
  const own = async (store: StateStore, stream = "orders") => {
    const scope = Scope.makeUnsafe()
    scopes.unshift(scope)
    return Effect.runPromise(Scope.provide(store.own(stream), scope))
  }
  const contentOf = async (store: StateStore) =>
    (await Effect.runPromise(store.checkpoints("orders"))).map(({ content, id }) => [
      id,
      "bytes" in content ? content.bytes.length : content.damage
    ])

  it("is readable by this user only, in a folder of this user", async () => {
    const file = freshFile()
    const { store } = await open(file)
    await Effect.runPromise((await own(store)).commit({ id: 1, time: 0, bytes: new Uint8Array(5) }))
    expect(statSync(join(file, "..")).mode & 0o777).toBe(0o700)
    for (const name of ["", "-wal", "-shm", ".json", ".lock", ".owner.json"])
      expect([name, statSync(file + name).mode & 0o777]).toEqual([name, 0o600])
  })

  it("P13: refuses a second process at once, also while the first is suspended, and by whatever name; a kill -9 leaves no lock", async () => {
    const file = freshFile()
    const start = async (path: string) => {
      const started = await OwnerProcess.start(`sqlite:${path}`, "orders", lease)
      owners.push(started.owner)
      return started
    }
    const { owner, said } = await start(file)
    expect(said).toBe("owner 1")
    expect(await owner.ask("commit 1")).toBe("done")
    owner.signal("SIGSTOP")
    expect((await start(file)).said).toMatch(new RegExp(`^DataDirectoryInUse The store .* in use by process ${owner.child.pid}`))
    symlinkSync(file, join(folder, "link.db"))
    await expect(open(join(folder, "link.db"))).rejects.toMatchObject({ _tag: "DataDirectoryInUse" })
    owner.signal("SIGCONT")
    expect(await owner.ask("commit 2")).toBe("done")
    await owner.kill()
    const { store } = await open(file)
    expect(await contentOf(store)).toEqual([
      [2, 1],
      [1, 1]
    ])
    expect((await own(store)).epoch).toBe(2)
  })

  it("holds 100 MB", async () => {
    const file = freshFile()
    const { close, store } = await open(file)
    const bytes = Buffer.alloc(100_000_000, "0123456789abcdef!")
    await Effect.runPromise((await own(store)).commit({ id: 1, time: 0, bytes }))
    await Effect.runPromise(Scope.close(scopes.shift()!, Exit.void))
    await close()
    const [checkpoint] = await Effect.runPromise((await open(file)).store.checkpoints("orders"))
    expect("bytes" in checkpoint!.content && bytes.equals(checkpoint!.content.bytes)).toBe(true)
  })

  it("CP-4: keeps the old state when the disk is full, says so, and goes on when there is room", async () => {
    const { store } = await open(freshFile(), { maxBytes: 400_000 })
    const stream = await own(store)
    await Effect.runPromise(stream.commit({ id: 1, time: 0, bytes: new Uint8Array(50_000) }))
    for (const write of [
      stream.commit({ id: 2, time: 0, bytes: new Uint8Array(500_000) }),
      stream.facts.set("large", new Uint8Array(500_000)),
      store.deadLetters.add([
        { queue: "q", stream: "s", key: "small", time: 0, bytes: new Uint8Array(1) },
        { queue: "q", stream: "s", key: "large", time: 0, bytes: new Uint8Array(500_000) }
      ])
    ]) {
      const error = await Effect.runPromise(Effect.flip(write as Effect.Effect<unknown, Error>))
      expect(error).toMatchObject({ _tag: "StoreFailure" })
      expect(error.message).toMatch(/is full .*Free some space/)
    }
    expect(await contentOf(store)).toEqual([[1, 50_000]])
    expect((await Effect.runPromise(stream.facts.all)).size).toBe(0)
    expect(await Effect.runPromise(store.deadLetters.queues)).toEqual([])
    await Effect.runPromise(stream.commit({ id: 2, time: 0, bytes: new Uint8Array(60_000) }))
    expect(await contentOf(store)).toEqual([
      [2, 60_000],
      [1, 50_000]
    ])
  })

  it("CP-4: says that it can't be written, and leaves the file as it is", async () => {
    const file = freshFile()
    const { close, store } = await open(file)
    await Effect.runPromise((await own(store)).commit({ id: 1, time: 0, bytes: new Uint8Array(5) }))
    for (const scope of scopes.splice(0)) await Effect.runPromise(Scope.close(scope, Exit.void))
    await close()
    const before = readFileSync(file)
    chmodSync(file, 0o444)
    // The superuser may write what others may not, so it becomes another user, who may write everything but this file.
    const isSuperuser = process.getuid?.() === 0
    if (isSuperuser) {
      for (const path of [folder, join(file, "..")]) chmodSync(path, 0o777)
      for (const path of [`${file}.lock`, `${file}.owner.json`]) chmodSync(path, 0o666)
      process.seteuid!(65_534)
    }
    try {
      await expect(open(file)).rejects.toThrow(/^The store .* can't be opened for writing/)
    } finally {
      if (isSuperuser) process.seteuid!(0)
    }
    expect(readFileSync(file).equals(before)).toBe(true)
    chmodSync(file, 0o600)
    expect(await contentOf((await open(file)).store)).toEqual([[1, 5]])
  })

  it("holds no more than the last three checkpoints", async () => {
    const file = freshFile()
    const stream = await own((await open(file)).store)
    for (const id of [1, 2, 3, 4, 5, 6]) await Effect.runPromise(stream.commit({ id, time: 0, bytes: new Uint8Array(5) }))
    const database = new DatabaseSync(file, { readOnly: true })
    expect(database.prepare("SELECT count(*) AS held FROM checkpoints").get()).toEqual({ held: 3 })
    database.close()
  })

  it("notices an index that hides rows", async () => {
    const file = freshFile()
    const { close, store } = await open(file)
    await Effect.runPromise((await own(store)).commit({ id: 1, time: 0, bytes: new Uint8Array(5) }))
    for (const scope of scopes.splice(0)) await Effect.runPromise(Scope.close(scope, Exit.void))
    await close()
    const database = new DatabaseSync(file, { defensive: false } as never)
    // The index of another table, which is empty: every page is whole, and whoever asks for the stream finds nothing.
    database.exec(`PRAGMA writable_schema = ON;
      UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_facts_1')
      WHERE name = 'sqlite_autoindex_checkpoints_1'`)
    database.close()
    await expect(open(file)).rejects.toThrow(/is damaged: .*index/)
  })

  it("leaves the database of another program alone, and one of a later version", async () => {
    const file = freshFile()
    mkdirSync(join(file, ".."))
    const other = new DatabaseSync(file)
    other.exec("CREATE TABLE theirs (a)")
    other.close()
    const before = readFileSync(file)
    await expect(open(file)).rejects.toThrow("is a database of something else")
    expect(readFileSync(file).equals(before)).toBe(true)

    const later = freshFile()
    await (await open(later)).close()
    const database = new DatabaseSync(later)
    database.exec("UPDATE store SET version = 2")
    database.close()
    await expect(open(later)).rejects.toThrow("is of version 2, and this is version 1")
  })

  it("begins anew after a crash while it was made, and takes an empty file that somebody made for it", async () => {
    const file = freshFile()
    mkdirSync(join(file, ".."))
    writeFileSync(file, "")
    await (await open(file)).close()
    // The database was there and the marker not yet.
    rmSync(`${file}.json`)
    await (await open(file)).close()
    expect(existsSync(`${file}.json`)).toBe(true)
  })

  it("says that a shell has it open, and works once that has gone", async () => {
    const file = freshFile()
    const { store } = await open(file)
    const stream = await own(store)
    const shell = new DatabaseSync(file)
    shell.exec("BEGIN IMMEDIATE")
    const error = await Effect.runPromise(Effect.flip(stream.commit({ id: 1, time: 0, bytes: new Uint8Array() })))
    expect(error.message).toContain("is locked by another program")
    shell.close()
    await Effect.runPromise(stream.commit({ id: 1, time: 0, bytes: new Uint8Array() }))
  })
})

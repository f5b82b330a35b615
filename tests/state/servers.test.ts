import { spawnSync } from "node:child_process"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { afterAll, afterEach, describe, expect, it } from "vitest"
import { openStateStore, type StateStore } from "../../src/state/index.ts"
import {
  dropSchemas,
  freshPrefix,
  freshSchema,
  postgresProblem,
  postgresQuery,
  postgresUrl,
  redisCommand,
  redisProblem,
  redisUrl,
  removeRedisKeys
} from "./servers.ts"

const prefix = freshPrefix()
const schema = freshSchema()
/** Longer than any test. */
const lease = { renewMs: 50, expiryMs: 1_000_000 }

/** A database of its own, so that its connections can be told from those of other tests. */
const redisDatabase = `${redisUrl}/13`
const redis = {
  name: "redis",
  problem: await redisProblem(),
  url: `${redisDatabase}?prefix=${prefix}`,
  cleanUp: () => removeRedisKeys(prefix, redisDatabase),
  damage: async () => {
    const key = `${prefix}checkpoints:orders`
    await redisCommand(redisDatabase, "HSET", key, "2", `${String(await redisCommand(redisDatabase, "HGET", key, "2"))}!`)
    await redisCommand(redisDatabase, "HSET", `${prefix}facts:orders`, "f", "1\nx")
    await redisCommand(redisDatabase, "HSET", `${prefix}letter:1`, "bytes", "x")
  },
  held: async () => Number(await redisCommand(redisDatabase, "HLEN", `${prefix}checkpoints:orders`)),
  /** Ends all connections of the store, as a fault of the network would. */
  disconnect: async () => {
    const list = String(await redisCommand(redisUrl, "CLIENT", "LIST"))
    for (const [, id] of list.matchAll(/^id=(\d+) .* db=13 /gm)) await redisCommand(redisUrl, "CLIENT", "KILL", "ID", id!)
  }
}

const postgres = {
  name: "postgres",
  problem: await postgresProblem(),
  url: `${postgresUrl}?schema=${schema}&application_name=${schema}`,
  cleanUp: () => dropSchemas(schema),
  damage: async () => {
    await postgresQuery(`UPDATE ${schema}.checkpoints SET bytes = bytes || 'x'::bytea WHERE id = 2`)
    await postgresQuery(`UPDATE ${schema}.facts SET value = 'x'`)
    await postgresQuery(`UPDATE ${schema}.letters SET stream = 'other'`)
  },
  held: async () => Number((await postgresQuery(`SELECT count(*) FROM ${schema}.checkpoints`))[0]!["count"]),
  disconnect: async () => {
    const ended = await postgresQuery("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1", [schema])
    expect(ended.length).toBe(2)
  }
}

describe.each([redis, postgres])("the store $name", ({ cleanUp, damage, disconnect, held, name, problem, url }) => {
  const scopes: Array<Scope.Closeable> = []
  afterEach(async () => {
    for (const scope of scopes.splice(0)) await Effect.runPromise(Scope.close(scope, Exit.void))
    if (problem === undefined) await cleanUp()
  })
  afterAll(() => {
    if (problem !== undefined) console.warn(`Not tested: what only the store ${name} does, because ${problem}.`)
  })
  const inScope = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<A> => {
    const scope = Scope.makeUnsafe()
    scopes.push(scope)
    return Effect.runPromise(Scope.provide(effect, scope))
  }
  const open = (): Promise<StateStore> => inScope(openStateStore(url, { lease }))
  const commit = (id: number) => ({ id, time: 0, bytes: Uint8Array.of(id) })

  it.skipIf(problem !== undefined)("names the checkpoint that is damaged, and fails where there is no older one to take", async () => {
    const store = await open()
    const stream = await inScope(store.own("orders"))
    await Effect.runPromise(stream.commit(commit(1)))
    await Effect.runPromise(stream.commit(commit(2)))
    await Effect.runPromise(stream.facts.set("f", Uint8Array.of(1)))
    await Effect.runPromise(store.deadLetters.add([{ queue: "q", stream: "orders", key: "k", time: 0, bytes: Uint8Array.of(1) }]))
    await damage()
    const [second, first] = await Effect.runPromise(store.checkpoints("orders"))
    expect([second!.id, Object.keys(second!.content), first!.id, Object.keys(first!.content)]).toEqual([2, ["damage"], 1, ["bytes"]])
    for (const reading of [stream.facts.all, store.deadLetters.list({ limit: 9 }), store.deadLetters.get(1)]) {
      const error = await Effect.runPromise(Effect.flip(reading as Effect.Effect<unknown, Error>))
      expect(error).toMatchObject({ _tag: "StoreFailure" })
      expect(error.message).toContain("is damaged")
    }
  })

  it.skipIf(problem !== undefined)("takes a checkpoint again whose confirmation was lost, and no other one of its id", async () => {
    const store = await open()
    const stream = await inScope(store.own("orders"))
    await Effect.runPromise(stream.commit(commit(1)))
    await Effect.runPromise(stream.commit(commit(1)))
    await expect(Effect.runPromise(stream.commit({ ...commit(1), bytes: Uint8Array.of(9) }))).rejects.toMatchObject({
      _tag: "StoreFailure"
    })
    expect(await Effect.runPromise(store.checkpoints("orders"))).toHaveLength(1)
  })

  it.skipIf(problem !== undefined)("goes on after its connections were lost, if nobody took the stream meanwhile", async () => {
    const store = await open()
    const stream = await inScope(store.own("orders"))
    await Effect.runPromise(stream.commit(commit(1)))
    await disconnect()
    // What is under way fails, or is sent by the new connection.
    for (;;) {
      const exit = await Effect.runPromiseExit(stream.commit(commit(2)))
      if (Exit.isSuccess(exit)) break
      expect(JSON.stringify(exit.cause)).toContain("StoreFailure")
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    expect((await Effect.runPromise(store.checkpoints("orders"))).map(({ id }) => id)).toEqual([2, 1])
  })

  it.skipIf(problem !== undefined)("holds no more than the last three checkpoints", async () => {
    const stream = await inScope((await open()).own("orders"))
    for (const id of [1, 2, 3, 4, 5, 6]) await Effect.runPromise(stream.commit(commit(id)))
    expect(await held()).toBe(3)
  })

  it.skipIf(problem !== undefined)("says what its server's settings mean", async () => {
    const { durability } = await open()
    if (name === "postgres") expect(durability).toEqual({ level: "synced" })
    else if (durability.level === "delayed") expect(durability.warning).toContain("Set appendonly yes and appendfsync always")
  })
})

describe("a server that can't be used", () => {
  const failureOf = (url: string) => Effect.runPromise(Effect.flip(Effect.scoped(openStateStore(url)))) as Promise<Error>
  const shown = (error: Error) => `${error.message} ${String(error.cause)} ${JSON.stringify(error)} ${JSON.stringify(error.cause)}`

  it.each(["redis://user:s3cret%21@127.0.0.1:1/0", "postgres://user:s3cret%21@127.0.0.1:1/x?password=s3cret!"])(
    "is named without its password: %s",
    async (url) => {
      const error = await failureOf(url)
      expect(error).toMatchObject({ _tag: "StoreFailure" })
      expect(error.message).toContain("127.0.0.1:1")
      expect(error.message).toContain("ECONNREFUSED")
      expect(shown(error)).not.toContain("s3cret")
    }
  )

  it.each([
    ["redis:/x", "can't be read as a URL"],
    ["postgres://[", "can't be read as a URL"],
    ["postgres://127.0.0.1/x?schema=a;drop", "can't have a schema of that name"],
    ["ftp://s3cret@x", "is none that can be used"],
    ["", "is none that can be used"]
  ])("says of %j that it %s", async (url, message) => {
    const error = await failureOf(url)
    expect(error).toMatchObject({ _tag: "StoreFailure" })
    expect(error.message).toContain(message)
    expect(shown(error)).not.toContain("s3cret")
  })

  it.skipIf(redis.problem !== undefined)("may be a Redis that refuses the password, which is not shown", async () => {
    const error = await failureOf(redisUrl.replace("redis://", "redis://nobody:s3cret@"))
    expect(error.message).toContain("refuses this user")
    expect(shown(error)).not.toContain("s3cret")
  })
})

describe("a driver that is not installed", () => {
  it.each(["redis", "pg"])("is named, with what to install: %s", (name) => {
    const url = name === "redis" ? "redis://127.0.0.1:1" : "postgres://127.0.0.1:1/x"
    const script = `
      import { registerHooks } from "node:module"
      import * as Effect from "effect/Effect"
      registerHooks({ resolve: (wanted, context, next) => { if (wanted === ${JSON.stringify(name)}) throw new Error("Cannot find package"); return next(wanted, context) } })
      const { openStateStore } = await import(${JSON.stringify(new URL("../../src/state/index.ts", import.meta.url).href)})
      const error = await Effect.runPromise(Effect.flip(Effect.scoped(openStateStore(${JSON.stringify(url)}))))
      console.log(error._tag, error.message)`
    const { stdout } = spawnSync(process.execPath, ["--no-warnings", "--input-type=module", "-e", script], { encoding: "utf8" })
    expect(stdout).toContain(
      `StoreFailure The store ${url} needs the package ${name}, which is not installed. Install it beside rtfs-streams: npm install ${name}.`
    )
  })
})

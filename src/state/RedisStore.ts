import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { checksumOf } from "./Checksum.ts"
import { damaged, idNotAbove, StoreFailure, StreamFenced } from "./errors.ts"
import { defaultLeaseTimes, type LeaseTimes, type Owner, type Ownership, takeStream } from "./Lease.ts"
import { type RedisArgument, RedisConnection, type RedisReply } from "./RedisConnection.ts"
import { RedisDeadLetters } from "./RedisDeadLetters.ts"
import * as scripts from "./redisScripts.ts"
import { parseServerUrl, type ServerUrl } from "./ServerUrl.ts"
import type { Durability, NewCheckpoint, OwnedStream, StateStore, StoredCheckpoint } from "./StateStore.ts"
import { nameOfStored, storedName } from "./StoredName.ts"

const defaultPrefix = "rtfs-streams:"

/** A store in one Redis server, which several processes may share. */
export const openRedisStore = (
  url: string,
  { lease = defaultLeaseTimes }: { readonly lease?: LeaseTimes | undefined }
): Effect.Effect<StateStore, StoreFailure, Scope.Scope> =>
  Effect.gen(function* () {
    const server = parseServerUrl(url, "prefix")
    if (server === undefined)
      return yield* Effect.fail(new StoreFailure("redis", "has no URL that can be read", { fix: "Write redis://HOST:PORT/DATABASE." }))
    const redis = yield* Effect.acquireRelease(
      attempt(() => openRedis(server)),
      ({ control, data }) =>
        Effect.sync(() => {
          control.close()
          data.close()
        })
    )
    const durability = yield* attempt(() => durabilityOf(redis))
    return {
      kind: "redis",
      location: server.location,
      durability,
      own: (stream) => Effect.map(takeStream(ownershipIn(redis), stream, lease), (owner) => ownedStream(redis, stream, owner)),
      checkpoints: (stream) => attempt(() => readCheckpoints(redis, stream)),
      streams: attempt(async () =>
        ((await redis.data.command("SMEMBERS", redis.keys.streams)) as ReadonlyArray<Buffer>)
          .map((name) => nameOfStored(String(name)))
          .sort()
      ),
      deadLetters: new RedisDeadLetters(redis.data, server.location, redis.prefix)
    }
  })

interface Redis {
  readonly location: string
  readonly prefix: string
  /** Its life is the owner's: whoever looks for an owner asks for this connection. No large value goes through it. */
  readonly control: RedisConnection
  readonly data: RedisConnection
  readonly keys: ReturnType<typeof keysFor>
}

const keysFor = (prefix: string) => ({
  epochs: `${prefix}epochs`,
  streams: `${prefix}streams`,
  owner: (stream: string) => `${prefix}owner:${storedName(stream)}`,
  checkpoints: (stream: string) => `${prefix}checkpoints:${storedName(stream)}`,
  facts: (stream: string) => `${prefix}facts:${storedName(stream)}`
})

const attempt = <A>(body: () => Promise<A>): Effect.Effect<A, StoreFailure> =>
  Effect.tryPromise({ try: body, catch: (error) => error as StoreFailure })

const openRedis = async (server: ServerUrl): Promise<Redis> => {
  const prefix = server.parameter ?? defaultPrefix
  const control = await RedisConnection.open(server)
  try {
    return { location: server.location, prefix, control, data: await RedisConnection.open(server), keys: keysFor(prefix) }
  } catch (error) {
    control.close()
    throw error
  }
}

const durabilityOf = async ({ data }: Redis): Promise<Durability> => {
  const settings = async (name: string) => {
    const reply = (await data.command("CONFIG", "GET", name)) as ReadonlyArray<Buffer>
    return String(reply[1])
  }
  try {
    const [appendonly, appendfsync] = [await settings("appendonly"), await settings("appendfsync")]
    if (appendonly === "yes" && appendfsync === "always") return { level: "synced" }
    const cost =
      appendonly === "yes"
        ? `appendfsync ${appendfsync} may cost the last second or more`
        : "appendonly no may cost all since its last snapshot"
    return {
      level: "delayed",
      warning: `Redis confirms writes before they are on disk: when it crashes, ${cost}. Set appendonly yes and appendfsync always.`
    }
  } catch {
    return {
      level: "delayed",
      warning:
        "This user may not ask Redis for its settings; unless it has appendonly yes and appendfsync always, a crash of Redis loses the last writes."
    }
  }
}

const ownershipIn = ({ control, keys, location }: Redis): Ownership => ({
  location,
  look: async (stream) => {
    const found = (await control.script(scripts.look, [keys.owner(stream)], [])) as ReadonlyArray<Buffer | number> | null
    if (found === null) return undefined
    const [token, renewed, name, client, run, silentMs] = found.map(String)
    const isConnected = run === (await control.identity()).run && (await isThere(control, client!))
    return { version: `${token} ${renewed}`, name: name!, silentMs: Number(silentMs), isConnected }
  },
  take: async (stream, seen, { name, token }) => {
    const { client, run } = await control.identity()
    const epoch = await control.script(scripts.take, [keys.owner(stream), keys.epochs], [seen?.version ?? "", token, name, client, run])
    return epoch === null ? undefined : Number(epoch)
  },
  renew: async (stream, { token }) => {
    const { client, run } = await control.identity()
    await control.script(scripts.renew, [keys.owner(stream)], [token, client, run])
  },
  release: async (stream, { token }) => {
    await control.script(scripts.release, [keys.owner(stream)], [token])
  }
})

/** Where the user may not ask for connections, only the lease tells. */
const isThere = async (control: RedisConnection, client: string): Promise<boolean> => {
  try {
    return String(await control.command("CLIENT", "LIST", "ID", client)).trim() !== ""
  } catch {
    return true
  }
}

const ownedStream = (redis: Redis, stream: string, owner: Owner & { readonly epoch: number }): OwnedStream => {
  const { data, keys, location } = redis
  const { epoch, token } = owner
  const asOwner = (script: string, further: ReadonlyArray<string>, args: ReadonlyArray<RedisArgument>) =>
    Effect.flatMap(
      attempt(async () =>
        String(await data.script(script, [keys.owner(stream), keys.checkpoints(stream), keys.streams, ...further], [token, ...args]))
      ),
      (answer) => (answer === "fenced" ? Effect.fail(new StreamFenced(stream, location, epoch)) : Effect.succeed(answer))
    )
  const facts = keys.facts(stream)
  const name = storedName(stream)
  return {
    stream,
    epoch,
    commit: (checkpoint) =>
      Effect.flatMap(
        Effect.suspend(() => asOwner(scripts.commit, [], [checkpoint.id, recordOf(stream, epoch, checkpoint), name])),
        (answer) => (answer === "done" ? Effect.void : Effect.fail(idNotAbove(location, stream, checkpoint.id, Number(answer))))
      ),
    clear: Effect.asVoid(asOwner(scripts.clear, [facts], [name])),
    facts: {
      all: attempt(() => readFacts(redis, stream)),
      set: (fact, value) =>
        Effect.asVoid(
          Effect.suspend(() =>
            asOwner(
              scripts.setFact,
              [facts],
              [name, storedName(fact), ...(value === null ? [] : [sealed([checksumOf(["fact", name, fact], value)], value)])]
            )
          )
        )
    }
  }
}

/** Numbers, a line end, and bytes, as one value. */
const sealed = (numbers: ReadonlyArray<number>, bytes: Uint8Array): Buffer => Buffer.concat([Buffer.from(`${numbers.join(" ")}\n`), bytes])

const opened = (record: Buffer): { readonly numbers: ReadonlyArray<number>; readonly bytes: Uint8Array } => {
  const end = record.subarray(0, 100).indexOf("\n")
  const numbers = record.toString("latin1", 0, Math.max(0, end)).split(" ").map(Number)
  return { numbers, bytes: new Uint8Array(record.subarray(end + 1)) }
}

const recordOf = (stream: string, epoch: number, { bytes, id, time }: NewCheckpoint): Buffer =>
  sealed([epoch, time, checksumOf(["checkpoint", storedName(stream), id, epoch, time], bytes)], bytes)

const readCheckpoints = async ({ data, keys }: Redis, stream: string): Promise<ReadonlyArray<StoredCheckpoint>> => {
  const found = pairs(await data.command("HGETALL", keys.checkpoints(stream)))
  return found
    .map(([field, record]): StoredCheckpoint => {
      const id = Number(String(field))
      const { bytes, numbers } = opened(record)
      const [epoch = 0, time = 0, crc] = numbers
      const isWhole = crc === checksumOf(["checkpoint", storedName(stream), id, epoch, time], bytes)
      return { id, epoch, time, content: isWhole ? { bytes } : { damage: "its checksum does not match what it holds" } }
    })
    .sort((a, b) => b.id - a.id)
}

const readFacts = async ({ data, keys, location }: Redis, stream: string): Promise<ReadonlyMap<string, Uint8Array>> =>
  new Map(
    pairs(await data.command("HGETALL", keys.facts(stream))).map(([field, record]) => {
      const fact = nameOfStored(String(field))
      const { bytes, numbers } = opened(record)
      if (numbers[0] !== checksumOf(["fact", storedName(stream), fact], bytes)) {
        throw damaged(location, `is damaged: the fact ${fact} of the stream ${stream} is not as it was written`)
      }
      return [fact, bytes] as const
    })
  )

/** RESP 2 answers hashes as a list of names and values. */
const pairs = (reply: RedisReply): ReadonlyArray<readonly [Buffer, Buffer]> => {
  const list = reply as ReadonlyArray<Buffer>
  return Array.from({ length: list.length / 2 }, (_, index) => [list[2 * index]!, list[2 * index + 1]!] as const)
}

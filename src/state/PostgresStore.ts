import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { checksumOf } from "./Checksum.ts"
import { damaged, idNotAbove, StoreFailure, StreamFenced } from "./errors.ts"
import { defaultLeaseTimes, type LeaseTimes, type Owner, type Ownership, takeStream } from "./Lease.ts"
import { PostgresConnection, type PostgresRow, type PostgresValue } from "./PostgresConnection.ts"
import { PostgresDeadLetters } from "./PostgresDeadLetters.ts"
import { preparePostgres } from "./postgresSchema.ts"
import { parseServerUrl } from "./ServerUrl.ts"
import type { Durability, NewCheckpoint, OwnedStream, StateStore, StoredCheckpoint } from "./StateStore.ts"
import { digestOf, nameOfStored, storedName } from "./StoredName.ts"

const defaultSchema = "rtfs_streams"

/** A store in a schema of a PostgreSQL database, which several processes may share. */
export const openPostgresStore = (
  url: string,
  { lease = defaultLeaseTimes }: { readonly lease?: LeaseTimes | undefined }
): Effect.Effect<StateStore, StoreFailure, Scope.Scope> =>
  Effect.gen(function* () {
    const server = parseServerUrl(url, "schema")
    const schema = server?.parameter ?? defaultSchema
    if (server === undefined || !/^[a-z_][a-z0-9_]{0,62}$/.test(schema)) {
      const problem = server === undefined ? "has no URL that can be read" : "can't have a schema of that name"
      return yield* Effect.fail(
        new StoreFailure(server?.location ?? "postgres", problem, {
          fix: "Write postgres://HOST/DATABASE?schema=NAME, the name in small letters, digits and _."
        })
      )
    }
    const postgres = yield* Effect.acquireRelease(
      Effect.sync((): Postgres => ({
        location: server.location,
        schema,
        control: new PostgresConnection(server),
        data: new PostgresConnection(server)
      })),
      ({ control, data }) => Effect.promise(() => Promise.all([control.close(), data.close()]))
    )
    yield* attempt(() => preparePostgres(postgres.control, server.location, schema))
    const durability = yield* attempt(() => durabilityOf(postgres))
    return {
      kind: "postgres",
      location: server.location,
      durability,
      own: (stream) => Effect.map(takeStream(ownershipIn(postgres), stream, lease), (owner) => ownedStream(postgres, stream, owner)),
      checkpoints: (stream) => attempt(() => readCheckpoints(postgres, stream)),
      streams: attempt(async () =>
        (await postgres.data.query(`SELECT stream FROM ${schema}.checkpoints UNION SELECT stream FROM ${schema}.facts`))
          .map(({ stream }) => nameOfStored(String(stream)))
          .sort()
      ),
      deadLetters: new PostgresDeadLetters(postgres.data, server.location, schema)
    }
  })

interface Postgres {
  readonly location: string
  readonly schema: string
  /** Its life is the owner's: whoever looks for an owner asks for this connection. No large value goes through it. */
  readonly control: PostgresConnection
  readonly data: PostgresConnection
}

const attempt = <A>(body: () => Promise<A>): Effect.Effect<A, StoreFailure> =>
  Effect.tryPromise({ try: body, catch: (error) => error as StoreFailure })

const durabilityOf = async ({ data }: Postgres): Promise<Durability> => {
  const [row] = await data.query("SELECT current_setting('fsync') AS fsync")
  return row!["fsync"] === "on"
    ? { level: "synced" }
    : {
        level: "delayed",
        warning: "PostgreSQL runs with fsync off: a power failure may cost writes that it confirmed, or the whole database. Set fsync on."
      }
}

const ownershipIn = ({ control, location, schema }: Postgres): Ownership => {
  // Where this user may not see another's connections, a process id alone has to do, and the lease tells the rest.
  const isThere = `EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = o.pid AND coalesce(a.backend_start::text = o.started, true))`
  const myself = "(SELECT pid, backend_start::text AS started FROM pg_stat_activity WHERE pid = pg_backend_pid()) me"
  return {
    location,
    look: async (stream) => {
      const [row] = await control.query(
        `SELECT token || ' ' || renewed::text AS version, name, extract(epoch FROM clock_timestamp() - renewed) * 1000 AS silent, ${isThere} AS connected
         FROM ${schema}.owners o WHERE stream_digest = $1`,
        [digestOf(stream)]
      )
      if (row === undefined) return undefined
      return {
        version: String(row["version"]),
        name: String(row["name"]),
        silentMs: Number(row["silent"]),
        isConnected: row["connected"] === true
      }
    },
    take: async (stream, seen, { name, token }) => {
      const [row] = await control.query(
        `INSERT INTO ${schema}.owners AS o (stream_digest, stream, epoch, token, name, pid, started, renewed)
         SELECT $1, $2, nextval('${schema}.epochs'), $3, $4, me.pid, me.started, clock_timestamp() FROM ${myself}
         ON CONFLICT (stream_digest) DO UPDATE SET epoch = EXCLUDED.epoch, token = EXCLUDED.token, name = EXCLUDED.name,
           pid = EXCLUDED.pid, started = EXCLUDED.started, renewed = EXCLUDED.renewed
         WHERE o.token || ' ' || o.renewed::text = $5
         RETURNING epoch`,
        [digestOf(stream), storedName(stream), token, name, seen?.version ?? ""]
      )
      return row === undefined ? undefined : Number(row["epoch"])
    },
    renew: async (stream, { token }) => {
      await control.query(
        `UPDATE ${schema}.owners SET renewed = clock_timestamp(), pid = me.pid, started = me.started FROM ${myself} WHERE stream_digest = $1 AND token = $2`,
        [digestOf(stream), token]
      )
    },
    release: async (stream, { token }) => {
      await control.query(`DELETE FROM ${schema}.owners WHERE stream_digest = $1 AND token = $2`, [digestOf(stream), token])
    }
  }
}

const ownedStream = (
  { data, location, schema }: Postgres,
  stream: string,
  { epoch, token }: Owner & { readonly epoch: number }
): OwnedStream => {
  /**
   * Each write is one statement, whose parts see one state of the tables: an owner that is suspended between two statements
   * would hold its lock, and nobody could replace it. The row of the owner is locked, so that a takeover is before or after.
   */
  const asOwner = (parts: string, result: string, values: ReadonlyArray<PostgresValue>) =>
    Effect.flatMap(
      attempt(async () => {
        const owner = `owner AS (SELECT 1 AS one FROM ${schema}.owners WHERE stream_digest = $1 AND token = $2 FOR SHARE)`
        const [row] = await data.query(`WITH ${owner}, ${parts} SELECT (SELECT count(*) FROM owner) AS owned, ${result} AS result`, [
          digestOf(stream),
          token,
          ...values
        ])
        return row!
      }),
      (row: PostgresRow) =>
        Number(row["owned"]) === 0 ? Effect.fail(new StreamFenced(stream, location, epoch)) : Effect.succeed(row["result"])
    )
  const name = storedName(stream)
  return {
    stream,
    epoch,
    commit: ({ bytes, id, time }: NewCheckpoint) =>
      Effect.flatMap(
        Effect.suspend(() =>
          asOwner(commitParts(schema), "(SELECT max(id) FROM newest)", [
            name,
            id,
            epoch,
            time,
            checksumOf(["checkpoint", name, id, epoch, time], bytes),
            bytes
          ])
        ),
        (newest) => (newest === null ? Effect.void : Effect.fail(idNotAbove(location, stream, id, Number(newest))))
      ),
    clear: Effect.asVoid(
      asOwner(
        `c AS (DELETE FROM ${schema}.checkpoints USING owner WHERE stream_digest = $1), f AS (DELETE FROM ${schema}.facts USING owner WHERE stream_digest = $1)`,
        "NULL",
        []
      )
    ),
    facts: {
      all: attempt(() => readFacts({ data, location, schema }, stream)),
      set: (fact, value) =>
        Effect.asVoid(
          value === null
            ? asOwner(`f AS (DELETE FROM ${schema}.facts USING owner WHERE stream_digest = $1 AND name_digest = $3)`, "NULL", [
                digestOf(fact)
              ])
            : Effect.suspend(() =>
                asOwner(
                  `f AS (INSERT INTO ${schema}.facts (stream_digest, name_digest, stream, name, crc, value) SELECT $1, $3, $4, $5, $6, $7 FROM owner
                 ON CONFLICT (stream_digest, name_digest) DO UPDATE SET crc = EXCLUDED.crc, value = EXCLUDED.value)`,
                  "NULL",
                  [digestOf(fact), name, storedName(fact), checksumOf(["fact", name, fact], value), value]
                )
              )
        )
    }
  }
}

/** `newest` holds what keeps the checkpoint out; the same one again is there already: its sender lost the answer. */
const commitParts = (schema: string): string => `
  own AS (SELECT id, crc, epoch FROM ${schema}.checkpoints WHERE stream_digest = $1),
  newest AS (SELECT max(id) AS id FROM own HAVING max(id) >= $4 AND NOT EXISTS (SELECT FROM own WHERE id = $4 AND epoch = $5 AND crc = $7)),
  added AS (INSERT INTO ${schema}.checkpoints (stream_digest, stream, id, epoch, time, crc, bytes)
    SELECT $1, $3, $4, $5, $6, $7, $8 FROM owner WHERE NOT EXISTS (SELECT FROM own WHERE id >= $4) RETURNING id),
  gone AS (DELETE FROM ${schema}.checkpoints USING added
    WHERE stream_digest = $1 AND checkpoints.id NOT IN (SELECT id FROM own ORDER BY id DESC LIMIT 2) AND checkpoints.id <> added.id)`

const readCheckpoints = async ({ data, schema }: Postgres, stream: string): Promise<ReadonlyArray<StoredCheckpoint>> => {
  const name = storedName(stream)
  const rows = await data.query(
    `SELECT id, epoch, time, crc, octet_length(bytes) AS length FROM ${schema}.checkpoints WHERE stream_digest = $1 ORDER BY id DESC LIMIT 3`,
    [digestOf(stream)]
  )
  const found: Array<StoredCheckpoint> = []
  for (const row of rows) {
    const [id, epoch, time, crc, length] = ["id", "epoch", "time", "crc", "length"].map((column) => Number(row[column])) as [
      number,
      number,
      number,
      number,
      number
    ]
    const bytes = await readBytes(
      data,
      `SELECT substring(bytes FROM $3 FOR $4) AS piece FROM ${schema}.checkpoints WHERE stream_digest = $1 AND id = $2`,
      [digestOf(stream), id],
      length
    )
    // Forgotten in between, because its owner committed another.
    if (bytes === undefined) continue
    const isWhole = crc === checksumOf(["checkpoint", name, id, epoch, time], bytes)
    found.push({ id, epoch, time, content: isWhole ? { bytes } : { damage: "its checksum does not match what it holds" } })
  }
  return found
}

/** The driver makes a string of what it reads, twice as long as the bytes; a large value would not fit into one. */
const readBytes = async (
  data: PostgresConnection,
  text: string,
  key: ReadonlyArray<PostgresValue>,
  length: number
): Promise<Uint8Array | undefined> => {
  const bytes = new Uint8Array(length)
  for (let start = 0; start < length; start += pieceBytes) {
    const [row] = await data.query(text, [...key, start + 1, pieceBytes])
    if (row === undefined) return undefined
    bytes.set(row["piece"] as Buffer, start)
  }
  return bytes
}

const pieceBytes = 4 * 1024 * 1024

const readFacts = async (
  { data, location, schema }: Pick<Postgres, "data" | "location" | "schema">,
  stream: string
): Promise<ReadonlyMap<string, Uint8Array>> => {
  const rows = await data.query(`SELECT name, crc, value FROM ${schema}.facts WHERE stream_digest = $1`, [digestOf(stream)])
  return new Map(
    rows.map((row) => {
      const fact = nameOfStored(String(row["name"]))
      const value = new Uint8Array(row["value"] as Buffer)
      if (Number(row["crc"]) !== checksumOf(["fact", storedName(stream), fact], value)) {
        throw damaged(location, `is damaged: the fact ${fact} of the stream ${stream} is not as it was written`)
      }
      return [fact, value] as const
    })
  )
}

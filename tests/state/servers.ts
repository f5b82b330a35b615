import { randomBytes } from "node:crypto"
import pg from "pg"
import { withRedis } from "./withRedis.ts"

// Servers on this machine, or where the environment says. Tests that need one which does not answer are skipped by name.

export const redisUrl = process.env["TEST_REDIS_URL"] ?? "redis://127.0.0.1:6379"
export const postgresUrl = process.env["TEST_POSTGRES_URL"] ?? "postgres://postgres@127.0.0.1:5432/test"

/** Of this run alone. */
export const freshPrefix = () => `rtfs-streams-test:${randomBytes(6).toString("hex")}:`
export const freshSchema = () => `rtfs_streams_test_${randomBytes(6).toString("hex")}`

const withPostgres = async <A>(body: (client: pg.Client) => Promise<A>): Promise<A> => {
  const client = new pg.Client({ connectionString: postgresUrl, connectionTimeoutMillis: 2000 })
  client.on("error", () => {})
  await client.connect()
  try {
    return await body(client)
  } finally {
    await client.end()
  }
}

const problemOf = (what: string, body: () => Promise<unknown>): Promise<string | undefined> =>
  body().then(
    () => undefined,
    (error: unknown) => `${what} does not answer (${(error as Error).message || String((error as { code?: string }).code)})`
  )

export const redisProblem = () => problemOf(redisUrl, () => withRedis(redisUrl, (client) => client.ping()))
export const postgresProblem = () => problemOf(postgresUrl, () => withPostgres((client) => client.query("SELECT 1")))

export const redisCommand = (url: string, ...args: ReadonlyArray<string>) => withRedis(url, (client) => client.sendCommand([...args]))
export const postgresQuery = (text: string, values: Array<unknown> = []) =>
  withPostgres(async (client) => (await client.query(text, values)).rows as Array<Record<string, unknown>>)

export const removeRedisKeys = (prefix: string, url = redisUrl) =>
  withRedis(url, async (client) => {
    for await (const keys of client.scanIterator({ MATCH: `${prefix}*`, COUNT: 1000 })) {
      if (keys.length > 0) await client.del(keys)
    }
  })

export const dropSchemas = (prefix: string) =>
  withPostgres(async (client) => {
    const { rows } = await client.query("SELECT nspname FROM pg_namespace WHERE starts_with(nspname, $1)", [prefix])
    for (const { nspname } of rows) await client.query(`DROP SCHEMA ${nspname} CASCADE`)
  })

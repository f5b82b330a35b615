import type { RedisClientType } from "redis"
import { certificateProblem, trustOf } from "./certificates.ts"
import { StoreFailure } from "./errors.ts"
import type { ServerUrl } from "./ServerUrl.ts"

export type RedisArgument = string | number | Uint8Array

/** What Redis answers, with its strings as bytes. */
export type RedisReply = Buffer | string | number | null | ReadonlyArray<RedisReply>

/** Beyond so many commands that wait for their answer, or for the connection, further ones fail. */
const mostWaiting = 1000

/** For an answer that does not come: a server that was suspended closes no connection. */
const answerMs = 30_000

/**
 * One connection to Redis. When it is lost it is made again; commands that were on their way fail, since nobody can tell
 * whether they were done.
 */
export class RedisConnection {
  readonly #server: ServerUrl
  readonly #client: RedisClientType
  readonly #send: (args: ReadonlyArray<string | Buffer>) => Promise<unknown>
  #id: Promise<{ readonly client: string; readonly run: string }> | undefined

  private constructor(server: ServerUrl, client: RedisClientType, buffers: unknown) {
    this.#server = server
    this.#client = client
    this.#send = (args) => client.withTypeMapping({ [buffers as number]: Buffer } as never).sendCommand(args)
    client.on("ready", () => {
      this.#id = undefined
    })
  }

  /** **Fails** with `StoreFailure`: the package is missing, or the server can't be reached or refuses the credentials. */
  static async open(server: ServerUrl): Promise<RedisConnection> {
    const { createClient, RESP_TYPES } = await loadRedis(server.location)
    let isOpen = false
    const trust = trusted(server)
    const client = createClient({
      url: server.url,
      RESP: 2,
      commandsQueueMaxLength: mostWaiting,
      socket: {
        ...(trust && { ...trust, tls: true }),
        connectTimeout: 5000,
        // The first attempt tells at once what is wrong; later ones go on until the server is back.
        reconnectStrategy: (retries) => (isOpen ? Math.min(50 * 2 ** retries, 1000) : false)
      }
    })
    // Told by the commands that fail. Without a listener the process would end.
    client.on("error", () => {})
    try {
      await client.connect()
    } catch (error) {
      client.destroy()
      throw redisFailure(server, error)
    }
    isOpen = true
    return new RedisConnection(server, client as unknown as RedisClientType, RESP_TYPES.BLOB_STRING)
  }

  /** Which connection this is, of all that the server ever had: its number, and the server's run in which that counts. */
  identity(): Promise<{ readonly client: string; readonly run: string }> {
    this.#id ??= Promise.all([this.command("CLIENT", "ID"), this.command("INFO", "server")]).then(([client, info]) => ({
      client: String(client),
      run: /run_id:(\w+)/.exec(String(info))?.[1] ?? ""
    }))
    // Once it has failed it is asked again.
    this.#id.catch(() => {
      this.#id = undefined
    })
    return this.#id
  }

  async command(...args: ReadonlyArray<RedisArgument>): Promise<RedisReply> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`It did not answer within ${answerMs / 1000} s.`)), answerMs)
      timer.unref()
    })
    try {
      return (await Promise.race([this.#send(args.map(asArgument)), late])) as RedisReply
    } catch (error) {
      throw redisFailure(this.#server, error)
    } finally {
      clearTimeout(timer)
    }
  }

  /** Runs a script, in which no other client comes between. */
  script(text: string, keys: ReadonlyArray<string>, args: ReadonlyArray<RedisArgument>): Promise<RedisReply> {
    return this.command("EVAL", text, keys.length, ...keys, ...args)
  }

  close(): void {
    this.#client.destroy()
  }
}

const trusted = (server: ServerUrl) => {
  try {
    return trustOf(server.authority)
  } catch (error) {
    throw redisFailure(server, error)
  }
}

const asArgument = (value: RedisArgument): string | Buffer =>
  value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : String(value)

const loadRedis = async (location: string) => {
  try {
    return await import("redis")
  } catch (cause) {
    throw new StoreFailure(location, "needs the package redis, which is not installed", {
      fix: "Install it beside rtfs-streams: npm install redis.",
      cause
    })
  }
}

const redisFailure = (server: ServerUrl, error: unknown): StoreFailure => {
  const message = server
    .redacted(error instanceof Error ? error.message || String((error as { code?: unknown }).code) : String(error))
    .replace(/\.$/, "")
  const fail = (problem: string, fix: string) => new StoreFailure(server.location, problem, { fix, cause: new Error(message) })
  const certificate = certificateProblem(error)
  if (certificate !== undefined) return fail(`${certificate.problem} (${message})`, certificate.fix)
  if (/^(WRONGPASS|NOAUTH|NOPERM)/.test(message))
    return fail(`refuses this user (${message})`, "Check user, password and the permissions of the user.")
  if (message.startsWith("OOM")) return fail(`is full (${message})`, "Give Redis more memory (maxmemory), or keep less.")
  if (/^(READONLY|MISCONF|NOREPLICAS|LOADING|MASTERDOWN)/.test(message))
    return fail(`takes no writes (${message})`, "Look after the server; the message is its own.")
  return fail(`can't be used (${message})`, "Check that the server runs and can be reached.")
}

import type { Client, QueryResult } from "pg"
import { certificateProblem, trustOf } from "./certificates.ts"
import { StoreFailure } from "./errors.ts"
import type { ServerUrl } from "./ServerUrl.ts"

export type PostgresValue = string | number | Uint8Array | null | ReadonlyArray<string | number | Uint8Array | null>
export type PostgresRow = Readonly<Record<string, unknown>>

/** For connecting, and for one statement; large states take a while. */
const connectMs = 10_000
const statementMs = 120_000

/** One connection to PostgreSQL. One that was lost is made again by the next query; a query that was under way fails. */
export class PostgresConnection {
  readonly #server: ServerUrl
  #client: Promise<Client> | undefined
  /** The one that `#client` gave, once it is connected. */
  #current: Client | undefined
  #last: Promise<unknown> = Promise.resolve()
  #isClosed = false

  constructor(server: ServerUrl) {
    this.#server = server
  }

  /** **Fails** with `StoreFailure`. */
  async query(text: string, values: ReadonlyArray<PostgresValue> = []): Promise<ReadonlyArray<PostgresRow>> {
    // One after the other: the driver's own queue has no bound and is on its way out.
    const turn = this.#last.then(() => this.#query(text, values))
    this.#last = turn.catch(() => {})
    try {
      return await turn
    } catch (error) {
      throw postgresFailure(this.#server, error)
    }
  }

  async #query(text: string, values: ReadonlyArray<PostgresValue>): Promise<ReadonlyArray<PostgresRow>> {
    const client = await this.#connected()
    const result = (await client.query(text, values.map(asValue))) as QueryResult<PostgresRow>
    return result.rows
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await (await this.#client?.catch(() => undefined))?.end().catch(() => {})
  }

  #connected(): Promise<Client> {
    if (this.#isClosed) return Promise.reject(new StoreFailure(this.#server.location, "was closed", { fix: "Open it again." }))
    this.#client ??= this.#connect().catch((error: unknown) => {
      this.#client = undefined
      throw error
    })
    return this.#client
  }

  async #connect(): Promise<Client> {
    const { default: pg } = await loadPostgres(this.#server.location)
    const ssl = trustOf(this.#server.authority)
    const client = new pg.Client({
      // Without it the driver compares an address with "localhost".
      ...(ssl && { ssl: { ...ssl, host: new URL(this.#server.url).hostname } }),
      connectionString: this.#server.url,
      application_name: "rtfs-streams",
      connectionTimeoutMillis: connectMs,
      query_timeout: statementMs,
      keepAlive: true
    })
    // Told by the queries that fail. Without a listener the process would end.
    client.on("error", () => this.#forget(client))
    client.on("end", () => this.#forget(client))
    await client.connect()
    this.#current = client
    await client.query("SET synchronous_commit = on")
    return client
  }

  #forget(client: Client): void {
    if (this.#current !== client) return
    this.#current = undefined
    this.#client = undefined
  }
}

const asValue = (value: PostgresValue): unknown =>
  value instanceof Uint8Array
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    : Array.isArray(value)
      ? value.map((part) => asValue(part as PostgresValue))
      : value

const loadPostgres = async (location: string) => {
  try {
    return await import("pg")
  } catch (cause) {
    throw new StoreFailure(location, "needs the package pg, which is not installed", {
      fix: "Install it beside rtfs-streams: npm install pg.",
      cause
    })
  }
}

/** By SQLSTATE; see the appendix "PostgreSQL Error Codes". */
const postgresFailure = (server: ServerUrl, error: unknown): StoreFailure => {
  if (error instanceof StoreFailure) return error
  const { code = "", message } = error as { readonly code?: string; readonly message: string }
  const shown = server.redacted(message || code).replace(/\.$/, "")
  const fail = (problem: string, fix: string) =>
    new StoreFailure(server.location, `${problem} (${shown})`, { fix, cause: Object.assign(new Error(shown), code === "" ? {} : { code }) })
  const certificate = certificateProblem(error)
  if (certificate !== undefined) return fail(certificate.problem, certificate.fix)
  if (code.startsWith("28") || code === "42501")
    return fail("refuses this user", "Check user, password and the rights of the user: it must be able to make a schema, or have one.")
  if (code === "53100") return fail("is full", "Free some space on the server's disk; what was committed before is still there.")
  if (code.startsWith("XX") || code === "42P01" || code === "42703")
    return fail(
      "is damaged",
      "Look after the server; restore the schema from a copy, or drop it to begin anew and process everything again."
    )
  if (code === "3D000") return fail("does not exist", "Make the database, or correct its name.")
  return fail("can't be used", "Check that the server runs and can be reached.")
}

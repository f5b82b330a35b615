import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { AsyncSource, Database, DatabaseCursor, OpenContext, SourceBatch } from "../../actors/index.ts"
import { asking, sessionOf, waitOut } from "./connection.ts"
import { DatabaseFailure } from "./errors.ts"
import { PortionSize } from "./PortionSize.ts"

export interface QueryOptions {
  readonly query: string
  readonly params: ReadonlyArray<unknown>
  readonly fetchSize: number
  readonly timeoutMs: number
  readonly orderKey: string | undefined
  readonly maxRows: number | undefined
}

/** Where a query goes on. */
export interface QueryPosition {
  readonly rows: number
  /** The key of the last row, where there is an order. */
  readonly after: unknown
}

/** More than the server's own limit, so that it is the server that says why. */
const answerMs = 5000

/**
 * Reads the rows of one query by a cursor.
 *
 * With an order it goes on behind the last row that it gave: in a new transaction, whose state of the database is a later
 * one. Without an order nothing says which rows those before were, so it can't.
 */
export class QueryReader {
  readonly #database: Database
  readonly #options: QueryOptions
  readonly #context: OpenContext
  readonly #size: PortionSize
  #position: QueryPosition
  /** The cursor with the session that it is of, and the portion that it is asked for. */
  #cursor: { readonly cursor: DatabaseCursor; readonly scope: Scope.Closeable } | undefined
  #underWay: Promise<ReadonlyArray<Record<string, unknown>>> | undefined
  #failures = 0
  #hasEnded = false

  private constructor(database: Database, options: QueryOptions, context: OpenContext) {
    this.#database = database
    this.#options = options
    this.#context = context
    this.#size = new PortionSize(options.fetchSize)
    this.#position = (context.position as QueryPosition | undefined) ?? { rows: 0, after: undefined }
  }

  static open(
    options: QueryOptions,
    connection: string | undefined,
    context: OpenContext
  ): Effect.Effect<AsyncSource, unknown, Scope.Scope> {
    return Effect.gen(function* () {
      const database = yield* context.services.databases.find(connection)
      const reader = new QueryReader(database, options, context)
      const { rows } = reader.#position
      if (rows > 0 && options.orderKey === undefined) {
        return yield* Effect.fail(
          new DatabaseFailure({
            location: database.location,
            kind: "refused",
            problem: `can't be read on behind row ${rows} of ${JSON.stringify(options.query.slice(0, 80))}: the query has no order`,
            fix: "Give it :order-key, a column that is unique and not null, or start the stream anew."
          })
        )
      }
      yield* Effect.acquireRelease(Effect.void, () => reader.#close)
      return {
        read: reader.read,
        position: () => ({ ...reader.#position, after: reader.#position.after ?? null }),
        isRepeatable: () => options.orderKey !== undefined || reader.#position.rows === 0
      }
    })
  }

  readonly read: Effect.Effect<SourceBatch | null, unknown> = Effect.suspend(() => {
    if (this.#hasEnded) return Effect.succeed(null)
    return Effect.catch(this.#portion, (error) => this.#recover(error))
  })

  get #portion(): Effect.Effect<SourceBatch | null, unknown> {
    const { timeoutMs } = this.#options
    return Effect.flatMap(this.#opened, ({ cursor }) => {
      // A read that is interrupted has been asked for: what comes of it is given to the next one.
      const asked = asking(() => (this.#underWay ??= cursor.read(this.#size.rows)))
      const answered = Effect.timeoutOrElse(asked, { duration: timeoutMs + answerMs, orElse: () => Effect.fail(this.#late()) })
      return Effect.flatMap(answered, (rows) => this.#take(rows))
    })
  }

  get #opened() {
    return Effect.suspend(() => {
      if (this.#cursor !== undefined) return Effect.succeed(this.#cursor)
      const { orderKey: key, params, query: text, timeoutMs } = this.#options
      const order = key === undefined ? undefined : { key, after: this.#position.after ?? undefined }
      return Effect.uninterruptibleMask((restore) =>
        Effect.gen({ self: this }, function* () {
          const scope = yield* Scope.make()
          const opening = Effect.gen({ self: this }, function* () {
            const session = yield* Scope.provide(restore(sessionOf(this.#database, "read", this.#context)), scope)
            const cursor = yield* asking(() => session.query({ text, params, timeoutMs, order }))
            yield* Scope.addFinalizer(
              scope,
              Effect.promise(() => cursor.close())
            )
            return (this.#cursor = { cursor, scope })
          })
          return yield* Effect.onExit(opening, (exit) => (Exit.isFailure(exit) ? Scope.close(scope, exit) : Effect.void))
        })
      )
    })
  }

  #take(rows: ReadonlyArray<Record<string, unknown>>): Effect.Effect<SourceBatch | null, unknown> {
    this.#underWay = undefined
    this.#failures = 0
    if (rows.length === 0) {
      this.#hasEnded = true
      // The session is somebody else's from now on.
      return Effect.as(this.#close, null)
    }
    this.#size.learn(rows)
    const { maxRows, orderKey } = this.#options
    const count = this.#position.rows + rows.length
    if (maxRows !== undefined && count > maxRows) return Effect.fail(this.#tooMany(maxRows))
    let { after } = this.#position
    if (orderKey !== undefined) {
      for (const row of rows) {
        const problem = problemOfKey(row, orderKey, after)
        if (problem !== undefined) return Effect.fail(this.#refused(problem))
        after = row[orderKey]
      }
    }
    this.#position = { rows: count, after }
    return Effect.succeed({ items: rows })
  }

  /** A server that went away is waited for, where it is known which rows come next. */
  #recover(error: unknown): Effect.Effect<SourceBatch | null, unknown> {
    this.#underWay = undefined
    const mayGoOn = this.#options.orderKey !== undefined || this.#position.rows === 0
    const isLost = error instanceof DatabaseFailure && (error.kind === "lost" || error.kind === "busy")
    if (!mayGoOn || !isLost) return Effect.fail(error)
    return Effect.andThen(this.#close, Effect.andThen(waitOut(error, ++this.#failures, this.#database, this.#context), this.read))
  }

  get #close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const open = this.#cursor
      this.#cursor = undefined
      this.#underWay?.catch(() => {})
      return open === undefined ? Effect.void : Scope.close(open.scope, Exit.void)
    })
  }

  #late(): DatabaseFailure {
    return this.#refused({
      problem: `took more than ${this.#options.timeoutMs} ms for one portion of rows`,
      fix: "Make the query faster, or give it a larger :timeout."
    })
  }

  #tooMany(maxRows: number): DatabaseFailure {
    return this.#refused({
      problem: `has more than the ${maxRows} rows of :max-rows for this query`,
      fix: "Narrow the query down, or raise :max-rows."
    })
  }

  #refused(said: { readonly problem: string; readonly fix: string }): DatabaseFailure {
    return new DatabaseFailure({ location: this.#database.location, kind: "refused", ...said })
  }
}

const problemOfKey = (
  row: Record<string, unknown>,
  key: string,
  before: unknown
): { readonly problem: string; readonly fix: string } | undefined => {
  const value = row[key]
  const fix = "Give :order-key a column that is unique and not null, a number or text."
  if (value === null || value === undefined) return { problem: `gives a row without a value in ${key}, its :order-key`, fix }
  if (value === before) return { problem: `gives ${JSON.stringify(key)}, its :order-key, twice with the same value`, fix }
  // A moment is exact in the database to the microsecond only, so rows of one millisecond would come twice.
  return typeof value === "object" || typeof value === "boolean"
    ? { problem: `has no number or text in ${key}, its :order-key`, fix: `${fix} A time can be cast to text.` }
    : undefined
}

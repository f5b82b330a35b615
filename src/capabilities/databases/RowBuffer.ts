import { randomUUID } from "node:crypto"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import {
  type AsyncSink,
  type Database,
  type DatabaseInsert,
  type DatabaseRow,
  type DatabaseSession,
  type DatabaseTable,
  type HeldItems,
  ItemFailure,
  type OpenContext
} from "../../actors/index.ts"
import type { StreamFunction } from "../../scheduler/index.ts"
import { callWithMeter } from "../wrapFunction.ts"
import { approximateBytes } from "../aggregation/approximateBytes.ts"
import { UnwritableValue } from "../files/errors.ts"
import { BoundExceeded } from "../errors.ts"
import { asking, sessionOf, waitOut } from "./connection.ts"
import type { DatabaseFailure } from "./errors.ts"
import { insertPlan, type InsertOptions, rowWriter, tableFor } from "./insertPlan.ts"
import { takenOver } from "./progress.ts"

/** Where a sink stands: the items that it holds, and how many it has dealt with. */
interface BufferPosition {
  readonly run: string
  readonly dealtWith: number
  /** How many of those the database knows of: items that were left out are told it with the next ones. */
  readonly marked: number
  readonly inserted: number
  readonly count: number
  /** Grows behind `count`; nothing before that changes. */
  readonly items: ReadonlyArray<unknown>
}

/** Under checkpointing: how much is held until a checkpoint is asked for, and how much at all. */
const askAt = { items: 10_000, bytes: 8 * 1024 ** 2 }
const most = { items: 200_000, bytes: 128 * 1024 ** 2 }

export interface BufferOptions extends InsertOptions {
  readonly batchSize: number
  readonly batchTimeoutMs: number
  readonly onBatchComplete: StreamFunction | undefined
}

/**
 * What a sink into a table holds, and how it gets there.
 *
 * Without checkpoints a batch is written when it is full, when it has waited long enough, or at the end. Under checkpoints
 * items are kept, as a part of the position, until a checkpoint that has them is stored. Each transaction then also says how
 * many items are dealt with, so a sink that goes on from the checkpoint knows which of them were written before it was ended.
 */
export class RowBuffer implements HeldItems {
  readonly #database: Database
  readonly #options: BufferOptions
  readonly #context: OpenContext
  readonly #clock: Clock.Clock
  readonly #isCheckpointed: boolean
  #run: string
  #dealtWith: number
  #marked: number
  #inserted: number
  #items: Array<unknown>
  #bytes = 0
  /** Up to which item a checkpoint is stored. */
  #storedUpTo: number
  #isEnding: boolean
  #deadline = Infinity
  #open: Opened | undefined
  #plan: Omit<Planned, "session"> | undefined

  constructor(database: Database, options: BufferOptions, context: OpenContext, clock: Clock.Clock) {
    const position = context.position as BufferPosition | undefined
    this.#database = database
    this.#options = options
    this.#context = context
    this.#clock = clock
    this.#isCheckpointed = context.durable !== undefined
    this.#run = position?.run ?? randomUUID()
    this.#dealtWith = position?.dealtWith ?? 0
    this.#marked = position?.marked ?? 0
    this.#inserted = position?.inserted ?? 0
    this.#items = position === undefined ? [] : position.items.slice(0, position.count)
    this.#storedUpTo = this.#isCheckpointed ? 0 : Infinity
    this.#isEnding = context.isSealed === true
    if (this.#items.length > 0) this.#deadline = clock.currentTimeMillisUnsafe() + options.batchTimeoutMs
  }

  /** Looks at the table, and at what of the position is written already. */
  get recover(): Effect.Effect<void, unknown> {
    return this.#persistently(Effect.andThen(this.#opened, this.#seeProgress))
  }

  /** A transaction whose end nobody heard of has written its rows, or it has not. */
  get #seeProgress(): Effect.Effect<void, unknown> {
    return Effect.suspend(() => {
      const { durable: sink } = this.#context
      if (sink === undefined) return Effect.void
      const asked = Effect.flatMap(this.#opened, ({ session }) =>
        asking(() => session.progress({ sink, run: this.#run }, this.#marked === 0))
      )
      return Effect.flatMap(asked, (written) => {
        if (written === undefined || written < this.#marked || written > this.#dealtWith + this.#items.length)
          return Effect.fail(takenOver(this.#database.location, sink))
        const count = Math.max(0, written - this.#dealtWith)
        this.#marked = written
        this.#inserted += count
        this.#forget(count)
        return Effect.void
      })
    })
  }

  get sink(): AsyncSink {
    return {
      held: this,
      write: (items) => this.#add(items),
      sync: Effect.void,
      seal: Effect.sync(() => {
        this.#isEnding = true
      }),
      position: () => this.#position(),
      finish: Effect.suspend(() => this.#finish()),
      ...(this.#isCheckpointed
        ? {
            onStored: (position: unknown) => {
              const { count, dealtWith } = position as BufferPosition
              this.#storedUpTo = Math.max(this.#storedUpTo, dealtWith + count)
              return Effect.void
            }
          }
        : {})
    }
  }

  get close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const open = this.#open
      this.#open = undefined
      return open === undefined ? Effect.void : Scope.close(open.scope, Exit.void)
    })
  }

  isDue(): boolean {
    const free = this.#free
    if (free === 0) return false
    return (
      this.#isCheckpointed || this.#isEnding || free >= this.#options.batchSize || this.#clock.currentTimeMillisUnsafe() >= this.#deadline
    )
  }

  get awaitDue(): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.#isCheckpointed || this.#items.length === 0
        ? Effect.never
        : Effect.sleep(Math.max(0, this.#deadline - this.#clock.currentTimeMillisUnsafe()))
    )
  }

  get handOver(): Effect.Effect<void, unknown> {
    return this.#persistently(
      Effect.flatMap(this.#planned, (planned) =>
        planned === undefined ? Effect.void : this.#insert(planned, Math.min(this.#options.batchSize, this.#free))
      )
    )
  }

  leaveOut(): void {
    // How many are dealt with is written with the next batch, or never: then the item fails once more.
    this.#forget(1)
  }

  replace(value: unknown): void {
    this.#items = [value, ...this.#items.slice(1)]
  }

  values(): ReadonlyArray<unknown> {
    return this.#items
  }

  #add(items: ReadonlyArray<unknown>): Effect.Effect<void, unknown> {
    return Effect.suspend(() => {
      if (this.#items.length === 0) this.#deadline = this.#clock.currentTimeMillisUnsafe() + this.#options.batchTimeoutMs
      for (const item of items) this.#items.push(item)
      if (!this.#isCheckpointed) return Effect.void
      for (const item of items) this.#bytes += approximateBytes(item, most.bytes)
      if (this.#items.length >= askAt.items || this.#bytes >= askAt.bytes) this.#context.askForCheckpoint?.()
      if (this.#items.length <= most.items && this.#bytes <= most.bytes) return Effect.void
      const held = `${this.#items.length} items (about ${Math.round(this.#bytes / 1024 ** 2)} MB)`
      return Effect.fail(
        new BoundExceeded(
          "stream.db.bulk-insert",
          `holds ${held}, which no checkpoint has`,
          "Look why no checkpoint is stored, or take them more often: :checkpoint-interval, :every-n-items."
        )
      )
    })
  }

  /** How many of the oldest may be written. */
  get #free(): number {
    return Math.min(this.#items.length, this.#storedUpTo - this.#dealtWith)
  }

  #position(): BufferPosition {
    return {
      run: this.#run,
      dealtWith: this.#dealtWith,
      marked: this.#marked,
      inserted: this.#inserted,
      count: this.#items.length,
      items: this.#items
    }
  }

  /** A new array, because positions hold the one before. */
  #forget(count: number): void {
    if (this.#isCheckpointed) for (let i = 0; i < count; i++) this.#bytes -= approximateBytes(this.#items[i], most.bytes)
    this.#dealtWith += count
    this.#items = this.#items.slice(count)
    this.#deadline = this.#items.length === 0 ? Infinity : this.#clock.currentTimeMillisUnsafe() + this.#options.batchTimeoutMs
  }

  /** The oldest items in one transaction; where one of them is to blame, those before it, and then it is named. */
  #insert({ plan, session, write }: Planned, count: number): Effect.Effect<void, unknown> {
    const rows: Array<DatabaseRow> = []
    let refused: unknown
    for (let i = 0; i < count && refused === undefined; i++) {
      try {
        rows.push(write(this.#items[i]))
      } catch (error) {
        refused = error
      }
    }
    const written = rows.length === 0 ? Effect.void : this.#insertRows(session, plan, rows)
    return Effect.flatMap(written, () => (refused === undefined ? Effect.void : Effect.fail(new ItemFailure({ index: 0, cause: refused }))))
  }

  #insertRows(session: DatabaseSession, plan: DatabaseInsert, rows: ReadonlyArray<DatabaseRow>): Effect.Effect<void, unknown> {
    return Effect.catch(this.#commit(session, plan, rows), (error) => {
      if (!isRowFailure(error) || !this.#options.isolateFailures) return Effect.fail(error)
      return Effect.flatMap(firstRefused(session, plan, rows, error), ({ cause, index }) => {
        const before = index === 0 ? Effect.void : this.#commit(session, plan, rows.slice(0, index))
        return Effect.andThen(before, Effect.fail(new ItemFailure({ index: 0, cause })))
      })
    })
  }

  #commit(session: DatabaseSession, plan: DatabaseInsert, rows: ReadonlyArray<DatabaseRow>): Effect.Effect<void, unknown> {
    const { durable: sink } = this.#context
    const to = this.#dealtWith + rows.length
    const mark = sink === undefined ? undefined : { sink, run: this.#run, from: this.#marked, to }
    // Not interrupted, because what a session was told it does, whoever still listens.
    const done = Effect.uninterruptible(
      Effect.map(
        asking(() => session.insert(rows, { ...plan, mark })),
        () => {
          this.#marked = to
          this.#inserted += rows.length
          this.#forget(rows.length)
        }
      )
    )
    return Effect.andThen(done, this.#tell(rows.length))
  }

  #tell(count: number): Effect.Effect<void, unknown> {
    const { onBatchComplete } = this.#options
    return onBatchComplete === undefined ? Effect.void : Effect.asVoid(asking(async () => callWithMeter(onBatchComplete, count)))
  }

  #finish(): Effect.Effect<unknown, unknown> {
    const result = { table: this.#options.table, rows: this.#inserted }
    const { durable: sink } = this.#context
    if (sink === undefined) return Effect.succeed(result)
    return Effect.as(
      this.#persistently(Effect.flatMap(this.#opened, ({ session }) => asking(() => session.endProgress({ sink, run: this.#run })))),
      result
    )
  }

  get #planned(): Effect.Effect<Planned | undefined, unknown> {
    return Effect.flatMap(this.#opened, ({ session, table }) =>
      Effect.try({
        try: () => {
          if (this.#items.length === 0) return undefined
          this.#plan ??= this.#planFor(session, table)
          return { session, ...this.#plan }
        },
        // The first item may be no row at all.
        catch: (cause) => (cause instanceof UnwritableValue ? new ItemFailure({ index: 0, cause }) : cause)
      })
    )
  }

  #planFor(session: DatabaseSession, table: DatabaseTable): Omit<Planned, "session"> {
    const plan = insertPlan(this.#database.location, table, this.#options, { first: this.#items[0], kind: session.kind })
    return { plan, write: rowWriter(plan, session, this.#options.columns !== undefined) }
  }

  /** A session, and the table as it was when that was opened. */
  get #opened(): Effect.Effect<Opened, unknown> {
    return Effect.suspend(() => {
      const open = this.#open
      if (open !== undefined && !open.session.isBroken()) return Effect.succeed(open)
      return Effect.gen({ self: this }, function* () {
        yield* this.close
        const scope = yield* Scope.make()
        const opening = Effect.gen({ self: this }, function* () {
          const session = yield* Scope.provide(sessionOf(this.#database, "write", this.#context), scope)
          const table = yield* tableFor(this.#database.location, session, this.#options)
          return (this.#open = { session, scope, table })
        })
        return yield* Effect.onExit(opening, (exit) => (Exit.isFailure(exit) ? Scope.close(scope, exit) : Effect.void))
      })
    })
  }

  /** Until the database is back. */
  #persistently<A>(work: Effect.Effect<A, unknown>): Effect.Effect<A, unknown> {
    const attempt = (failures: number, again: Effect.Effect<A, unknown>): Effect.Effect<A, unknown> =>
      Effect.catch(again, (error) =>
        waitOut(error, failures, this.#database, this.#context).pipe(
          Effect.andThen(this.close),
          Effect.andThen(Effect.suspend(() => attempt(failures + 1, Effect.andThen(this.#seeProgress, work))))
        )
      )
    return attempt(1, work)
  }
}

/** Halves the rows. What is tried are always the first of them, so that the one found is the first that is refused. */
const firstRefused = (session: DatabaseSession, plan: DatabaseInsert, rows: ReadonlyArray<DatabaseRow>, all: DatabaseFailure) =>
  Effect.gen(function* () {
    let good = 0
    let refused = { index: rows.length - 1, cause: all }
    while (refused.index > good) {
      const middle = good + Math.ceil((refused.index - good) / 2)
      const tried = yield* Effect.result(
        Effect.uninterruptible(asking(() => session.insert(rows.slice(0, middle), { ...plan, isTrial: true })))
      )
      if (Result.isSuccess(tried)) good = middle
      else if (isRowFailure(tried.failure)) refused = { index: middle - 1, cause: tried.failure }
      else return yield* Effect.fail(tried.failure)
    }
    return refused
  })

interface Opened {
  readonly session: DatabaseSession
  readonly scope: Scope.Closeable
  readonly table: DatabaseTable
}

interface Planned {
  readonly session: DatabaseSession
  readonly plan: DatabaseInsert
  /** An item as a row of the plan. */
  readonly write: (item: unknown) => DatabaseRow
}

const isRowFailure = (error: unknown): error is DatabaseFailure => (error as { readonly kind?: unknown } | undefined)?.kind === "row"

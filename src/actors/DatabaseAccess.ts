import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** The databases that the host has, each with a bounded number of sessions. */
export interface DatabaseAccess {
  /**
   * @param connection a name that the host has for it, or a URL without a password; left out, the only database there is
   *
   * **Fails** with `PermissionDenied`, or with `DatabaseFailure` where there is none of that name.
   */
  readonly find: (connection: string | undefined) => Effect.Effect<Database, unknown>
}

export interface Database {
  /** For messages, without credentials. */
  readonly location: string
  /** Whether it has ever answered. */
  readonly hasAnswered: () => boolean
  /** A session for one user at a time, given back with the scope; waits while all are taken. Fails with `DatabaseFailure`. */
  readonly session: (access: "read" | "write") => Effect.Effect<DatabaseSession, unknown, Scope.Scope>
}

export type DatabaseKind = "postgres" | "sqlite" | "mysql"

/** What a driver does. Everything rejects with `DatabaseFailure`, whose `kind` says whether to try again. */
export interface DatabaseSession {
  readonly kind: DatabaseKind
  /** Lost, or in a state that nobody knows: it is closed instead of being given to the next. */
  readonly isBroken: () => boolean
  readonly isAlive: () => Promise<void>
  /** Begins a read-only transaction that sees one state of the database. One cursor at a time. */
  readonly query: (query: DatabaseQuery) => Promise<DatabaseCursor>
  /** A table as it is now, or `undefined`. */
  readonly table: (name: string) => Promise<DatabaseTable | undefined>
  /** Gives a column's value for a value of a program, nil for `undefined`; with COPY its text. Throws what says why there is none. */
  readonly encoder: (column: DatabaseColumn, method: DatabaseInsert["method"]) => (value: unknown) => DatabaseValue
  /** Writes all rows in one transaction, or none. */
  readonly insert: (rows: ReadonlyArray<DatabaseRow>, insert: DatabaseInsert) => Promise<void>
  /** One row of the table of progress: how many items of a sink are in. It is made, with 0, where `make` says so. */
  readonly progress: (mark: Omit<ProgressMark, "from" | "to">, make: boolean) => Promise<number | undefined>
  /** The sink has ended: what later runs may remove. */
  readonly endProgress: (mark: Omit<ProgressMark, "from" | "to">) => Promise<void>
  readonly close: () => Promise<void>
}

export type DatabaseValue = string | number | bigint | boolean | Uint8Array | null | ReadonlyArray<unknown>
/** The values of a plan's columns; with COPY a line of its text. */
export type DatabaseRow = ReadonlyArray<DatabaseValue> | string

export interface DatabaseQuery {
  readonly text: string
  readonly params: ReadonlyArray<unknown>
  /** What the server may take for one portion of rows. */
  readonly timeoutMs: number
  /** Rows behind this value of a column, in its order. */
  readonly order?: { readonly key: string; readonly after: unknown } | undefined
}

export interface DatabaseCursor {
  /** At most so many rows, none at the end. */
  readonly read: (rows: number) => Promise<ReadonlyArray<Record<string, unknown>>>
  /** Ends the transaction; the server stops working on it. */
  readonly close: () => Promise<void>
}

export interface DatabaseColumn {
  readonly name: string
  /** As the database writes it, in lower case. */
  readonly type: string
}

export interface DatabaseTable {
  /** Quoted, with its schema. */
  readonly quoted: string
  readonly columns: ReadonlyArray<DatabaseColumn>
  /** The columns of each unique key. */
  readonly keys: ReadonlyArray<ReadonlyArray<string>>
}

export interface DatabaseInsert {
  readonly table: DatabaseTable
  readonly columns: ReadonlyArray<DatabaseColumn>
  readonly method: "copy" | "insert"
  readonly onConflict: "error" | "ignore" | "update"
  /** For `update` and `ignore`: the columns of the unique key that decides. */
  readonly key: ReadonlyArray<string>
  /** Kept in the same transaction. */
  readonly mark?: ProgressMark | undefined
  /** Everything is tried, and undone. */
  readonly isTrial?: boolean
}

/** That a sink has dealt with its items up to `to`; it has to be at `from`, or another process works for it. */
export interface ProgressMark {
  readonly sink: string
  readonly run: string
  readonly from: number
  readonly to: number
}

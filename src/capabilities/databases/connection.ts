import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Transformation from "effect/SchemaTransformation"
import type { Database, DatabaseSession, OpenContext } from "../../actors/index.ts"
import type * as Scope from "effect/Scope"
import { retryDelayMs } from "../../scheduler/index.ts"
import { isKeyword, type Keyword } from "../../serialization/index.ts"
import type { OptionType } from "../Option.ts"
import { DatabaseFailure } from "./errors.ts"

/** The name that the host has for a database, or its URL. */
export const connectionName: OptionType<string> = {
  type: "name of a connection",
  schema: Schema.declare((value): value is Keyword | string => typeof value === "string" || isKeyword(value), {
    expected: "the name of a connection, such as :orders"
  }).pipe(
    Schema.decodeTo(
      Schema.String,
      Transformation.transform({
        decode: (name: Keyword | string) => (isKeyword(name) ? name.name : name),
        encode: (name: string): Keyword | string => name
      })
    )
  )
}

/** From 200 ms on, doubled up to 30 s. */
const backoff = { retries: Infinity, backoffMs: 200, then: "fail" } as const
/** A server that never answered is given so many tries: its URL may be wrong. */
const firstTries = 4
/** What somebody else holds, such as a locked file, is tried so often. */
const busyTries = 60

/** Waits after the `failures`th failure before the next try, and shows why; fails with what waiting can't mend. */
export const waitOut = (
  error: unknown,
  failures: number,
  database: Database,
  { waitsFor }: OpenContext,
  /** How often one that never answered is asked again; whoever has a session has done that. */
  tries = 0
): Effect.Effect<void, unknown> => {
  if (!(error instanceof DatabaseFailure) || (error.kind !== "lost" && error.kind !== "busy")) return Effect.fail(error)
  const most = error.kind === "busy" ? busyTries : database.hasAnswered() ? Infinity : tries
  if (failures >= most) return Effect.fail(error)
  waitsFor?.(error.message)
  return Effect.ensuring(
    Effect.suspend(() =>
      Effect.sleep(Math.min(error.kind === "busy" ? 500 : 30_000, retryDelayMs(backoff, Math.min(failures, 12), Math.random())))
    ),
    Effect.sync(() => waitsFor?.(undefined))
  )
}

/** A session, once the database answers. */
export const sessionOf = (
  database: Database,
  access: "read" | "write",
  context: OpenContext
): Effect.Effect<DatabaseSession, unknown, Scope.Scope> => {
  const attempt = (failures: number): Effect.Effect<DatabaseSession, unknown, Scope.Scope> =>
    Effect.catch(database.session(access), (error) =>
      Effect.andThen(
        waitOut(error, failures, database, context, firstTries),
        Effect.suspend(() => attempt(failures + 1))
      )
    )
  return attempt(1)
}

/** What a driver promises, as an effect. */
export const asking = <A>(work: () => Promise<A>): Effect.Effect<A, unknown> => Effect.tryPromise({ try: work, catch: (error) => error })

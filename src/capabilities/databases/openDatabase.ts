import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { Database, DatabaseSession } from "../../actors/index.ts"
import type { DatabaseServer } from "./DatabaseServer.ts"
import type { DatabaseFailure } from "./errors.ts"
import { MySqlSession } from "./MySqlSession.ts"
import { PostgresSession } from "./PostgresSession.ts"
import { SqliteSession } from "./SqliteSession.ts"

/** Of each kind, so that sources that have all of theirs leave some to the sinks that they wait for. */
const mostSessions = 8
/** Sessions that nobody uses are kept for the next, so many of each kind. */
const mostIdle = 2

type Access = "read" | "write"

/** A database of the host. What is open and unused is closed by `close`; what is in use, by its user. */
export interface OpenDatabase extends Database {
  readonly close: Effect.Effect<void>
}

/**
 * A database by its sessions: opened when they are asked for, kept for the next user, looked at before they are given out
 * again, and thrown away where they are broken.
 *
 * **Bounds** 8 sessions that read and 8 that write.
 */
export const openDatabase = (server: DatabaseServer): OpenDatabase => {
  const seats = { read: Semaphore.makeUnsafe(mostSessions), write: Semaphore.makeUnsafe(mostSessions) }
  const idle: Record<Access, Array<DatabaseSession>> = { read: [], write: [] }
  let hasAnswered = false
  let isClosed = false

  const take = async (access: Access): Promise<DatabaseSession> => {
    for (let session = idle[access].pop(); session !== undefined; session = idle[access].pop()) {
      const isAlive =
        !session.isBroken()
        && (await session.isAlive().then(
          () => true,
          () => false
        ))
      if (isAlive) return session
      await session.close().catch(() => {})
    }
    const session = await connect(server, access)
    hasAnswered = true
    return session
  }

  const giveBack = async (access: Access, session: DatabaseSession): Promise<void> => {
    if (!isClosed && !session.isBroken() && idle[access].length < mostIdle) idle[access].push(session)
    else await session.close().catch(() => {})
  }

  return {
    location: server.location,
    hasAnswered: () => hasAnswered,
    session: (access) =>
      Effect.acquireRelease(seats[access].take(1), () => seats[access].release(1)).pipe(
        Effect.andThen(
          Effect.acquireRelease(Effect.tryPromise({ try: () => take(access), catch: (error) => error as DatabaseFailure }), (session) =>
            Effect.promise(() => giveBack(access, session))
          )
        )
      ),
    close: Effect.promise(async () => {
      isClosed = true
      await Promise.all([...idle.read.splice(0), ...idle.write.splice(0)].map((session) => session.close().catch(() => {})))
    })
  }
}

const connect = (server: DatabaseServer, access: Access): Promise<DatabaseSession> => {
  switch (server.kind) {
    case "postgres":
      return PostgresSession.connect(server)
    case "mysql":
      return MySqlSession.connect(server)
    case "sqlite":
      return SqliteSession.connect(server, access)
  }
}

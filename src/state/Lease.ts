import { randomUUID } from "node:crypto"
import { hostname } from "node:os"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { StoreFailure, StreamInUse } from "./errors.ts"

export interface LeaseTimes {
  readonly renewMs: number
  /** For so long an owner may be silent before another may replace it, though its connection is there. */
  readonly expiryMs: number
}

export const defaultLeaseTimes: LeaseTimes = { renewMs: 3000, expiryMs: 10_000 }

/** Who has a stream, as the server tells it, by the server's clock. */
export interface OwnerRecord {
  /** What tells this moment of the record from any other: whoever takes the stream names it. */
  readonly version: string
  readonly name: string
  readonly silentMs: number
  readonly isConnected: boolean
}

/** What a server must be able to do for streams to have owners. Each is one step, which other clients see whole or not at all. */
export interface Ownership {
  readonly location: string
  readonly look: (stream: string) => Promise<OwnerRecord | undefined>
  /** @returns the new owner's epoch, or `undefined` where the record is not any more what was seen */
  readonly take: (stream: string, seen: OwnerRecord | undefined, owner: Owner) => Promise<number | undefined>
  /** Also says which connection shows that the owner lives, since that may be another than before. Nothing, if it was replaced. */
  readonly renew: (stream: string, owner: Owner) => Promise<void>
  readonly release: (stream: string, owner: Owner) => Promise<void>
}

export interface Owner {
  /** An epoch alone would not do: a server that lost its last writes may give it out again. */
  readonly token: string
  readonly name: string
}

/**
 * Takes a stream until the scope closes, and says again and again that the owner lives.
 *
 * An owner is alive while its connection is there and it was not silent for longer than the lease. One that was killed has no
 * connection, and is replaced at once; one that was suspended keeps its connection, and is replaced after the lease. What
 * keeps that one from writing is not the clock, but the token which each write names.
 *
 * **Fails** with `StreamInUse`, at once, while the owner is alive.
 */
export const takeStream = (
  ownership: Ownership,
  stream: string,
  times: LeaseTimes
): Effect.Effect<Owner & { readonly epoch: number }, StoreFailure | StreamInUse, Scope.Scope> =>
  Effect.tap(
    Effect.acquireRelease(
      Effect.tryPromise({ try: () => take(ownership, stream, times), catch: (error) => error as StoreFailure | StreamInUse }),
      // Where the server can't be reached, the connection ends with the store, and that releases the stream as well.
      (owner) => Effect.ignore(Effect.tryPromise(() => ownership.release(stream, owner)))
    ),
    (owner) => Effect.forkScoped(renewals(ownership, stream, owner, times))
  )

const take = async (ownership: Ownership, stream: string, { expiryMs }: LeaseTimes) => {
  const owner: Owner = { token: randomUUID(), name: `process ${process.pid} on ${hostname()}` }
  // Somebody else may take or renew it between the two steps. That somebody has it then, so this ends soon.
  for (let attempt = 0; attempt < 20; attempt++) {
    const seen = await ownership.look(stream)
    if (seen !== undefined && seen.isConnected && seen.silentMs < expiryMs) throw new StreamInUse(stream, ownership.location, seen.name)
    const epoch = await ownership.take(stream, seen, owner)
    if (epoch !== undefined) return { ...owner, epoch }
  }
  throw new StoreFailure(ownership.location, `gave the stream ${stream} to others each time it was free`, {
    fix: "Run fewer processes for one stream."
  })
}

const renewals = (ownership: Ownership, stream: string, owner: Owner, { renewMs }: LeaseTimes) =>
  Effect.forever(
    // One that fails is made up for by the next; meanwhile the lease runs, and writes are refused if it was lost.
    Effect.andThen(realSleep(renewMs), Effect.ignore(Effect.tryPromise(() => ownership.renew(stream, owner))))
  )

/** By this machine's clock, not by `Clock`: the server's clock, by which the lease runs out, is never a virtual one. */
const realSleep = (milliseconds: number): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const timer = setTimeout(() => resume(Effect.void), milliseconds)
    timer.unref()
    return Effect.sync(() => clearTimeout(timer))
  })

import * as Effect from "effect/Effect"
import type { ActorFailure } from "./errors.ts"

/**
 * Waits for a promise, whose outcome goes to the callbacks in the very step that goes on: an interruption finds it
 * either noted or not yet there.
 */
export const settled = (
  promise: PromiseLike<unknown>,
  onValue: (value: unknown) => void,
  onError: (error: unknown) => void
): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    let isWaiting = true
    promise.then(
      (value) => {
        if (!isWaiting) return
        onValue(value)
        resume(Effect.void)
      },
      (error: unknown) => {
        if (!isWaiting) return
        onError(error)
        resume(Effect.void)
      }
    )
    return Effect.sync(() => {
      isWaiting = false
    })
  })

/**
 * A promise that may fail before anyone waits for it: its owner has something else to wait for first. Without this the
 * process would end with an unhandled rejection. The thenable is asked once only, for some do their work when asked.
 */
export const watched = <A>(thenable: PromiseLike<A>): Promise<A> => {
  const promise = Promise.resolve(thenable)
  promise.catch(() => undefined)
  return promise
}

/** Waits until it is woken. @param begin returns what withdraws that */
export const woken = (begin: (wake: () => void) => () => void): Effect.Effect<void> =>
  Effect.callback<void>((resume) => Effect.sync(begin(() => resume(Effect.void))))

/** Waits for whichever comes first; the others are withdrawn. */
export const firstOf = <E>(waits: ReadonlyArray<Effect.Effect<void, E>>): Effect.Effect<void, E> =>
  waits.length === 1 ? waits[0]! : Effect.raceAllFirst(waits)

/** Something that a life waits for. */
export type Wait = Effect.Effect<void, ActorFailure>

import * as Effect from "effect/Effect"
import type { QueueFailure } from "../../state/index.ts"

const firstWaitMs = 100
const longestWaitMs = 5000

/**
 * Tries again and again while the server is away, ever more rarely; what trying can't help fails.
 *
 * @param waitsFor told what it waits for, and of the end of that
 */
export const patiently = <A>(
  effect: Effect.Effect<A, QueueFailure>,
  waitsFor: ((what: string | undefined) => void) | undefined,
  waitMs = firstWaitMs
): Effect.Effect<A, QueueFailure> =>
  Effect.matchEffect(effect, {
    onSuccess: (value) => {
      if (waitMs !== firstWaitMs) waitsFor?.(undefined)
      return Effect.succeed(value)
    },
    onFailure: (failure) => {
      if (!failure.isPassing) return Effect.fail(failure)
      waitsFor?.(failure.message)
      return Effect.andThen(Effect.interruptible(Effect.sleep(waitMs)), patiently(effect, waitsFor, Math.min(longestWaitMs, 2 * waitMs)))
    }
  })

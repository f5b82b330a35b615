import * as Effect from "effect/Effect"

/** Whether a promise settles, one way or the other, within so many milliseconds of the host's clock. */
export const isSettledWithin = (promise: Promise<unknown>, timeoutMs: number): Effect.Effect<boolean> => {
  const settled = Effect.promise(() => promise.then(() => true, () => true))
  return timeoutMs === Infinity ? settled : Effect.raceFirst(settled, Effect.as(Effect.sleep(timeoutMs), false))
}

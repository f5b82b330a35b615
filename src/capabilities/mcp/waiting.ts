import * as Effect from "effect/Effect"

/** Runs an effect for a promise of this folder, on the host's clock. */
export type Perform = <A>(effect: Effect.Effect<A, unknown>) => Promise<A>

/** Completes after so long on the host's clock, or at once when the signal says so; nothing is left behind then. */
export const pause = (perform: Perform, milliseconds: number, signal: AbortSignal): Promise<void> =>
  perform(Effect.raceFirst(Effect.sleep(milliseconds), whenAborted(signal)))

const whenAborted = (signal: AbortSignal): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (signal.aborted) return resume(Effect.void)
    const told = () => resume(Effect.void)
    signal.addEventListener("abort", told, { once: true })
    return Effect.sync(() => signal.removeEventListener("abort", told))
  })

/** Waits for work, but not for longer than that. What it fails with is nobody's business any more. */
export const within = async (perform: Perform, milliseconds: number, work: Promise<unknown>): Promise<void> => {
  const done = new AbortController()
  await Promise.race([work.catch(() => {}), pause(perform, milliseconds, done.signal)])
  done.abort()
}

/** How often a stream hears that somebody is still being waited for. */
const signOfLifeMs = 5_000

/** Waits for work, and tells meanwhile that the stream which waits is alive. **Stopping** an aborted signal ends the waiting. */
export const keepAlive = async <A>(
  { alive, perform }: { readonly perform: Perform; readonly alive: () => void },
  work: Promise<A>,
  signal?: AbortSignal
): Promise<A> => {
  const done = new AbortController()
  const stopped = signal === undefined ? done.signal : AbortSignal.any([signal, done.signal])
  const waiting = async (): Promise<never> => {
    for (; !stopped.aborted; alive()) await pause(perform, signOfLifeMs, stopped)
    throw stopped.reason
  }
  return Promise.race([work, waiting()]).finally(() => done.abort())
}

import * as Effect from "effect/Effect"
import type { Delivery } from "./QueueBackend.ts"
import type { QueueFailure } from "./QueueFailure.ts"

/** How long a consumer waits before it is told that there is nothing. */
const patienceMs = 1000

/**
 * Where messages come one after the other, they are taken together: so long after the first of them, at most, and where
 * some were taken shortly before. One that comes alone is not held up.
 */
const gatherMs = 4
const shortlyMs = 20

/** Messages that a server sends when it likes, until somebody asks. **Bounds** what the server may send unacknowledged. */
export class Arrivals {
  #held: Array<Delivery> = []
  #failure: QueueFailure | undefined
  #wake: (() => void) | undefined
  /** How many wake a consumer at once. */
  #enough = 1
  #gathering: NodeJS.Timeout | NodeJS.Immediate | undefined
  #takenAt = -Infinity

  get length(): number {
    return this.#held.length
  }

  /** @param deliveries where there are none, whoever waits is told that at once */
  push(...deliveries: ReadonlyArray<Delivery>): void {
    this.#held.push(...deliveries)
    if (this.#wake === undefined) return
    const isNothing = deliveries.length === 0
    if (isNothing || this.#held.length >= this.#enough) this.#wake()
    else if (this.#gathering === undefined) {
      const told = () => this.#wake?.()
      const isBusy = performance.now() - this.#takenAt < shortlyMs
      // What one read of the socket brings comes together in any case.
      this.#gathering = isBusy ? setTimeout(told, gatherMs) : setImmediate(told)
    }
  }

  /** What `take` fails with, once. */
  fail(failure: QueueFailure): void {
    this.#failure = failure
    this.#wake?.()
  }

  /** Drops what a connection brought that is gone: it comes again. */
  drop(): void {
    this.#held = []
  }

  takeAll(): ReadonlyArray<Delivery> {
    return this.#held.splice(0)
  }

  /** At most so many, once there are any; none after a second. Interrupting it loses nothing. */
  take(max: number): Effect.Effect<ReadonlyArray<Delivery>, QueueFailure> {
    return Effect.suspend(() => {
      if (this.#held.length > 0 || this.#failure !== undefined) return this.#taken(max)
      const news = Effect.callback<void>((resume) => {
        this.#enough = max
        this.#wake = () => {
          this.#waitsNoMore()
          resume(Effect.void)
        }
        if (this.#held.length > 0 || this.#failure !== undefined) this.#wake()
        return Effect.sync(() => this.#waitsNoMore())
      })
      return Effect.andThen(
        Effect.interruptible(Effect.raceFirst(news, Effect.sleep(patienceMs))),
        Effect.suspend(() => this.#taken(max))
      )
    })
  }

  #waitsNoMore(): void {
    this.#wake = undefined
    // It is one of both.
    clearTimeout(this.#gathering as NodeJS.Timeout)
    clearImmediate(this.#gathering as NodeJS.Immediate)
    this.#gathering = undefined
  }

  #taken(max: number): Effect.Effect<ReadonlyArray<Delivery>, QueueFailure> {
    const failure = this.#failure
    this.#failure = undefined
    if (failure !== undefined) return Effect.fail(failure)
    this.#takenAt = performance.now()
    if (this.#held.length > max) return Effect.succeed(this.#held.splice(0, max))
    const all = this.#held
    this.#held = []
    return Effect.succeed(all)
  }
}

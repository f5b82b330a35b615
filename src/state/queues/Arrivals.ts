import * as Effect from "effect/Effect"
import type { Delivery } from "./QueueBackend.ts"
import type { QueueFailure } from "./QueueFailure.ts"

/** How long a consumer waits before it is told that there is nothing. */
const patienceMs = 1000

/** Messages that a server sends when it likes, until somebody asks. **Bounds** what the server may send unacknowledged. */
export class Arrivals {
  #held: Array<Delivery> = []
  #failure: QueueFailure | undefined
  #wake: () => void = () => {}

  get length(): number {
    return this.#held.length
  }

  push(...deliveries: ReadonlyArray<Delivery>): void {
    this.#held.push(...deliveries)
    this.#wake()
  }

  /** What `take` fails with, once. */
  fail(failure: QueueFailure): void {
    this.#failure = failure
    this.#wake()
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
    const news = Effect.callback<void>((resume) => {
      this.#wake = () => resume(Effect.void)
      if (this.#held.length > 0 || this.#failure !== undefined) this.#wake()
      return Effect.sync(() => (this.#wake = () => {}))
    })
    return Effect.flatMap(Effect.interruptible(Effect.raceFirst(news, Effect.sleep(patienceMs))), () => {
      const failure = this.#failure
      this.#failure = undefined
      return failure === undefined ? Effect.succeed(this.#held.splice(0, max)) : Effect.fail(failure)
    })
  }
}

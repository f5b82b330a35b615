import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"

/** Items that a test hands to a stream when it likes. */
export class Pushed<Item> implements AsyncIterable<Item> {
  readonly #waiting: Array<Item> = []
  #wake: (() => void) | undefined
  #isEnded = false

  push(...items: ReadonlyArray<Item>): void {
    this.#waiting.push(...items)
    this.#wake?.()
  }

  end(): void {
    this.#isEnded = true
    this.#wake?.()
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Item> {
    for (;;) {
      while (this.#waiting.length > 0) yield this.#waiting.shift()!
      if (this.#isEnded) return
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}

/** Lets everything happen that needs no time. */
export const settle: Effect.Effect<void> = Effect.asVoid(
  Effect.repeat(
    Effect.promise(() => new Promise((resolve) => setImmediate(resolve))),
    { times: 30 }
  )
)

/** Moves the clock, in steps so that whatever wakes may set its next timer, and lets happen what comes of it. */
export const pass = (milliseconds: number, step = milliseconds): Effect.Effect<void> =>
  Effect.gen(function* () {
    yield* settle
    for (let left = milliseconds; left > 0; left -= step) {
      yield* TestClock.adjust(Math.min(step, left))
      yield* settle
    }
  })

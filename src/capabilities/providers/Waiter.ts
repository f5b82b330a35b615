import * as Effect from "effect/Effect"

/**
 * Someone who waits for an answer or for a time to pass, whichever comes first. The first answer counts, and it is there at
 * once: what is given to a waiter has been taken, even if its time passes in the same moment.
 */
export class Waiter<Answer> {
  #answer: { readonly value: Answer } | undefined
  #wake: (() => void) | undefined

  get isSettled(): boolean {
    return this.#answer !== undefined
  }

  settle(value: Answer): void {
    if (this.isSettled) return
    this.#answer = { value }
    this.#wake?.()
  }

  /** @param late gives the answer when the time has passed */
  within(milliseconds: number, late: () => Answer): Effect.Effect<Answer> {
    const settled = Effect.callback<void>((resume) => {
      if (this.isSettled) return resume(Effect.void)
      this.#wake = () => resume(Effect.void)
    })
    const passed = Effect.sync(() => {
      if (!this.isSettled) this.settle(late())
    })
    const timed = Number.isFinite(milliseconds) ? Effect.raceFirst(settled, Effect.andThen(Effect.sleep(milliseconds), passed)) : settled
    return Effect.map(timed, () => this.#answer!.value)
  }
}

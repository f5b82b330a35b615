import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"

/**
 * An attempt that belongs to a scope and not to whoever waits for it: a reader that is interrupted leaves it going, and the
 * next one waits for the same. Once it is over, the next one who asks begins another.
 */
export class SharedAttempt {
  readonly #attempt: Effect.Effect<void, unknown>
  readonly #scope: Scope.Scope
  #underWay: Fiber.Fiber<void, unknown> | undefined

  constructor(attempt: Effect.Effect<void, unknown>, scope: Scope.Scope) {
    this.#attempt = attempt
    this.#scope = scope
  }

  readonly done: Effect.Effect<void, unknown> = Effect.suspend(() =>
    Effect.flatMap(this.#underWay === undefined ? Effect.forkIn(this.#attempt, this.#scope) : Effect.succeed(this.#underWay), (fiber) => {
      this.#underWay = fiber
      return Effect.flatMap(Fiber.await(fiber), (exit) => {
        this.#underWay = undefined
        return exit
      })
    })
  )
}

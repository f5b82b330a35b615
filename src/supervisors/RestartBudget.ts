import type * as Duration from "effect/Duration"
import { type Backoff, defaultBackoff, delayOf, nextAttempt } from "./Backoff.ts"
import type { Child } from "./Child.ts"
import { addRestart, defaultChildIntensity, defaultIntensity, isExceeded, noRestarts, type RestartIntensity } from "./RestartIntensity.ts"

/** Whose intensity has no room for one more restart. */
export interface SpentLimit {
  readonly limit: "child" | "supervisor"
  readonly intensity: RestartIntensity
}

/** What restarts cost: room in the intensity of the child and of the supervisor, and a wait. All times are handed in. */
export class RestartBudget {
  readonly #childIntensity: RestartIntensity
  readonly #intensity: RestartIntensity | undefined
  readonly #backoff: Backoff
  #history = noRestarts

  constructor(options: {
    readonly childIntensity?: RestartIntensity | undefined
    readonly intensity?: RestartIntensity | undefined
    readonly backoff?: Backoff | undefined
  }) {
    this.#childIntensity = options.childIntensity ?? defaultChildIntensity
    this.#intensity = options.intensity
    this.#backoff = options.backoff ?? defaultBackoff
  }

  /** @param siblings how many children there are, this one included */
  spentLimit(child: Child, siblings: number, now: number): SpentLimit | undefined {
    const own = this.#childIntensity
    if (isExceeded(addRestart(child.history, now, own), own)) return { limit: "child", intensity: own }
    const common = this.#intensity ?? defaultIntensity(siblings)
    if (isExceeded(addRestart(this.#history, now, common), common)) return { limit: "supervisor", intensity: common }
    return undefined
  }

  /** Takes one restart from both intensities; `spentLimit` has said that there is room. */
  spend(child: Child, siblings: number, now: number): void {
    child.history = addRestart(child.history, now, this.#childIntensity)
    this.#history = addRestart(this.#history, now, this.#intensity ?? defaultIntensity(siblings))
    const upMs = child.readyAt === undefined ? 0 : now - child.readyAt
    child.attempt = nextAttempt(this.#backoff, child.attempt, upMs) + 1
  }

  /** How long a child waits after `spend`, or (not counted) without it. */
  delay(child: Child, counted: boolean, random: number): Duration.Duration {
    return delayOf(this.#backoff, counted ? child.attempt - 1 : 0, random)
  }
}

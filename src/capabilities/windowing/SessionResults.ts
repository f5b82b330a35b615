import type { GivenSession } from "./Sessions.ts"

/** A result that was emitted and is no longer true: what stands behind it takes its place. */
export interface Retraction {
  /** The result as it was emitted. */
  readonly retracts: unknown
  readonly key: unknown
  readonly start: number
  readonly end: number
}

/** The results of closed sessions that late items may still change. */
export class SessionResults {
  readonly #held = new Map<number, Retraction>()

  get size(): number {
    return this.#held.size
  }

  /** What to emit for the result of a session: retractions of the results that it takes the place of, then itself. */
  give({ forgets, id, replaces, session: { end, key, start } }: GivenSession, result: unknown): ReadonlyArray<unknown> {
    for (const old of forgets) this.#held.delete(old)
    // A session whose processor failed, and was skipped, left no result.
    const retractions = replaces.flatMap((old) => this.#held.get(old) ?? [])
    for (const old of replaces) this.#held.delete(old)
    this.#held.set(id, { retracts: result, key, start, end })
    return [...retractions, result]
  }

  snapshot(): unknown {
    return [...this.#held]
  }

  static restore(snapshot: unknown): SessionResults {
    const made = new SessionResults()
    for (const [id, result] of snapshot as ReadonlyArray<readonly [number, Retraction]>) made.#held.set(id, result)
    return made
  }
}

/**
 * What a processor gave as `:output`, until a consumer takes it.
 *
 * **Backpressure** while there is a consumer, `offer` completes when its value is held; so the stream waits with a slow one.
 * **Bounds** `most` values. While there is no consumer the oldest make way and are counted: a stream that is watched by
 * nobody goes on.
 */
export class Outputs {
  dropped = 0
  given = 0
  readonly #most: number
  readonly #held: Array<unknown> = []
  #isConsumed = false
  #end: { readonly error?: unknown } | undefined
  #wake: Array<() => void> = []

  constructor(most: number) {
    this.#most = most
  }

  get held(): number {
    return this.#held.length
  }

  get isConsumed(): boolean {
    return this.#isConsumed
  }

  async offer(value: unknown): Promise<void> {
    while (this.#isConsumed && this.#held.length >= this.#most && this.#end === undefined) await this.#change()
    if (this.#held.length >= this.#most) {
      this.#held.shift()
      this.dropped++
    }
    this.#held.push(value)
    this.#changed()
  }

  /** Completes when `take` has something to say. */
  async ready(): Promise<void> {
    while (this.#held.length === 0 && this.#end === undefined) await this.#change()
  }

  /** What is held, oldest first; `null` at the end. Throws what the stream failed with, behind the last value. */
  take(): ReadonlyArray<unknown> | null {
    if (this.#held.length > 0) {
      const taken = this.#held.splice(0)
      this.given += taken.length
      this.#changed()
      return taken
    }
    if (this.#end !== undefined && "error" in this.#end) throw this.#end.error
    return this.#end === undefined ? [] : null
  }

  /** @returns what gives the place of the consumer back */
  consume(): () => void {
    this.#isConsumed = true
    return () => {
      this.#isConsumed = false
      this.#changed()
    }
  }

  end(outcome: { readonly error?: unknown } = {}): void {
    this.#end ??= outcome
    this.#changed()
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve))
  }

  #changed(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }
}

import { ReplayWindow } from "../providers/ReplayWindow.ts"

/** What values may hold together that no consumer has taken; one of them may be longer. */
const mostBytes = 8 * 1024 * 1024

/**
 * What a processor gave as `:output`, until a consumer takes it.
 *
 * **Backpressure** while there is a consumer, `offer` completes when its value is held; so the stream waits with a slow one.
 * **Bounds** `most` values and 8 MB, by one value more. While there is no consumer the oldest make way and are counted: a
 * stream that is watched by nobody goes on.
 */
export class Outputs {
  dropped = 0
  given = 0
  readonly #most: number
  readonly #window: ReplayWindow
  /** The number of the last value that was taken or dropped. */
  #gone = 0
  #isConsumed = false
  #end: { readonly error?: unknown } | undefined
  #wake: Array<() => void> = []

  constructor(most: number) {
    this.#most = most
    this.#window = new ReplayWindow({ items: most, bytes: mostBytes, milliseconds: Infinity })
  }

  get held(): number {
    return this.#window.last - this.#gone
  }

  get isConsumed(): boolean {
    return this.#isConsumed
  }

  async offer(value: unknown): Promise<void> {
    while (this.#isConsumed && this.#isFull && this.#end === undefined) await this.#change()
    this.#window.add(value, 0)
    // The newest stays, however long it is.
    this.#window.forget(this.#window.last - 1, 0)
    const missed = Math.max(0, this.#window.first - 1 - this.#gone)
    this.dropped += missed
    this.#gone += missed
    this.#changed()
  }

  /** Completes when `take` has something to say. */
  async ready(): Promise<void> {
    while (this.held === 0 && this.#end === undefined) await this.#change()
  }

  /** What is held, oldest first; `null` at the end. Throws what the stream failed with, behind the last value. */
  take(): ReadonlyArray<unknown> | null {
    if (this.held > 0) {
      const taken = Array.from({ length: this.held }, (_, index) => this.#window.get(this.#gone + 1 + index))
      this.given += taken.length
      this.#gone = this.#window.last
      this.#window.clear()
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

  get #isFull(): boolean {
    return this.held >= this.#most || this.#window.isHeavy
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve))
  }

  #changed(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }
}

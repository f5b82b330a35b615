/** The keys that were seen, bounded by number and by time. */
export class KeyMemory {
  readonly #maxKeys: number
  readonly #ttlMs: number
  /** Each key with the time it was admitted. The front is the first to be forgotten. */
  #admitted = new Map<unknown, number>()
  #forgotten = 0

  /**
   * @param options.maxKeys how many keys are held; beyond it the least recently seen one goes
   * @param options.ttlMs how long a key is held after it was admitted
   */
  constructor(options: { readonly maxKeys: number; readonly ttlMs: number }) {
    this.#maxKeys = options.maxKeys
    this.#ttlMs = options.ttlMs
  }

  get size(): number {
    return this.#admitted.size
  }

  /** How many keys were given up because of a bound. */
  get forgotten(): number {
    return this.#forgotten
  }

  /**
   * Whether a key is new; it is remembered from now on.
   *
   * @param key as `keyOf` makes it
   * @param now the time in ms; if it goes back, keys are held longer, never given up early
   */
  admit(key: unknown, now: number): boolean {
    const since = this.#admitted.get(key)
    if (since !== undefined && now - since < this.#ttlMs) {
      // Only a limit in number needs to know what was seen last; without one the front stays the oldest admitted.
      if (this.#maxKeys !== Infinity) {
        this.#admitted.delete(key)
        this.#admitted.set(key, since)
      }
      return false
    }
    if (since !== undefined) {
      this.#admitted.delete(key)
      this.#forgotten++
    }
    this.#admitted.set(key, now)
    this.#shrink(now)
    return true
  }

  snapshot(): unknown {
    return { admitted: [...this.#admitted], forgotten: this.#forgotten }
  }

  static restore(options: { readonly maxKeys: number; readonly ttlMs: number }, snapshot: unknown): KeyMemory {
    const { admitted, forgotten } = snapshot as { admitted: ReadonlyArray<readonly [unknown, number]>; forgotten: number }
    const made = new KeyMemory(options)
    made.#admitted = new Map(admitted)
    made.#forgotten = forgotten
    return made
  }

  /** Gives up what the bounds no longer allow. Amortised: each key is added once and given up once. */
  #shrink(now: number): void {
    for (const [key, since] of this.#admitted) {
      if (this.#admitted.size <= this.#maxKeys && now - since < this.#ttlMs) return
      this.#admitted.delete(key)
      this.#forgotten++
    }
  }
}

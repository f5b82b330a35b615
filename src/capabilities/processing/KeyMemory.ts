/** The keys that were seen, bounded by number and by time. */
export class KeyMemory {
  readonly #maxKeys: number
  readonly #ttlMs: number
  /** In the order in which they will be forgotten. A list: moving a key to the end of a `Map` takes several times as long. */
  readonly #entries = new Map<unknown, Entry>()
  #first: Entry | undefined
  #last: Entry | undefined
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
    return this.#entries.size
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
    const known = this.#entries.get(key)
    if (known !== undefined) {
      if (now - known.since < this.#ttlMs) {
        // Only a limit in number needs to know what was seen last; without one the front stays the oldest admitted.
        if (this.#maxKeys !== Infinity && known !== this.#last) {
          this.#unlink(known)
          this.#append(known)
        }
        return false
      }
      this.#forget(known)
    }
    this.#add(key, now)
    this.#shrink(now)
    return true
  }

  snapshot(): unknown {
    const admitted: Array<readonly [unknown, number]> = []
    for (let entry = this.#first; entry !== undefined; entry = entry.next) admitted.push([entry.key, entry.since])
    return { admitted, forgotten: this.#forgotten }
  }

  static restore(options: { readonly maxKeys: number; readonly ttlMs: number }, snapshot: unknown): KeyMemory {
    const { admitted, forgotten } = snapshot as { admitted: ReadonlyArray<readonly [unknown, number]>; forgotten: number }
    const made = new KeyMemory(options)
    for (const [key, since] of admitted) made.#add(key, since)
    made.#forgotten = forgotten
    return made
  }

  /** Gives up what the bounds no longer allow. Amortised: each key is added once and given up once. */
  #shrink(now: number): void {
    for (let entry = this.#first; entry !== undefined; entry = this.#first) {
      if (this.#entries.size <= this.#maxKeys && now - entry.since < this.#ttlMs) return
      this.#forget(entry)
    }
  }

  #add(key: unknown, since: number): void {
    const entry: Entry = { key, since, previous: undefined, next: undefined }
    this.#entries.set(key, entry)
    this.#append(entry)
  }

  #forget(entry: Entry): void {
    this.#unlink(entry)
    this.#entries.delete(entry.key)
    this.#forgotten++
  }

  #append(entry: Entry): void {
    entry.previous = this.#last
    entry.next = undefined
    if (this.#last === undefined) this.#first = entry
    else this.#last.next = entry
    this.#last = entry
  }

  #unlink({ next, previous }: Entry): void {
    if (previous === undefined) this.#first = next
    else previous.next = next
    if (next === undefined) this.#last = previous
    else next.previous = previous
  }
}

/** A key, when it was admitted, and its neighbours. */
interface Entry {
  readonly key: unknown
  readonly since: number
  previous: Entry | undefined
  next: Entry | undefined
}

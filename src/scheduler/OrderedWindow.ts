/**
 * Calls that run at the same time and whose outcomes come out in the order in which they were started.
 *
 * It knows neither workers nor fibers: an entry is whatever its owner needs to go on with the outcome (an item, a
 * frame and its position), a call is any function that may give a promise.
 */
export interface OrderedWindow<Entry, Result> {
  /** Whether `start` may be called: fewer than `running` calls under way and fewer than `held` entries not yet taken. */
  readonly hasRoom: boolean
  readonly isEmpty: boolean
  /** Entries started and not yet taken. */
  readonly size: number
  /** Calls under way; those that have settled and wait behind a slower one do not count. */
  readonly running: number
  /**
   * Starts a call. What it returns that is no promise, and what it throws, is its outcome at once.
   *
   * The signal is aborted by `abandon`.
   */
  start(entry: Entry, call: (entry: Entry, signal: AbortSignal) => Result | PromiseLike<Result>): void
  /** Takes the outcome of the oldest entry out, or `undefined` while it has none. */
  take(): Outcome<Entry, Result> | undefined
  /**
   * Calls `wake` once, never from inside this call, as soon as `take` gives something; with `"outcome-or-room"` also as
   * soon as `start` may be called: ask for room only while there is something to start, or you are woken at once again
   * and again. There is one waiter at most.
   *
   * @returns withdraws the waiter
   */
  wait(wants: "outcome" | "outcome-or-room", wake: () => void): () => void
  /** The entries that were not taken, oldest first: what has to be started again after a crash. */
  entries(): ReadonlyArray<Entry>
  /**
   * Empties the window and aborts the signal of the calls under way; what they still give is ignored.
   * The window can be used again.
   */
  abandon(): void
}

export type Outcome<Entry, Result> =
  | { readonly entry: Entry; readonly ok: true; readonly value: Result }
  | { readonly entry: Entry; readonly ok: false; readonly error: unknown }

/**
 * Makes an empty window.
 *
 * @param options.running calls under way at once, at least 1
 * @param options.held entries not yet taken, at least `running` (the default). More than that lets the calls behind a
 *   slow one go on: with one call in ten ten times as slow, 8 × running cost nothing and 4 × some 10 %.
 *
 * **Order** outcomes leave in the order of `start`, failures included, whatever the order in which the calls settle.
 * **Bounds** as given; `start` without room is a mistake of the caller and throws.
 * **Source** invariant PA-3.
 */
export const makeOrderedWindow = <Entry, Result>(options: {
  readonly running: number
  readonly held?: number
}): OrderedWindow<Entry, Result> => {
  const maxRunning = Math.max(1, Math.floor(options.running))
  const maxHeld = Math.max(maxRunning, Math.floor(options.held ?? maxRunning))
  return new Window(maxRunning, maxHeld)
}

/** `outcome` is there once the call has settled. */
interface Slot<Entry, Result> {
  readonly entry: Entry
  outcome: Outcome<Entry, Result> | undefined
}

class Window<Entry, Result> implements OrderedWindow<Entry, Result> {
  readonly #maxRunning: number
  readonly #maxHeld: number
  /** Oldest first, from `#head` on. Taken slots before it are cut off in blocks, so that `take` costs the same for any window. */
  #slots: Array<Slot<Entry, Result> | undefined> = []
  #head = 0
  #running = 0
  /** Of the calls since the last `abandon`; a call of an older one settles into nothing. */
  #abort = new AbortController()
  #waiter: { readonly wants: "outcome" | "outcome-or-room"; readonly wake: () => void } | undefined

  constructor(maxRunning: number, maxHeld: number) {
    this.#maxRunning = maxRunning
    this.#maxHeld = maxHeld
  }

  get hasRoom(): boolean {
    return this.#running < this.#maxRunning && this.size < this.#maxHeld
  }

  get isEmpty(): boolean {
    return this.size === 0
  }

  get size(): number {
    return this.#slots.length - this.#head
  }

  get running(): number {
    return this.#running
  }

  start(entry: Entry, call: (entry: Entry, signal: AbortSignal) => Result | PromiseLike<Result>): void {
    if (!this.hasRoom) {
      throw new Error(
        `An ordered window of ${this.#maxRunning} running and ${this.#maxHeld} held was given an entry without room `
          + `(${this.#running} running, ${this.size} held): ask hasRoom before start.`
      )
    }
    const slot: Slot<Entry, Result> = { entry, outcome: undefined }
    this.#slots.push(slot)
    const { signal } = this.#abort
    // Counted before the call, which may look at the window.
    this.#running++
    let result: Result | PromiseLike<Result>
    try {
      result = call(entry, signal)
    } catch (error) {
      return this.#settle(slot, signal, { entry, ok: false, error })
    }
    if (!isThenable(result)) return this.#settle(slot, signal, { entry, ok: true, value: result })
    result.then(
      (value) => this.#settle(slot, signal, { entry, ok: true, value }),
      (error: unknown) => this.#settle(slot, signal, { entry, ok: false, error })
    )
  }

  take(): Outcome<Entry, Result> | undefined {
    const outcome = this.#slots[this.#head]?.outcome
    if (outcome === undefined) return undefined
    this.#slots[this.#head++] = undefined
    if (this.#head > this.#maxHeld) {
      this.#slots = this.#slots.slice(this.#head)
      this.#head = 0
    }
    return outcome
  }

  wait(wants: "outcome" | "outcome-or-room", wake: () => void): () => void {
    if (this.#waiter !== undefined) throw new Error("An ordered window has one owner, and it is waiting already.")
    const waiter = { wants, wake }
    this.#waiter = waiter
    // The owner may be asked to go on at once, but not before it has got its way out.
    if (this.#isDue(wants)) queueMicrotask(() => this.#wakeIfDue(waiter))
    return () => {
      if (this.#waiter === waiter) this.#waiter = undefined
    }
  }

  entries(): ReadonlyArray<Entry> {
    return this.#slots.slice(this.#head).map((slot) => slot!.entry)
  }

  abandon(): void {
    this.#slots = []
    this.#head = 0
    this.#running = 0
    const abandoned = this.#abort
    this.#abort = new AbortController()
    abandoned.abort()
    const waiter = this.#waiter
    if (waiter !== undefined) queueMicrotask(() => this.#wakeIfDue(waiter))
  }

  #settle(slot: Slot<Entry, Result>, signal: AbortSignal, outcome: Outcome<Entry, Result>): void {
    if (signal.aborted) return
    slot.outcome = outcome
    this.#running--
    if (this.#waiter !== undefined) this.#wakeIfDue(this.#waiter)
  }

  #isDue(wants: "outcome" | "outcome-or-room"): boolean {
    return this.#slots[this.#head]?.outcome !== undefined || (wants === "outcome-or-room" && this.hasRoom)
  }

  #wakeIfDue(waiter: { readonly wants: "outcome" | "outcome-or-room"; readonly wake: () => void }): void {
    if (this.#waiter !== waiter || !this.#isDue(waiter.wants)) return
    this.#waiter = undefined
    waiter.wake()
  }
}

const isThenable = <Value>(value: Value | PromiseLike<Value>): value is PromiseLike<Value> =>
  value !== null && (typeof value === "object" || typeof value === "function") && typeof (value as PromiseLike<Value>).then === "function"

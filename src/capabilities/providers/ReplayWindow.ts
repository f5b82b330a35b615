import { approximateBytes } from "../aggregation/approximateBytes.ts"

/** How much of what was passed on is kept for those who come back. */
export interface ReplayBounds {
  readonly items: number
  readonly bytes: number
  /** How old the oldest may be; `Infinity` where age is no reason to forget. */
  readonly milliseconds: number
}

interface Kept<Item> {
  readonly item: Item
  readonly bytes: number
  readonly at: number
}

/**
 * The newest items of a stream under their numbers, from 1 on without a hole. Whatever is read by number or cursor stands on
 * it: the outlets of providers, the outputs of MCP streams, what agents read.
 *
 * **Bounds** it forgets only what it is told it may forget, so what nobody may forget yet is bounded by whoever adds.
 */
export class ReplayWindow<Item = unknown> {
  readonly #bounds: ReplayBounds
  #kept: Array<Kept<Item> | undefined> = []
  /** Where in `#kept` the oldest stands. */
  #head = 0
  /** The number of the newest item; 0 before there was one. */
  last = 0
  bytes = 0

  constructor(bounds: ReplayBounds) {
    this.#bounds = bounds
  }

  /** The number of the oldest item that is kept, or that of the next one. */
  get first(): number {
    return this.last - this.size + 1
  }

  get size(): number {
    return this.#kept.length - this.#head
  }

  /** @param bytes what it counts as, where that is known; else its size is estimated */
  add(item: Item, now: number, bytes = approximateBytes(item, this.#bounds.bytes)): void {
    this.#kept.push({ item, bytes, at: now })
    this.bytes += bytes
    this.last++
  }

  /** The item of a number from `first` to `last`. */
  get(number: number): Item {
    return this.#entry(number).item
  }

  /** When the item of a number from `first` to `last` was added. */
  addedAt(number: number): number {
    return this.#entry(number).at
  }

  /** Whether it holds more bytes than it is to keep. */
  get isHeavy(): boolean {
    return this.bytes > this.#bounds.bytes
  }

  /**
   * Forgets from the oldest on what is more than is to be kept, but nothing behind the number `upTo`.
   *
   * @returns how many
   */
  forget(upTo: number, now: number): number {
    const { first } = this
    while (this.size > 0 && this.first <= upTo && this.#isTooMuch(now)) {
      this.bytes -= this.#kept[this.#head]!.bytes
      this.#kept[this.#head++] = undefined
    }
    if (this.#head > 1024 && this.#head * 2 > this.#kept.length) {
      this.#kept = this.#kept.slice(this.#head)
      this.#head = 0
    }
    return this.first - first
  }

  /** Forgets all items; the next one has the next number. */
  clear(): void {
    this.#kept = []
    this.#head = 0
    this.bytes = 0
  }

  #entry(number: number): Kept<Item> {
    return this.#kept[this.#head + number - this.first]!
  }

  #isTooMuch(now: number): boolean {
    return this.size > this.#bounds.items || this.isHeavy || now - this.#kept[this.#head]!.at > this.#bounds.milliseconds
  }
}

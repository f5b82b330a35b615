import { approximateBytes } from "../aggregation/approximateBytes.ts"

/** How much of what was passed on is kept for those who come back. */
export interface ReplayBounds {
  readonly items: number
  readonly bytes: number
  readonly milliseconds: number
}

interface Kept {
  readonly item: unknown
  readonly bytes: number
  readonly at: number
}

/**
 * The newest items of a stream under their numbers, from 1 on without a hole.
 *
 * **Bounds** it forgets only what it is told it may forget, so what nobody may forget yet is bounded by whoever adds.
 */
export class ReplayWindow {
  readonly #bounds: ReplayBounds
  #kept: Array<Kept | undefined> = []
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

  add(item: unknown, now: number): void {
    const bytes = approximateBytes(item, this.#bounds.bytes)
    this.#kept.push({ item, bytes, at: now })
    this.bytes += bytes
    this.last++
  }

  /** The item of a number from `first` to `last`. */
  get(number: number): unknown {
    return this.#kept[this.#head + number - this.first]!.item
  }

  /** Whether it holds more bytes than it is to keep. */
  get isHeavy(): boolean {
    return this.bytes > this.#bounds.bytes
  }

  /** Forgets from the oldest on what is more than is to be kept, but nothing behind the number `upTo`. */
  forget(upTo: number, now: number): void {
    while (this.size > 0 && this.first <= upTo && this.#isTooMuch(now)) {
      this.bytes -= this.#kept[this.#head]!.bytes
      this.#kept[this.#head++] = undefined
    }
    if (this.#head > 1024 && this.#head * 2 > this.#kept.length) {
      this.#kept = this.#kept.slice(this.#head)
      this.#head = 0
    }
  }

  #isTooMuch(now: number): boolean {
    return this.size > this.#bounds.items || this.isHeavy || now - this.#kept[this.#head]!.at > this.#bounds.milliseconds
  }
}

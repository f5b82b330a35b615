/** One session of one key: items of which each comes less than the gap after the one before. */
export class Session {
  /** Rises with the time at which sessions were opened. */
  readonly number: number
  readonly key: unknown
  readonly identity: unknown
  /** The times of the items, rising; the items stand in this order. */
  readonly times: Array<number>
  readonly items: Array<unknown>
  bytes: number
  revision = 0
  /** Whether it was emitted and has not changed since. */
  isGiven = false
  /** The results handed out for it, or for what has become a part of it. */
  given: ReadonlyArray<number> = []
  /** It is no longer held: what still names it means nothing. */
  isGone = false

  constructor(number: number, key: unknown, identity: unknown, items: Array<unknown> = [], times: Array<number> = [], bytes = 0) {
    this.number = number
    this.key = key
    this.identity = identity
    this.items = items
    this.times = times
    this.bytes = bytes
  }

  get start(): number {
    return this.times[0]!
  }

  get last(): number {
    return this.times[this.times.length - 1]!
  }

  /** How far a time is from the session: 0 inside of it. */
  distanceTo(time: number): number {
    return Math.max(0, this.start - time, time - this.last)
  }

  add(item: unknown, time: number, weight: number): void {
    this.bytes += weight
    if (!(time < this.last)) {
      this.items.push(item)
      this.times.push(time)
      return
    }
    // Behind those of the same time.
    let low = 0
    let high = this.times.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.times[middle]! <= time) low = middle + 1
      else high = middle
    }
    this.items.splice(low, 0, item)
    this.times.splice(low, 0, time)
  }

  /** Takes over another session of the key, which lies before it or behind it. */
  absorb(other: Session): void {
    const isBefore = other.last < this.start
    const items = isBefore ? other.items.concat(this.items) : this.items.concat(other.items)
    const times = isBefore ? other.times.concat(this.times) : this.times.concat(other.times)
    this.items.length = this.times.length = 0
    for (let i = 0; i < items.length; i++) {
      this.items.push(items[i])
      this.times.push(times[i]!)
    }
    this.bytes += other.bytes
    this.revision = Math.max(this.revision, other.revision)
    this.given = [...this.given, ...other.given].toSorted((a, b) => a - b)
  }
}

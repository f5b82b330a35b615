/** A set of offsets as ranges, in order; its size is that of its gaps. */
export class OffsetRanges {
  #ranges: Array<[from: number, to: number]> = []

  get isEmpty(): boolean {
    return this.#ranges.length === 0
  }

  *[Symbol.iterator](): Generator<readonly [from: number, to: number]> {
    yield* this.#ranges
  }

  has(offset: number): boolean {
    const found = this.#ranges[this.#at(offset)]
    return found !== undefined && found[0] <= offset
  }

  /** @param to behind the last one */
  add(from: number, to = from + 1): void {
    if (to <= from) return
    const first = this.#at(from - 1)
    let last = first
    let range: [number, number] = [from, to]
    // Those that it touches become one with it.
    for (; last < this.#ranges.length && this.#ranges[last]![0] <= to; last++) {
      const other = this.#ranges[last]!
      range = [Math.min(range[0], other[0]), Math.max(range[1], other[1])]
    }
    this.#ranges.splice(first, last - first, range)
  }

  /** Forgets those before an offset. @returns it, or the end of the range that it is in */
  dropBefore(offset: number): number {
    const at = this.#at(offset)
    this.#ranges.splice(0, at)
    const first = this.#ranges[0]
    if (first === undefined || first[0] > offset) return offset
    this.#ranges.shift()
    return first[1]
  }

  /** Which is the first range that ends behind an offset. */
  #at(offset: number): number {
    let low = 0
    let high = this.#ranges.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#ranges[middle]![1] > offset) high = middle
      else low = middle + 1
    }
    return low
  }
}

/** What the items of one stream may take while there is room for all. */
const mostOfOne = 4 * 1024 * 1024

/** And what each may have still when all of them together are beyond the bound. */
const leastOfOne = 64 * 1024

/**
 * What all outputs of a principal may hold together. A single stream may keep a lot; where many do, each keeps less.
 *
 * **Bounds** `most` bytes, and 64 KB for each stream beyond that, by one item more for each.
 */
export class OutputBudget {
  readonly #most: number
  #used = 0

  constructor(most: number) {
    this.#most = most
  }

  get used(): number {
    return this.#used
  }

  /** What one stream may hold now. */
  get share(): number {
    return this.#used < this.#most ? mostOfOne : leastOfOne
  }

  change(bytes: number): void {
    this.#used += bytes
  }
}

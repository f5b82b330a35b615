import { approximateBytes } from "../aggregation/approximateBytes.ts"

/** What a portion takes in memory, about, unless one row is larger. */
const portionBytes = 8 * 1024 ** 2

/** So many rows show how large they are before more are asked for. */
const firstRows = 64

/** Of each portion so many rows are weighed. */
const weighed = 8

/** How many rows to ask for at once: at most `fetchSize`, and of large rows as many as 8 MB hold by the largest that was weighed. */
export class PortionSize {
  readonly #fetchSize: number
  #rows: number

  constructor(fetchSize: number) {
    this.#fetchSize = fetchSize
    this.#rows = Math.min(fetchSize, firstRows)
  }

  get rows(): number {
    return this.#rows
  }

  /** Learns from a portion that came. */
  learn(rows: ReadonlyArray<unknown>): void {
    const step = Math.max(1, Math.floor(rows.length / weighed))
    let largest = 1
    for (let at = 0; at < rows.length; at += step) largest = Math.max(largest, approximateBytes(rows[at], portionBytes))
    this.#rows = Math.max(1, Math.min(this.#fetchSize, Math.floor(portionBytes / largest)))
  }
}

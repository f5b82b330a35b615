import type { Delivery } from "./QueueBackend.ts"

const most = 10_000

/**
 * What was acknowledged last, for a server that may forget it: one that is killed gives again what it was told about shortly
 * before.
 *
 * **Bounds** the last 10,000 at least, 20,000 at most.
 */
export class RecentAcknowledgements {
  #newer = new Map<string, number | undefined>()
  #older = new Map<string, number | undefined>()

  add({ id, time }: Delivery): void {
    if (this.#newer.size >= most) {
      this.#older = this.#newer
      this.#newer = new Map()
    }
    this.#newer.set(id, time)
  }

  /** By its time, too: a server that has lost messages gives their ids to others. */
  has({ attempts, id, time }: Delivery): boolean {
    if (attempts === 1) return false
    const known = this.#newer.has(id) ? this.#newer : this.#older
    return known.has(id) && known.get(id) === time
  }
}

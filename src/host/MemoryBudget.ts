import { MemoryExhausted } from "./errors.ts"

/** No pipeline takes more than this share of all, nor more than this share of what is left: so several fit. */
const shareOfAll = 1 / 8
const shareOfRest = 1 / 4

/** Once less than half is left, each takes so little that a thousand small ones fit into the default. */
const shareOfScarce = 1 / 512

/**
 * What the mailboxes of a host may hold together, in bytes, handed out to its pipelines. So the host's memory is bounded
 * however many streams its programs start.
 */
export class MemoryBudget {
  readonly #bytes: number
  #reserved = 0

  constructor(bytes: number) {
    this.#bytes = bytes
  }

  /** What the next pipeline's mailboxes should share. It gets smaller as others run. */
  get share(): number {
    const isScarce = this.rest < this.#bytes / 2
    return Math.floor(Math.min(this.#bytes * shareOfAll, this.rest * (isScarce ? shareOfScarce : shareOfRest)))
  }

  get rest(): number {
    return this.#bytes - this.#reserved
  }

  /**
   * Takes bytes until the result is called (once; later calls do nothing).
   *
   * **Fails** by throwing `MemoryExhausted` where so much is not left; nothing is taken then.
   */
  reserve(bytes: number): () => void {
    if (bytes > this.rest) throw new MemoryExhausted({ needed: bytes, rest: this.rest, total: this.#bytes })
    this.#reserved += bytes
    let isTaken = true
    return () => {
      if (isTaken) this.#reserved -= bytes
      isTaken = false
    }
  }
}

import type { Chunk } from "./Chunk.ts"

interface Queued {
  readonly chunk: Chunk
  readonly seq: number
  readonly since: number
}

/**
 * The chunks that came and were not worked off, in the order in which they came.
 *
 * **Backpressure** `room` completes when there is room; full means that the peer is not read from.
 * **Bounds** `capacity`, and what was being parsed when it became full (at most four messages).
 */
export class ChunkQueue {
  /** Bytes that came, and chunks. */
  bytes = 0
  received = 0
  /** How often reading had to stop. */
  stops = 0
  readonly capacity: number
  readonly #now: () => number
  #queued: Array<Queued> = []
  #isClosed = false
  #wake: Array<() => void> = []

  /** @param first the number of the first chunk */
  constructor(capacity: number, now: () => number, first: number) {
    this.capacity = capacity
    this.#now = now
    this.received = first
  }

  get length(): number {
    return this.#queued.length
  }

  get queued(): ReadonlyArray<Queued> {
    return this.#queued
  }

  get heldBytes(): number {
    return this.#queued.reduce((sum, { chunk }) => sum + chunk.bytes, 0)
  }

  get isFull(): boolean {
    return this.#queued.length >= this.capacity
  }

  async room(): Promise<void> {
    if (this.isFull && !this.#isClosed) this.stops++
    while (this.isFull && !this.#isClosed) await new Promise<void>((resolve) => this.#wake.push(resolve))
  }

  offer(chunk: Chunk): void {
    if (this.#isClosed) return
    this.received++
    this.bytes += chunk.bytes
    this.#queued.push({ chunk, seq: this.received, since: this.#now() })
  }

  peek(): Queued | undefined {
    return this.#queued[0]
  }

  /** The first one is worked off. */
  shift(): void {
    this.#queued.shift()
    this.#changed()
  }

  clear(): void {
    this.#queued = []
    this.#changed()
  }

  /** Nothing is taken in any more, and nobody waits for room. */
  close(): void {
    this.#isClosed = true
    this.#changed()
  }

  #changed(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }
}

import * as Effect from "effect/Effect"
import type { StoreFailure } from "../errors.ts"
import type { DeadLetterStore, StoredDeadLetter } from "../StateStore.ts"
import type { Delivery, QueueDepth } from "./QueueBackend.ts"

/** The content type of a delivery whose body is a dead letter as the store has it. */
export const deadLetterType = "application/vnd.rtfs-streams.dead-letter"

interface Lease {
  readonly queue: string
  readonly attempts: number
  /** 0 while nobody has it. */
  readonly until: number
  readonly isHeld: boolean
}

/**
 * Dead letters, given out under leases. The store belongs to this process, so its leases are in memory: whoever had one
 * before is gone.
 *
 * **Bounds** a lease for each letter that was given out and is still there.
 */
export class LeasedLetters {
  readonly #store: DeadLetterStore
  readonly #leases = new Map<number, Lease>()

  constructor(store: DeadLetterStore) {
    this.#store = store
  }

  claim(queue: string, max: number, now: number, leaseMs: number): Effect.Effect<ReadonlyArray<Delivery>, StoreFailure> {
    const limit = max + this.#leases.size
    return Effect.map(this.#store.list({ queue, limit }), (letters) => {
      if (letters.length < limit) this.#forgetAllBut(queue, letters)
      const free = letters.filter(({ id }) => (this.#leases.get(id)?.until ?? 0) <= now).slice(0, max)
      return free.map((letter) => this.#give(letter, now + leaseMs))
    })
  }

  acknowledge(deliveries: ReadonlyArray<Delivery>): Effect.Effect<void, StoreFailure> {
    return Effect.map(this.#store.remove(deliveries.map(idOf)), () => deliveries.forEach((delivery) => this.#leases.delete(idOf(delivery))))
  }

  giveBack(deliveries: ReadonlyArray<Delivery>, { isUnstarted, until }: { readonly until: number; readonly isUnstarted: boolean }): void {
    this.#change(deliveries, (lease) => ({ ...lease, attempts: lease.attempts - (isUnstarted ? 1 : 0), until, isHeld: false }))
  }

  extend(deliveries: ReadonlyArray<Delivery>, until: number): void {
    this.#change(deliveries, (lease) => ({ ...lease, until }))
  }

  /** When the next lease runs out. */
  nextDue(queue: string, now: number): number | undefined {
    const times = [...this.#leases.values()].filter((lease) => lease.queue === queue && lease.until > now).map(({ until }) => until)
    return times.length === 0 ? undefined : Math.min(...times)
  }

  depth(queue: string): Effect.Effect<{ readonly waiting: number; readonly held: number } & QueueDepth, StoreFailure> {
    return Effect.map(this.#store.queues, (queues) => {
      const letters = queues.find((found) => found.queue === queue)?.letters ?? 0
      const held = [...this.#leases.values()].filter((lease) => lease.queue === queue && lease.isHeld).length
      return { waiting: Math.max(0, letters - held), held: Math.min(letters, held) }
    })
  }

  /** Somebody else may have removed letters. */
  #forgetAllBut(queue: string, letters: ReadonlyArray<StoredDeadLetter>): void {
    const there = new Set(letters.map(({ id }) => id))
    for (const [id, lease] of this.#leases) if (lease.queue === queue && !there.has(id)) this.#leases.delete(id)
  }

  #give({ bytes, id, queue, time }: StoredDeadLetter, until: number): Delivery {
    const attempts = (this.#leases.get(id)?.attempts ?? 0) + 1
    this.#leases.set(id, { queue, attempts, until, isHeld: true })
    return { id: `letter-${id}`, attempts, time, body: bytes, contentType: deadLetterType, headers: {}, receipt: undefined }
  }

  #change(deliveries: ReadonlyArray<Delivery>, change: (lease: Lease) => Lease): void {
    for (const delivery of deliveries) {
      const lease = this.#leases.get(idOf(delivery))
      if (lease?.attempts === delivery.attempts) this.#leases.set(idOf(delivery), change(lease))
    }
  }
}

const idOf = ({ id }: Delivery): number => Number(id.slice("letter-".length))

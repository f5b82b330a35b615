import type { Delivery } from "../../state/index.ts"

/** Of one message; a queue that gives one again and again has forgotten all but the last of them. */
const mostEarlier = 4

interface Held {
  delivery: Delivery
  /** Those before it of the same id: given again meanwhile, or published twice where the queue does not see that. */
  earlier: ReadonlyArray<Delivery> | undefined
  /** What it is for the program, until it is given to the stream. */
  message: unknown
  /** Which of the messages that were given to the stream it is, from 1 on; 0 while it waits to be given. */
  place: number
}

/** What is forgotten at the front is cut off by so many. */
const cutOff = 1024

export interface HeldOptions {
  /** How many of those that were worked off and whose acknowledgement was lost are remembered. */
  readonly most: number
  readonly given: number
  readonly settled: ReadonlyArray<string>
  /** Whether a message with `attempts` 1 is none that came before, and no other one has its id. */
  readonly isCounted: boolean
}

/**
 * The messages that a source has and that are not acknowledged: those that wait to be given to the stream, and those that were
 * given to it and are in no checkpoint yet.
 *
 * **Bounds** the source asks for no more than it may have; of those that were worked off and whose acknowledgement was lost, as
 * many are remembered.
 */
export class HeldMessages {
  /** How many were given to the stream. */
  given: number
  /** In the order in which they came, which is that in which they are given: from `#first` on, and from `#next` on those that wait. */
  readonly #held: Array<Held> = []
  #first = 0
  #next = 0
  /** By their ids, from when one comes that may be here already. */
  #byId: Map<string, Held> | undefined
  /** Worked off, and maybe not acknowledged: when one of them comes again it is only acknowledged. */
  readonly #settled: Set<string>
  readonly #most: number
  readonly #isCounted: boolean

  constructor({ given, isCounted, most, settled }: HeldOptions) {
    this.#most = most
    this.given = given
    this.#settled = new Set(settled)
    this.#isCounted = isCounted
  }

  get size(): number {
    return this.#held.length - this.#first
  }

  get waiting(): number {
    return this.#held.length - this.#next
  }

  get all(): ReadonlyArray<Delivery> {
    return this.#held.slice(this.#first).map(deliveryOf)
  }

  /** @returns whether it is given to the stream in its turn: not if the stream has it, or had it */
  add(delivery: Delivery, message: unknown): "new" | "known" | "settled" {
    const { attempts, id, mayHaveComeBefore = attempts > 1 } = delivery
    if (mayHaveComeBefore && this.#settled.has(id)) return "settled"
    const known = mayHaveComeBefore || !this.#isCounted ? this.#known(id) : undefined
    if (known !== undefined) {
      // Both are acknowledged with it: one of them may be a message of its own, which would stay in the queue.
      known.earlier = [...(known.earlier ?? []), known.delivery].slice(-mostEarlier)
      known.delivery = delivery
      return "known"
    }
    const held: Held = { delivery, earlier: undefined, message, place: 0 }
    this.#byId?.set(id, held)
    this.#held.push(held)
    return "new"
  }

  #known(id: string): Held | undefined {
    this.#byId ??= new Map(this.#held.slice(this.#first).map((held) => [held.delivery.id, held]))
    return this.#byId.get(id)
  }

  /** The next ones for the stream, in the order in which they came, and the bytes of their bodies. */
  take(max: number): { readonly messages: ReadonlyArray<unknown>; readonly bytes: number } {
    let bytes = 0
    const messages: Array<unknown> = []
    const end = Math.min(this.#held.length, this.#next + max)
    for (; this.#next < end; this.#next++) {
      const held = this.#held[this.#next]!
      messages.push(held.message)
      held.place = ++this.given
      held.message = undefined
      bytes += held.delivery.body.byteLength
    }
    return { messages, bytes }
  }

  /** Those that are covered when so many were given. */
  upTo(given: number): ReadonlyArray<Delivery> {
    const covered: Array<Delivery> = []
    for (let at = this.#first; at < this.#next; at++) {
      const { delivery, earlier, place } = this.#held[at]!
      if (place > given) break
      if (earlier !== undefined) covered.push(...earlier)
      covered.push(delivery)
    }
    return covered
  }

  /** Those that were given to the stream, and those that were not. */
  get parted(): { readonly started: ReadonlyArray<Delivery>; readonly unstarted: ReadonlyArray<Delivery> } {
    return {
      started: this.#held.slice(this.#first, this.#next).map(deliveryOf),
      unstarted: this.#held.slice(this.#next).map(deliveryOf)
    }
  }

  /**
   * Of those that were given, or that are not here: at no cost for each where they are the first ones.
   *
   * @param gone whether the server has said so
   */
  forget({ id }: Delivery, gone: boolean): void {
    if (this.#first < this.#next && this.#held[this.#first]!.delivery.id === id) this.#first++
    else {
      const at = this.#byId?.has(id) === false ? -1 : this.#held.findIndex(({ delivery }, at) => at >= this.#first && delivery.id === id)
      if (at >= 0) {
        this.#held.splice(at, 1)
        if (at < this.#next) this.#next--
      }
    }
    this.#byId?.delete(id)
    if (this.#first >= cutOff || this.#first === this.#held.length) {
      this.#held.splice(0, this.#first)
      this.#next -= this.#first
      this.#first = 0
    }
    if (this.#held.length === 0) this.#byId = undefined
    if (!gone) this.settle(id)
    else if (this.#settled.size > 0) this.#settled.delete(id)
  }

  settle(id: string): void {
    this.#settled.add(id)
    if (this.#settled.size > this.#most) this.#settled.delete(this.#settled.values().next().value!)
  }

  /** What a checkpoint has to know: whoever goes on with it must not work on these again. */
  unacknowledged(given: number): ReadonlyArray<string> {
    const ids: Array<string> = []
    for (let at = this.#first; at < this.#next; at++) {
      const { delivery, place } = this.#held[at]!
      if (place > given) break
      ids.push(delivery.id)
    }
    return this.#settled.size === 0 ? ids : [...new Set([...this.#settled, ...ids])]
  }
}

const deliveryOf = ({ delivery }: Held): Delivery => delivery

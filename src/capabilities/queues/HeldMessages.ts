import type { Delivery } from "../../state/index.ts"

/** Of one message; a queue that gives one again and again has forgotten all but the last of them. */
const mostEarlier = 4

interface Held {
  delivery: Delivery
  /** Those before it of the same id: given again meanwhile, or published twice where the queue does not see that. */
  earlier?: ReadonlyArray<Delivery>
  /** What it is for the program, until it is given to the stream. */
  message: unknown
  /** Which of the messages that were given to the stream it is, from 1 on; 0 while it waits to be given. */
  place: number
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
  readonly #held = new Map<string, Held>()
  readonly #waiting: Array<Held> = []
  /** Worked off, and maybe not acknowledged: when one of them comes again it is only acknowledged. */
  readonly #settled: Set<string>
  readonly #most: number

  constructor(most: number, { given, settled }: { readonly given: number; readonly settled: ReadonlyArray<string> }) {
    this.#most = most
    this.given = given
    this.#settled = new Set(settled)
  }

  get size(): number {
    return this.#held.size
  }

  get waiting(): number {
    return this.#waiting.length
  }

  get all(): ReadonlyArray<Delivery> {
    return Array.from(this.#held.values(), ({ delivery }) => delivery)
  }

  /** @returns whether it is given to the stream in its turn: not if the stream has it, or had it */
  add(delivery: Delivery, message: unknown): "new" | "known" | "settled" {
    const { attempts, id, mayHaveComeBefore = attempts > 1 } = delivery
    if (mayHaveComeBefore && this.#settled.has(id)) return "settled"
    const known = this.#held.get(id)
    if (known !== undefined) {
      // Both are acknowledged with it: one of them may be a message of its own, which would stay in the queue.
      known.earlier = [...(known.earlier ?? []), known.delivery].slice(-mostEarlier)
      known.delivery = delivery
      return "known"
    }
    const held = { delivery, message, place: 0 }
    this.#held.set(id, held)
    this.#waiting.push(held)
    return "new"
  }

  /** The next ones for the stream, in the order in which they came, and the bytes of their bodies. */
  take(max: number): { readonly messages: ReadonlyArray<unknown>; readonly bytes: number } {
    let bytes = 0
    const messages = this.#waiting.splice(0, max).map((held) => {
      const { delivery, message } = held
      held.place = ++this.given
      held.message = undefined
      bytes += delivery.body.byteLength
      return message
    })
    return { messages, bytes }
  }

  /** Those that are covered when so many were given. */
  upTo(given: number): ReadonlyArray<Delivery> {
    const covered: Array<Delivery> = []
    for (const { delivery, earlier, place } of this.#held.values()) {
      if (place === 0 || place > given) continue
      if (earlier !== undefined) covered.push(...earlier)
      covered.push(delivery)
    }
    return covered
  }

  /** Those that were given to the stream, and those that were not. */
  get parted(): { readonly started: ReadonlyArray<Delivery>; readonly unstarted: ReadonlyArray<Delivery> } {
    const held = [...this.#held.values()]
    const of = (isStarted: boolean) => held.filter(({ place }) => place > 0 === isStarted).map(({ delivery }) => delivery)
    return { started: of(true), unstarted: of(false) }
  }

  /** @param gone whether the server has said so */
  forget(delivery: Delivery, gone: boolean): void {
    this.#held.delete(delivery.id)
    if (gone) this.#settled.delete(delivery.id)
    else this.settle(delivery.id)
  }

  settle(id: string): void {
    this.#settled.add(id)
    if (this.#settled.size > this.#most) this.#settled.delete(this.#settled.values().next().value!)
  }

  /** What a checkpoint has to know: whoever goes on with it must not work on these again. */
  unacknowledged(given: number): ReadonlyArray<string> {
    return [...new Set([...this.#settled, ...this.upTo(given).map(({ id }) => id)])]
  }
}

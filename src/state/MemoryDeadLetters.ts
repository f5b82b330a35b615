import * as Effect from "effect/Effect"
import { StoreFailure } from "./errors.ts"
import type { DeadLetterStore, NewDeadLetter, StoredDeadLetter } from "./StateStore.ts"

const mostLetters = 10_000
const mostBytes = 64 * 1024 * 1024

/**
 * Dead letters in memory.
 *
 * **Bounds** 10,000 letters and 64 MB: beyond them `add` fails, since neither forgetting letters nor filling the memory
 * is what a queue for failures is for.
 */
export class MemoryDeadLetters implements DeadLetterStore {
  readonly #location: string
  readonly #letters = new Map<number, StoredDeadLetter>()
  readonly #ids = new Map<string, number>()
  #last = 0
  #bytes = 0

  constructor(location: string) {
    this.#location = location
  }

  readonly add: DeadLetterStore["add"] = (letters) =>
    Effect.suspend(() => {
      const added = new Map(letters.map((letter) => [identityOf(letter), letter] as const).filter(([identity]) => !this.#ids.has(identity)))
      const bytes = [...added.values()].reduce((sum, letter) => sum + letter.bytes.length, 0)
      if (this.#letters.size + added.size > mostLetters || this.#bytes + bytes > mostBytes) return Effect.fail(this.#full())
      return Effect.succeed(letters.map((letter) => this.#addOne(letter)))
    })

  readonly list: DeadLetterStore["list"] = ({ after = 0, limit, queue }) =>
    Effect.sync(() => {
      const found: Array<StoredDeadLetter> = []
      for (const letter of this.#letters.values()) {
        if (found.length >= limit) break
        if (letter.id > after && (queue === undefined || letter.queue === queue)) found.push(letter)
      }
      return found
    })

  readonly get: DeadLetterStore["get"] = (id) => Effect.sync(() => this.#letters.get(id))

  readonly remove: DeadLetterStore["remove"] = (ids) =>
    Effect.sync(() => {
      let removed = 0
      for (const id of ids) {
        const letter = this.#letters.get(id)
        if (letter === undefined) continue
        this.#letters.delete(id)
        this.#ids.delete(identityOf(letter))
        this.#bytes -= letter.bytes.length
        removed++
      }
      return removed
    })

  readonly queues: DeadLetterStore["queues"] = Effect.sync(() => {
    const counts = new Map<string, number>()
    for (const { queue } of this.#letters.values()) counts.set(queue, (counts.get(queue) ?? 0) + 1)
    return byName(Array.from(counts, ([queue, letters]) => ({ queue, letters })))
  })

  #addOne(letter: NewDeadLetter): number {
    const identity = identityOf(letter)
    const known = this.#ids.get(identity)
    if (known !== undefined) return known
    const id = ++this.#last
    this.#letters.set(id, { ...letter, id, bytes: letter.bytes.slice() })
    this.#ids.set(identity, id)
    this.#bytes += letter.bytes.length
    return id
  }

  #full(): StoreFailure {
    return new StoreFailure(
      this.#location,
      `holds at most ${mostLetters} dead letters and ${mostBytes / 1024 ** 2} MB of them, and has no room for more`,
      {
        fix: "Remove some, find out why so many items fail, or keep them in a durable store (--store sqlite:FILE, redis://… or postgres://…)."
      }
    )
  }
}

const identityOf = ({ key, queue }: NewDeadLetter): string => JSON.stringify([queue, key])

/** By code units, so that every store lists them in one order. */
export const byName = <Queue extends { readonly queue: string }>(queues: ReadonlyArray<Queue>): ReadonlyArray<Queue> =>
  queues.toSorted((a, b) => (a.queue < b.queue ? -1 : Number(a.queue > b.queue)))

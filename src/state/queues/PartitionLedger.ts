import { readOffsetNote, writeOffsetNote } from "./offsetNote.ts"
import { OffsetRanges } from "./OffsetRanges.ts"

/** What is known of a message that was given before. */
export interface Returned {
  /** How often it was. */
  readonly attempts: number
  /** When it may be given again; milliseconds since 1970, 0 for at once. */
  readonly notBefore: number
}

const fresh: Returned = { attempts: 0, notBefore: 0 }

/**
 * Which messages of one partition are done, for as long as one consumer has the partition.
 *
 * A commit covers all messages before an offset, and messages are acknowledged in any order: what is committed is the lowest offset
 * that is not done, and a note of the done ones behind it. So nothing is skipped, whatever is lost; what the note can't hold comes again.
 *
 * **Bounds** an entry for each message that was read and is not acknowledged, and for each gap among the done ones.
 */
export class PartitionLedger {
  readonly partition: number
  /** The next offset to read. */
  #position: number
  /** Read and not acknowledged; ascending, since offsets are read so. */
  readonly #open = new Map<number, Returned>()
  /** Acknowledged and not read: by an owner before, or by this one before it began again. */
  readonly #done = new OffsetRanges()
  /** Of those that are not read. */
  readonly #returned = new Map<number, Returned>()

  /** @param note what was committed with that offset */
  constructor(partition: number, committed: number, note: string | null) {
    const { done, returned } = readOffsetNote(committed, note)
    this.partition = partition
    for (const [from, to] of done) this.#done.add(from, to)
    for (const [offset, known] of returned) this.#returned.set(offset, known)
    this.#position = this.#done.dropBefore(committed)
  }

  get position(): number {
    return this.#position
  }

  get open(): number {
    return this.#open.size
  }

  isOpen(offset: number): boolean {
    return this.#open.has(offset)
  }

  /**
   * Takes in what was read.
   *
   * @param records ascending, from an offset that was not behind the position when they were asked for; those known already are left out
   * @param next behind the last one, read or not: offsets may be missing, and some are no messages
   * @returns those to give, with what is known of them
   */
  read<A extends { readonly offset: number }>(records: Iterable<A>, next: number): ReadonlyArray<readonly [record: A, returned: Returned]> {
    const news: Array<readonly [A, Returned]> = []
    for (const record of records) {
      const { offset } = record
      if (offset < this.#position || this.#done.has(offset)) continue
      const returned = this.#returned.get(offset) ?? fresh
      this.#open.set(offset, returned)
      news.push([record, returned])
    }
    this.#moveTo(Math.max(this.#position, next))
    return news
  }

  /** Goes on elsewhere, as the server has nothing at the position. */
  restartAt(offset: number): void {
    // What is open stays so: it may be behind the new position, and is then read again.
    for (const open of this.#open.keys()) if (open >= offset) this.#open.delete(open)
    this.#position = offset
    this.#moveTo(offset)
  }

  /** That an offset is done stays true whoever says it, and when. */
  acknowledge(offset: number): void {
    if (this.#open.delete(offset) || offset < this.#position) return
    this.#done.add(offset)
    this.#returned.delete(offset)
    this.#position = this.#done.dropBefore(this.#position)
  }

  /** Notes that a message was given; where it is not read yet, for when it is. */
  giveBack(offset: number, returned: Returned): void {
    if (this.#open.has(offset)) this.#open.set(offset, returned)
    else if (offset >= this.#position && !this.#done.has(offset)) this.#returned.set(offset, returned)
  }

  /** How many offsets of a range are done, behind what was committed with a note. */
  static done(committed: number, note: string | null, from: number, to: number): number {
    return readOffsetNote(committed, note).done.reduce(
      (sum, [first, end]) => sum + Math.max(0, Math.min(end, to) - Math.max(first, from)),
      0
    )
  }

  /** What to commit. */
  commit(): { readonly offset: number; readonly note: string } {
    const offset = this.#open.keys().next().value ?? this.#position
    return { offset, note: writeOffsetNote(offset, { done: this.#doneFrom(offset), returned: this.#allReturned() }) }
  }

  #moveTo(position: number): void {
    this.#position = this.#done.dropBefore(position)
    for (const offset of this.#returned.keys()) if (offset < this.#position) this.#returned.delete(offset)
  }

  *#doneFrom(first: number): Generator<readonly [number, number]> {
    let from = first
    for (const open of this.#open.keys()) {
      if (open > from) yield [from, open]
      from = open + 1
    }
    if (this.#position > from) yield [from, this.#position]
    yield* this.#done
  }

  *#allReturned(): Generator<readonly [number, Returned]> {
    for (const each of this.#open) if (each[1].attempts > 0) yield each
    yield* this.#returned
  }
}

import * as Effect from "effect/Effect"
import type { Frame } from "../serialization/index.ts"
import { InvalidMailboxBounds, type SpillFailure } from "./errors.ts"
import { type Levels, levelsOf, type MailboxBounds } from "./MailboxBounds.ts"
import type { Overflow } from "./Overflow.ts"
import type { SpillDirectory } from "./SpillDirectory.ts"
import { leastSpillBytes, memoryFor } from "./SpillMemory.ts"

export interface MailboxOptions extends MailboxBounds {
  /** Whose mailbox it is, for messages. */
  readonly address: string
  /** How many inputs the actor has. Each is a queue of its own with the given bounds. */
  readonly edges: number
  readonly overflow: Overflow
  /**
   * Under `backpressure`: an edge that has reached its high mark takes no frame until it is down to the low one, as if it
   * asked for so many items at once. Left out: it takes whatever has room.
   */
  readonly holdsOff?: boolean
  /** Where `spill` puts what does not fit into `maxBytes`; of those, each edge keeps some for reading and writing. */
  readonly spill?: SpillDirectory
  /**
   * An edge reached its high mark, or had no room for a frame. Called once until `onRelief`. Under `spill` only the
   * latter counts: the disk is full, broken, or slower than the sender.
   */
  readonly onBackpressure?: (edge: number) => void
  /** An edge that pressed has come down to its low mark. */
  readonly onRelief?: (edge: number) => void
  /** A frame leaves because all its items are worked off; signals too. */
  readonly onWorkedOff?: (frame: Frame) => void
  /** A frame was given up on by a dropping strategy: it was held (`drop-oldest`) or just offered. */
  readonly onDrop?: (edge: number, frame: Frame) => void
  /** The first frame of an edge went to disk. Called again only after all had come back. */
  readonly onSpill?: (edge: number) => void
  /** The disk refused. Nothing is lost: what can't be written makes senders wait, what can't be read the reader fail. */
  readonly onSpillFailure?: (failure: SpillFailure) => void
}

/**
 * The levels of what lies in memory ready to be read.
 *
 * **Fails** with `InvalidMailboxBounds`.
 */
export const levelsInMemory = (options: MailboxOptions): Effect.Effect<Levels, InvalidMailboxBounds> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(checkedLevels(options))
    } catch (problem) {
      if (problem instanceof InvalidMailboxBounds) return Effect.fail(problem)
      throw problem
    }
  })

const checkedLevels = (options: MailboxOptions): Levels => {
  const { address, maxBytes, overflow, spill } = options
  if (overflow !== "spill") return levelsOf(address, options)
  if (spill === undefined) {
    throw new InvalidMailboxBounds({ address, problem: "its overflow is spill, but there is no directory to spill to" })
  }
  if (maxBytes < leastSpillBytes) {
    throw new InvalidMailboxBounds({ address, problem: `maxBytes is ${maxBytes}, less than the ${leastSpillBytes} that spilling needs` })
  }
  return levelsOf(address, { ...options, maxBytes: memoryFor(maxBytes).ring })
}

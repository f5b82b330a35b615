import type { Frame } from "../serialization/index.ts"
import type { EdgeQueue } from "./EdgeQueue.ts"

export interface MailboxStats {
  /** What it holds now, the frames in work and on disk included. */
  readonly frames: number
  /** Where its marks are in items, those of the frame in work that are worked off do not count any more. */
  readonly items: number
  /** What it takes in memory. */
  readonly bytes: number
  /** What of it lies on disk. */
  readonly spilledFrames: number
  readonly spilledBytes: number
  readonly control: number
  /** Senders that wait for room. */
  readonly waiting: number
  /** Edges between their marks or above: those whose senders were told to pause. */
  readonly pressing: number
  /** Milliseconds since the oldest frame was made; 0 when there is none. */
  readonly oldestAgeMs: number
  /** Totals since it was made. */
  readonly accepted: Tally
  readonly dropped: Tally
  /** Offered after closing: dead letters, handed back to their senders as `MailboxClosed`. */
  readonly late: Tally
}

export interface Tally {
  readonly frames: number
  readonly items: number
}

/** What the edges hold at this moment. */
export const statsOf = (edges: ReadonlyArray<EdgeQueue>, now: number): Omit<MailboxStats, "control" | "accepted" | "dropped" | "late"> => {
  const sum = (measure: (queue: EdgeQueue) => number) => edges.reduce((total, queue) => total + measure(queue), 0)
  const oldest = edges.reduce(
    (time, { frames, spill }) => Math.min(time, frames.first()?.frame.time ?? spill?.oldestTime ?? Infinity),
    Infinity
  )
  return {
    frames: sum((queue) => queue.frames.length + (queue.spill?.length ?? 0)),
    items: sum((queue) => queue.items + (queue.spill?.items ?? 0)),
    bytes: sum((queue) => queue.bytes + (queue.spill?.residentBytes ?? 0)),
    spilledFrames: sum((queue) => queue.spill?.spilled.frames ?? 0),
    spilledBytes: sum((queue) => queue.spill?.spilled.bytes ?? 0),
    waiting: sum((queue) => queue.waiting.length),
    pressing: sum((queue) => (queue.isPressing ? 1 : 0)),
    oldestAgeMs: oldest === Infinity ? 0 : Math.max(0, now - oldest)
  }
}

export const count = (tally: { frames: number; items: number }, frame: Frame): void => {
  tally.frames++
  tally.items += frame.count
}

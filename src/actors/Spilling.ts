import * as Effect from "effect/Effect"
import type { Frame } from "../serialization/index.ts"
import type { Delivery, EdgeQueue } from "./EdgeQueue.ts"
import type { SpillFailure } from "./errors.ts"
import type { SpillDirectory } from "./SpillDirectory.ts"
import { memoryFor } from "./SpillMemory.ts"
import { SpillQueue } from "./SpillQueue.ts"

/** What a mailbox wants to know of its spilling. */
export interface SpillingEvents {
  /** Senders that wait at this edge may be let in. */
  readonly onRoom: (queue: EdgeQueue) => void
  /** A frame came back to this edge. */
  readonly onReturn: (queue: EdgeQueue) => void
  /** `readFailure` was set. */
  readonly onReadFailure: () => void
  readonly onSpill: ((edge: number) => void) | undefined
  readonly onFailure: ((failure: SpillFailure) => void) | undefined
}

/**
 * How the edges of a mailbox spill: what does not fit into the memory of an edge goes to its `SpillQueue`, and comes
 * back when what is in memory is down to the low mark, while the rest of that is being worked off.
 *
 * **Order** once an edge spills, all that comes goes to disk, until nothing is left there.
 */
export class Spilling {
  /** Why the last attempt to read frames back failed; nothing is read until the next one. */
  readFailure: SpillFailure | undefined
  private readonly edges: ReadonlyArray<EdgeQueue>
  private readonly events: SpillingEvents

  constructor(edges: ReadonlyArray<EdgeQueue>, directory: SpillDirectory, maxBytes: number, events: SpillingEvents) {
    this.edges = edges
    this.events = events
    for (const queue of edges) {
      queue.spill = new SpillQueue({
        directory,
        memory: memoryFor(maxBytes),
        onProgress: () => {
          if (queue.waiting.length > 0) events.onRoom(queue)
          this.readBack(queue)
        },
        onFailure: (failure) => events.onFailure?.(failure)
      })
    }
  }

  /** Whether the frame was taken. */
  append(queue: EdgeQueue, frame: Frame): boolean {
    if (!queue.spill!.append(frame)) return false
    if (!queue.isSpilling) {
      queue.isSpilling = true
      this.events.onSpill?.(queue.index)
    }
    return true
  }

  /** The reader has worked a frame off. */
  progress(queue: EdgeQueue): void {
    queue.spill!.retry()
    this.readBack(queue)
  }

  /** Tries once more what failed while there was still something else to work on, now that it is needed. */
  private retryReading(): void {
    this.readFailure = undefined
    for (const queue of this.edges) this.readBack(queue)
  }

  /** Waits for work, which a failure to read back is only where there is no other. */
  awaitWork(wait: Effect.Effect<void>, hasOther: () => boolean): Effect.Effect<void, SpillFailure> {
    return Effect.suspend(() => {
      this.retryReading()
      return Effect.flatMap(wait, () => (this.readFailure === undefined || hasOther() ? Effect.void : Effect.fail(this.readFailure)))
    })
  }

  /** Takes and fetches no more by itself. */
  close(): void {
    for (const { spill } of this.edges) spill!.close()
  }

  /** After `close`: the next frames in order, as many as fit into the bounds; an empty array when there are no more. */
  readonly takeNext: Effect.Effect<ReadonlyArray<Delivery>, SpillFailure> = Effect.tryPromise({
    try: async () => {
      for (const queue of this.edges) {
        await queue.readingBack
        await queue.spill!.settle()
        if (queue.frames.length === 0) await queue.spill!.read(queue.room, (frame) => queue.push(frame))
        const deliveries = queue.clear()
        if (deliveries.length > 0) return deliveries
      }
      return []
    },
    // Nothing else rejects.
    catch: (failure) => failure as SpillFailure
  })

  private readBack(queue: EdgeQueue): void {
    const spill = queue.spill!
    if (spill.isClosed || queue.readingBack !== undefined || this.readFailure !== undefined) return
    if (!spill.isReadable || !queue.isAtLowMark) return
    queue.readingBack = spill
      .read(queue.room, (frame) => {
        queue.push(frame)
        this.events.onReturn(queue)
      })
      .catch((failure: SpillFailure) => {
        this.readFailure = failure
        this.events.onFailure?.(failure)
        this.events.onReadFailure()
      })
      .then(() => {
        queue.readingBack = undefined
        if (spill.length === 0) queue.isSpilling = false
        if (queue.waiting.length > 0) this.events.onRoom(queue)
        this.readBack(queue)
      })
  }
}

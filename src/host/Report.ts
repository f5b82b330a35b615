import type { HandleStatus } from "./Handle.ts"

/** What became of a program and of every item that its sources gave. `accepted` = `processed` + `undrained` + `deadLettered` + `dropped`. */
export interface RunReport extends ItemCounts {
  /** The value of the last expression. Of a stream that was consumed because it stood last: its handle. */
  readonly value: unknown
  readonly durationMs: number
  readonly streams: ReadonlyArray<StreamReport>
}

export interface ItemCounts {
  /** Items that sources gave. */
  readonly accepted: number
  /** Items that were worked off to the end; `skipped` ones among them. */
  readonly processed: number
  /** Items that a `skip` policy gave up. */
  readonly skipped: number
  /** How often an item was tried again: by the policy of its node, or by another life of its actor. */
  readonly retried: number
  /** Items that a full buffer dropped, as its `:overflow` says; after a batch, each vector is one. */
  readonly dropped: number
  /** Items that were given up on and stored: as a `dead-letter` policy says, or because they ended their actor again and again. */
  readonly deadLettered: number
  /**
   * Items that were accepted and had not been worked off when the stream ended: what failed or was cancelled among them, and
   * what a batch had gathered. What other operators had gathered by then (a window, a reduction) counts as processed.
   */
  readonly undrained: number
}

export interface StreamReport extends ItemCounts {
  readonly id: string
  readonly status: HandleStatus
  /** The message of the error that it failed with. */
  readonly error?: string
  /** The branches and inputs that have failed alone, where there are any. */
  readonly failedParts?: ReadonlyArray<PartReport>
}

/** A part of a stream that has failed while the rest went on. */
export interface PartReport {
  readonly part: string
  readonly error: string
  /** How many items a branch did not get that others got. */
  readonly missed: number
}

export const noItems: ItemCounts = { accepted: 0, processed: 0, skipped: 0, retried: 0, dropped: 0, deadLettered: 0, undrained: 0 }

export const addCounts = (left: ItemCounts, right: ItemCounts): ItemCounts => ({
  accepted: left.accepted + right.accepted,
  processed: left.processed + right.processed,
  skipped: left.skipped + right.skipped,
  retried: left.retried + right.retried,
  dropped: left.dropped + right.dropped,
  deadLettered: left.deadLettered + right.deadLettered,
  undrained: left.undrained + right.undrained
})

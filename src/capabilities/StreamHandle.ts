import { HostObject } from "../serialization/index.ts"

/** Where a running stream is in its life; the last four are final. */
export type HandleStatus =
  | "created"
  | "running"
  | "paused"
  | "draining"
  | "completed"
  | "stopped"
  | "cancelled"
  | "failed"

/** What became of the items of a stream so far. `accepted` = `processed` + `undrained` + `deadLettered` + `dropped`. */
export interface HandleReport {
  readonly id: string
  readonly status: HandleStatus
  /** Items that sources gave. */
  readonly accepted: number
  /** Items that were worked off to the end; `skipped` ones among them. */
  readonly processed: number
  /** Items that a `skip` policy gave up. */
  readonly skipped: number
  /** How often an item was tried again. */
  readonly retried: number
  /** Items that a full buffer dropped, as its `:overflow` says; after a batch, each vector is one. */
  readonly dropped: number
  /** Items that were given up on and stored. */
  readonly deadLettered: number
  /** Items that were accepted and have not been worked off. */
  readonly undrained: number
}

/**
 * A running stream in a caller's hand. Whoever holds it may pause, resume, drain and cancel it, and await its result.
 *
 * Pausing and resuming are idempotent and do nothing once the stream has ended; cancelling is final.
 */
export abstract class StreamHandle extends HostObject {
  abstract readonly id: string
  abstract readonly status: HandleStatus
  /** What the stream came to: a reduction's value, the collected items, a file sink's receipt; `null` where there is none. Rejects if it failed or was cancelled. */
  abstract readonly result: Promise<unknown>

  /** The result, for someone who will deal with a failure: the failure is then not the program's. */
  abstract awaitResult(): Promise<unknown>

  /** Stops new demand. Items in flight finish; timers keep running. */
  abstract pause(): Promise<void>
  /** Works off what is queued, in order, and goes on. Starts a stream that was only created. */
  abstract resume(): Promise<void>
  /** Takes no more from its sources, works everything off, flushes, ends as `completed`. */
  abstract drain(options?: { readonly timeoutMs?: number }): Promise<void>
  /** Ends it as `cancelled`: nothing is flushed, what was written incompletely is removed. */
  abstract cancel(): Promise<void>
  abstract report(): HandleReport
  /** What the stream is doing, as plain data. Never blocks the stream. */
  abstract inspect(): unknown

  get label(): string {
    return `handle ${this.id}`
  }

  toJSON(): unknown {
    return { stream: this.id }
  }
}

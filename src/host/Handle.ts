/** Where a stream or service is in its life; the last four are final. */
export type HandleStatus =
  | "created"
  | "running"
  | "paused"
  | "draining"
  | "completed"
  | "stopped"
  | "cancelled"
  | "failed"

/** A running stream or service in a caller's hand. */
export interface Handle {
  readonly id: string
  readonly status: HandleStatus
  /** What it came to; rejects if it failed or was cancelled. */
  readonly result: Promise<unknown>
  /** Stops new demand; items in flight finish. Idempotent. */
  pause(): Promise<void>
  /** Works off what is queued, in order, and goes on. Idempotent. */
  resume(): Promise<void>
  /** Takes no more from its sources, works everything off, flushes, ends. After `timeoutMs` it is cancelled. */
  drain(options?: { readonly timeoutMs?: number }): Promise<void>
  /** Ends it for good: nothing is flushed, what was written incompletely is removed. */
  cancel(): Promise<void>
  /** What it is doing, as plain data. Never blocks it. */
  inspect(): unknown
}

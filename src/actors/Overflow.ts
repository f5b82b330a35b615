import type { Frame } from "../serialization/index.ts"

/**
 * What a mailbox does with a frame for which it has no room.
 *
 * - `backpressure` the sender waits; nothing is lost
 * - `spill` frames go to disk and come back in order; the sender waits where the disk is full too
 * - `drop-oldest` the oldest items give way to the new ones
 * - `drop-newest` the new items are not taken
 * - `fail` the sender's `offer` fails with `MailboxFull`
 *
 * Dropping is for senders that must never wait; every drop is counted and reported.
 */
export type Overflow = "backpressure" | "spill" | "drop-oldest" | "drop-newest" | "fail"

/**
 * Whether a frame may be dropped, or refused, under load: data, and watermarks, of which the next one stands for those
 * before it. All others belong to the protocol between actors, which would hang without them: under every strategy the
 * sender of one waits for room.
 */
export const isDroppable = (frame: Frame): boolean => frame.kind === "data" || frame.kind === "watermark"

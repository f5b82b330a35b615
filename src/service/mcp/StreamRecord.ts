import type { StartRequest } from "./programText.ts"
import type { Overflow } from "./OutputBuffer.ts"

/** How a stream is to be started: the arguments of `stream_start`, but for its key. */
export interface StreamRequest extends StartRequest {
  readonly queue_capacity?: number
  readonly overflow?: Overflow
  readonly ttl_s?: number
}

/** What came of a stream that goes on no more. */
export interface StreamEnd {
  readonly status: "completed" | "stopped" | "cancelled" | "failed"
  readonly error?: string
  readonly result?: string
  /** How many items it had given in that life. */
  readonly items: number
}

/** The last pause or resumption that somebody asked for. */
export interface Steering {
  readonly action: "pause" | "resume"
  readonly reason?: string
  readonly at: number
}

/**
 * What is kept of a stream, so that it goes on after a restart of the server under the same id, for the same owner. Nothing
 * that it gave is in it.
 */
export interface StreamRecord {
  readonly id: string
  readonly owner: string
  readonly request: StreamRequest
  readonly idempotencyKey?: string
  /** See `CursorEpoch`. */
  readonly token: string
  readonly createdAt: number
  /** Which life of it this is, from 1 on, and when it began. */
  readonly life: number
  readonly begunAt: number
  /** How many lives before this one ended with the server so soon that the stream may be why. */
  readonly shortLives: number
  readonly steering?: Steering
  readonly end?: StreamEnd
}

/** A server that ends so soon after a start may have ended because of a stream that it started. */
const shortMs = 10_000

/** So often it is tried again all the same. */
export const mostShortLives = 3

/** The record for the life after a restart of the server. */
export const nextLife = (record: StreamRecord, now: number): StreamRecord => ({
  ...record,
  life: record.life + 1,
  begunAt: now,
  shortLives: record.end === undefined && now - record.begunAt < shortMs ? record.shortLives + 1 : 0
})

/** Whether what was found in the store is a record; another version of this server may have written it. */
export const isRecord = (value: unknown): value is StreamRecord => {
  const { createdAt, id, life, owner, request, token } = (value ?? {}) as Partial<Record<keyof StreamRecord, unknown>>
  return (
    [id, owner, token].every((field) => typeof field === "string")
    && [createdAt, life].every((field) => typeof field === "number")
    && typeof request === "object"
    && request !== null
  )
}

import { fromJsonSchema } from "@modelcontextprotocol/server"
import type { StartRequest } from "./programText.ts"
import type { Overflow } from "./OutputBuffer.ts"
import { toolSchemas } from "./toolSchemas.ts"

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

/**
 * Whether what was found in the store under a name is the record of that stream: every field, since a number that is none would
 * let a stream begin again without end, or keep the server from starting. Another version of it may have written the record.
 */
export const isRecord = (name: string, value: unknown): value is StreamRecord => {
  if (!isObject(value)) return false
  const { begunAt, createdAt, end, id, idempotencyKey, life, owner, request, shortLives, steering, token } = value
  return (
    id === name
    && typeof owner === "string"
    && typeof token === "string"
    && [createdAt, begunAt].every(isTime)
    && [life, shortLives].every(isCount)
    && (idempotencyKey === undefined || typeof idempotencyKey === "string")
    && isRequest(request)
    && (steering === undefined || (isObject(steering) && isOneOf(["pause", "resume"], steering["action"]) && isTime(steering["at"])))
    && (end === undefined
      || (isObject(end) && isOneOf(["completed", "stopped", "cancelled", "failed"], end["status"]) && isCount(end["items"])))
  )
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === "object" && value !== null
const isOneOf = (words: ReadonlyArray<string>, value: unknown): boolean => words.some((word) => word === value)
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0
/** As far as a `Date` goes. */
const isTime = (value: unknown): boolean => isCount(value) && (value as number) <= 8.64e15

const startSchema = fromJsonSchema(toolSchemas.stream_start as Parameters<typeof fromJsonSchema>[0])

const isRequest = (value: unknown): boolean => {
  const checked = startSchema["~standard"].validate(value)
  return !(checked instanceof Promise) && checked.issues === undefined
}

/**
 * How synchronous and asynchronous evaluation meet.
 *
 * A function runs synchronously first. What it asks of the host is performed once and written into a log; when an
 * answer is a promise, the attempt is abandoned by throwing `needsAsync`, and the asynchronous form runs from the
 * start with the log as its memory: the same questions come in the same order, because everything between them is
 * pure, so each is answered from the log and no effect happens twice.
 */
export class Log {
  entries: Array<LogEntry> = []
  index = 0
  /** Nested asynchronous calls. */
  depth = 0
  /** The `runtime.*` metadata around the code that is running. */
  hints: Readonly<Record<string, unknown>> = noHints

  /** Forgets what has been replayed. Only code that never goes back may call this. */
  forget(): void {
    if (this.index > 0 && this.index === this.entries.length) {
      this.entries = []
      this.index = 0
    }
  }
}

export interface LogEntry {
  readonly failed: boolean
  readonly value: unknown
}

export const noHints: Readonly<Record<string, unknown>> = Object.freeze({})

/** Thrown where a synchronous attempt cannot go on. Never visible to programs: no catch or finally of theirs sees it. */
export const needsAsync: unique symbol = Symbol("rtfs-streams/needs-async")

/** The log of the synchronous attempt that is running on this thread, if one is. */
export const attempt: { log: Log | null } = { log: null }

/** Runs `act` as a synchronous attempt on this log. */
export const attempting = <A>(log: Log, act: () => A): A => {
  const before = attempt.log
  attempt.log = log
  try {
    return act()
  } finally {
    attempt.log = before
  }
}

export const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  value !== null
  && (typeof value === "object" || typeof value === "function")
  && typeof (value as { then?: unknown }).then === "function"
  // An RTFS map may have an entry `then`; only what is no plain data can be a promise.
  && (value instanceof Promise || Object.getPrototypeOf(value) !== Object.prototype)

/** Makes any thenable a promise of this realm, so that `instanceof Promise` decides from here on. */
const settled = (value: unknown): unknown =>
  value === undefined ? null : isThenable(value) ? Promise.resolve(value).then((result) => (result === undefined ? null : result)) : value

/** Performs an effect during a synchronous attempt, or answers it from the log. */
export const performNow = (log: Log, act: () => unknown): unknown => {
  if (log.index < log.entries.length) return answer(log.entries[log.index++]!)
  const before = attempt.log
  // What the host calls back from inside the effect is an evaluation of its own.
  attempt.log = null
  let entry: LogEntry
  try {
    entry = { failed: false, value: settled(act()) }
  } catch (error) {
    entry = { failed: true, value: error }
  } finally {
    attempt.log = before
  }
  log.entries.push(entry)
  log.index++
  return answer(entry)
}

const answer = (entry: LogEntry): unknown => {
  if (entry.failed) throw entry.value
  if (entry.value instanceof Promise) {
    // The asynchronous form will await it; until then a rejection is not unhandled.
    entry.value.catch(ignore)
    throw needsAsync
  }
  return entry.value
}

const ignore = (): void => {}

/** Performs an effect in asynchronous code, or answers it from the log. Gives the value or a promise. */
export const performAsync = (log: Log, act: () => unknown): unknown => {
  if (log.index < log.entries.length) {
    const entry = log.entries[log.index++]!
    log.forget()
    if (entry.failed) throw entry.value
    return entry.value
  }
  return settled(act())
}

import { milliseconds } from "./headerTime.ts"
import { NetworkFailure } from "./errors.ts"

/** How often, and after what waits, a peer is asked again. */
export interface RetryPolicy {
  /** Attempts in all. */
  readonly maxAttempts: number
  readonly backoff: "exponential" | "linear" | "constant"
  readonly baseDelayMs: number
  readonly maxDelayMs: number
}

/** A peer that asks to be asked again at once is not. */
const shortestMs = 100

/** A peer that asks for more rest than this does not get it. */
const longestRestMs = 60_000

/**
 * The wait before the next attempt, or `undefined` where there is to be none.
 *
 * With full jitter: anything between 100 ms and the step, so that those that failed together don't come back together. Where the peer says how long
 * (`Retry-After`), as long as that, up to a minute, and a little longer.
 *
 * @param attempt the one that failed, counted from 1
 * @param random a number in [0, 1)
 */
export const retryDelay = (policy: RetryPolicy, attempt: number, failure: unknown, random: number): number | undefined => {
  if (attempt >= policy.maxAttempts || !(failure instanceof NetworkFailure) || !failure.isTemporary) return undefined
  const { backoff, baseDelayMs, maxDelayMs } = policy
  const growth = backoff === "exponential" ? 2 ** (attempt - 1) : backoff === "linear" ? attempt : 1
  const step = Math.min(baseDelayMs * growth, maxDelayMs)
  const jittered = Math.max(shortestMs, step * random)
  if (failure.retryAfterMs === undefined) return jittered
  return Math.max(jittered, Math.min(failure.retryAfterMs, longestRestMs) + Math.min(step, 1000) * random)
}

/** Whether a status says that the same request may succeed later. */
export const isTemporaryStatus = (status: number): boolean =>
  status === 408 || status === 425 || status === 429 || (status >= 500 && status !== 501 && status !== 505)

/** The failure that an answer's status stands for. */
export const failureOfStatus = (url: string, status: number, retryAfter: string | undefined, now: number, body?: string): NetworkFailure =>
  new NetworkFailure({
    url,
    operation: "use the answer of",
    problem: `its status is ${status}`,
    fix: fixes[status] ?? (isTemporaryStatus(status) ? "Try again later." : "Check the request: its URL, headers and body."),
    status,
    isTemporary: isTemporaryStatus(status),
    retryAfterMs: milliseconds(retryAfter, now),
    body
  })

const fixes: Readonly<Record<number, string>> = {
  401: 'Give credentials: a header such as {"Authorization" "Bearer {{secret:TOKEN}}"}, with the secret from --secret TOKEN.',
  403: "Check the credentials and what they allow.",
  404: "Check the URL.",
  429: "Ask more slowly (:stream.rate-limit), or try again later."
}

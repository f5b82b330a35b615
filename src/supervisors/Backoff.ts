import * as Duration from "effect/Duration"

/** How long a child waits before it is started again. */
export interface Backoff {
  /** The delay before the first restart. */
  readonly initial: Duration.Input
  /** What each further delay is multiplied by, at least 1. */
  readonly factor: number
  /** The longest delay, before jitter. */
  readonly maximum: Duration.Input
  /** The share by which a delay may be longer, drawn anew each time so that children don't restart in step. */
  readonly jitter: number
  /** A child that was up for so long begins again at `initial`. */
  readonly resetAfter: Duration.Input
}

export const defaultBackoff: Backoff = {
  initial: Duration.millis(200),
  factor: 2,
  maximum: Duration.seconds(30),
  jitter: 0.2,
  resetAfter: Duration.seconds(60)
}

/**
 * The delay before restart number `attempt`, counted from 0.
 *
 * The jitter only lengthens: a delay is never shorter than its step, so that a peer gets at least the rest it was
 * promised, and at most `1 + jitter` times as long.
 *
 * @param random a number in [0, 1)
 */
export const delayOf = (backoff: Backoff, attempt: number, random: number): Duration.Duration => {
  const initialMs = Duration.toMillis(backoff.initial)
  // The power grows to Infinity, which 0 would turn into NaN.
  const step = initialMs === 0 ? 0 : initialMs * backoff.factor ** attempt
  return Duration.millis(Math.min(step, Duration.toMillis(backoff.maximum)) * (1 + backoff.jitter * random))
}

/** The number of the next attempt for a child that was up for `upMs` milliseconds, 0 if it never came up. */
export const nextAttempt = (backoff: Backoff, attempt: number, upMs: number): number =>
  upMs >= Duration.toMillis(backoff.resetAfter) ? 0 : attempt

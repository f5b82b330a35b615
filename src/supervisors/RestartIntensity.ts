import * as Duration from "effect/Duration"

/** How often restarts are tried: at most `restarts` within `period`. One more makes the supervisor escalate. */
export interface RestartIntensity {
  /** At least 0, an integer. With 0 the first restart escalates. */
  readonly restarts: number
  readonly period: Duration.Input
}

/** When the restarts that may still count took place, oldest first, in milliseconds of a clock that never goes back. */
export type RestartHistory = ReadonlyArray<number>

export const noRestarts: RestartHistory = []

/** For each child by itself, so that one bad child can't spend what its siblings may need. */
export const defaultChildIntensity: RestartIntensity = { restarts: 3, period: Duration.seconds(5) }

/** For a supervisor of so many children: the sum of what they may spend by themselves. */
export const defaultIntensity = (children: number): RestartIntensity => ({
  restarts: defaultChildIntensity.restarts * Math.max(1, children),
  period: defaultChildIntensity.period
})

/**
 * The history with one more restart, without those that have left the sliding window.
 *
 * **Bounds** one entry more than `restarts`, as long as nobody restarts after `isExceeded`.
 * **Source** OTP `supervisor.erl`, `add_restart`: a restart exactly `period` ago still counts.
 */
export const addRestart = (history: RestartHistory, now: number, intensity: RestartIntensity): RestartHistory => {
  const oldest = now - Duration.toMillis(intensity.period)
  const firstKept = history.findIndex((time) => time >= oldest)
  return firstKept === -1 ? [now] : [...history.slice(firstKept), now]
}

/** Whether the history of `addRestart` holds more restarts than are allowed. */
export const isExceeded = (history: RestartHistory, intensity: RestartIntensity): boolean => history.length > intensity.restarts

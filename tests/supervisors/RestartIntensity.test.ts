import * as Duration from "effect/Duration"
import { describe, expect, it } from "vitest"
import { delayOf, nextAttempt } from "../../src/supervisors/Backoff.ts"
import { defaultBackoff, defaultChildIntensity, defaultIntensity } from "../../src/supervisors/index.ts"
import { addRestart, isExceeded, noRestarts } from "../../src/supervisors/RestartIntensity.ts"

const limit = { restarts: 2, period: 1000 }
const historyOf = (...times: Array<number>) => times.reduce((history, time) => addRestart(history, time, limit), noRestarts)

describe("RestartIntensity", () => {
  it("allows as many restarts in the period as it says, and not one more", () => {
    expect(isExceeded(historyOf(0, 1), limit)).toBe(false)
    expect(isExceeded(historyOf(0, 1, 2), limit)).toBe(true)
  })

  it("still counts a restart exactly one period ago, and no longer one a moment before that", () => {
    expect(isExceeded(historyOf(0, 500, 1000), limit)).toBe(true)
    expect(isExceeded(historyOf(0, 500, 1000.001), limit)).toBe(false)
  })

  it("keeps no more of the past than the period", () => {
    expect(historyOf(0, 900, 5000)).toEqual([5000])
  })

  it("allows 3 in 5 seconds by default, for each child and for as many as there are", () => {
    expect(defaultChildIntensity).toEqual({ restarts: 3, period: Duration.seconds(5) })
    expect(defaultIntensity(4).restarts).toBe(12)
  })
})

describe("Backoff", () => {
  it("doubles from 200 ms to 30 s, and is up to a fifth longer", () => {
    const millis = (attempt: number, random: number) => Duration.toMillis(delayOf(defaultBackoff, attempt, random))
    expect([0, 1, 2, 7, 8, 5000].map((attempt) => millis(attempt, 0))).toEqual([200, 400, 800, 25_600, 30_000, 30_000])
    expect(millis(0, 0.5)).toBe(220)
    expect(millis(100, 1)).toBe(36_000)
  })

  it("never waits when the first delay is 0", () => {
    expect(Duration.toMillis(delayOf({ ...defaultBackoff, initial: 0 }, 5000, 0.5))).toBe(0)
  })

  it("begins again after the quiet time, and not a moment before", () => {
    expect(nextAttempt(defaultBackoff, 4, 59_999)).toBe(4)
    expect(nextAttempt(defaultBackoff, 4, 60_000)).toBe(0)
  })
})

import { describe, expect, it } from "vitest"
import { damagedRuns } from "./damagedRuns.ts"

// More of them: node tests/drivers/damage.ts --mutations 120
describe("a data directory in which one file was damaged", () => {
  it("CP-5 leads to a complete output, or to 74 and a word on what to do", async () => {
    const report = await damagedRuns({ mutations: 6, lines: 60_000, seed: 3 })
    expect(report.wrong).toEqual([])
    expect(report.exact + report.older + report.refused).toBe(6)
    expect(report.refused).toBeGreaterThan(0)
  }, 60_000)
})

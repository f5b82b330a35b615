import { describe, expect, it } from "vitest"
import { sendSignals } from "./sigterm.ts"

describe("SIGTERM at random moments", () => {
  it("SD-1, SD-3, SD-5: leaves every record in exactly one place, in time", async () => {
    const outcomes = await sendSignals(4, 2026)
    expect(outcomes.filter(({ problems }) => problems.length > 0)).toEqual([])
  })
})

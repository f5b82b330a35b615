import { describe, expect, it } from "vitest"
import { killedRuns } from "./killedRuns.ts"
import { checkLines, lineOf } from "./numberedLines.ts"
import { checkOutput, variants } from "./variants.ts"

const clean = { lost: 0, doubled: 0, torn: 0, reordered: 0, wrongTotals: 0, failures: [] }

// The same for all variants and as many kills as one likes: node tests/drivers/kill.ts
describe("a program that is killed and started again until it has ended", () => {
  it("CP-2 has each line once, whole and in order, and exact totals", async () => {
    const report = await killedRuns({ variant: "totals", kills: 3, lines: 30_000, seed: 11, intervalMs: 25 })
    expect(report).toMatchObject({ ...clean, kills: 3 })
  }, 60_000)

  it("CP-2 has each line in one batch, or in a compressed file that can be read", async () => {
    for (const variant of ["batch", "gzip"] as const) {
      const report = await killedRuns({ variant, kills: 1, lines: 30_000, seed: 12, intervalMs: 25 })
      expect(report).toMatchObject({ ...clean, kills: 1 })
    }
  }, 60_000)
})

describe("the check of the lines", () => {
  const lines = Array.from({ length: 9 }, (_, index) => lineOf(index + 1))

  it("sees what is lost, doubled, torn and out of order", () => {
    expect(checkLines(lines, 9)).toEqual({ lost: 0, doubled: 0, torn: 0, reordered: 0 })
    expect(checkLines(lines.toSpliced(3, 1), 9)).toMatchObject({ lost: 1, doubled: 0 })
    expect(checkLines([...lines, lines[2]!], 9)).toMatchObject({ doubled: 1, lost: 0 })
    expect(checkLines(lines.with(4, lines[4]!.slice(0, 6)), 9)).toMatchObject({ torn: 1, lost: 1 })
    expect(checkLines([lines[1]!, lines[0]!, ...lines.slice(2)], 9)).toMatchObject({ reordered: 1, lost: 0 })
  })

  it("sees a file whose end is missing, and a batch whose sum is wrong", () => {
    const text = Buffer.from(`${lines.join("\n")}\n`)
    expect(checkOutput(variants.plain, text.subarray(0, text.length - 3), 9)).toMatchObject({ torn: 1, lost: 1 })
    expect(checkOutput(variants.gzip, text, 9)).toMatchObject({ torn: 1 })
    expect(checkOutput(variants.batch, Buffer.from(`${JSON.stringify({ lines, sum: 44 })}\n`), 9)).toMatchObject({ torn: 1, lost: 0 })
    expect(checkOutput(variants.batch, Buffer.from(`${JSON.stringify({ lines, sum: 45 })}\n`), 9)).toMatchObject({ torn: 0 })
  })
})

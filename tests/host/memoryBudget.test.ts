import { describe, expect, it } from "vitest"
import { MemoryBudget } from "../../src/host/MemoryBudget.ts"

const kilobyte = 1024

describe("the memory of a host", () => {
  it("is shared out so that a thousand streams with a mailbox each fit into the default, the first ones with more", () => {
    const budget = new MemoryBudget(256 * kilobyte * kilobyte)
    // As a plan has them: a mailbox holds two to eight frames of 64 KB.
    const mailbox = () => Math.max(2, Math.min(8, Math.floor(budget.share / (64 * kilobyte)))) * 64 * kilobyte
    const taken = Array.from({ length: 1000 }, () => {
      const bytes = mailbox()
      return { bytes, release: budget.reserve(bytes) }
    })
    expect(taken.slice(0, 200).every(({ bytes }) => bytes === 512 * kilobyte)).toBe(true)
    expect(taken.at(-1)!.bytes).toBe(128 * kilobyte)
    for (const { release } of taken) release()
    expect(mailbox()).toBe(512 * kilobyte)
  })
})

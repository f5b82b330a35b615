import { existsSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { faultsOf, roundsThroughHost, roundsThroughMcp } from "./manyStreams.ts"
import { faultsOf as faultsOfStall, stallReaders } from "./stalledReader.ts"

// With a thousand streams, and as many rounds as one likes: node tests/drivers/manyStreams.ts
describe("many streams at once", () => {
  it("start, run and stop through the host, and leave nothing", async () => {
    const rounds = await roundsThroughHost(100, 2)
    expect(rounds.map(({ left, running }) => [running, left])).toEqual([
      [100, 0],
      [100, 0]
    ])
    expect(faultsOf(rounds)).toEqual([])
  })

  it("do so through the MCP server", async () => {
    expect(faultsOf(await roundsThroughMcp(50, 2))).toEqual([])
  }, 60_000)
})

// With more connections, and watched until the server closes them: node tests/drivers/stalledReader.ts
describe("a client that asks for the longest answers and reads none", () => {
  it.skipIf(!existsSync("/proc/self/status"))(
    "costs the server at most 64 MB, and nobody else their answer (needs /proc)",
    async () => {
      const stall = await stallReaders(1, 4, 0.5)
      expect(faultsOfStall({ ...stall, closed: 1 })).toEqual([])
    },
    60_000
  )
})

import { afterEach, describe, expect, it, vi } from "vitest"
import { StreamHost } from "rtfs-streams"

describe("a host's onProgress that fails", () => {
  afterEach(() => vi.restoreAllMocks())

  for (const [how, onProgress] of [
    [
      "throws",
      () => {
        throw new Error("no room on the screen")
      }
    ],
    [
      "rejects",
      async () => {
        throw new Error("no room on the screen")
      }
    ]
  ] as const) {
    it(`(it ${how}) is reported once and does no harm to a stream`, async () => {
      const warnings = vi.spyOn(process, "emitWarning").mockImplementation(() => {})
      await using host = await StreamHost.start({ onProgress, bindings: { note: () => {} } })
      for (let run = 0; run < 2; run++) {
        const report = await host.run("(call :stream.map [1 2 3] {:transform inc})")
        expect(report).toMatchObject({ value: [2, 3, 4], accepted: 3, processed: 3, undrained: 0 })
      }
      expect(warnings.mock.calls.map(([warning]) => String(warning))).toEqual([expect.stringContaining("no room on the screen")])
    })
  }
})

import { describe, expect, it } from "vitest"
import { formatCount, formatDuration, formatSize, parseDuration, parseSize } from "../../src/cli/quantity.ts"

describe("quantity", () => {
  it.each([
    ["30s", 30_000],
    ["500ms", 500],
    ["1.5m", 90_000],
    ["2h", 7_200_000],
    ["1d", 86_400_000],
    ["250", 250],
    ["0", 0],
    ["", undefined],
    ["s", undefined],
    ["-1s", undefined],
    ["1 s", undefined],
    ["1e3", undefined],
    ["9".repeat(30), undefined]
  ])("reads the duration %j as %s ms", (written, expected) => expect(parseDuration(written)).toBe(expected))

  it.each([
    ["256MB", 268_435_456],
    ["1GB", 1_073_741_824],
    ["1.5KiB", 1536],
    ["64kb", 65_536],
    ["100B", 100],
    ["1000", 1000],
    ["0", undefined],
    ["0.1B", undefined],
    ["MB", undefined],
    ["1XB", undefined],
    ["-1MB", undefined]
  ])("reads the size %j as %s bytes", (written, expected) => expect(parseSize(written)).toBe(expected))

  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "0.98 KB"],
    [1536, "1.5 KB"],
    [1024 * 1024 * 45.6, "45.6 MB"],
    [1024 ** 4 * 5000, "5000 TB"]
  ])("shows %d bytes as %s", (bytes, expected) => expect(formatSize(bytes)).toBe(expected))

  it.each([
    [0, "0"],
    [999, "999"],
    [999.7, "1k"],
    [1_234_000, "1.23M"]
  ])("shows %d items as %s", (count, expected) => expect(formatCount(count)).toBe(expected))

  it.each([
    [0, "0s"],
    [59_400, "59s"],
    [59_600, "1:00"],
    [65_000, "1:05"],
    [7_389_000, "2:03:09"]
  ])("shows %d ms as %s", (milliseconds, expected) => expect(formatDuration(milliseconds)).toBe(expected))
})

import { Writable } from "node:stream"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { Output } from "../../src/cli/Output.ts"
import { showProgress } from "../../src/cli/Progress.ts"
import { plainProgressLine, progressLines, ProgressMeter, type StreamProgress } from "../../src/cli/progressLines.ts"

const megabyte = 1024 * 1024

describe("progressLines", () => {
  it("shows bytes, percent, items per second and the time left", () => {
    const meter = new ProgressMeter()
    for (let second = 0; second <= 2; second++) {
      meter.report(
        { name: "/pipelines/orders/read", bytes: { done: second * 10 * megabyte, total: 100 * megabyte }, items: second * 50_000 },
        second * 1000
      )
    }
    expect(progressLines(meter.paces(2000), 200)).toEqual([
      "/pipelines/orders/read  ████░░░░░░░░░░░░░░░░  20 MB of 100 MB  20 %  50k items/s  ETA 8s"
    ])
    expect(meter.paces(2000).map(plainProgressLine)).toEqual(["/pipelines/orders/read, 20 MB of 100 MB, 20 %, 50k items/s, ETA 8s"])
  })

  it("promises no percent and no end where the total is unknown, and no rate before there is one", () => {
    const meter = new ProgressMeter()
    meter.report({ name: "a", bytes: { done: 1024, total: undefined }, items: 3 }, 0)
    meter.report({ name: "b", bytes: undefined, items: 4 }, 0)
    expect(progressLines(meter.paces(0), 200)).toEqual(["a  1 KB  3 items", "b  4 items"])
    expect(progressLines(meter.paces(1000), 200)).toEqual(["a  1 KB  0 items/s", "b  4 items  0 items/s"])
  })

  it("forgets what was before the window, so that a pause shows", () => {
    const meter = new ProgressMeter(5000)
    for (let tick = 0; tick <= 100; tick++)
      meter.report({ name: "a", bytes: { done: tick * megabyte, total: undefined }, items: tick * 100 }, tick * 100)
    expect(meter.paces(10_000)[0]!.itemRate).toBeCloseTo(1000, -2)
    for (let tick = 1; tick <= 100; tick++)
      meter.report({ name: "a", bytes: { done: 100 * megabyte, total: undefined }, items: 10_000 }, 10_000 + tick * 100)
    expect(meter.paces(20_000)[0]!.itemRate).toBe(0)
  })

  it("never wraps, and stays within 100 % when a file has grown", () => {
    const meter = new ProgressMeter()
    meter.report({ name: "/pipelines/a-rather-long-name/read", bytes: { done: 300, total: 200 }, items: 1 }, 0)
    const [line] = progressLines(meter.paces(1000), 40)
    expect(line).toHaveLength(40)
    expect(progressLines(meter.paces(1000), 200)[0]).toContain("100 %")
  })
})

/** A terminal that knows its lines: what was printed, and what the live region shows now. */
class Screen extends Writable {
  readonly isTTY = true
  lines: Array<string> = [""]

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    // oxlint-disable-next-line no-control-regex
    for (const part of chunk.toString().split(/(\u001b\[\d*[FJ]|\n)/)) {
      if (part === "\n") this.lines.push("")
      // oxlint-disable-next-line no-control-regex
      else if (/^\u001b\[\d+F$/.test(part)) this.lines.splice(-1 - Number(part.slice(2, -1)))
      else if (part === "\u001b[J") this.lines.push("")
      else if (part !== "") this.lines[this.lines.length - 1] += part
    }
    done()
  }
}

describe("Progress", () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  const setUp = (mode: "auto" | "plain" | "off", isTerminal = true) => {
    const screen = new Screen()
    const output = new Output({ out: screen, err: screen })
    const streams: Array<StreamProgress> = []
    const terminal = isTerminal ? { columns: () => 80, rows: () => 24 } : undefined
    return { screen, output, streams, progress: showProgress({ mode, output, terminal, read: () => streams }) }
  }
  const stream = (name: string, done: number, total: number): StreamProgress => ({ name, bytes: { done, total }, items: 1 })

  it("keeps one region below the lines that are printed, and leaves nothing behind", () => {
    const { output, progress, screen, streams } = setUp("auto")
    streams.push(stream("one", 1, 4), stream("two", 1, 2))
    vi.advanceTimersByTime(100)
    void output.line("printed")
    vi.advanceTimersByTime(100)
    void output.line("and again")
    vi.advanceTimersByTime(500)
    expect(screen.lines.map((line) => line.slice(0, 9))).toEqual(["printed", "and again", "one  ████", "two  ████", ""])
    progress.end()
    expect(screen.lines).toEqual(["printed", "and again", ""])
    vi.advanceTimersByTime(500)
    expect(screen.lines).toEqual(["printed", "and again", ""])
  })

  it("says at the end what each stream did, if there was time to look", () => {
    const { progress, screen, streams } = setUp("auto")
    streams.push({ name: "one", bytes: { done: 3 * megabyte, total: 3 * megabyte }, items: 30_000 })
    vi.advanceTimersByTime(3000)
    progress.end()
    expect(screen.lines).toEqual([
      expect.stringMatching(/^30k items went through in 3\.0 s: 10k items per second, in at most [\d.]+ MB of memory$/),
      ""
    ])
  })

  it("says it of each stream where there are several, before the total", () => {
    const { progress, screen, streams } = setUp("auto")
    streams.push({ name: "one", bytes: { done: 3 * megabyte, total: 3 * megabyte }, items: 30_000 })
    streams.push({ name: "two", bytes: undefined, items: 60_000 })
    vi.advanceTimersByTime(3000)
    progress.end()
    expect(screen.lines).toEqual([
      "one: 3 MB, 30k items in 3.0 s, 10k items/s",
      "two: 60k items in 3.0 s, 20k items/s",
      expect.stringMatching(/^90k items went through in 3\.0 s: 30k items per second, /),
      ""
    ])
  })

  it("is silent without a terminal, and when it is off", () => {
    for (const { progress, screen, streams } of [setUp("auto", false), setUp("off")]) {
      streams.push(stream("one", 1, 4))
      vi.advanceTimersByTime(60_000)
      progress.end()
      expect(screen.lines).toEqual([""])
    }
  })

  it("prints whole lines now and then when it is plain", () => {
    const { progress, screen, streams } = setUp("plain", false)
    streams.push(stream("one", 1, 4))
    vi.advanceTimersByTime(10_000)
    progress.end()
    vi.advanceTimersByTime(10_000)
    const line = "one, 1 B of 4 B, 25 %, 0 items/s"
    expect(screen.lines).toEqual([line, line, expect.stringMatching(/^1 items went through in 10\.0 s: 0 items per second, /), ""])
  })
})

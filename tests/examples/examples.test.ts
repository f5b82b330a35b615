import { spawnSync } from "node:child_process"
import { mkdirSync, readFileSync } from "node:fs"
import { describe, expect, it, vi } from "vitest"
import { StreamHost } from "rtfs-streams"

const data = "node_modules/vega-datasets/data"

/** What the comment at the head of an example says that it prints: the lines that are indented behind the mark. */
const promised = (source: string, mark: string): ReadonlyArray<string> => {
  const head = source.split("\n").slice(0, source.split("\n").findIndex((line) => !line.startsWith(mark)))
  return head.filter((line) => line.startsWith(`${mark}   `)).map((line) => line.slice(mark.length + 3)).filter((line) => !line.startsWith("npx "))
}

const runProgram = async (path: string): Promise<{ readonly source: string; readonly printed: ReadonlyArray<string> }> => {
  const source = readFileSync(path, "utf8")
  const printed: Array<string> = []
  await using host = await StreamHost.start({ policy: { read: [data], write: ["out"] }, print: (line) => printed.push(line) })
  await host.run(source)
  return { source, printed }
}

interface Flight {
  readonly delay: number
  readonly distance: number
}

describe("the examples", () => {
  mkdirSync("out", { recursive: true })

  it("01 prints what its head says, and that is what the file holds", async () => {
    const { printed, source } = await runProgram("examples/01-late-flights/late-flights.rtfs")
    expect(printed).toEqual(promised(source, ";;"))

    const flights = JSON.parse(readFileSync(`${data}/flights-200k.json`, "utf8")) as ReadonlyArray<Flight>
    const late = flights.filter(({ delay }) => delay > 60)
    const written = readFileSync("out/late-flights.ndjson", "utf8").trimEnd().split("\n").map((line) => JSON.parse(line) as Flight)
    expect(written.map(({ delay, distance }) => [delay, distance])).toEqual(late.map(({ delay, distance }) => [delay, distance]))
    const bands = printed.slice(1, -1).map((line) => line.match(/-?[\d.]+/g)!.map(Number))
    for (const [from, , count, mean, worst] of bands) {
      const band = flights.filter(({ distance }) => Math.floor(distance / 500) * 500 === from)
      const total = band.reduce((sum, { delay }) => sum + delay, 0)
      expect([count, worst]).toEqual([band.length, Math.max(...band.map(({ delay }) => delay))])
      expect(Math.abs(total / band.length - mean!)).toBeLessThanOrEqual(0.05)
    }
    expect(bands.reduce((sum, [, , count]) => sum + count!, 0)).toBe(flights.length)
  })

  it("02 prints what its head says", async () => {
    const path = "examples/02-late-flights-in-typescript/late-flights.ts"
    const printed: Array<string> = []
    const log = vi.spyOn(console, "log").mockImplementation((...parts: ReadonlyArray<unknown>) => void printed.push(parts.join(" ")))
    try {
      await import("../../examples/02-late-flights-in-typescript/late-flights.ts")
    } finally {
      log.mockRestore()
    }
    const words = (lines: ReadonlyArray<string>) => lines.map((line) => line.trim().split(/\s+/))
    expect(words(printed)).toEqual(words(promised(readFileSync(path, "utf8"), "//")))
  })

  it("03 prints what its head says", async () => {
    const { printed, source } = await runProgram("examples/03-bird-strikes/bird-strikes.rtfs")
    expect(printed.map((line) => line.trim())).toEqual(promised(source, ";;").map((line) => line.trim()))
  })

  it("05 prints what its head says", async () => {
    const { printed, source } = await runProgram("examples/05-watching/watching.rtfs")
    expect(printed).toEqual(promised(source, ";;"))
  })

  it("08 prints what its head says", async () => {
    const source = readFileSync("examples/08-queue/queue.rtfs", "utf8")
    const printed: Array<string> = []
    await using host = await StreamHost.start({ policy: { queue: ["*"] }, print: (line) => printed.push(line) })
    await host.run(source)
    expect(printed).toEqual(promised(source, ";;"))
  })

  it("04 prints what its head says, over two kills", () => {
    const path = "examples/04-survives-anything/survive.ts"
    const { status, stderr, stdout } = spawnSync(process.execPath, [path], { encoding: "utf8" })
    expect({ status, stderr, printed: stdout.trimEnd().split("\n") }).toEqual({
      status: 0,
      stderr: "",
      printed: promised(readFileSync(path, "utf8"), "//")
    })
  })

  it("06 prints what its head says", async () => {
    const printed: Array<string> = []
    const log = vi.spyOn(console, "log").mockImplementation((...parts: ReadonlyArray<unknown>) => void printed.push(parts.join(" ")))
    try {
      await import("../../examples/06-over-http/over-http.ts")
    } finally {
      log.mockRestore()
    }
    expect(printed).toEqual(promised(readFileSync("examples/06-over-http/over-http.ts", "utf8"), "//"))
  })

  it("07 prints what its head says", async () => {
    const printed: Array<string> = []
    const log = vi.spyOn(console, "log").mockImplementation((...parts: ReadonlyArray<unknown>) => void printed.push(parts.join(" ")))
    try {
      await import("../../examples/07-database/database.ts")
    } finally {
      log.mockRestore()
    }
    expect(printed).toEqual(promised(readFileSync("examples/07-database/database.ts", "utf8"), "//"))
  })

  it("09 prints what its head says", async () => {
    const printed: Array<string> = []
    const log = vi.spyOn(console, "log").mockImplementation((...parts: ReadonlyArray<unknown>) => void printed.push(parts.join(" ")))
    try {
      await import("../../examples/09-marketplace/marketplace.ts")
    } finally {
      log.mockRestore()
    }
    expect(printed).toEqual(promised(readFileSync("examples/09-marketplace/marketplace.ts", "utf8"), "//"))
  })

  it("none can do more than it says that it needs", async () => {
    await using host = await StreamHost.start({ policy: { read: [data] } })
    await expect(host.run(readFileSync("examples/01-late-flights/late-flights.rtfs", "utf8"))).rejects.toMatchObject({ _tag: "PermissionDenied" })
  })
})

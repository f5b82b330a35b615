import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Flow, type Handle, type ItemCounts, StreamHost } from "rtfs-streams"

let host: StreamHost
const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
beforeAll(async () => {
  host = await StreamHost.start({
    bindings: {
      // Item 4 fails, or hangs; the others take a turn of the event loop.
      fails: async (item: number) => (item === 4 ? Promise.reject(new Error("no 4")) : (await later(1), item)),
      hangs: async (item: number) => (item === 4 ? new Promise(() => {}) : (await later(1), item)),
      throws: (item: number) => {
        if (item === 4) throw new Error("no 4")
        return item
      }
    }
  })
})
afterAll(() => host.stop({ timeout: 100 }))

const items = "[1 2 3 4 5 6 7]"
const shapes: ReadonlyArray<readonly [string, (f: string) => string]> = [
  ["a callback", (f) => `(call :stream.from-collection ${items} {:on-chunk ${f}})`],
  ["one of several stages", (f) => `(call :stream.map (call :stream.map (call :stream.filter ${items} {:predicate pos?}) {:transform ${f}}) {:transform inc :on-chunk identity})`],
  ["a stage behind a buffer", (f) => `(call :stream.map ${items} {:transform ${f} :buffer-size 2 :on-chunk identity})`],
  ["a stage in front of a buffer", (f) => `(call :stream.map (call :stream.map ${items} {:transform ${f}}) {:transform inc :buffer-size 3 :on-chunk identity})`],
  ["several calls at once", (f) => `(call :stream.map (call :stream.map ${items} {:transform inc}) {:transform (fn [x] (do (${f} (dec x)) x)) :parallelism 3 :on-chunk identity})`]
]

/** How many items came out is what a report has to say of them. */
const reportOf = async (source: string, end: (handle: Handle) => Promise<unknown>): Promise<ItemCounts> => {
  const handle = (await host.eval(source)) as Handle
  await end(handle)
  return (handle as unknown as { report: () => ItemCounts }).report()
}
const failed = (handle: Handle) => handle.result.catch(() => {})
const cancelled = async (handle: Handle) => {
  await later(60)
  await handle.cancel()
}

describe("the report of a stream", () => {
  it.each(shapes)("does not count as processed what failed, or stands behind it: %s", async (_, shape) => {
    const expected = { accepted: 7, processed: 3, undrained: 4, skipped: 0, deadLettered: 0 }
    expect(await reportOf(shape("fails"), failed)).toMatchObject(expected)
    expect(await reportOf(shape("throws"), failed)).toMatchObject(expected)
  })

  it.each(shapes)("does not count as processed what was cancelled midway: %s", async (_, shape) => {
    expect(await reportOf(shape("hangs"), cancelled)).toMatchObject({ accepted: 7, processed: 3, undrained: 4 })
  })

  // The callback of the first shape is a sink of its own, which no option covers.
  it.each(shapes.slice(1))("counts all as processed at the normal end, skipped ones among them: %s", async (_, shape) => {
    const source = shape("throws").replaceAll("{:transform", "{:on-failure :skip :transform")
    expect(await reportOf(source, failed)).toMatchObject({ accepted: 7, processed: 7, undrained: 0, skipped: 1 })
  })

  it.each([
    ["drop-oldest", 2],
    ["drop-newest", 2]
  ] as const)("tells how many items a full buffer dropped: %s", async (overflow, bufferSize) => {
    const seen: Array<number> = []
    const flow = Flow.generate(0, (n) => (n < 500 ? ([n, n + 1] as const) : "done"))
    const report = await host.runFlow(flow.forEach((item) => void seen.push(item), { bufferSize, overflow }))
    expect(report).toMatchObject({ accepted: 500, processed: seen.length, undrained: 0, dropped: 500 - seen.length })
    expect(report.dropped).toBeGreaterThan(0)
  })
})

describe("a host that lives long", () => {
  it("forgets what has ended", async () => {
    for (let i = 0; i < 50; i++) {
      await ((await host.eval("(call :stream.from-collection [1] {:on-chunk identity})")) as Handle).result
      for await (const _ of host.stream(Flow.from([1, 2]))) break
    }
    await later(10)
    expect((host.inspect() as { streams: ReadonlyArray<unknown> }).streams).toEqual([])
  })

  it("keeps counts of all streams of a program, but only some of those that have ended", async () => {
    const report = await host.run("(dotimes [i 700] (call :stream.from-collection [1 2 3] {:on-chunk identity}))")
    expect(report).toMatchObject({ accepted: 2100, processed: 2100 })
    expect(report.streams.length).toBe(700)
  })

  it("lets no program have more than 10,000 streams at once", async () => {
    await expect(host.run("(dotimes [i 10001] (call :stream.create [1]))")).rejects.toThrow("one stream more than the 10000 of this program")
  })
})

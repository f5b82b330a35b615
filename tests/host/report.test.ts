import { afterEach, describe, expect, it } from "vitest"
import { type Handle, type ItemCounts, keyword, StreamHost } from "rtfs-streams"

const hosts: Array<StreamHost> = []
afterEach(async () => {
  await Promise.all(hosts.splice(0).map((host) => host.stop({ timeout: 1000 })))
})

const start = async (bindings: Readonly<Record<string, unknown>>) => {
  const host = await StreamHost.start({ bindings })
  hosts.push(host)
  return host
}

const total = ({ deadLettered, dropped, processed, undrained }: ItemCounts) => processed + undrained + deadLettered + dropped

describe("the report of a stream", () => {
  for (const overflow of ["drop-oldest", "drop-newest"]) {
    it(`counts what a full buffer dropped by itself (${overflow})`, async () => {
      const seen: Array<unknown> = []
      const slow = async (item: number) => {
        await new Promise((resolve) => setTimeout(resolve, 1))
        seen.push(item)
      }
      const host = await start({ items: Array.from({ length: 5000 }, (_, index) => index), slow })
      const report = await host.run(
        `(let [h (call :stream.for-each items {:callback slow :buffer-size 10 :overflow :${overflow}})] (call :stream.await h) (call :stream.status h))`
      )
      expect(report).toMatchObject({ accepted: 5000, processed: seen.length, dropped: 5000 - seen.length, undrained: 0 })
      expect(report.dropped).toBeGreaterThan(0)
      expect(report.value).toMatchObject({ state: keyword("completed"), processed: seen.length, dropped: 5000 - seen.length })
      expect(report.streams[0]).toMatchObject({ dropped: report.dropped })
    })
  }

  it("does not count an item as left that was skipped or put aside where it left its actor", async () => {
    const items = [1, 2, 3, 4]
    const host = await start({ items, f: (x: number) => (x === 2 ? () => x : x) })
    const report = await host.run(
      "(call :stream.for-each (call :stream.map items {:transform f :on-failure :skip}) {:callback (fn [x] x) :buffer-size 10})"
    )
    expect(report).toMatchObject({ accepted: 4, processed: 4, skipped: 1, undrained: 0 })
  })

  it("adds up while the stream runs, and after it was cancelled", async () => {
    let held: (() => void) | undefined
    const host = await start({
      items: Array.from({ length: 3000 }, (_, index) => index),
      f: (x: number) => (x === 1000 ? new Promise<void>((resolve) => (held = resolve)) : x)
    })
    const handle = (await host.eval(
      "(call :stream.for-each (call :stream.map items {:transform (fn [x] x)}) {:callback f :buffer-size 100})"
    )) as Handle & { report: () => ItemCounts }
    while (held === undefined) await new Promise((resolve) => setTimeout(resolve, 1))
    await new Promise((resolve) => setTimeout(resolve, 20))
    const running = handle.report()
    expect(running).toMatchObject({ processed: 1000, accepted: total(running), dropped: 0 })
    await handle.cancel()
    const over = handle.report()
    expect(over).toMatchObject({ processed: 1000, accepted: total(over) })
  })
})

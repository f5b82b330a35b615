import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Flow, StreamHost } from "rtfs-streams"
import { settle } from "../tests/host/steps.ts"

const numRuns = Number(process.env["FC_RUNS"] ?? 100)
const timeout = 30_000 + numRuns * 50

const levels = fc
  .integer({ min: 1, max: 12 })
  .chain((bufferSize) =>
    fc
      .integer({ min: 1, max: bufferSize })
      .chain((highWaterMark) =>
        fc.integer({ min: 0, max: highWaterMark - 1 }).map((lowWaterMark) => ({ bufferSize, highWaterMark, lowWaterMark }))
      )
  )

describe("Demand", () => {
  it(
    "BP-6: a producer is ahead by the high mark at most, makes nothing on the way down to the low one, and tells each crossing once",
    () =>
      fc.assert(
        fc.asyncProperty(levels, fc.nat(60), fc.boolean(), async (marks, items, isAsynchronous) => {
          await using host = await StreamHost.start()
          const events: Array<string> = []
          let made = 0
          let done = 0
          let isPaused = false
          const make = (n: number) => {
            if (n >= items) return "done" as const
            // What is in work counts until it is done.
            expect(isPaused).toBe(false)
            expect(++made - done).toBeLessThanOrEqual(marks.highWaterMark)
            return [n, n + 1] as const
          }
          const source = Flow.producer(0, isAsynchronous ? async (n: number) => make(n) : make, {
            ...marks,
            onBackpressure: () => {
              events.push("paused")
              isPaused = true
            },
            onResumed: () => {
              events.push("resumed")
              isPaused = false
              expect(made - done).toBeLessThanOrEqual(marks.lowWaterMark)
            }
          })
          const seen: Array<number> = []
          const report = await host.runFlow(
            source.forEach(async (n) => {
              if (n % 7 === 0) await settle()
              seen.push(n)
              done++
            })
          )
          expect(report).toMatchObject({ accepted: items, processed: items, undrained: 0 })
          expect(seen).toEqual(Array.from({ length: items }, (_, n) => n))
          expect(events).toEqual(events.map((_, index) => (index % 2 === 0 ? "paused" : "resumed")))
          if (items >= marks.highWaterMark && marks.highWaterMark > 1) expect(events[0]).toBe("paused")
        }),
        { numRuns }
      ),
    timeout
  )

  it(
    "BP-7: a producer takes exactly the levels with 0 ≤ low < high ≤ size",
    () =>
      fc.assert(
        fc.property(
          fc.integer({ min: -1, max: 5 }),
          fc.integer({ min: -1, max: 5 }),
          fc.integer({ min: -1, max: 5 }),
          (low, high, size) => {
            const make = () => Flow.producer(0, () => "done" as const, { bufferSize: size, highWaterMark: high, lowWaterMark: low })
            if (0 <= low && low < high && high <= size) make()
            else expect(make).toThrow(/:(low-water-mark|high-water-mark|buffer-size)/)
          }
        ),
        { numRuns: numRuns * 5 }
      ),
    timeout
  )

  it(
    "BP-6: a consumer holds its buffer at most, gets every item in order, and says that it is full only when it is",
    () =>
      fc.assert(
        fc.asyncProperty(fc.integer({ min: 1, max: 20 }), fc.nat(80), async (bufferSize, items) => {
          await using host = await StreamHost.start()
          const seen: Array<number> = []
          let made = 0
          let most = 0
          const mailbox = () =>
            (
              host.inspect() as { streams: ReadonlyArray<{ actors: ReadonlyArray<{ mailbox?: { items: number } }> }> }
            ).streams[0]!.actors.at(-1)!.mailbox!
          const source = Flow.generate(0, (n) => (n < items ? ([n, (made = n + 1)] as const) : "done"))
          let full = 0
          const report = await host.runFlow(
            source.consume(
              async (n) => {
                if (n % 5 === 0) await settle()
                most = Math.max(most, mailbox().items)
                seen.push(n)
              },
              { bufferSize, onBufferFull: () => void full++ }
            )
          )
          expect(report).toMatchObject({ value: items, processed: items })
          expect(seen).toEqual(Array.from({ length: items }, (_, n) => n))
          expect(most).toBeLessThanOrEqual(bufferSize)
          expect(made).toBe(items)
          // From full to half takes so many items; the last time may not be told any more.
          expect(full).toBeLessThanOrEqual(1 + items / Math.ceil(bufferSize / 2))
          if (items > bufferSize) expect(full).toBeGreaterThan(0)
        }),
        { numRuns }
      ),
    timeout
  )
})

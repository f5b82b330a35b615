import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { describe, expect } from "vitest"
import { StreamHost } from "rtfs-streams/effect"
import { gate, settle as settled } from "./steps.ts"

const settle = Effect.promise(settled)

describe(":stream.with-metrics", () => {
  it.effect("reports what its part did at each interval, and once more at the end", () => {
    const step = gate()
    const reports: Array<any> = []
    const layer = StreamHost.layer({
      bindings: { work: () => step.wait(), report: (report: unknown) => void reports.push(report) }
    })
    return Effect.gen(function* () {
      const host = yield* StreamHost
      const run = yield* Effect.forkChild(
        host.run(`(call :stream.consumer
                    {:source (call :stream.with-metrics (call :stream.map (range 100) {:transform (fn [x] (/ 100 x)) :on-failure :skip :buffer-size 10})
                               {:metrics-name "work" :interval 1000 :on-metrics (fn [m] (report m))})
                     :processor (fn [x] (work x)) :buffer-size 4})`)
      )
      yield* settle
      yield* TestClock.adjust(1000)
      yield* settle
      expect(reports).toHaveLength(1)
      const [first] = reports
      expect(first).toMatchObject({ "metrics-name": "work", node: "with-metrics", interval: 1000, final: false, "skipped-reports": 0 })
      expect(first.throughput.in).toBeGreaterThan(4)
      expect(first.throughput["out-per-second"]).toBe(first.throughput.out)
      expect(first.errors).toMatchObject({ failed: 1, skipped: 1, "dead-lettered": 0, dropped: 0, restarts: 0 })
      expect(first.backpressure.oldest).toBe(1000)
      expect(first.backpressure.busy + first.backpressure.blocked + first.backpressure.idle).toBeCloseTo(1)
      // The consumer is not above it.
      expect(first.actors.map(({ actor }: any) => actor)).toEqual(["/pipelines/program-1/from-collection", "/pipelines/program-1/map"])
      yield* TestClock.adjust(1000)
      yield* settle
      expect(reports[1].throughput).toMatchObject({ out: first.throughput.out, "out-per-second": 0 })
      step.open()
      yield* Fiber.join(run)
      expect(reports).toHaveLength(3)
      expect(reports[2]).toMatchObject({ final: true, throughput: { in: 100, out: 99 }, errors: { failed: 1, skipped: 1 } })
      // Frames waited for two seconds of the clock.
      expect(reports[2].latency.max).toBeGreaterThan(1990)
      expect(reports[2].latency.max).toBeLessThan(2010)
      expect(reports[2].latency.frames).toBeGreaterThan(0)
    }).pipe(Effect.provide(layer))
  })

  it.effect("keeps the latest report for one who is behind, counts the others, and holds up nothing", () => {
    const step = gate()
    const reports: Array<any> = []
    let items = 0
    const layer = StreamHost.layer({
      bindings: {
        next: (n: unknown) => new Promise((resolve) => setImmediate(() => resolve((n as number) < 2000 ? [n, (n as number) + 1] : null))),
        seen: () => void items++,
        report: (report: unknown) => {
          reports.push(report)
          return step.wait()
        }
      }
    })
    return Effect.gen(function* () {
      const host = yield* StreamHost
      const run = yield* Effect.forkChild(
        host.run(`(call :stream.for-each
                    (call :stream.with-metrics (call :stream.generate {:generator (fn [n] (or (next n) :done)) :initial-state 0})
                      {:interval 100 :on-metrics (fn [m] (report m))})
                    {:callback (fn [x] (seen))})`)
      )
      for (let n = 0; n < 5; n++) {
        yield* TestClock.adjust(100)
        yield* settle
      }
      expect(reports).toHaveLength(1)
      expect(items).toBeGreaterThan(10)
      yield* Effect.promise(() => step.pass())
      expect(reports).toHaveLength(2)
      expect(reports[1]).toMatchObject({ "skipped-reports": 3 })
      step.open()
      yield* Fiber.join(run)
      expect(reports.at(-1)).toMatchObject({ final: true, throughput: { in: 2000, out: 2000 }, latency: null })
    }).pipe(Effect.provide(layer))
  })

  it.effect("waits for the last report for a moment only, and goes on when a report is not taken well", () => {
    const log: Array<string> = []
    const layer = StreamHost.layer({ log: (line) => log.push(line), bindings: { hang: () => new Promise(() => {}) } })
    return Effect.gen(function* () {
      const host = yield* StreamHost
      const hanging = yield* Effect.forkChild(
        host.run("(call :stream.for-each (call :stream.with-metrics [1] {:on-metrics (fn [m] (hang))}) {:callback inc})")
      )
      yield* settle
      yield* TestClock.adjust(750)
      yield* Fiber.join(hanging)
      const report = yield* host.run(
        '(call :stream.for-each (call :stream.with-metrics [1] {:on-metrics (fn [m] (throw "no"))}) {:callback inc})'
      )
      expect(report).toMatchObject({ processed: 1 })
      expect(log).toEqual([expect.stringContaining("The :on-metrics of with-metrics")])
    }).pipe(Effect.provide(layer))
  })

  it.effect("collects what it is told to, and knows nothing else", () =>
    Effect.gen(function* () {
      const host = yield* StreamHost
      const program = (collect: string) => `(call :stream.for-each (call :stream.with-metrics [1 2] {:collect ${collect}}) {:callback inc})`
      yield* host.run(program("{:latency false :errors false}"))
      const refused = yield* Effect.flip(host.run(program("{:latencies true}")))
      expect(String(refused.message)).toContain("did you mean :latency?")
    }).pipe(Effect.provide(StreamHost.layer()))
  )
})

import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { describe, expect } from "vitest"
import { Flow, StreamHost } from "rtfs-streams/effect"
import type { AsyncSourceSpec } from "../../../src/actors/index.ts"
import { asStream, decodeCall } from "../../../src/capabilities/index.ts"
import { periodic } from "../../../src/capabilities/sources/periodic.ts"
import { decodeValue, encodeValue } from "../../../src/serialization/index.ts"
import { pass, settle } from "../timedHost.ts"

const layer = StreamHost.layer({ print: () => {}, log: () => {} })

describe("stream.periodic", () => {
  it.effect("ticks at a fixed rate from its start, and ends after :max-ticks", () =>
    Effect.gen(function* () {
      const host = yield* StreamHost
      const fiber = yield* Effect.forkChild(host.runFlow(Flow.periodic(1000, (time, missed) => ({ time, missed }), { maxTicks: 3 })))
      yield* pass(3000, 250)
      expect((yield* Fiber.join(fiber)).value).toEqual([
        { time: 1000, missed: 0 },
        { time: 2000, missed: 0 },
        { time: 3000, missed: 0 }
      ])
    }).pipe(Effect.provide(layer))
  )

  it.effect("makes one tick of those that were missed, and goes on at its rate", () =>
    Effect.gen(function* () {
      const host = yield* StreamHost
      const ticks: Array<unknown> = []
      const spawned = yield* host
        .spawn("(call :stream.periodic {:interval 100 :generator (fn [time missed] [time missed]) :on-value note})", { name: "beats" })
        .pipe(
          Effect.flip,
          Effect.map(({ message }) => message)
        )
      // `note` is not bound: nothing of it started.
      expect(spawned).toContain("note")
      let release = () => {}
      yield* Effect.forkChild(
        host.runFlow(
          Flow.periodic(100, (time, missed) => [time, missed] as const).forEach(
            (tick) => {
              ticks.push(tick)
              return tick[0] === 100 ? new Promise<void>((resolve) => (release = resolve)) : undefined
            },
            { bufferSize: 1 }
          )
        )
      )
      yield* pass(1050, 10)
      const before = ticks.length
      expect(before).toBe(1)
      release()
      yield* pass(200, 10)
      const times = ticks as ReadonlyArray<readonly [number, number]>
      // No two ticks have the same time, each stands on the rate, and ticks given and missed are all there were.
      expect(times.every(([time]) => time % 100 === 0)).toBe(true)
      const last = times.at(-1)![0]
      expect(last).toBeGreaterThanOrEqual(1200)
      expect(times.length + times.reduce((sum, [, missed]) => sum + missed, 0)).toBe(last / 100)
      expect(Math.max(...times.map(([, missed]) => missed))).toBeGreaterThan(3)
    }).pipe(Effect.provide(layer))
  )

  it.effect("takes a pause for missed ticks, and awaits an asynchronous generator", () =>
    Effect.gen(function* () {
      const notes: Array<unknown> = []
      yield* Effect.gen(function* () {
        const host = yield* StreamHost
        yield* Effect.forkChild(
          host.run(`
            (let [beats (call :stream.periodic {:interval 100 :generator (fn [time missed] (later time missed)) :on-value note})]
              (call :ccos.thread.sleep 250)
              (call :stream.pause beats)
              (call :ccos.thread.sleep 400)
              (call :stream.resume beats)
              (call :ccos.thread.sleep 200)
              (call :stream.cancel beats))`)
        )
        yield* pass(1000, 10)
      }).pipe(
        Effect.provide(
          StreamHost.layer({
            policy: { all: true },
            bindings: { note: (value: unknown) => void notes.push(value), later: async (time: number, missed: number) => [time, missed] }
          })
        )
      )
      expect(notes).toEqual([
        [100, 0],
        [200, 0],
        [600, 3],
        [700, 0],
        [800, 0]
      ])
    })
  )

  it.effect("CP-1: keeps its ticks when it goes on from a position: those since then are missed", () =>
    Effect.scoped(
      Effect.gen(function*() {
        yield* TestClock.setTime(5500)
        const { value } = decodeCall(periodic, [{ interval: 1000, generator: (time: number, missed: number) => [time, missed], "max-ticks": 3 }], asStream)
        const [spec] = value.capability.node(value.options, { single: false }) as [AsyncSourceSpec]
        const source = yield* spec.open({ address: "/test", services: {} as never, position: decodeValue(encodeValue({ last: 1000, given: 2 })) })
        expect(yield* source.read).toEqual({ items: [[5000, 3]] })
        expect(source.position()).toEqual({ last: 5000, given: 3 })
        expect(yield* source.read).toBe(null)
      })
    ))

  it.effect("goes on after one interval when the clock is set back", () =>
    Effect.gen(function* () {
      const host = yield* StreamHost
      const times: Array<number> = []
      let give = (_: number) => {}
      const later = (time: number) => (times.length === 0 ? new Promise<number>((resolve) => (give = resolve)) : time)
      yield* Effect.forkChild(host.runFlow(Flow.periodic(1000, later).forEach((time) => times.push(time))))
      yield* pass(1000)
      yield* TestClock.setTime(200)
      give(1000)
      yield* pass(999)
      expect(times).toEqual([1000])
      yield* pass(1)
      expect(times).toEqual([1000, 1200])
    }).pipe(Effect.provide(layer))
  )

  it.effect("fails with what its generator throws, and lets it be asked again where it is restarted", () =>
    Effect.gen(function* () {
      const host = yield* StreamHost
      const fiber = yield* Effect.forkChild(Effect.flip(host.runFlow(Flow.periodic(10, () => Promise.reject(new Error("no clock"))))))
      yield* pass(20)
      const error = yield* Fiber.join(fiber)
      expect(error.message).toContain("no clock")
      yield* settle
    }).pipe(Effect.provide(layer))
  )
})

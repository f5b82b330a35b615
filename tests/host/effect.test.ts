import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { describe, expect } from "vitest"
import { Flow, fromStream, StreamHost } from "rtfs-streams/effect"

const layer = StreamHost.layer()

describe("rtfs-streams/effect", () => {
  it.effect("evaluates and runs programs as effects", () =>
    Effect.gen(function*() {
      const host = yield* StreamHost
      expect(yield* host.eval("(+ 1 2)")).toBe(3)
      expect((yield* host.run("(call :stream.map [1 2] {:transform inc})")).value).toEqual([2, 3])
      const failure = yield* Effect.flip(host.run('(throw "no")'))
      expect(failure._tag).toBe("HostFailure")
    }).pipe(Effect.provide(layer)))

  it.effect("bridges to and from Effect's streams", () =>
    Effect.gen(function*() {
      const host = yield* StreamHost
      const flow = fromStream(Stream.range(1, 5)).map((n) => n * 10)
      expect(yield* Stream.runCollect(host.stream(flow))).toEqual([10, 20, 30, 40, 50])
      expect(yield* Stream.runCollect(Stream.take(host.stream(Flow.generate(0, (n) => [n, n + 1] as const)), 3))).toEqual([0, 1, 2])
    }).pipe(Effect.provide(layer)))

  it.effect("lives by the clock it is given: an incomplete batch leaves after its timeout, in virtual time", () =>
    Effect.gen(function*() {
      const host = yield* StreamHost
      const batches: Array<ReadonlyArray<number>> = []
      let pushed = (_: number) => {}
      const queue: Array<number> = [1, 2]
      const items: AsyncIterable<number> = {
        [Symbol.asyncIterator]: () => ({
          next: () =>
            queue.length > 0
              ? Promise.resolve({ done: false, value: queue.shift()! })
              : new Promise((resolve) => {
                pushed = (value) => resolve({ done: false, value })
              })
        })
      }
      const fiber = yield* Effect.forkChild(host.runFlow(Flow.from(items).batch(10, { timeout: 5000 }).forEach((batch) => batches.push(batch))))
      const settle = Effect.promise(() => new Promise((resolve) => setImmediate(resolve))).pipe(Effect.repeat({ times: 20 }))
      yield* settle
      yield* TestClock.adjust(4999)
      yield* settle
      expect(batches).toEqual([])
      yield* TestClock.adjust(2)
      yield* settle
      expect(batches).toEqual([[1, 2]])
      pushed(3)
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(layer)))

  it.effect("cancels a program when its effect is interrupted", () =>
    Effect.gen(function*() {
      const host = yield* StreamHost
      const fiber = yield* Effect.forkChild(host.run("(call :stream.for-each (call :stream.generate {:generator (fn [n] [n n]) :initial-state 0}) {:callback inc})"))
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      yield* Fiber.interrupt(fiber)
      const { streams } = (yield* host.inspect) as { readonly streams: ReadonlyArray<{ readonly status: string }> }
      expect(streams.every(({ status }) => status === "cancelled")).toBe(true)
    }).pipe(Effect.provide(layer)))

  it.effect("cancels a program that had not begun when its effect was interrupted", () =>
    Effect.gen(function* () {
      const host = yield* StreamHost
      const fiber = yield* Effect.forkChild(
        host.run("(call :stream.for-each (call :stream.generate {:generator (fn [n] [n n]) :initial-state 0}) {:callback inc})"),
        { startImmediately: true }
      )
      yield* Fiber.interrupt(fiber)
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      const { streams } = (yield* host.inspect) as { readonly streams: ReadonlyArray<{ readonly status: string }> }
      expect(streams.every(({ status }) => status === "cancelled")).toBe(true)
    }).pipe(Effect.provide(layer))
  )
})

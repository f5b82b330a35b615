import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { describe, expect, it } from "vitest"
import { Flow, StreamHost } from "rtfs-streams/effect"

// Items come when a test says so, and time goes by when it says so.

interface Feed<Item> {
  readonly items: AsyncIterable<Item>
  readonly push: (item: Item) => Effect.Effect<void>
}

const makeFeed = <Item>(): Feed<Item> => {
  const queue: Array<Item> = []
  let wake = () => {}
  const items: AsyncIterable<Item> = {
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        while (queue.length === 0) await new Promise<void>((resolve) => (wake = resolve))
        return { done: false, value: queue.shift()! }
      }
    })
  }
  const push = (item: Item) =>
    Effect.andThen(
      Effect.sync(() => {
        queue.push(item)
        wake()
      }),
      settle
    )
  return { items, push }
}

const settle = Effect.promise(() => new Promise((resolve) => setImmediate(resolve))).pipe(Effect.repeat({ times: 20 }))

const later = <Value>() => {
  let settleWith: { readonly resolve: (value: Value) => void; readonly reject: (error: Error) => void }
  const promise = new Promise<Value>((resolve, reject) => (settleWith = { resolve, reject }))
  return { promise, resolve: (value: Value) => settleWith.resolve(value), reject: (error: Error) => settleWith.reject(error) }
}

const test = (name: string, body: Effect.Effect<void, unknown, StreamHost>) =>
  it(name, () => body.pipe(Effect.provide(StreamHost.layer()), Effect.provide(TestClock.layer()), Effect.runPromise))

describe("stream.with-cache", () => {
  test(
    "gives a value for as long as its time, by the host's clock",
    Effect.gen(function* () {
      const host = yield* StreamHost
      const feed = makeFeed<string>()
      let computed = 0
      const told: Array<string> = []
      const flow = Flow.from(feed.items).cached((item) => `${item}${++computed}`, {
        ttl: 1000,
        onHit: (value) => told.push(`hit ${value}`),
        onMiss: (item) => told.push(`miss ${item}`)
      })
      const fiber = yield* Effect.forkChild(host.runFlow(flow.forEach((value) => told.push(value))))
      yield* settle
      yield* feed.push("a")
      yield* TestClock.adjust(999)
      yield* feed.push("a")
      yield* TestClock.adjust(1)
      yield* feed.push("a")
      expect(told).toEqual(["miss a", "a1", "hit a1", "a1", "miss a", "a2"])
      yield* Fiber.interrupt(fiber)
    })
  )

  test(
    "gives an old value while the new one is computed, and when that fails, until it is too old",
    Effect.gen(function* () {
      const host = yield* StreamHost
      const feed = makeFeed<string>()
      const calls: Array<ReturnType<typeof later<string>>> = []
      const out: Array<string> = []
      const compute = () => {
        const call = later<string>()
        calls.push(call)
        return call.promise
      }
      const flow = Flow.from(feed.items).cached(compute, { ttl: 1000, serveStale: 500 })
      const fiber = yield* Effect.forkChild(host.runFlow(flow.forEach((value) => out.push(value))))
      yield* settle
      yield* feed.push("a")
      calls[0]!.resolve("first")
      yield* settle
      yield* TestClock.adjust(1000)
      // One refresh, however many ask meanwhile.
      yield* feed.push("a")
      yield* feed.push("a")
      expect([out, calls.length]).toEqual([["first", "first", "first"], 2])
      calls[1]!.reject(new Error("not now"))
      yield* settle
      yield* feed.push("a")
      expect([out.length, calls.length]).toEqual([4, 3])
      calls[2]!.resolve("second")
      yield* settle
      yield* feed.push("a")
      expect(out).toEqual(["first", "first", "first", "first", "second"])
      yield* TestClock.adjust(1500)
      yield* feed.push("a")
      expect([out.length, calls.length]).toEqual([5, 4])
      yield* Fiber.interrupt(fiber)
    })
  )

  test(
    "keeps a failure only if told to, and gives it again for its time",
    Effect.gen(function* () {
      const host = yield* StreamHost
      for (const [negativeTtl, calls] of [
        [0, 3],
        [1000, 1]
      ] as const) {
        let computed = 0
        const flow = Flow.from(["a", "a", "a"]).cached(
          () => {
            computed++
            throw new Error("no")
          },
          { negativeTtl, onFailure: "skip" }
        )
        const { skipped } = yield* host.runFlow(flow)
        expect([skipped, computed]).toEqual([3, calls])
      }
    })
  )

  test(
    "lets all who ask for a key meanwhile wait for one computation, each of them a miss",
    Effect.gen(function* () {
      const host = yield* StreamHost
      const call = later<string>()
      let computed = 0
      const misses: Array<number> = []
      const flow = Flow.from([1, 2, 3]).cached(
        () => {
          computed++
          return call.promise
        },
        { key: () => "one", parallelism: 3, onMiss: (item) => misses.push(item) }
      )
      const fiber = yield* Effect.forkChild(host.runFlow(flow))
      yield* settle
      expect([computed, misses]).toEqual([1, [1, 2, 3]])
      call.resolve("value")
      expect((yield* Fiber.join(fiber)).value).toEqual(["value", "value", "value"])
      expect(computed).toBe(1)
    })
  )

  test(
    "gives a value that it can't keep, and computes it again",
    Effect.gen(function* () {
      const host = yield* StreamHost
      let computed = 0
      const flow = Flow.from([1, 1]).cached(() => "x".repeat(100 + computed++), { maxBytes: 50 })
      expect((yield* host.runFlow(flow)).value).toHaveLength(2)
      expect(computed).toBe(2)
    })
  )
})

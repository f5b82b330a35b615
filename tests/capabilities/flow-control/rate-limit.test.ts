import { it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { describe, expect } from "vitest"
import { Flow, StreamHost } from "rtfs-streams/effect"
import { pass, Pushed, settle } from "../timedHost.ts"

const layer = StreamHost.layer({ print: () => {}, log: () => {} })

describe("stream.rate-limit in a host", () => {
  it.effect("RL-1, RL-2: lets the burst through at once, then one item for each token, in order", () =>
    Effect.gen(function* () {
      const host = yield* StreamHost
      const clock = yield* Clock.Clock
      const left: Array<readonly [number, number]> = []
      const flow = Flow.from([0, 1, 2, 3, 4]).rateLimit(10, { burst: 2 })
      const fiber = yield* Effect.forkChild(host.runFlow(flow.forEach((item) => left.push([item, clock.currentTimeMillisUnsafe()]))))
      yield* pass(1000, 20)
      yield* Fiber.join(fiber)
      expect(left).toEqual([
        [0, 0],
        [1, 0],
        [2, 100],
        [3, 200],
        [4, 300]
      ])
    }).pipe(Effect.provide(layer))
  )

  it.effect("is one limit for all streams of the host that name it", () =>
    Effect.gen(function* () {
      const host = yield* StreamHost
      const left: Array<string> = []
      const flow = (name: string) =>
        Flow.from([1, 2])
          .rateLimit(1, { burst: 1, name: "api" })
          .forEach((item) => left.push(`${name}${item}`))
      const fibers = [yield* Effect.forkChild(host.runFlow(flow("a"))), yield* Effect.forkChild(host.runFlow(flow("b")))]
      yield* settle
      expect(left).toHaveLength(1)
      yield* pass(1000, 100)
      expect(left).toHaveLength(2)
      yield* pass(2000, 100)
      yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber))
      expect(left.toSorted()).toEqual(["a1", "a2", "b1", "b2"])
      const other = yield* Effect.flip(host.runFlow(Flow.from([1]).rateLimit(5, { burst: 1, name: "api" })))
      expect(other.message).toContain('shares the limit "api", which was given :rate 1 :burst 1 first and :rate 5 :burst 1 here')
    }).pipe(Effect.provide(layer))
  )

  it.effect("enforces: an item that comes too soon fails, or is skipped and counted", () =>
    Effect.gen(function* () {
      const host = yield* StreamHost
      const enforced = (onFailure: "fail" | "skip") => Flow.from([1, 2, 3]).rateLimit(1, { burst: 2, mode: "enforce", onFailure })
      const error = yield* Effect.flip(host.runFlow(enforced("fail")))
      expect(error.cause).toMatchObject({ _tag: "ActorFailure", item: 3 })
      expect(error.message).toContain("got an item 1000 ms sooner than the limit of :rate 1 :burst 2 allows")
      expect(yield* host.runFlow(enforced("skip"))).toMatchObject({ value: [1, 2], skipped: 1 })
    }).pipe(Effect.provide(layer))
  )

  it.effect("refuses a cost that is none, and keeps its hands off stages that keep time", () =>
    Effect.gen(function* () {
      const host = yield* StreamHost
      const error = yield* Effect.flip(host.runFlow(Flow.from([1]).rateLimit(1, { cost: () => -1 })))
      expect(error.message).toContain("expects :cost to give a number of tokens, 0 or more")
      const { pipelines } = yield* host.explain(
        "(call :stream.window (call :stream.rate-limit [1] {:rate 5}) {:duration 10 :on-window identity})"
      )
      expect(pipelines[0]!.boundaries.map(({ reason }) => reason)).toEqual(["window keeps time while rate-limit may wait"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("counts the time of a delay as blocked, and says how many items had to wait", () =>
    Effect.gen(function* () {
      const host = yield* StreamHost
      const fiber = yield* Effect.forkChild(
        host.runFlow(
          Flow.from([1, 2, 3])
            .rateLimit(10, { burst: 1 })
            .forEach(() => {})
        )
      )
      yield* settle
      const { streams } = (yield* host.inspect) as { readonly streams: ReadonlyArray<any> }
      const { stages, timeShares } = streams[0].actors[0]
      expect(timeShares.blocked).toBeGreaterThan(0)
      expect(stages.find(({ capability }: any) => capability === "stream.rate-limit").counters).toEqual({ delayed: 1, "delayed-ms": 100 })
      yield* pass(200, 50)
      yield* Fiber.join(fiber)
    }).pipe(Effect.provide(layer))
  )

  it.effect("is not taken for silence of the source by a window after it", () =>
    Effect.gen(function* () {
      const host = yield* StreamHost
      const windows: Array<ReadonlyArray<number>> = []
      const late: Array<number> = []
      const items = new Pushed<number>()
      items.push(0, 1, 2, 3)
      // Items come once a second, and time would go on with the clock after 300 ms.
      const flow = Flow.from(items)
        .rateLimit(1, { burst: 1 })
        .window(2, { timestamp: (at) => at, idleTimeout: 300, onLate: (at) => late.push(at) })
      yield* Effect.forkChild(host.runFlow(flow.forEach((window) => windows.push(window.items))))
      yield* pass(3100, 50)
      expect(late).toEqual([])
      expect(windows).toEqual([[0, 1]])
      yield* pass(300, 50)
      expect(windows).toEqual([
        [0, 1],
        [2, 3]
      ])
    }).pipe(Effect.provide(layer))
  )

  it.effect("keeps no host from ending while an item waits", () =>
    Effect.gen(function* () {
      const items = new Pushed<number>()
      items.push(1, 2)
      yield* Effect.gen(function* () {
        const host = yield* StreamHost
        yield* Effect.forkChild(host.runFlow(Flow.from(items).rateLimit(0.001)))
        yield* settle
      }).pipe(Effect.provide(layer))
    })
  )
})

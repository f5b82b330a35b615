import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { describe, expect } from "vitest"
import { Flow, StreamHost } from "rtfs-streams/effect"
import { pass, Pushed, settle } from "../timedHost.ts"

const layer = StreamHost.layer({ print: () => {}, log: () => {} })

interface Reading {
  readonly id: number
  readonly at?: number
}

const ids = (items: ReadonlyArray<Reading>) => items.map(({ id }) => id)

describe("stream.window in a host", () => {
  it.effect("ends a window when its time is over, and not with the next item; the last one is partial", () =>
    Effect.gen(function* () {
      const host = yield* StreamHost
      const items = new Pushed<Reading>()
      const windows: Array<unknown> = []
      const fiber = yield* Effect.forkChild(
        host.runFlow(
          Flow.from(items)
            .window(5000)
            .forEach((window) => windows.push({ ...window, items: ids(window.items) }))
        )
      )
      yield* pass(1000)
      items.push({ id: 1 }, { id: 2 })
      yield* pass(3999)
      expect(windows).toEqual([])
      yield* pass(1)
      expect(windows).toEqual([{ start: 0, end: 5000, items: [1, 2], partial: false, revision: 0 }])
      // The windows from 5 to 15 s are empty.
      yield* pass(11_000, 1000)
      items.push({ id: 3 })
      yield* settle
      items.end()
      yield* Fiber.join(fiber)
      expect(windows.slice(1)).toEqual([{ start: 15_000, end: 20_000, items: [3], partial: true, revision: 0 }])
    }).pipe(Effect.provide(layer))
  )

  it.effect("hands items that are too late to :on-late, and counts them", () =>
    Effect.gen(function* () {
      const host = yield* StreamHost
      const items = new Pushed<Reading>()
      const late: Array<unknown> = []
      const windows: Array<ReadonlyArray<number>> = []
      const flow = Flow.from(items).window(10, {
        timestamp: async (item) => item.at!,
        maxDelay: 5,
        onLate: async (item, place) => late.push([item.id, place])
      })
      const fiber = yield* Effect.forkChild(host.runFlow(flow.forEach((window) => windows.push(ids(window.items)))))
      items.push({ id: 1, at: 3 }, { id: 2, at: 14 }, { id: 3, at: 4 }, { id: 4, at: 15 }, { id: 5, at: 9 })
      yield* settle
      expect(windows).toEqual([[1, 3]])
      expect(late).toEqual([[5, { timestamp: 9, watermark: 9 }]])
      const { streams } = (yield* host.inspect) as { readonly streams: ReadonlyArray<any> }
      const counters = streams[0].actors
        .flatMap((actor: any) => actor.stages)
        .find(({ capability }: any) => capability === "stream.window").counters
      expect(counters).toMatchObject({ windows: 1, late: 1, open: 1, items: 2 })
      items.end()
      yield* Fiber.join(fiber)
      expect(windows).toEqual([
        [1, 3],
        [2, 4]
      ])
    }).pipe(Effect.provide(layer))
  )

  it.effect("goes on by the clock when the source is silent for the idle timeout", () =>
    Effect.gen(function* () {
      const host = yield* StreamHost
      const items = new Pushed<Reading>()
      const windows: Array<ReadonlyArray<number>> = []
      const flow = Flow.from(items).window(1000, { timestamp: (item) => item.at!, idleTimeout: 2000 })
      yield* Effect.forkChild(host.runFlow(flow.forEach((window) => windows.push(ids(window.items)))))
      items.push({ id: 1, at: 500 })
      yield* pass(1999)
      expect(windows).toEqual([])
      yield* pass(1)
      expect(windows).toEqual([[1]])
    }).pipe(Effect.provide(layer))
  )

  it.effect("takes a time in which it was blocked for no silence", () =>
    Effect.gen(function* () {
      const host = yield* StreamHost
      const items = new Pushed<Reading>()
      const windows: Array<ReadonlyArray<number>> = []
      let release = () => {}
      const flow = Flow.from(items).window(10, { timestamp: (item) => item.at!, idleTimeout: 1000 })
      yield* Effect.forkChild(
        host.runFlow(
          flow.forEach(
            (window) => {
              windows.push(ids(window.items))
              return new Promise<void>((resolve) => {
                release = resolve
              })
            },
            { bufferSize: 1 }
          )
        )
      )
      // One window is in the sink, others fill the mailbox before it, and the operator waits for room.
      for (let at = 0; at < 200; at += 10) items.push({ id: at, at })
      yield* pass(20_000, 500)
      items.push({ id: 201, at: 201 })
      for (let taken = 1; taken < 20; taken++) {
        release()
        yield* settle
      }
      expect(windows.at(-1)).toEqual([190])
      release()
      yield* settle
      yield* pass(1500, 100)
      release()
      yield* settle
      // Had the time counted as silence, the window from 200 on would have been over, and the item late.
      expect(windows.at(-1)).toEqual([201])
    }).pipe(Effect.provide(layer))
  )

  it.effect("fails the item for which there is no room, and says what is held", () =>
    Effect.gen(function* () {
      const host = yield* StreamHost
      const error = yield* Effect.flip(host.runFlow(Flow.from([1, 2, 3]).window(1000, { maxItems: 2 })))
      expect(error.message).toContain(
        ":stream.window holds 2 items (about 32 bytes) in 1 windows, and :max-items allows no more. Raise :max-items"
      )
    }).pipe(Effect.provide(layer))
  )
})

describe("the options of windows", () => {
  it.effect("say what does not go together, and explain warns of what may not be meant", () =>
    Effect.gen(function* () {
      const host = yield* StreamHost
      const problem = (call: string) => Effect.map(Effect.flip(host.eval(call)), ({ message }) => message)
      expect(yield* problem("(call :stream.window [1] {:duration 10 :allowed-lateness 5})")).toContain(
        "has :allowed-lateness but no :timestamp-fn. Items that count by the time at which they come are never late"
      )
      expect(yield* problem("(call :stream.window [1] {:duration 0})")).toContain("expects :duration to be")
      expect(yield* problem("(call :stream.sliding-window [1] {:slide 2})")).toContain(
        "needs :size (how many items a window has), or :duration"
      )
      expect(yield* problem("(call :stream.sliding-window [1] {:size 2 :duration 5})")).toContain("has :duration with :size")
      expect(yield* problem("(call :stream.sliding-window [1] {:size 2 :max-items 5})")).toContain("has :max-items with :size")
      expect(yield* problem("(call :stream.sliding-window [1] {:size 0})")).toContain("expects :size to be")
      expect(yield* problem("(call :stream.sliding-window [1] {:duration 1000000 :slide-duration 1})")).toContain("1000000 windows")
      const { pipelines } = yield* host.explain("(call :stream.sliding-window [1] {:size 2 :slide 5})")
      const node = pipelines
        .flatMap(({ actors }) => actors.flatMap(({ nodes }) => nodes))
        .find(({ capability }) => capability === "stream.sliding-window")!
      expect(node.notes).toEqual(["skips 3 of every 5 items: :slide is larger than :size"])
      expect(node.state).toBe("bounded: one window of 2 items (:size)")
      const timed = yield* host.explain('(call :stream.window [1] {:duration 5 :max-bytes "1MB"})')
      expect(
        timed.pipelines[0]!.actors.flatMap(({ nodes }) => nodes).find(({ capability }) => capability === "stream.window")!.stateBytes
      ).toBe(1024 * 1024)
    }).pipe(Effect.provide(layer))
  )
})

describe("stream.session-window in a host", () => {
  it.effect("SE-2: ends the session of a key that is silent by a timer, while others go on", () =>
    Effect.gen(function* () {
      const host = yield* StreamHost
      const items = new Pushed<{ readonly user: string }>()
      const given: Array<unknown> = []
      const flow = Flow.from(items).sessionWindow({
        key: (item) => item.user,
        timeout: 1000,
        processor: async ({ end, items, key, start }) => [key, start, end, items.length]
      })
      const fiber = yield* Effect.forkChild(host.runFlow(flow.forEach((result) => given.push(result))))
      items.push({ user: "ann" }, { user: "bob" })
      yield* pass(600)
      items.push({ user: "bob" })
      yield* pass(399)
      expect(given).toEqual([])
      yield* pass(1)
      expect(given).toEqual([["ann", 0, 0, 1]])
      yield* pass(600)
      expect(given).toEqual([
        ["ann", 0, 0, 1],
        ["bob", 0, 600, 2]
      ])
      items.push({ user: "ann" })
      yield* settle
      items.end()
      yield* Fiber.join(fiber)
      expect(given.at(-1)).toEqual(["ann", 1600, 1600, 1])
    }).pipe(Effect.provide(layer))
  )

  it.effect("leaves a session out whose processor fails, where that is the policy", () =>
    Effect.gen(function* () {
      const host = yield* StreamHost
      const processor = ({ key }: { readonly key: unknown }) => {
        if (key === "bad") throw new Error("no")
        return key
      }
      const flow = Flow.from(["a", "bad", "b"]).sessionWindow({ key: (item) => item, timeout: 10, processor, onFailure: "skip" })
      const report = yield* host.runFlow(flow)
      expect(report).toMatchObject({ value: ["a", "b"], skipped: 1 })
    }).pipe(Effect.provide(layer))
  )
})

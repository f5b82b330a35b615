import { it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { describe, expect } from "vitest"
import { StreamHost } from "rtfs-streams/effect"
import { pass, Pushed, settle } from "../capabilities/timedHost.ts"
import { specificationBlocks } from "../rtfs/specificationBlocks.ts"

// The calls of the specification that live by time, as they stand there, on a clock that the test moves.

/** The part of a block, from one comment to the next, that contains a text. */
const partWith = (text: string): string => {
  const parts = specificationBlocks.flatMap((block) => block.split(/\n\n(?=;;)/)).filter((part) => part.includes(text))
  expect(parts).toHaveLength(1)
  return parts[0]!
}

type Call = readonly [time: number, name: string, ...args: ReadonlyArray<unknown>]

/** Runs the part while `act` moves the clock; gives what the bindings were called with, and when. */
const run = (text: string, bindings: Record<string, unknown>, act: Effect.Effect<void>, ends = true) =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const calls: Array<Call> = []
    const noting =
      (name: string, f: (...args: ReadonlyArray<unknown>) => unknown) =>
      (...args: ReadonlyArray<unknown>) => {
        calls.push([clock.currentTimeMillisUnsafe(), name, ...args])
        return f(...args)
      }
    const noted = Object.entries(bindings).map(([name, value]) => [
      name,
      typeof value === "function" ? noting(name, value as () => unknown) : value
    ])
    yield* Effect.gen(function* () {
      const host = yield* StreamHost
      const fiber = yield* Effect.forkChild(host.run(partWith(text)))
      yield* act
      yield* ends ? Effect.asVoid(Fiber.join(fiber)) : Fiber.interrupt(fiber)
    }).pipe(
      Effect.provide(StreamHost.layer({ policy: { all: true }, bindings: Object.fromEntries(noted), print: () => {}, log: () => {} }))
    )
    return calls
  })

const nothing = () => {}

describe("the specification's calls that live by time", () => {
  it.effect("tick once a second", () =>
    Effect.gen(function* () {
      const calls = yield* run(":stream.periodic", { "current-timestamp": () => "now", "log-heartbeat": nothing }, pass(3000, 500), false)
      expect(calls).toEqual(
        [1000, 2000, 3000].flatMap((at) => [
          [at, "current-timestamp"],
          [at, "log-heartbeat", "now"]
        ])
      )
    })
  )

  it.effect("analyze windows of five seconds", () =>
    Effect.gen(function* () {
      const items = new Pushed<string>()
      const calls = yield* run(
        ":stream.window",
        { "data-stream": items, "analyze-time-window": nothing },
        Effect.gen(function* () {
          yield* pass(500)
          items.push("a", "b")
          yield* pass(5000, 500)
          items.push("c")
          yield* settle
          items.end()
        })
      )
      expect(calls).toEqual([
        [5000, "analyze-time-window", { start: 0, end: 5000, items: ["a", "b"], partial: false, revision: 0 }],
        [5500, "analyze-time-window", { start: 5000, end: 10_000, items: ["c"], partial: true, revision: 0 }]
      ])
    })
  )

  it.effect("let a hundred items through a second, and ten at once", () =>
    Effect.gen(function* () {
      const items = Array.from({ length: 13 }, (_, index) => index)
      const calls = yield* run(":stream.rate-limit", { "input-stream": items, "process-rate-limited": nothing }, pass(50, 5))
      expect(calls).toEqual(items.map((item) => [Math.max(0, item - 9) * 10, "process-rate-limited", item]))
    })
  )

  it.effect("analyze a user's session after five minutes of silence", () =>
    Effect.gen(function* () {
      const items = new Pushed<Record<string, unknown>>()
      const user = (id: number, page: string) => ({ "user-id": id, page })
      const calls = yield* run(
        ":stream.session-window",
        { "input-stream": items, "analyze-user-session": (session: unknown) => (session as { key: number }).key },
        Effect.gen(function* () {
          yield* settle
          items.push(user(1, "a"), user(2, "b"))
          yield* pass(200_000)
          items.push(user(1, "c"))
          yield* pass(100_000)
          yield* pass(200_000)
          items.push(user(2, "d"))
          yield* settle
          items.end()
        })
      )
      const sessions = calls.filter(([, name]) => name === "analyze-user-session").map(([at, , session]) => [at, session])
      const of = (key: number, start: number, end: number, pages: ReadonlyArray<string>, partial = false) => ({
        key,
        start,
        end,
        items: pages.map((page) => user(key, page)),
        partial,
        revision: 0
      })
      expect(sessions).toEqual([
        [300_000, of(2, 0, 0, ["b"])],
        [500_000, of(1, 0, 200_000, ["a", "c"])],
        [500_000, of(2, 500_000, 500_000, ["d"], true)]
      ])
    })
  )
})

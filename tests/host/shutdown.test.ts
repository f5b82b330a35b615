import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setImmediate as nextTurn } from "node:timers/promises"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { afterAll, describe, expect, it } from "vitest"
import { type Handle, type HostOptions, type ItemCounts, StreamHost as RealHost } from "rtfs-streams"
import { StreamHost } from "rtfs-streams/effect"

// How a stream is brought down, by a clock that the tests move.

const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-shutdown-"))
afterAll(() => rmSync(folder, { recursive: true }))
let folders = 0
const dataDir = () => join(folder, `data-${++folders}`)

type Held = Handle & { readonly report: () => ItemCounts }

interface Scene {
  readonly host: StreamHost["Service"]
  /** What the last callback got. */
  readonly seen: Array<unknown>
  /** How often `done` was called. */
  readonly done: Array<number>
  /** Lets `f` go on. */
  readonly open: () => void
  readonly start: (source: string) => Effect.Effect<Held, unknown>
  /** Gives the event loop some turns. */
  readonly turns: Effect.Effect<void>
  /** Moves the clock until the promise settles; the time it took. */
  readonly until: (promise: Promise<unknown>) => Effect.Effect<number>
}

const never = () => new Promise<never>(() => {})

/** `f` notes each item once a gate is open; `hang` never comes back. */
const scene = <A>(options: HostOptions, body: (scene: Scene) => Effect.Effect<A, unknown>): Promise<A> => {
  const seen: Array<unknown> = []
  const done: Array<number> = []
  let open = () => {}
  const gate = new Promise<void>((resolve) => (open = resolve))
  const bindings = {
    items: Array.from({ length: 100 }, (_, index) => index),
    many: Array.from({ length: 5000 }, (_, index) => index),
    f: async (item: unknown) => {
      await gate
      seen.push(item)
    },
    "from-third": async (item: number) => (item < 2 ? (seen.push(item), item) : (await gate, seen.push(item), item)),
    hang: never,
    done: () => done.push(1),
    fails: () => {
      throw new Error("no clean-up")
    },
    ...options.bindings
  }
  const turns = Effect.promise(async () => {
    for (let i = 0; i < 50; i++) await nextTurn()
  })
  return Effect.gen(function* () {
    const host = yield* StreamHost
    return yield* body({
      host,
      seen,
      done,
      open: () => open(),
      turns,
      start: (source) => Effect.tap(host.eval(source) as Effect.Effect<Held, unknown>, () => turns),
      until: (promise) =>
        Effect.gen(function* () {
          const began = yield* Clock.currentTimeMillis
          let isOver = false
          promise.then(
            () => (isOver = true),
            () => (isOver = true)
          )
          for (let round = 0; !isOver; round++) {
            if (round > 5000) return yield* Effect.die("nothing happens any more")
            yield* Effect.promise(() => nextTurn())
            if (!isOver) yield* TestClock.adjust(10)
          }
          return (yield* Clock.currentTimeMillis) - began
        })
    })
  }).pipe(Effect.provide(StreamHost.layer({ ...options, bindings })), Effect.provide(TestClock.layer()), Effect.runPromise)
}

const total = ({ deadLettered, dropped, processed, undrained }: ItemCounts) => processed + undrained + deadLettered + dropped
const lines = (directory: string): ReadonlyArray<Record<string, unknown>> => {
  const file = join(directory, "undrained.jsonl")
  return existsSync(file)
    ? readFileSync(file, "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, unknown>)
    : []
}

const copy = (options: string, last = ":callback f :buffer-size 8", from = "items") =>
  `(call :stream.for-each
     (call :stream.graceful-shutdown (call :stream.map ${from} {:transform inc}) {${options} :on-shutdown-complete done})
     {${last}})`

const endless = "(call :stream.generate {:generator (fn [n] [n (inc n)]) :initial-state 0})"

describe("stream.graceful-shutdown", () => {
  it(":drain-all works off everything that was taken in", () =>
    scene({ dataDir: dataDir() }, ({ done, open, seen, start, until }) =>
      Effect.gen(function* () {
        const handle = yield* start(copy(":drain-strategy :drain-all"))
        const drained = handle.drain()
        open()
        yield* until(drained)
        const report = handle.report()
        expect([handle.status, report.undrained, report.processed, done.length]).toEqual(["stopped", 0, seen.length, 1])
        expect(report.accepted).toBe(seen.length)
      })
    ))

  it(":finish-current-batch works off what is under way and hands back what waits, by default", () => {
    const directory = dataDir()
    return scene({ dataDir: directory }, ({ done, open, seen, start, until }) =>
      Effect.gen(function* () {
        const handle = yield* start(copy(""))
        const before = handle.report()
        const drained = handle.drain()
        open()
        yield* until(drained)
        const report = handle.report()
        // SD-2: the sources are closed, what they had given is all there is.
        expect(report.accepted).toBeLessThanOrEqual(before.accepted)
        expect([handle.status, report.processed, done.length]).toEqual(["stopped", seen.length, 1])
        expect(report.undrained).toBeGreaterThan(0)
        const left = lines(directory)
        // SD-1: each item is in exactly one of the two.
        const items = [...seen, ...left.map(({ value }) => value)] as Array<number>
        expect(items.toSorted((a, b) => a - b)).toEqual(Array.from({ length: report.accepted }, (_, index) => index + 1))
        expect(left[0]).toMatchObject({ stream: "program-1", address: "/pipelines/program-1/for-each", next: "stream.for-each" })
        expect(statSync(join(directory, "undrained.jsonl")).mode & 0o777).toBe(0o600)
      })
    )
  })

  it(":finish-current-batch emits what a batch has gathered, and counts the items of vectors", () => {
    const directory = dataDir()
    const source = `(call :stream.for-each
      (call :stream.graceful-shutdown (call :stream.batch (call :stream.map items {:transform inc}) {:size 7}) {})
      {:callback f :buffer-size 2})`
    return scene({ dataDir: directory }, ({ open, seen, start, until }) =>
      Effect.gen(function* () {
        const handle = yield* start(source)
        const drained = handle.drain()
        open()
        yield* until(drained)
        const report = handle.report()
        expect(report.processed).toBe(seen.flat().length)
        expect(report.undrained).toBe(lines(directory).flatMap(({ value }) => value as Array<number>).length)
        expect(report).toMatchObject({ accepted: total(report) })
        expect(report.undrained).toBeGreaterThan(6)
      })
    )
  })

  it(":immediate stops at once and finishes nothing", () => {
    const directory = dataDir()
    return scene({ dataDir: directory, policy: { write: [folder] } }, ({ done, seen, start, until }) =>
      Effect.gen(function* () {
        const handle = yield* start(copy(":drain-strategy :immediate"))
        expect(yield* until(handle.drain())).toBeLessThan(100)
        const report = handle.report()
        expect([handle.status, seen.length, done.length, report.processed]).toEqual(["stopped", 0, 1, 0])
        expect(report.undrained).toBe(report.accepted)
        expect(lines(directory).length).toBe(report.undrained)
        expect(yield* Effect.promise(() => handle.result)).toBeNull()
      })
    )
  })

  it("what was written to a file that is taken back was not worked off", () =>
    scene({ policy: { write: [folder] } }, ({ start, turns, until }) =>
      Effect.gen(function* () {
        const path = join(folder, "taken-back.txt")
        const handle = yield* start(
          `(call :stream.file.write "${path}" {:format :lines
             :data-source (call :stream.graceful-shutdown (call :stream.generate {:generator (fn [n] [(str n) (inc n)]) :initial-state 0})
               {:drain-strategy :immediate})})`
        )
        while (handle.report().accepted === 0) yield* turns
        yield* until(handle.drain())
        const report = handle.report()
        expect(existsSync(path)).toBe(false)
        expect(report.accepted).toBeGreaterThan(0)
        expect(report).toMatchObject({ undrained: report.accepted, processed: 0 })
      })
    ))

  it(":checkpoint-and-stop needs checkpoints, and two in one pipeline are refused", () =>
    scene({}, ({ host }) =>
      Effect.gen(function* () {
        const failed = (source: string) => Effect.flip(host.eval(source))
        expect(yield* failed(copy(":drain-strategy :checkpoint-and-stop"))).toMatchObject({
          message: expect.stringContaining("nothing in the pipeline makes checkpoints")
        })
        const twice = `(call :stream.graceful-shutdown (call :stream.graceful-shutdown [1] {}) {})`
        expect(yield* failed(`(call :stream.for-each ${twice} {:callback identity})`)).toMatchObject({
          message: expect.stringContaining("stands twice in one pipeline")
        })
      })
    ))

  const hung: ReadonlyArray<readonly [string, string]> = [
    [
      "processor",
      `(call :stream.for-each (call :stream.graceful-shutdown (call :stream.map items {:transform (fn [x] (hang))}) {OPTIONS}) {:callback f})`
    ],
    ["sink", `(call :stream.for-each (call :stream.graceful-shutdown items {OPTIONS}) {:callback hang :buffer-size 4})`],
    [
      "call of several at once",
      `(call :stream.for-each (call :stream.graceful-shutdown (call :stream.map items {:transform (fn [x] (hang)) :parallelism 3}) {OPTIONS}) {:callback f})`
    ],
    [
      "generator",
      `(call :stream.for-each (call :stream.graceful-shutdown (call :stream.generate {:generator (fn [n] (hang))}) {OPTIONS}) {:callback f})`
    ]
  ]
  for (const strategy of ["drain-all", "finish-current-batch"]) {
    it.each(hung)(`SD-3: a %s that never returns is killed at the deadline (:${strategy})`, (_, source) =>
      scene({}, ({ done, open, start, until }) =>
        Effect.gen(function* () {
          open()
          const handle = yield* start(
            source.replace("OPTIONS", `:shutdown-timeout 400 :drain-strategy :${strategy} :on-shutdown-complete done`)
          )
          const took = yield* until(handle.drain({ timeoutMs: 60_000 }))
          expect(took).toBeGreaterThanOrEqual(400)
          expect(took).toBeLessThan(2400)
          expect([handle.status, done.length]).toEqual(["cancelled", 1])
          const report = handle.report()
          expect(report).toMatchObject({ accepted: total(report), processed: 0, undrained: report.accepted })
        })
      )
    )
  }

  it("SD-3: a shorter time of the caller's counts, and of several calls the earliest", () =>
    scene({}, ({ start, until }) =>
      Effect.gen(function* () {
        const handle = yield* start(copy(":shutdown-timeout 60000", ":callback hang"))
        const first = handle.drain()
        expect(yield* until(handle.drain({ timeoutMs: 200 }))).toBeLessThan(2200)
        expect(yield* until(first)).toBeLessThan(100)
      })
    ))

  it("SD-4: a second stop is the same stop, and :on-shutdown-complete is called once", () =>
    scene({}, ({ done, host, open, start, until }) =>
      Effect.gen(function* () {
        const handle = yield* start(copy(""))
        const both = Promise.all([handle.drain(), handle.drain()])
        open()
        yield* until(both)
        const report = handle.report()
        yield* until(handle.drain())
        yield* until(handle.cancel())
        yield* host.drain()
        expect([handle.status, done.length]).toEqual(["stopped", 1])
        expect(handle.report()).toEqual(report)
      })
    ))

  it("is called after a cancellation, and not after an end by itself", () =>
    scene({}, ({ done, open, start, until }) =>
      Effect.gen(function* () {
        const cancelled = yield* start(copy(""))
        yield* until(cancelled.cancel())
        expect([cancelled.status, done.length]).toEqual(["cancelled", 1])
        open()
        const ended = yield* start(copy("", ":callback identity"))
        yield* until(ended.result)
        expect([ended.status, done.length]).toEqual(["completed", 1])
      })
    ))

  it("an :on-shutdown-complete that throws is what the stream fails with, one that hangs is not waited for past the deadline", () =>
    scene({}, ({ open, start, until }) =>
      Effect.gen(function* () {
        open()
        const failing = yield* start(copy("", ":callback identity", endless).replace("done", "fails"))
        yield* until(failing.drain())
        expect(failing.status).toBe("failed")
        const hanging = yield* start(copy(":shutdown-timeout 300", ":callback identity", endless).replace("done", "hang"))
        expect(yield* until(hanging.drain())).toBeLessThan(2300)
        expect(hanging.status).toBe("cancelled")
      })
    ))

  it("a pause holds nothing up", () =>
    scene({}, ({ open, seen, start, until }) =>
      Effect.gen(function* () {
        const handle = yield* start(copy(":drain-strategy :drain-all", ":callback f :buffer-size 8", "many"))
        yield* Effect.promise(() => handle.pause())
        open()
        yield* until(handle.drain())
        expect([handle.status, handle.report().processed]).toEqual(["stopped", seen.length])
      })
    ))

  it("drains also what was started a moment before", () =>
    scene({}, ({ host, until }) =>
      Effect.gen(function* () {
        const handle = (yield* host.eval(copy("", ":callback identity", endless))) as Held
        yield* until(handle.drain())
        expect(handle.status).toBe("stopped")
      })
    ))
})

describe("a stream that is killed", () => {
  it("SD-1: leaves each item with exactly one fate, wherever it stood", () => {
    const directory = dataDir()
    const source = `(call :stream.for-each
      (call :stream.filter (call :stream.map (call :stream.map many {:transform inc}) {:transform inc :buffer-size 30}) {:predicate even?})
      {:callback from-third :buffer-size 10})`
    return scene({ dataDir: directory }, ({ seen, start, until }) =>
      Effect.gen(function* () {
        const handle = yield* start(source)
        yield* until(handle.drain({ timeoutMs: 100 }))
        const report = handle.report()
        expect(report).toMatchObject({ accepted: total(report), dropped: 0 })
        const left = lines(directory)
        expect(left.length).toBe(report.undrained)
        // Behind the filter half of the items are gone: those count as worked off.
        expect(report.processed).toBe(report.accepted - left.length)
        expect(seen.length).toBeLessThanOrEqual(report.processed)
      })
    )
  })
})

describe("a worker thread in an endless loop", () => {
  it("SD-3: does not keep the host from stopping, by the system's own clock", async () => {
    const host = await RealHost.start({ limits: { fuel: 1e15, timeMs: 1e9 } })
    const handle = (await host.eval(
      "(call :stream.for-each (call :stream.map [1 2 3 4] {:transform (fn [x] (loop [n x] (recur (inc n)))) :offload :always}) {:callback identity})"
    )) as Held
    while (handle.report().accepted === 0) await nextTurn()
    await host.stop({ timeout: 100 })
    expect(handle.status).toBe("cancelled")
    expect(handle.report()).toMatchObject({ accepted: 4, processed: 0, undrained: 4 })
  })
})

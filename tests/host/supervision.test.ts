import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setImmediate as nextTurn } from "node:timers/promises"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { afterAll, afterEach, describe, expect, it, vi } from "vitest"
import { type Handle, type HostOptions, keyword, type SpawnOptions } from "rtfs-streams"
import { StreamHost } from "rtfs-streams/effect"
import { KeyMemory } from "../../src/capabilities/processing/KeyMemory.ts"

// What docs/supervision.md says, line by line. Restarts wait by a clock that the tests move.

const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-supervision-"))
afterAll(() => rmSync(folder, { recursive: true }))

/** What came of a program: its result or error, and what its bindings were called with. */
interface Outcome {
  readonly result?: unknown
  readonly error?: Error & { readonly _tag?: string }
  /** What the program handed to `note`. */
  readonly notes: ReadonlyArray<unknown>
  /** The items for which `f` or `add` was called. */
  readonly calls: ReadonlyArray<unknown>
  readonly status?: string
  readonly inspected?: Inspected
  /** How much of the clock it took. */
  readonly elapsedMs: number
  /** Streams that go on nevertheless. */
  readonly running: number
}

interface Inspected {
  readonly restarts: number
  readonly streams: ReadonlyArray<{
    readonly accepted: number
    readonly processed: number
    readonly skipped: number
    readonly deadLettered: number
    readonly actors: ReadonlyArray<{ readonly restarts: number }>
  }>
}

type Given = HostOptions & { readonly f?: (item: any) => unknown }

const withHost = <A>({ f = (x) => x, ...options }: Given, body: (host: StreamHost["Service"]) => Effect.Effect<A, unknown>) => {
  const notes: Array<unknown> = []
  const calls: Array<unknown> = []
  const bindings = {
    ...options.bindings,
    note: (value: unknown) => void notes.push(value),
    f: (item: unknown) => {
      calls.push(item)
      return f(item)
    },
    // The same as the second argument of a reducer.
    add: (sum: number, item: number) => {
      calls.push(item)
      f(item)
      return sum + item
    }
  }
  return Effect.gen(function* () {
    const host = yield* StreamHost
    const began = yield* Clock.currentTimeMillis
    const outcome = yield* body(host)
    const elapsedMs = (yield* Clock.currentTimeMillis) - began
    const { pipelines } = (yield* host.inspect) as { readonly pipelines: ReadonlyArray<unknown> }
    return { notes, calls, elapsedMs, running: pipelines.length, ...outcome }
  }).pipe(Effect.provide(StreamHost.layer({ ...options, bindings })), Effect.provide(TestClock.layer()), Effect.runPromise)
}

/** Lets time go by until a promise has settled. */
const settled = (promise: Promise<unknown>) =>
  Effect.gen(function* () {
    let outcome: { result: unknown } | { error: Error } | undefined
    promise.then(
      (result) => (outcome = { result }),
      (error) => (outcome = { error: error._tag === "HostFailure" ? error.cause : error })
    )
    for (let round = 0; outcome === undefined; round++) {
      if (round > 20_000) return yield* Effect.die("nothing happens any more")
      yield* Effect.promise(() => nextTurn())
      yield* TestClock.adjust(5)
    }
    return outcome
  })

/** A program that runs once. */
const run = (source: string, given: Given = {}): Promise<Outcome> =>
  withHost(given, (host) => Effect.flatMap(Effect.context<never>(), (context) => settled(Effect.runPromiseWith(context)(host.run(source)))))

/** A service, until it has ended. */
const serve = (source: string, restart: SpawnOptions["restart"], given: Given = {}): Promise<Outcome> =>
  withHost(given, (host) =>
    Effect.gen(function* () {
      const context = yield* Effect.context<never>()
      let handle: Handle | undefined
      const spawned = Effect.runPromiseWith(context)(host.spawn(source, { name: "service", restart: restart! }))
      const ended = spawned.then((made) => {
        handle = made
        return made.result
      })
      const outcome = yield* settled(ended)
      return handle === undefined ? outcome : { ...outcome, status: handle.status, inspected: handle.inspect() as Inspected }
    })
  )

const failsOn =
  (...bad: ReadonlyArray<number>) =>
  (item: number) => {
    if (bad.includes(item)) throw new Error(`no ${item}`)
    return item
  }

/** Fails on an item so many times, and then no more. */
const failsAtFirst = (bad: number, times: number) => {
  let left = times
  return (item: number) => {
    if (item === bad && left-- > 0) throw new Error(`not yet ${bad}`)
    return item
  }
}

const numbers = "[1 2 3 4 5]"

describe("an item that a function fails on, in a program that runs once", () => {
  it("ends its stream: what stands before it is done, what stands behind it is not begun, a reduction gives nothing", async () => {
    const { calls, elapsedMs, error, notes } = await run(`(call :stream.map ${numbers} {:transform f :on-chunk note})`, { f: failsOn(3) })
    // No life was restarted for it: the first wait for that takes 200 ms.
    expect(elapsedMs).toBeLessThan(200)
    expect(error).toMatchObject({ _tag: "ActorFailure", reason: "item", item: 3, attempts: 1, isFinal: true })
    expect({ calls, notes }).toEqual({ calls: [1, 2, 3], notes: [1, 2] })

    const reduced = await run(`(call :stream.reduce (call :stream.map ${numbers} {:transform f}) {:reducer + :on-result note})`, {
      f: failsOn(3)
    })
    expect(reduced).toMatchObject({ calls: [1, 2, 3], notes: [], error: { _tag: "ActorFailure" } })
  })

  it("is left out and counted under :skip, whatever kind of stage calls the function; its state does not know the item", async () => {
    const skipped = async (call: string, f: Given["f"]) => {
      const { notes, result } = await run(call, f === undefined ? {} : { f })
      expect(result).toMatchObject({ accepted: 5, processed: 5, skipped: 1, deadLettered: 0 })
      return notes
    }
    expect(await skipped(`(call :stream.map ${numbers} {:transform f :on-failure :skip :on-chunk note})`, failsOn(3))).toEqual([1, 2, 4, 5])
    expect(await skipped(`(call :stream.filter ${numbers} {:predicate f :on-failure :skip :on-chunk note})`, failsOn(3))).toEqual([
      1, 2, 4, 5
    ])
    expect(
      await skipped(`(call :stream.reduce ${numbers} {:initial 0 :reducer add :on-failure :skip :on-result note})`, failsOn(3))
    ).toEqual([12])
    expect(
      await skipped(`(call :stream.group-by ${numbers} {:key-fn f :on-failure :skip :on-groups (fn [m] (note (count m)))})`, failsOn(3))
    ).toEqual([4])
    expect(await skipped(`(call :stream.for-each ${numbers} {:callback f :on-failure :skip}) nil`, failsOn(3))).toEqual([])
    // The first 3 fails and is not remembered, so the second one passes.
    expect(await skipped("(call :stream.distinct [1 2 3 2 3] {:key-fn f :on-failure :skip :on-chunk note})", failsAtFirst(3, 1))).toEqual([
      1, 2, 3
    ])
  })

  it("is left out by the policy of its own stage only: that of an operator does not cover the callback it was given", async () => {
    const { error } = await run(`(call :stream.map ${numbers} {:transform inc :on-failure :skip :on-chunk f})`, { f: failsOn(3) })
    expect(error).toMatchObject({ _tag: "ActorFailure", capability: "stream.for-each" })
  })

  it("leaves the target of a file sink as it was", async () => {
    const path = join(folder, "none.ndjson")
    const source = `(call :stream.file.write "${path}" {:format :ndjson :data-source (call :stream.map ${numbers} {:transform f})})`
    expect(await run(source, { f: failsOn(3), policy: { write: [folder] } })).toMatchObject({ error: { _tag: "ActorFailure" } })
    expect(existsSync(path)).toBe(false)
  })

  it("cancels the other streams of the program, unless the program awaits the stream and catches the error", async () => {
    const endless =
      "(call :stream.for-each (call :stream.generate {:generator (fn [n] [n (inc n)]) :initial-state 0}) {:callback (fn [x] x)})"
    const failing = `(call :stream.map ${numbers} {:transform f :on-chunk note})`
    expect(await run(`${endless} ${failing}`, { f: failsOn(1) })).toMatchObject({ error: { _tag: "ActorFailure" }, running: 0 })
    const caught = await run(`(try (call :stream.await ${failing}) (catch e (note (:message e)))) :went-on`, { f: failsOn(1) })
    expect(caught).toMatchObject({ result: { value: keyword("went-on") }, notes: [expect.stringContaining("no 1")] })
  })
})

describe("an item that a function fails on, in a service", () => {
  it("is tried again at the stage that it had reached: stages before it do not see it twice, and no state has changed", async () => {
    const { calls, inspected, notes, result } = await serve(
      `(call :stream.reduce
         (call :stream.distinct (call :stream.map [1 2 2 3 3 4] {:transform (fn [x] (note x) x)}) {})
         {:initial 0 :reducer add :on-result note})`,
      "transient",
      { f: failsAtFirst(3, 2) }
    )
    expect(notes).toEqual([1, 2, 2, 3, 3, 4, 10])
    expect(calls).toEqual([1, 2, 3, 3, 3, 4])
    expect(result).toBeDefined()
    expect(inspected).toMatchObject({ restarts: 0, streams: [{ accepted: 6, processed: 6, deadLettered: 0, actors: [{ restarts: 2 }] }] })
  })

  it("is put aside when it has ended three lives; its neighbours and the states see nothing of it", async () => {
    const reduced = await serve(`(call :stream.reduce ${numbers} {:initial 0 :reducer add :on-result note})`, "transient", {
      f: failsOn(3)
    })
    expect(reduced).toMatchObject({ calls: [1, 2, 3, 3, 3, 4, 5], notes: [12], status: "completed" })
    expect(reduced.inspected).toMatchObject({
      streams: [{ accepted: 5, processed: 4, deadLettered: 1, skipped: 0, actors: [{ restarts: 3 }] }]
    })

    const distinct = await serve("(call :stream.distinct [1 2 3 2 3] {:key-fn f :on-chunk note})", "transient", { f: failsAtFirst(3, 3) })
    expect(distinct).toMatchObject({ notes: [1, 2, 3], inspected: { streams: [{ deadLettered: 1 }] } })
  })

  it("does not disturb the actors around its own: they neither restart nor see an item twice", async () => {
    const { inspected, notes } = await serve(
      `(call :stream.for-each (call :stream.map ${numbers} {:transform f :buffer-size 1}) {:callback note :buffer-size 1})`,
      "transient",
      { f: failsOn(3) }
    )
    expect(notes).toEqual([1, 2, 4, 5])
    expect(inspected!.streams[0]!.actors.map(({ restarts }) => restarts)).toEqual([0, 3, 0])
  })

  it("holds back those behind it that are under way, which finish and are not called again", async () => {
    const f = async (item: number) => {
      await nextTurn()
      return failsOn(3)(item)
    }
    const once = await run("(call :stream.map [1 2 3 4 5 6] {:transform f :parallelism 3 :on-chunk note})", { f })
    expect(once).toMatchObject({ notes: [1, 2], error: { _tag: "ActorFailure", item: 3 } })
    const { calls, inspected, notes } = await serve(
      "(call :stream.map [1 2 3 4 5 6] {:transform f :parallelism 3 :on-chunk note})",
      "transient",
      { f }
    )
    expect(notes).toEqual([1, 2, 4, 5, 6])
    expect(calls.toSorted()).toEqual([1, 2, 3, 3, 3, 4, 5, 6])
    expect(inspected).toMatchObject({ streams: [{ deadLettered: 1 }] })
  })

  it("costs no restart under :skip", async () => {
    const { inspected, notes } = await serve(`(call :stream.map ${numbers} {:transform f :on-failure :skip :on-chunk note})`, "transient", {
      f: failsOn(3)
    })
    expect(notes).toEqual([1, 2, 4, 5])
    expect(inspected).toMatchObject({ streams: [{ skipped: 1, deadLettered: 0, actors: [{ restarts: 0 }] }] })
  })

  it("ends the stream at the fourth failure within five seconds, also of another item; a temporary service ends with it", async () => {
    const { calls, error, inspected, notes, status } = await serve(
      `(note :life) (call :stream.map ${numbers} {:transform f :on-chunk note})`,
      "temporary",
      { f: failsOn(2, 3) }
    )
    expect({ calls, notes, status }).toEqual({ calls: [1, 2, 2, 2, 3], notes: [keyword("life"), 1], status: "failed" })
    expect(error).toMatchObject({ _tag: "ActorFailure", item: 3 })
    expect(inspected).toMatchObject({ restarts: 0, streams: [{ deadLettered: 1, actors: [{ restarts: 3 }] }] })
  })

  it("makes a transient service begin anew after that: the program from its first line, with no state of the life before", async () => {
    // Four failures end the first life; in the second one nothing fails any more.
    const failing = [3, 3, 3, 4]
    const f = (item: number) => {
      if (item !== failing[0]) return
      failing.shift()
      throw new Error(`no ${item}`)
    }
    const { calls, inspected, notes, status } = await serve(
      `(note :life) (call :stream.reduce ${numbers} {:initial 0 :reducer add :on-result note})`,
      "transient",
      { f }
    )
    expect(calls).toEqual([1, 2, 3, 3, 3, 4, 1, 2, 3, 4, 5])
    expect({ notes, status }).toEqual({ notes: [keyword("life"), keyword("life"), 15], status: "completed" })
    expect(inspected!.restarts).toBe(1)
  })
})

describe("a source", () => {
  const generated = "(call :stream.for-each (call :stream.generate {:generator f :initial-state 1}) {:callback note})"
  const generator = (fails: (n: number) => void) => (n: number) => {
    fails(n)
    return n < 5 ? [n, n + 1] : keyword("done")
  }

  it("whose generator fails ends the stream of a program that runs once", async () => {
    expect(await run(generated, { f: generator(failsOn(3)) })).toMatchObject({
      notes: [1, 2],
      calls: [1, 2, 3],
      error: { _tag: "ActorFailure" }
    })
  })

  it("whose generator fails is asked again for the same item in a service, three times in all; nothing can be put aside", async () => {
    expect(await serve(generated, "temporary", { f: generator(failsAtFirst(3, 2)) })).toMatchObject({
      notes: [1, 2, 3, 4],
      calls: [1, 2, 3, 3, 3, 4, 5]
    })
    const given = await serve(generated, "temporary", { f: generator(failsOn(3)) })
    expect(given).toMatchObject({
      notes: [1, 2],
      calls: [1, 2, 3, 3, 3],
      status: "failed",
      inspected: { streams: [{ accepted: 2, processed: 2, deadLettered: 0 }] }
    })
  })

  it("that can't be opened the first time fails its stream at once, in a service too", async () => {
    const source = `(call :stream.file.read "${join(folder, "missing")}" {:on-chunk note})`
    const { error, inspected } = await serve(source, "temporary", { policy: { read: [folder] } })
    expect(error).toMatchObject({ _tag: "FileFailure" })
    expect(inspected).toMatchObject({ restarts: 0, streams: [{ actors: [{ restarts: 0 }, { restarts: 0 }] }] })
  })
})

describe("an iterable of the host", () => {
  const program = "(call :stream.for-each items {:callback note})"
  const feeds = {
    async *asynchronous() {
      yield* [1, 2]
      throw new Error("the feed broke")
    },
    *synchronous() {
      yield* [1, 2]
      throw new Error("the feed broke")
    },
    async *atOnce() {
      throw new Error("the feed broke")
    }
  }

  it("that throws ends its stream in a service, too: what came before is not taken for all", async () => {
    for (const [name, feed] of Object.entries(feeds)) {
      const ended = await serve(program, "temporary", { bindings: { items: feed() } })
      expect(ended, name).toMatchObject({ error: { message: "the feed broke" }, status: "failed", notes: name === "atOnce" ? [] : [1, 2] })
    }
  })

  it("that has thrown fails the next life of its service with the same error", async () => {
    const ended = await serve(program, "transient", { bindings: { items: feeds.asynchronous() } })
    expect(ended).toMatchObject({ error: { message: "the feed broke" }, status: "failed", notes: [1, 2], inspected: { restarts: 3 } })
  })

  it("that gives a new iterator each time is read anew in the next life of its service, never in one of its source", async () => {
    let lives = 0
    const items = {
      async *[Symbol.asyncIterator]() {
        yield 1
        if (++lives === 1) throw new Error("the feed broke")
        yield 2
      }
    }
    const ended = await serve(`(note :life) ${program}`, "transient", { bindings: { items } })
    expect(ended).toMatchObject({ status: "completed", notes: [keyword("life"), 1, keyword("life"), 1, 2] })
  })

  it("that can't be opened fails its stream at once", async () => {
    const { error, elapsedMs } = await serve("(call :stream.from-iterable five {:on-chunk note})", "temporary", { bindings: { five: 5 } })
    expect(error).toMatchObject({ _tag: "InvalidCall" })
    expect(elapsedMs).toBeLessThan(200)
  })

  it("that gives an item which can't travel goes on, with the item put aside", async () => {
    const ended = await serve(program, "transient", { bindings: { items: [1, () => 2, 3].values() } })
    expect(ended).toMatchObject({ status: "completed", notes: [1, 3] })
    expect(ended.inspected).toMatchObject({ streams: [{ accepted: 3, processed: 2, deadLettered: 1, undrained: 0 }] })
  })
})

describe("a crash", () => {
  afterEach(() => vi.restoreAllMocks())

  const { admit } = KeyMemory.prototype
  /** Code of ours that nobody foresees to throw: the memory of `stream.distinct`, when it is handed one of these keys. */
  const crashesOn = (bad: ReadonlyArray<unknown>, times: number) => {
    let left = times
    vi.spyOn(KeyMemory.prototype, "admit").mockImplementation(function (this: KeyMemory, key, now) {
      if (bad.includes(key) && left-- > 0) throw new TypeError("a fault of ours")
      return admit.call(this, key, now)
    })
  }

  it("restarts the actor also in a program that runs once; the item under way is tried again", async () => {
    crashesOn([2], 1)
    const { notes, result } = await run("(call :stream.distinct [1 2 2 3] {:on-chunk note})")
    expect(notes).toEqual([1, 2, 3])
    expect(result).toMatchObject({ accepted: 4, processed: 4, deadLettered: 0 })
  })

  it("loses nothing once the loop of the island is compiled, and doubles nothing", async () => {
    crashesOn([15_000], 1)
    const numbers = Array.from({ length: 20_000 }, (_, index) => index)
    const { notes, result } = await run("(call :stream.distinct items {:on-chunk note})", { bindings: { items: numbers } })
    expect(notes).toEqual(numbers)
    expect(result).toMatchObject({ accepted: 20_000, processed: 20_000, deadLettered: 0 })
  })

  it("that comes again for the same item puts it aside after three lives", async () => {
    for (const bad of [2, 15_000]) {
      crashesOn([bad], Infinity)
      const numbers = Array.from({ length: bad + 10 }, (_, index) => index)
      const { notes, result } = await run("(call :stream.distinct items {:on-chunk note})", { bindings: { items: numbers } })
      expect(notes).toEqual(numbers.filter((x) => x !== bad))
      expect(result).toMatchObject({ accepted: bad + 10, processed: bad + 9, deadLettered: 1 })
    }
  })

  it("that comes again after that ends the stream with its error", async () => {
    crashesOn([2, 3], Infinity)
    const { error, notes } = await run("(call :stream.distinct [1 2 3 4] {:on-chunk note})")
    expect(error).toMatchObject({ name: "TypeError", message: "a fault of ours" })
    expect(notes).toEqual([1])
  })
})

describe("a service", () => {
  it("is restarted or not by how its life ended, at most three times within five seconds", async () => {
    const lives = async (restart: SpawnOptions["restart"], source: string, f?: Given["f"]) => {
      const { error, inspected, notes, status } = await serve(`(note :life) ${source}`, restart, f === undefined ? {} : { f })
      return { lives: notes.length, restarts: inspected?.restarts, status, failed: error !== undefined }
    }
    const ends = "nil"
    const fails = "(call :stream.for-each [1] {:callback f})"
    // The fourth failure of the function is that of the fourth life of the actor, which ends the life of the service.
    const always = failsOn(1)
    expect(await lives("permanent", ends)).toEqual({ lives: 4, restarts: 3, status: "completed", failed: false })
    expect(await lives("transient", ends)).toEqual({ lives: 1, restarts: 0, status: "completed", failed: false })
    expect(await lives("temporary", ends)).toEqual({ lives: 1, restarts: 0, status: "completed", failed: false })
    expect(await lives("temporary", fails, always)).toMatchObject({ lives: 1, status: "completed" })
  })

  it("whose program fails before it is evaluated for the first time does not start", async () => {
    const { error, notes, status } = await serve("(note :life) (f 1)", "permanent", { f: failsOn(1) })
    expect({ notes, status }).toEqual({ notes: [keyword("life")], status: undefined })
    expect(error?.message).toContain("no 1")
  })

  it("that fails again and again within five seconds ends as failed, with its last error", async () => {
    const path = join(folder, "missing")
    const { error, inspected, notes, status } = await serve(
      `(note :life) (call :stream.file.read "${path}" {:on-chunk note})`,
      "transient",
      { policy: { read: [folder] } }
    )
    expect({ lives: notes.length, restarts: inspected!.restarts, status }).toEqual({ lives: 4, restarts: 3, status: "failed" })
    expect(error).toMatchObject({ _tag: "FileFailure" })
  })
})

describe("a file sink in a service", () => {
  it("can't go on in another life, because what it wrote was not yet on the disk: the stream ends, the target is as it was", async () => {
    const path = join(folder, "service.ndjson")
    const source = `(call :stream.file.write "${path}" {:format :ndjson :data-source (call :stream.map [1 2 3] {:transform f})})`
    // JSON has no NaN, so the sink fails on that item.
    const { calls, error, status } = await serve(source, "temporary", {
      f: (x: number) => (x === 2 ? NaN : x),
      policy: { write: [folder] }
    })
    expect({ calls, status }).toEqual({ calls: [1, 2, 3], status: "failed" })
    expect(error).toMatchObject({ _tag: "FileFailure", message: expect.stringContaining("not yet on the disk") })
    expect(existsSync(path)).toBe(false)
  })
})

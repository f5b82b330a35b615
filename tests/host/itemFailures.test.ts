import { setImmediate as nextTurn } from "node:timers/promises"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { describe, expect, it } from "vitest"
import { Flow, type HostOptions, keyword, StreamHost as Host } from "rtfs-streams"
import { StreamHost } from "rtfs-streams/effect"
import { decodeDeadLetter } from "../../src/host/deadLetter.ts"
import type { StoredItem } from "../../src/host/DeadLetterAccess.ts"
import { openStateStore, type StoredDeadLetter } from "../../src/state/index.ts"

// What becomes of an item that fails: retries, dead letters, handlers. Waits are by a clock that the tests move.

interface Outcome {
  readonly result?: any
  readonly error?: any
  readonly calls: ReadonlyArray<unknown>
  readonly notes: ReadonlyArray<any>
  readonly letters: ReadonlyArray<StoredItem & { readonly queue: string; readonly key: string }>
  readonly elapsedMs: number
}

let stores = 0

/** Runs a program to its end; `f` is a function of the host that it may call, `note` tells the test something. */
const run = (source: string, f: (item: any) => unknown = (x) => x, options: HostOptions = {}): Promise<Outcome> => {
  const calls: Array<unknown> = []
  const notes: Array<unknown> = []
  const store = options.store ?? `memory:item-failures-${++stores}`
  const bindings = {
    ...options.bindings,
    note: (...values: ReadonlyArray<unknown>) => void notes.push(values.length === 1 ? values[0] : values),
    f: (item: unknown) => {
      calls.push(item)
      return f(item)
    }
  }
  return Effect.gen(function* () {
    const host = yield* StreamHost
    const began = yield* Clock.currentTimeMillis
    const context = yield* Effect.context<never>()
    const outcome = yield* settled(Effect.runPromiseWith(context)(host.run(source)))
    const elapsedMs = (yield* Clock.currentTimeMillis) - began
    const letters = yield* Effect.scoped(Effect.flatMap(openStateStore(store), ({ deadLetters }) => deadLetters.list({ limit: 10_000 })))
    return { ...outcome, calls, notes, letters: letters.map(read), elapsedMs }
  }).pipe(Effect.provide(StreamHost.layer({ ...options, store, bindings })), Effect.provide(TestClock.layer()), Effect.runPromise)
}

const read = (letter: StoredDeadLetter) => ({ ...decodeDeadLetter(letter), queue: letter.queue, key: letter.key })

const settled = (promise: Promise<any>) =>
  Effect.gen(function* () {
    let outcome: { result?: unknown; error?: unknown } | undefined
    promise.then(
      (result) => (outcome = { result }),
      (error) => (outcome = { error: error._tag === "HostFailure" ? error.cause : error })
    )
    for (let round = 0; outcome === undefined; round++) {
      if (round > 20_000) return yield* Effect.die("nothing happens any more")
      yield* Effect.promise(() => nextTurn())
      yield* TestClock.adjust(20)
    }
    return outcome
  })

const collect = (stream: string) => `(call :stream.await (call :stream.to-collection {:source ${stream}}))`

/** A function that fails so many times for an item, then works. */
const failing = (times: Readonly<Record<number, number>>) => {
  const left = new Map(Object.entries(times).map(([item, count]) => [Number(item), count]))
  return (item: number) => {
    const count = left.get(item) ?? 0
    left.set(item, count - 1)
    if (count > 0) throw new Error(`no ${item}`)
    return item
  }
}

describe("an item that fails", () => {
  it("is tried again in its place, after waits that double, and the order is kept", async () => {
    const { calls, elapsedMs, result } = await run(
      collect("(call :stream.map [1 2 3 4] {:transform f :max-retries 3 :retry-backoff 1000})"),
      failing({ 2: 3 })
    )
    expect(result.value).toEqual([1, 2, 3, 4])
    expect(calls).toEqual([1, 2, 2, 2, 2, 3, 4])
    expect(elapsedMs).toBeGreaterThanOrEqual(7000)
    expect(elapsedMs).toBeLessThan(7000 * 1.2 + 100)
    expect(result).toMatchObject({ retried: 3, skipped: 0, deadLettered: 0, processed: 4, accepted: 4 })
  })

  it("fails the stream after its last try, and says which one that was", async () => {
    const { calls, error } = await run(collect("(call :stream.map [1 2 3] {:transform f :max-retries 2})"), failing({ 2: 99 }))
    expect(calls).toEqual([1, 2, 2, 2])
    expect(error.message).toContain("failed on item 2 (attempt 3): no 2")
  })

  it("DL-2 is a dead letter after its last try, with what one has to know about it", async () => {
    const secret = "redis://user:secret@cache:6379/0 refused"
    const f = (item: number) => {
      if (item === 3) throw new TypeError(secret)
      return item
    }
    const { letters, result } = await run(
      collect('(call :stream.map [1 2 3 4] {:transform f :on-failure :dead-letter :max-retries 2 :dead-letter-queue "failed"})'),
      f
    )
    expect(result.value).toEqual([1, 2, 4])
    expect(result).toMatchObject({ retried: 2, deadLettered: 1, processed: 3, accepted: 4 })
    expect(letters).toMatchObject([
      {
        queue: "failed",
        item: { value: 3 },
        error: { name: "TypeError", message: "redis://***@cache:6379/0 refused" },
        stage: { node: "map", capability: "stream.map" },
        stream: "program-1",
        why: "policy",
        attempts: 3,
        sequence: 3
      }
    ])
    expect(letters[0]!.time).toBeGreaterThanOrEqual(0)
  })

  it("keeps an item that can't be encoded as text, and says so", async () => {
    const { letters, result } = await run(
      collect(
        "(call :stream.filter (call :stream.map [1 2 3] {:transform f :on-failure :dead-letter}) {:predicate (fn [x] true) :buffer-size 4})"
      ),
      (x) => (x === 2 ? { call: () => 1 } : x)
    )
    expect(result.value).toEqual([1, 3])
    expect(letters).toMatchObject([{ item: { printed: expect.stringContaining("call") }, attempts: 1, sequence: 2 }])
  })

  it("waits for its turn behind one that is tried again, where several are worked on at once", async () => {
    const { letters, result } = await run(
      collect("(call :stream.map [1 2 3 4 5 6] {:transform f :parallelism 3 :max-retries 2 :on-failure :dead-letter})"),
      async (x: number) => {
        await nextTurn()
        if (x % 3 === 0) throw new Error("no")
        return x
      }
    )
    expect(result.value).toEqual([1, 2, 4, 5])
    expect(letters.map(({ attempts, item, sequence }) => [item, attempts, sequence])).toEqual([
      [{ value: 3 }, 3, 3],
      [{ value: 6 }, 3, 6]
    ])
  })

  it("is not let through by an option that would mean nothing", async () => {
    const { error } = await run(collect("(call :stream.map [1] {:transform f :retry-backoff 10})"))
    expect(error.message).toContain(":retry-backoff but no :max-retries")
  })
})

describe(":stream.with-dead-letter", () => {
  it("covers what is above it, but for nodes that say themselves what is to happen", async () => {
    const { calls, letters, notes, result } = await run(
      collect(`(call :stream.with-dead-letter
        (call :stream.map (call :stream.filter [1 2 3 4] {:predicate (fn [x] (f x) (if (= x 3) (throw {:own true}) true)) :on-failure :skip})
          {:transform (fn [x] (if (= x 2) (f 0) x))})
        {:max-retries 1 :dead-letter-queue "q" :on-dead-letter (fn [item error] (note item (:message error)))})`),
      failing({ 0: 99 })
    )
    expect(result.value).toEqual([1, 4])
    expect(calls).toEqual([1, 2, 0, 0, 3, 4])
    expect(letters).toMatchObject([{ queue: "q", item: { value: 2 }, attempts: 2, stage: { node: "map" } }])
    expect(notes).toEqual([[2, "no 0"]])
    expect(result).toMatchObject({ skipped: 1, deadLettered: 1 })
  })

  it("asks its predicate which errors another try may mend", async () => {
    const { calls, letters, result } = await run(
      collect(`(call :stream.with-dead-letter (call :stream.map [1 2 3] {:transform f})
        {:error-predicate (fn [error] (= (:message error) "later")) :max-retries 5})`),
      (x: number) => {
        if (x === 1) throw new Error("never")
        if (x === 2) throw new Error("later")
        return x
      }
    )
    expect(result.value).toEqual([3])
    expect(calls).toEqual([1, 2, 2, 2, 2, 2, 2, 3])
    expect(letters.map(({ attempts }) => attempts)).toEqual([1, 6])
    expect(letters.every(({ queue }) => queue === "dead-letters")).toBe(true)
  })

  it("fails the item where its predicate fails", async () => {
    const { error } = await run(
      collect("(call :stream.with-dead-letter (call :stream.map [1] {:transform f}) {:error-predicate (fn [error] (throw {:oh :no}))})"),
      failing({ 1: 9 })
    )
    expect(error.message).toContain(":error-predicate failed itself")
    expect(error.message).toContain("no 1")
  })

  it("is a method of flows, and explain shows what it sets", async () => {
    const host = await Host.start()
    const flow = Flow.from([1, 2, 3])
      .map((x) => failing({ 2: 9 })(x))
      .withDeadLetter({ maxRetries: 0, deadLetterQueue: "q" })
    expect((await host.runFlow(flow)).value).toEqual([1, 3])
    expect(await host.deadLetters.queues()).toEqual([{ queue: "q", letters: 1 }])
    expect(await host.deadLetters.list()).toMatchObject([{ id: 1, item: { value: 2 }, queue: "q" }])
    const letters = []
    for await (const { id } of host.deadLetters.each({ queue: "q" })) letters.push(id)
    expect([letters, await host.deadLetters.remove({ ids: letters }), await host.deadLetters.remove({ queue: "q" })]).toEqual([[1], 1, 0])
    const explained = await host.explain("(call :stream.with-dead-letter (call :stream.map [1] {:transform inc :max-retries 1}) {})")
    const nodes = explained.pipelines.flatMap(({ actors }) => actors.flatMap((actor) => actor.nodes))
    expect(nodes.map(({ onFailure }) => onFailure)).toContain('1 retry, then dead letter (queue "dead-letters") (:stream.with-dead-letter)')
    await host.stop()
  })

  it("leaves the decision to the nearer one of two", async () => {
    const { letters } = await run(
      collect(`(call :stream.with-dead-letter
        (call :stream.with-dead-letter (call :stream.map [1] {:transform f}) {:dead-letter-queue "near" :max-retries 0})
        {:dead-letter-queue "far"})`),
      failing({ 1: 9 })
    )
    expect(letters.map(({ queue }) => queue)).toEqual(["near"])
  })
})

describe(":stream.pipeline-with-recovery", () => {
  const recovering = (handler: string, more = "") =>
    `(call :stream.await (call :stream.pipeline-with-recovery
       {:pipeline (-> [1 2 3] (stream.map f) (stream.map (fn [x] (* 10 x)))) :error-handler ${handler} ${more} :on-result (fn [r] r)}))`

  it("does what its handler answers, with the error as a value and the item as it was", async () => {
    const handler = (answer: string) => `(fn [error chunk] (note (:message error) chunk) ${answer})`
    const skipped = await run(recovering(handler(":skip")), failing({ 2: 1 }))
    expect([skipped.result.value, skipped.notes]).toEqual([[10, 30], [["no 2", 2]]])
    const replaced = await run(recovering(handler("{:replace 7}")), failing({ 2: 1 }))
    expect([replaced.result.value, replaced.calls]).toEqual([
      [10, 70, 30],
      [1, 2, 3]
    ])
    const retried = await run(recovering(handler(":retry")), failing({ 2: 2 }))
    expect([retried.result.value, retried.calls]).toEqual([
      [10, 20, 30],
      [1, 2, 2, 2, 3]
    ])
    const dead = await run(recovering(handler(":dead-letter"), ':dead-letter-queue "mine"'), failing({ 2: 1 }))
    expect(dead.result.value).toEqual([10, 30])
    expect(dead.letters).toMatchObject([{ queue: "mine", item: { value: 2 }, attempts: 1 }])
    expect((await run(recovering(handler(":fail")), failing({ 2: 1 }))).error.message).toContain("no 2")
  })

  it("follows :retry and :replace no further than :max-retries", async () => {
    const { calls, error } = await run(recovering("(fn [error chunk] :retry)", ":max-retries 2"), failing({ 2: 99 }))
    expect(calls).toEqual([1, 2, 2, 2])
    expect(error.message).toContain("(attempt 3): no 2")
  })

  it("fails the item where its handler throws or answers something else, and lists the answers", async () => {
    expect((await run(recovering("(fn [error chunk] (throw {:oh :no}))"), failing({ 2: 1 }))).error.message).toContain(
      ":error-handler failed itself"
    )
    expect((await run(recovering("(fn [error chunk] {:replace 1 :and 2})"), failing({ 2: 1 }))).error.message).toContain(
      "Answer :retry, :skip, :dead-letter, :fail or {:replace value}"
    )
  })

  it("waits for a handler of the host that is asynchronous", async () => {
    const answer = async () => (await nextTurn(), keyword("skip"))
    const { result } = await run(recovering("(fn [error chunk] (decide))"), failing({ 2: 1 }), { bindings: { decide: answer } })
    expect(result.value).toEqual([10, 30])
  })
})

describe("a stream with checkpoints", () => {
  it("DL-5 goes on counting the tries of an item, and stores its letter once, in the process that resumes it", async () => {
    const store = "memory:item-failures-resumed"
    const calls: Array<unknown> = []
    const f = (item: number) => {
      calls.push(item)
      if (item === 3) throw new Error("poison")
      return item
    }
    const source = collect(`(call :stream.with-checkpointing
      (call :stream.map [1 2 3 4] {:transform f :max-retries 3 :retry-backoff 1000 :on-failure :dead-letter})
      {:stream-id "orders" :checkpoint-interval 100})`)
    // A process that ends while the item waits for its third try.
    await Effect.gen(function* () {
      const host = yield* StreamHost
      const context = yield* Effect.context<never>()
      Effect.runPromiseWith(context)(host.run(source)).catch(() => {})
      for (let round = 0; calls.filter((item) => item === 3).length < 2 && round < 5000; round++) {
        yield* Effect.promise(() => nextTurn())
        yield* TestClock.adjust(20)
      }
    }).pipe(Effect.provide(StreamHost.layer({ store, bindings: { f } })), Effect.provide(TestClock.layer()), Effect.runPromise)
    expect(calls.filter((item) => item === 3)).toHaveLength(2)
    const { letters, result } = await run(source, f, { store })
    expect(result.value).toEqual([1, 2, 4])
    // One failure of the first process was noted before its second try; that try is not, since nothing came after it.
    const tries = calls.filter((item) => item === 3).length
    expect([5, 4]).toContain(tries)
    expect(letters).toMatchObject([{ item: { value: 3 }, attempts: 4, stream: "orders", sequence: 3 }])
    const again = await run(source, f, { store })
    expect([again.result.value, again.letters.length]).toEqual([[1, 2, 4], 1])
  })
})

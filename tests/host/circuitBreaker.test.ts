import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { describe, expect, it } from "vitest"
import { CircuitBreaker } from "../../src/capabilities/recovery/CircuitBreaker.ts"
import { CallBreaker } from "../../src/capabilities/recovery/CallBreaker.ts"
import { keyword } from "rtfs-streams"
import { StreamHost } from "rtfs-streams/effect"

// Programs whose `work` fails as a test says, on a clock that it moves.

interface Situation {
  /** What becomes of an item; a promise that is never kept is a call that hangs. */
  readonly work: (item: any, call: number) => unknown
  readonly bindings?: Record<string, unknown>
}

const settle = Effect.promise(() => new Promise((resolve) => setImmediate(resolve))).pipe(Effect.repeat({ times: 20 }))

/** Starts a program and says what happened, in order: calls of `work`, and what the program told with `note`. */
const started = (source: string, { bindings, work }: Situation) => {
  const happened: Array<unknown> = []
  let calls = 0
  const all = {
    ...bindings,
    note: (what: unknown) => void happened.push(what),
    work: (item: unknown) => {
      happened.push(item)
      return work(item, ++calls)
    }
  }
  return {
    happened,
    layer: StreamHost.layer({ bindings: all }),
    run: Effect.gen(function* () {
      const host = yield* StreamHost
      const fiber = yield* Effect.forkChild(Effect.exit(host.run(source)))
      yield* settle
      return fiber
    })
  }
}

const options =
  ":window 4 :minimum-calls 2 :recovery-timeout 1000 :on-open (fn [] (note :open)) :on-half-open (fn [] (note :half-open)) :on-close (fn [] (note :closed))"
const [open, halfOpen, closed] = ["open", "half-open", "closed"].map((name) => keyword(name)) as [unknown, unknown, unknown]

const test = (
  name: string,
  source: string,
  situation: Situation,
  body: (program: ReturnType<typeof started>) => Effect.Effect<void, unknown, StreamHost>
) =>
  it(name, () => {
    const program = started(source, situation)
    return body(program).pipe(Effect.provide(program.layer), Effect.provide(TestClock.layer()), Effect.runPromise)
  })

const no = () => {
  throw new Error("no")
}

describe("stream.with-circuit-breaker", () => {
  test(
    "CB-3 CB-6: opens at the threshold, lets items wait, tries one, and closes; it says so once each time",
    `(call :stream.for-each (call :stream.with-circuit-breaker (call :stream.map [1 2 3 4 5] {:transform work :on-failure :skip}) {${options}}) {:callback (fn [x] (note [x]))})`,
    { work: (item) => (item <= 2 ? no() : item) },
    ({ happened, run }) =>
      Effect.gen(function* () {
        const fiber = yield* run
        expect(happened).toEqual([1, 2, open])
        yield* TestClock.adjust(999)
        yield* settle
        expect(happened).toHaveLength(3)
        yield* TestClock.adjust(1)
        yield* settle
        expect(happened.filter((each) => !Array.isArray(each))).toEqual([1, 2, open, halfOpen, 3, closed, 4, 5])
        expect(happened.filter((each) => Array.isArray(each))).toEqual([[3], [4], [5]])
        yield* Fiber.join(fiber)
      })
  )

  test(
    "waits twice as long each time that a trial fails",
    `(call :stream.for-each (call :stream.with-circuit-breaker (call :stream.map [1 2 3 4 5] {:transform work :on-failure :skip}) {${options}}) {:callback note})`,
    { work: (item) => (item <= 4 ? no() : item) },
    ({ happened, run }) =>
      Effect.gen(function* () {
        const fiber = yield* run
        yield* TestClock.adjust(1000)
        yield* settle
        expect(happened).toEqual([1, 2, open, halfOpen, 3, open])
        yield* TestClock.adjust(1999)
        yield* settle
        expect(happened).toHaveLength(6)
        yield* TestClock.adjust(1)
        yield* settle
        expect(happened.slice(6)).toEqual([halfOpen, 4, open])
        yield* TestClock.adjust(4000)
        yield* settle
        expect(happened.slice(9)).toEqual([halfOpen, 5, closed, 5])
        yield* Fiber.join(fiber)
      })
  )

  test(
    "CB-4: a trial that never comes back opens it again, and its item has failed",
    `(call :stream.for-each (call :stream.with-circuit-breaker (call :stream.map [1 2 3 4] {:transform work :on-failure :skip}) {${options} :trial-timeout 500}) {:callback (fn [x] (note [x]))})`,
    { work: (item) => (item <= 2 ? no() : item === 3 ? new Promise(() => {}) : item) },
    ({ happened, run }) =>
      Effect.gen(function* () {
        const fiber = yield* run
        yield* TestClock.adjust(1000)
        yield* settle
        expect(happened).toEqual([1, 2, open, halfOpen, 3])
        yield* TestClock.adjust(500)
        yield* settle
        expect(happened.slice(5)).toEqual([open])
        yield* TestClock.adjust(2000)
        yield* settle
        expect(happened.slice(6)).toEqual([halfOpen, 4, closed, [4]])
        yield* Fiber.join(fiber)
      })
  )

  test(
    "fails items at once where they are not to wait, without a call, and says when it tries again",
    `(call :stream.for-each (call :stream.with-circuit-breaker (stream.map [1 2 3 4] work {:on-failure :skip}) {${options} :when-open :fail}) {:callback note})`,
    { work: no },
    ({ happened, run }) =>
      Effect.gen(function* () {
        const fiber = yield* run
        const exit = yield* Fiber.join(fiber)
        expect(happened).toEqual([1, 2, open])
        expect(exit).toMatchObject({ value: { skipped: 4 } })
      })
  )

  test(
    "counts each try: with a breaker inside, retries wait for it and lose no try by that",
    `(call :stream.for-each
       (call :stream.with-dead-letter
         (call :stream.with-circuit-breaker (call :stream.map [1 2] {:transform work}) {${options}})
         {:max-retries 3 :retry-backoff 10 :on-dead-letter (fn [item error] (note [:dead item]))})
       {:callback (fn [x] (note [x]))})`,
    // The first two tries fail, then what is behind it has recovered.
    { work: (item, call) => (call <= 2 ? no() : item) },
    ({ happened, run }) =>
      Effect.gen(function* () {
        const fiber = yield* run
        yield* TestClock.adjust(100)
        yield* settle
        expect(happened).toEqual([1, 1, open])
        yield* TestClock.adjust(1000)
        yield* settle
        expect(happened.slice(3, 6)).toEqual([halfOpen, 1, closed])
        expect(happened).toContainEqual([1])
        expect(happened).toContainEqual([2])
        expect(happened.filter((each) => each === 2)).toHaveLength(1)
        yield* Fiber.join(fiber)
      })
  )

  test(
    "calls nothing any more once its stream was cancelled while an item waited",
    `(let [s (call :stream.for-each (call :stream.with-circuit-breaker (call :stream.map [1 2 3] {:transform work :on-failure :skip}) {${options}}) {:callback note})]
       (call :ccos.thread.sleep 500) (call :stream.cancel s))`,
    { work: no },
    ({ happened, run }) =>
      Effect.gen(function* () {
        const fiber = yield* run
        yield* TestClock.adjust(500)
        yield* settle
        yield* TestClock.adjust(60_000)
        yield* settle
        expect(happened).toEqual([1, 2, open])
        yield* Fiber.join(fiber)
      })
  )

  test(
    "counts no validation error, and shares one breaker among the stages that it covers",
    `(call :stream.for-each
       (call :stream.with-circuit-breaker
         (-> ["a" "b" "c" 1 2 3] (stream.map (fn [x :int] x) {:on-failure :skip}) (stream.map work {:on-failure :skip}))
         {${options} :failure-threshold 0.5 :when-open :fail})
       {:callback note})`,
    { work: no },
    ({ happened, run }) =>
      Effect.gen(function* () {
        yield* Fiber.join(yield* run)
        // Calls that count: 1 passes the first stage and fails the second, which is half of two.
        expect(happened).toEqual([1, open])
      })
  )

  test(
    "awaits its callbacks, one after the other; what they throw fails the item in whose call it came about",
    `(call :stream.for-each (call :stream.with-circuit-breaker (call :stream.map [1 2 3] {:transform work :on-failure :skip})
       {:window 4 :minimum-calls 2 :recovery-timeout 1000 :on-open (fn [] (do (call :ccos.thread.sleep 200) (note :opened))) :on-half-open (fn [] (note :half-open)) :on-close (fn [] (throw "no more"))}) {:callback (fn [x] (note [x]))})`,
    { work: (item) => (item <= 2 ? no() : item) },
    ({ happened, run }) =>
      Effect.gen(function* () {
        const fiber = yield* run
        expect(happened).toEqual([1, 2])
        yield* TestClock.adjust(200)
        yield* settle
        expect(happened).toEqual([1, 2, keyword("opened")])
        yield* TestClock.adjust(1000)
        yield* settle
        expect(happened.slice(3)).toEqual([halfOpen, 3])
        const exit = yield* Fiber.join(fiber)
        expect(exit).toMatchObject({ value: { skipped: 3 } })
      })
  )

  it("has a synchronous path while it is closed", () => {
    const calls = new CallBreaker({
      failureThreshold: 0.5,
      window: 10,
      minimumCalls: 5,
      recoveryMs: 1000,
      trials: 1,
      trialTimeoutMs: 1000,
      whenOpen: "wait",
      told: { open: undefined, "half-open": undefined, closed: undefined }
    })
    expect(calls.around((x: number) => x + 1)(1)).toBe(2)
    expect(calls.breaker.counts).toMatchObject({ calls: 1, failures: 0 })
  })

  it.each([
    [":failure-threshold 0", "has :failure-threshold 0, at which it would open without a failure"],
    [":failure-threshold 1.5", "expects :failure-threshold to be"],
    [":window 5 :minimum-calls 6", "has :minimum-calls 6, but a :window of 5 calls only"],
    [":window 1000001", "at most 1000000 are remembered"],
    [":when-open :skip", "expects :when-open to be :wait or :fail"],
    [":recovery-timeout 0", "expects :recovery-timeout to be"]
  ])("refuses {%s}", (written, message) =>
    Effect.gen(function* () {
      const host = yield* StreamHost
      const failure = yield* Effect.flip(host.eval(`(call :stream.with-circuit-breaker [1] {${written}})`))
      expect(String(failure.cause ?? failure)).toContain(message)
    }).pipe(Effect.provide(StreamHost.layer()), Effect.runPromise)
  )

  it("begins trials anew where it was saved in the middle of them", () => {
    let now = 0
    const make = () =>
      new CircuitBreaker({ failureThreshold: 1, window: 1, minimumCalls: 1, recoveryMs: 10, trials: 1, now: () => now, onChange: () => {} })
    const breaker = make()
    breaker.ended(breaker.enter()!, "failed")
    now = 10
    const trial = breaker.enter()!
    expect(breaker.enter()).toBeUndefined()
    const restored = make()
    restored.restore(breaker.snapshot())
    // The call of the process before says nothing here.
    restored.ended(trial, "passed")
    expect(restored.state).toBe("half-open")
    expect(restored.enter()).toMatchObject({ isTrial: true })
  })
})

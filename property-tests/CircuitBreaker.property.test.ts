import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Flow, StreamHost } from "rtfs-streams/effect"
import { type BreakerSnapshot, CircuitBreaker, type Permit } from "../src/capabilities/recovery/CircuitBreaker.ts"
import { BreakerModel, type ModelCall } from "./models/BreakerModel.ts"

const runs = { numRuns: Number(process.env["FC_RUNS"] ?? 300) }

const options = fc
  .record({
    failureThreshold: fc.constantFrom(0.2, 0.5, 2 / 3, 1),
    window: fc.integer({ min: 1, max: 8 }),
    minimumCalls: fc.integer({ min: 1, max: 8 }),
    recoveryMs: fc.constantFrom(10, 25),
    trials: fc.integer({ min: 1, max: 3 })
  })
  .map((made) => ({ ...made, minimumCalls: Math.min(made.minimumCalls, made.window) }))

/** Calls begin, come back in any order or never, and time goes by. */
const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant("enter" as const) }) },
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constant("end" as const),
        which: fc.nat(5),
        outcome: fc.constantFrom("passed" as const, "failed" as const, "failed" as const, "ignored" as const)
      })
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(1, 5, 10, 40, 400) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("restore" as const) }) }
  ),
  { maxLength: 120, size: "max" }
)

const allowed = new Set(["closed open", "open half-open", "half-open closed", "half-open open"])

describe("stream.with-circuit-breaker", () => {
  it("CB-1 CB-2 CB-3 CB-4 CB-5 CB-6: opens, tries and closes exactly when the list of what came back says so", () =>
    fc.assert(
      fc.property(
        options,
        steps.map((made) => made.filter((step) => step.do !== "restore")),
        (made, done) => {
          let now = 0
          const told: Array<string> = []
          const breaker = new CircuitBreaker({ ...made, now: () => now, onChange: (state) => told.push(state) })
          const model = new BreakerModel(made)
          const calls: Array<{ readonly permit: Permit; readonly call: ModelCall }> = []
          for (const step of done) {
            if (step.do === "wait") now += step.ms
            if (step.do === "enter") {
              const wasOpen = breaker.state === "open" && breaker.retryInMs > 0
              const permit = breaker.enter()
              const call = model.enter(now)
              expect(permit === undefined).toBe(call === undefined)
              if (wasOpen) expect(permit).toBeUndefined()
              if (permit !== undefined) calls.push({ permit, call: call! })
            }
            if (step.do === "end" && calls.length > 0) {
              const [{ call, permit }] = calls.splice(step.which % calls.length, 1) as [(typeof calls)[0]]
              breaker.ended(permit, step.outcome)
              // What comes back twice counts once.
              if (permit.isTrial) breaker.ended(permit, "failed")
              model.ended(call, step.outcome, now)
            }
            expect(breaker.state).toBe(model.state)
            expect(told).toEqual(model.changes)
          }
          for (const [index, state] of told.entries()) expect(allowed).toContain(`${index === 0 ? "closed" : told[index - 1]} ${state}`)
        }
      ),
      runs
    ))

  it("CP-1: one that was saved and restored goes on as if it had not been, but for the trials that were under way", () =>
    fc.assert(
      fc.property(options, steps, (made, done) => {
        let now = 0
        const make = () => new CircuitBreaker({ ...made, now: () => now, onChange: () => {} })
        let breaker = make()
        const model = new BreakerModel(made)
        for (const step of done) {
          if (step.do === "wait") now += step.ms
          if (step.do === "restore" && breaker.state !== "half-open") {
            const snapshot = structuredClone(breaker.snapshot()) as BreakerSnapshot
            breaker = make()
            breaker.restore(snapshot)
            expect(breaker.snapshot()).toEqual(snapshot)
          }
          if (step.do === "enter" || step.do === "end") {
            // Calls that come back at once, so that none is under way when it is saved.
            const outcome = step.do === "end" ? step.outcome : "passed"
            const permit = breaker.enter()
            const call = model.enter(now)
            expect(permit === undefined).toBe(call === undefined)
            if (permit !== undefined) {
              breaker.ended(permit, outcome)
              model.ended(call!, outcome, now)
            }
          }
          expect(breaker.state).toBe(model.state)
        }
      }),
      runs
    ))

  it("CB-3: whatever fails, and whenever, no call is made while it is open, and each item comes out or is counted", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom("passes", "fails", "fails later", "passes later"), { minLength: 1, maxLength: 25, size: "max" }),
        fc.integer({ min: 1, max: 3 }),
        fc.constantFrom("wait" as const, "fail" as const),
        (made, parallelism, whenOpen) =>
          Effect.gen(function* () {
            const host = yield* StreamHost
            let isOpen = false
            let callsWhileOpen = 0
            const changes: Array<string> = []
            const flow = Flow.from(made.map((kind, index) => ({ kind, index })))
              .map(
                ({ index, kind }) => {
                  if (isOpen) callsWhileOpen++
                  if (kind === "fails") throw new Error("no")
                  if (kind === "passes") return index
                  return Promise.resolve().then(() => {
                    if (kind === "fails later") throw new Error("no")
                    return index
                  })
                },
                { onFailure: "skip", parallelism }
              )
              .withCircuitBreaker({
                window: 4,
                minimumCalls: 2,
                recoveryTimeout: 1000,
                whenOpen,
                onOpen: () => {
                  isOpen = true
                  changes.push("open")
                },
                onHalfOpen: () => {
                  isOpen = false
                  changes.push("half-open")
                },
                onClose: () => void changes.push("closed")
              })
            const fiber = yield* Effect.forkChild(host.runFlow(flow))
            // No wait is longer than 16 s, and there is at most one before each call.
            for (let i = 0; i <= 2 * made.length && fiber.pollUnsafe() === undefined; i++) {
              yield* settle
              yield* TestClock.adjust(16_000)
            }
            yield* settle
            expect(fiber.pollUnsafe()).toBeDefined()
            const { skipped, value } = yield* Fiber.join(fiber)
            expect(callsWhileOpen).toBe(0)
            const passing = made.flatMap((kind, index) => (kind.startsWith("passes") ? [index] : []))
            const out = value as ReadonlyArray<number>
            expect(out.length + skipped).toBe(made.length)
            if (whenOpen === "wait") expect(out).toEqual(passing)
            else expect(out).toEqual(passing.filter((index) => out.includes(index)))
            for (const [index, state] of changes.entries())
              expect(allowed).toContain(`${index === 0 ? "closed" : changes[index - 1]} ${state}`)
          }).pipe(Effect.provide(StreamHost.layer()), Effect.provide(TestClock.layer()), Effect.runPromise)
      ),
      { numRuns: Math.ceil(runs.numRuns / 6) }
    ))
})

const settle = Effect.promise(() => new Promise((resolve) => setImmediate(resolve))).pipe(Effect.repeat({ times: 8 }))

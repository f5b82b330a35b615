import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { Mailbox, type MailboxBounds } from "../src/actors/index.ts"
import { Frame } from "../src/serialization/index.ts"
import { bytesOf, itemsOf } from "./models/MailboxModel.ts"

const numRuns = Number(process.env["FC_RUNS"] ?? 200)
const timeout = 30_000 + numRuns * 20

const frameOf = (count: number, bytes: number, sequence = 0): Frame =>
  new Frame({ kind: "data", layout: "rows", stream: "", sequence, count, time: 0, body: new Uint8Array(bytes) })

const marked = fc
  .record({
    maxFrames: fc.integer({ min: 1, max: 8 }),
    maxItems: fc.integer({ min: 1, max: 30 }),
    maxBytes: fc.integer({ min: 50, max: 900 }),
    marksIn: fc.constantFrom("frames" as const, "items" as const)
  })
  .chain((bounds) =>
    fc
      .integer({ min: 1, max: bounds.marksIn === "frames" ? bounds.maxFrames : bounds.maxItems })
      .chain((highWaterMark) => fc.nat(highWaterMark - 1).map((lowWaterMark) => ({ ...bounds, highWaterMark, lowWaterMark })))
  )

describe("Backpressure", () => {
  it(
    "BP-6: calls for a pause once when the high mark is reached, and not again before the low mark",
    () =>
      fc.assert(
        fc.property(
          marked,
          fc.array(fc.option(fc.record({ count: fc.integer({ min: 1, max: 8 }), bytes: fc.nat(200) }), { freq: 2 }), { size: "+1" }),
          (bounds, steps) => {
            const calls: Array<string> = []
            const mailbox = Effect.runSync(
              Mailbox.make({
                address: "/test",
                edges: 1,
                overflow: "fail",
                ...bounds,
                onBackpressure: () => calls.push("pause"),
                onRelief: () => calls.push("relief")
              })
            )
            const size = bounds.marksIn === "frames" ? bounds.maxFrames : bounds.maxItems
            const held: Array<Frame> = []
            let isPressing = false
            for (const step of steps) {
              let isRefused = false
              if (step === null) {
                if (mailbox.peek() === undefined) continue
                mailbox.release(0)
                held.shift()
              } else {
                const frame = frameOf(step.count, step.bytes)
                isRefused = !mailbox.offerNow(0, frame)
                if (!isRefused) held.push(frame)
              }
              // Shares compared by multiplying, so that the model rounds nothing.
              const shares = [held.length / bounds.maxFrames, itemsOf(held) / bounds.maxItems, bytesOf(held) / bounds.maxBytes].map(
                (share) => share * size + 1e-9
              )
              const before = calls.length
              if (step !== null && !isPressing && (isRefused || shares.some((share) => share >= bounds.highWaterMark))) {
                isPressing = true
                assert.deepStrictEqual(calls.splice(0), ["pause"])
              } else if (step === null && isPressing && shares.every((share) => share <= bounds.lowWaterMark + 2e-9)) {
                isPressing = false
                assert.deepStrictEqual(calls.splice(0), ["relief"])
              } else {
                assert.deepStrictEqual(calls.slice(before), [])
              }
              assert.strictEqual(mailbox.stats().pressing, isPressing ? 1 : 0)
            }
          }
        ),
        { numRuns }
      ),
    timeout
  )

  it("BP-7: makes exactly the mailboxes with 0 ≤ low < high ≤ size and bounds of at least 1", () => {
    const number = fc.oneof(
      { weight: 4, arbitrary: fc.integer({ min: -1, max: 6 }) },
      { weight: 1, arbitrary: fc.constantFrom(1.5, NaN, Infinity) }
    )
    const isBound = (value: number) => Number.isInteger(value) && value >= 1
    return fc.assert(
      fc.property(
        fc.tuple(number, number, number),
        fc.tuple(number, number),
        fc.constantFrom("frames" as const, "items" as const),
        ([maxFrames, maxItems, maxBytes], [low, high], marksIn) => {
          const bounds: MailboxBounds = { maxFrames, maxItems, maxBytes, lowWaterMark: low, highWaterMark: high, marksIn }
          const isValid =
            [maxFrames, maxItems, maxBytes].every(isBound)
            && Number.isInteger(low)
            && Number.isInteger(high)
            && low >= 0
            && low < high
            && high <= (marksIn === "frames" ? maxFrames : maxItems)
          const made = Effect.runSync(
            Effect.match(Mailbox.make({ address: "/test", edges: 1, overflow: "backpressure", ...bounds }), {
              onSuccess: () => true,
              onFailure: () => false
            })
          )
          assert.strictEqual(made, isValid)
        }
      ),
      { numRuns: numRuns * 5 }
    )
  })

  it(
    "BP-8 MB-5: a chain of actors holds no more than its mailboxes together, and hands all on in order, whatever the pace of each",
    () =>
      fc.assert(
        fc.asyncProperty(
          fc.array(fc.record({ maxFrames: fc.integer({ min: 1, max: 4 }), pauseEvery: fc.integer({ min: 1, max: 9 }) }), {
            minLength: 1,
            maxLength: 4
          }),
          fc.integer({ min: 0, max: 60 }),
          async (actors, frames) => {
            const mailboxes = actors.map(({ maxFrames }, index) =>
              Effect.runSync(
                Mailbox.make({
                  address: `/test/${index}`,
                  edges: 1,
                  maxFrames,
                  maxItems: 1e6,
                  maxBytes: 1e6,
                  overflow: "backpressure"
                })
              )
            )
            const total = actors.reduce((sum, { maxFrames }) => sum + maxFrames, 0)
            let most = 0
            const received: Array<number> = []
            const send = (mailbox: Mailbox | undefined, frame: Frame) =>
              Effect.suspend(() => {
                if (mailbox === undefined) received.push(frame.sequence)
                const isDone = mailbox === undefined || mailbox.offerNow(0, frame)
                most = Math.max(
                  most,
                  mailboxes.reduce((sum, each) => sum + each.stats().frames, 0)
                )
                return isDone ? Effect.void : mailbox.offer(0, frame)
              })
            const actor = (index: number) =>
              Effect.gen(function* () {
                let turns = 0
                while (turns < frames) {
                  const delivery = mailboxes[index]!.peek()
                  if (delivery === undefined) {
                    yield* mailboxes[index]!.awaitWork
                    continue
                  }
                  if (++turns % actors[index]!.pauseEvery === 0) yield* Effect.yieldNow
                  yield* send(mailboxes[index + 1], delivery.frame)
                  mailboxes[index]!.release(0)
                }
              })
            const fibers = actors.map((_, index) => Effect.runFork(actor(index)))
            for (let sequence = 0; sequence < frames; sequence++) await Effect.runPromise(send(mailboxes[0], frameOf(3, 5, sequence)))
            for (const fiber of fibers) await Effect.runPromise(Fiber.join(fiber))
            assert.deepStrictEqual(received, [...Array(frames).keys()])
            assert.isAtMost(most, total)
          }
        ),
        { numRuns }
      ),
    timeout
  )

  it("BP-5: a sender and a reader that never wait for anything else do not grow the stack", async () => {
    const mailbox = Effect.runSync(
      Mailbox.make({ address: "/test", edges: 1, maxFrames: 1, maxItems: 1, maxBytes: 1000, overflow: "backpressure" })
    )
    const frame = frameOf(1, 1)
    const count = 100_000
    const sender = Effect.gen(function* () {
      for (let i = 0; i < count; i++) yield* mailbox.offer(0, frame)
    })
    const reader = Effect.gen(function* () {
      for (let read = 0; read < count;) {
        if (mailbox.peek() === undefined) yield* mailbox.awaitWork
        else {
          mailbox.release(0)
          read++
        }
      }
    })
    await Effect.runPromise(Effect.all([reader, sender], { concurrency: 2, discard: true }))
    assert.strictEqual(mailbox.stats().accepted.frames, count)
  })
})

import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { describe, expect, it } from "vitest"
import { ScriptedRounds } from "./ScriptedRounds.ts"
import { after, settle, virtual } from "./ScriptedChildren.ts"

const actors = ["source", "middle", "sink"]
const answerAll = (rounds: ScriptedRounds, id: number) => {
  for (const actor of actors) rounds.answer(actor, id)
}

describe("the rounds of checkpoints", () => {
  it("store one cut, once every actor has answered, and not before", () =>
    virtual(
      Effect.gen(function* () {
        const rounds = new ScriptedRounds(actors)
        const round = yield* rounds.begin
        yield* settle
        expect(rounds.barriers).toEqual([1])
        rounds.answer("sink", 1)
        rounds.answer("source", 1)
        yield* settle
        expect([rounds.stored.size, round.pollUnsafe()]).toEqual([0, undefined])
        rounds.answer("middle", 1)
        expect(yield* Fiber.join(round)).toEqual({ type: "stored", id: 1, bytes: "source@1middle@1sink@1".length })
        expect(rounds.stored.get(1)).toEqual({ source: "source@1", middle: "middle@1", sink: "sink@1" })
        expect(rounds.rounds.counts).toEqual({ stored: 1, abandoned: 0, failed: 0 })
      })
    ))

  it("CP-6: come one at a time, with rising ids", () =>
    virtual(
      Effect.gen(function* () {
        const rounds = new ScriptedRounds(actors, { firstId: 7 })
        rounds.store = "takes its time"
        yield* rounds.begin
        yield* rounds.begin
        yield* settle
        expect(rounds.barriers).toEqual([7])
        answerAll(rounds, 7)
        yield* settle
        // It is being written: the next one has to wait for that, too.
        expect([rounds.isWriting, rounds.barriers]).toEqual([true, [7]])
        rounds.finishWrite()
        yield* settle
        expect(rounds.barriers).toEqual([7, 8])
        answerAll(rounds, 8)
        yield* settle
        rounds.finishWrite()
        yield* settle
        expect([...rounds.stored.keys()]).toEqual([7, 8])
        expect(rounds.mostWrites).toBe(1)
      })
    ))

  it("are given up and counted after their time, and name who did not answer; the next one begins afresh", () =>
    virtual(
      Effect.gen(function* () {
        const rounds = new ScriptedRounds(actors, { timeout: Duration.seconds(5) })
        yield* rounds.begin
        yield* settle
        rounds.answer("source", 1)
        yield* after(4999)
        expect(rounds.outcomes).toEqual([])
        yield* after(1)
        expect(rounds.outcomes).toEqual([{ type: "abandoned", id: 1, missing: ["middle", "sink"] }])
        // Too late, for this round and for the next one.
        rounds.answer("middle", 1)
        rounds.answer("sink", 1)
        yield* rounds.begin
        yield* settle
        rounds.answer("middle", 1, "late")
        answerAll(rounds, 2)
        yield* settle
        expect([...rounds.stored]).toEqual([[2, { source: "source@2", middle: "middle@2", sink: "sink@2" }]])
        expect(rounds.rounds.counts).toEqual({ stored: 1, abandoned: 1, failed: 0 })
      })
    ))

  it("take as long as the store needs: only the answers have a time", () =>
    virtual(
      Effect.gen(function* () {
        const rounds = new ScriptedRounds(actors, { timeout: Duration.seconds(5) })
        rounds.store = "takes its time"
        yield* rounds.begin
        yield* settle
        answerAll(rounds, 1)
        yield* after(60_000)
        expect(rounds.outcomes).toEqual([])
        rounds.finishWrite()
        yield* settle
        expect(rounds.outcomes).toMatchObject([{ type: "stored", id: 1 }])
      })
    ))

  it("listen to the first answer of an actor, and to none between two rounds", () =>
    virtual(
      Effect.gen(function* () {
        const rounds = new ScriptedRounds(actors)
        rounds.answer("source", 1, "early")
        yield* rounds.begin
        yield* settle
        rounds.answer("source", 1)
        rounds.answer("source", 1, "again")
        rounds.answer("nobody", 1)
        rounds.answer("middle", "1", "another id")
        rounds.answer("middle", 1)
        rounds.answer("sink", 1)
        yield* settle
        expect(rounds.stored.get(1)).toMatchObject({ source: "source@1", middle: "middle@1", sink: "sink@1" })
      })
    ))

  it("have the last states of actors that have ended, and wait for none of them", () =>
    virtual(
      Effect.gen(function* () {
        const rounds = new ScriptedRounds(actors)
        rounds.ended("source")
        yield* rounds.begin
        yield* settle
        rounds.answer("middle", 1)
        yield* settle
        expect(rounds.stored.size).toBe(0)
        // It answered before it ended: the cut is where it answered.
        rounds.ended("middle")
        rounds.answer("sink", 1)
        yield* settle
        expect(rounds.stored.get(1)).toEqual({ source: "source ended", middle: "middle@1", sink: "sink@1" })
        yield* rounds.begin
        yield* settle
        rounds.ended("sink")
        yield* settle
        expect(rounds.stored.get(2)).toEqual({ source: "source ended", middle: "middle ended", sink: "sink ended" })
      })
    ))

  it("release a sealed sink once a checkpoint has its seal, not with one that has it as it was before", () =>
    virtual(
      Effect.gen(function* () {
        const rounds = new ScriptedRounds(actors)
        rounds.store = "takes its time"
        yield* rounds.begin
        yield* settle
        rounds.answer("sink", 1)
        const isReleased = yield* rounds.sealed("sink")
        rounds.ended("source")
        rounds.ended("middle")
        yield* settle
        rounds.finishWrite()
        yield* settle
        expect(rounds.stored.get(1)).toEqual({ source: "source ended", middle: "middle ended", sink: "sink@1" })
        expect(isReleased()).toBe(false)
        yield* rounds.begin
        yield* settle
        expect(isReleased()).toBe(false)
        rounds.finishWrite()
        yield* settle
        expect(rounds.stored.get(2)).toMatchObject({ sink: "sink sealed" })
        expect(isReleased()).toBe(true)
      })
    ))

  it("fail where a state can't be encoded: that is told and counted, and nothing is stored", () =>
    virtual(
      Effect.gen(function* () {
        const rounds = new ScriptedRounds(actors)
        yield* rounds.begin
        yield* settle
        rounds.rounds.answer("middle", 1, () => {
          throw new Error("a function")
        })
        rounds.answer("source", 1)
        rounds.answer("sink", 1)
        yield* settle
        expect(rounds.outcomes).toEqual([{ type: "failed", id: 1, error: new Error("a function") }])
        expect([rounds.stored.size, rounds.rounds.counts.failed]).toEqual([0, 1])
        yield* rounds.begin
        yield* settle
        answerAll(rounds, 2)
        yield* settle
        expect([...rounds.stored.keys()]).toEqual([2])
      })
    ))

  it("fail at once when an actor has ended whose last state can't be told, and say so to sinks that wait", () =>
    virtual(
      Effect.gen(function* () {
        const rounds = new ScriptedRounds(actors)
        yield* rounds.begin
        yield* settle
        const error = new Error("a function")
        rounds.rounds.lost("middle", error)
        yield* settle
        expect(rounds.outcomes).toEqual([{ type: "failed", id: 1, error }])
        rounds.ended("source")
        expect(rounds.rounds.isStuck).toBe(false)
        const isReleased = yield* rounds.sealed("sink")
        yield* rounds.begin
        yield* settle
        expect([rounds.outcomes[1], rounds.rounds.isStuck, isReleased()]).toEqual([{ type: "failed", id: 2, error }, true, false])
      })
    ))

  it("CP-6: a store that fails advances nothing and releases nobody", () =>
    virtual(
      Effect.gen(function* () {
        const rounds = new ScriptedRounds(actors)
        rounds.store = "fails"
        rounds.ended("source")
        rounds.ended("middle")
        const isReleased = yield* rounds.sealed("sink")
        yield* rounds.begin
        yield* settle
        expect(rounds.outcomes).toEqual([{ type: "failed", id: 1, error: new Error("the disk is full") }])
        expect([isReleased(), rounds.rounds.counts]).toEqual([false, { stored: 0, abandoned: 0, failed: 1 }])
        rounds.store = "stores"
        yield* rounds.begin
        yield* settle
        expect([isReleased(), [...rounds.stored.keys()]]).toEqual([true, [2]])
      })
    ))

  it("begin anew after an interruption; what the store is writing then is written to its end", () =>
    virtual(
      Effect.gen(function* () {
        const rounds = new ScriptedRounds(actors)
        const aligning = yield* rounds.begin
        yield* settle
        rounds.answer("source", 1)
        yield* Fiber.interrupt(aligning)
        rounds.answer("middle", 1)
        rounds.answer("sink", 1)
        rounds.store = "takes its time"
        const writing = yield* rounds.begin
        yield* settle
        expect(rounds.barriers).toEqual([1, 2])
        answerAll(rounds, 2)
        yield* settle
        const interrupted = yield* Effect.forkScoped(Fiber.interrupt(writing))
        yield* settle
        expect(interrupted.pollUnsafe()).toBeUndefined()
        rounds.finishWrite()
        yield* settle
        expect(Exit.isSuccess(interrupted.pollUnsafe()!)).toBe(true)
        expect([...rounds.stored.keys()]).toEqual([2])
        rounds.store = "stores"
        yield* rounds.begin
        yield* settle
        answerAll(rounds, 3)
        yield* settle
        expect([...rounds.stored.keys()]).toEqual([2, 3])
      })
    ))
})

describe("the loop of rounds", () => {
  it("begins one each interval, counted from the end of the one before", () =>
    virtual(
      Effect.gen(function* () {
        const rounds = new ScriptedRounds(actors)
        yield* rounds.loop
        yield* after(9999)
        expect(rounds.barriers).toEqual([])
        yield* after(1)
        expect(rounds.barriers).toEqual([1])
        yield* after(60_000)
        expect(rounds.barriers).toEqual([1])
        answerAll(rounds, 1)
        yield* after(9999)
        expect(rounds.barriers).toEqual([1])
        yield* after(1)
        expect(rounds.barriers).toEqual([1, 2])
      })
    ))

  it("begins one after so many items of all sources together", () =>
    virtual(
      Effect.gen(function* () {
        const rounds = new ScriptedRounds(["a", "b"], { everyItems: 10 })
        yield* rounds.loop
        yield* settle
        rounds.rounds.taken("a", 6)
        rounds.rounds.taken("b", 3)
        yield* settle
        expect(rounds.barriers).toEqual([])
        rounds.rounds.taken("b", 4)
        yield* settle
        expect(rounds.barriers).toEqual([1])
        for (const actor of ["a", "b"]) rounds.answer(actor, 1)
        yield* settle
        rounds.rounds.taken("a", 15)
        yield* settle
        expect(rounds.barriers).toEqual([1])
        rounds.rounds.taken("a", 16)
        yield* settle
        expect(rounds.barriers).toEqual([1, 2])
      })
    ))

  it("counts items that came while a round was under way: they call for the next one as soon as that is over", () =>
    virtual(
      Effect.gen(function* () {
        const rounds = new ScriptedRounds(["a"], { everyItems: 10 })
        yield* rounds.loop
        yield* settle
        rounds.rounds.taken("a", 10)
        yield* settle
        rounds.rounds.taken("a", 20)
        rounds.answer("a", 1)
        yield* settle
        expect(rounds.barriers).toEqual([1, 2])
      })
    ))

  it("begins one at once when only sealed sinks are left, and ends their wait", () =>
    virtual(
      Effect.gen(function* () {
        const rounds = new ScriptedRounds(actors)
        yield* rounds.loop
        yield* settle
        rounds.ended("source")
        const isReleased = yield* rounds.sealed("sink")
        yield* settle
        expect([rounds.barriers, isReleased()]).toEqual([[], false])
        rounds.ended("middle")
        yield* settle
        expect([rounds.barriers, isReleased()]).toEqual([[1], true])
      })
    ))

  it("asks a store that fails again after a second, as long as sinks wait for it", () =>
    virtual(
      Effect.gen(function* () {
        const rounds = new ScriptedRounds(["sink"])
        rounds.store = "fails"
        yield* rounds.loop
        const isReleased = yield* rounds.sealed("sink")
        yield* settle
        expect(rounds.barriers).toEqual([1])
        yield* after(999)
        expect(rounds.barriers).toEqual([1])
        yield* after(1)
        expect(rounds.barriers).toEqual([1, 2])
        rounds.store = "stores"
        yield* after(1000)
        expect([rounds.barriers, isReleased()]).toEqual([[1, 2, 3], true])
        expect(rounds.rounds.counts).toEqual({ stored: 1, abandoned: 0, failed: 2 })
      })
    ))

  it("CP-6: hears what is told of one round before the next one begins, and ends with what that fails with", () =>
    virtual(
      Effect.gen(function* () {
        const rounds = new ScriptedRounds(["a"], { everyItems: 1 })
        let told = 0
        const loop = yield* Effect.forkScoped(
          rounds.rounds.loop(() => (++told === 2 ? Effect.fail("enough" as const) : Effect.sleep(Duration.seconds(1))))
        )
        yield* settle
        rounds.rounds.taken("a", 1)
        yield* settle
        rounds.answer("a", 1)
        yield* settle
        rounds.rounds.taken("a", 2)
        yield* after(999)
        expect([told, rounds.barriers]).toEqual([1, [1]])
        yield* after(1)
        expect(rounds.barriers).toEqual([1, 2])
        rounds.answer("a", 2)
        yield* settle
        expect(loop.pollUnsafe()).toEqual(Exit.fail("enough"))
      })
    ))
})

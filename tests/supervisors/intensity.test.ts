import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { describe, expect, it } from "vitest"
import { RestartIntensityExceeded } from "../../src/supervisors/index.ts"
import { after, atOnce, exact, often, ScriptedChildren, settle, until, virtual } from "./ScriptedChildren.ts"

describe("restart intensity", () => {
  it("SV-4: survives exactly as many restarts as it allows, then stops all in reverse and fails (OTP multiple_restarts)", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* children.start({
          backoff: atOnce,
          intensity: { restarts: 2, period: 1000 },
          childIntensity: often,
          children: [children.spec("a"), children.spec("b"), children.spec("c")]
        })
        for (const id of ["a", "b"]) {
          children.crash(id)
          yield* settle
        }
        expect(supervisor.countChildren().active).toBe(3)
        children.takeLog()
        children.crash("b", new Error("the last straw"))
        const failure = yield* Effect.flip(supervisor.ended)
        expect(children.takeLog()).toBe("b- c- a-")
        expect(supervisor.state()).toBe("failed")
        expect(failure).toBeInstanceOf(RestartIntensityExceeded)
        expect(failure).toMatchObject({ child: "b", limit: "supervisor", restarts: 2, periodMs: 1000 })
        expect(failure.message).toContain("the last straw")
        const told = children.events.map(({ type }) => type).slice(-6)
        expect(told).toEqual(["child-exited", "intensity-exceeded", "escalated", "child-exited", "child-exited", "stopped"])
      })
    ))

  it.each([
    [1000, "failed"],
    [1001, "running"]
  ])("SV-4: a crash %i ms after the first of two leaves a supervisor that allows 2 in a second %s", (gap, state) =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* children.start({
          backoff: atOnce,
          childIntensity: { restarts: 2, period: 1000 },
          children: [children.spec("a")]
        })
        children.crash("a")
        yield* after(10)
        children.crash("a")
        yield* after(gap - 10)
        children.crash("a")
        yield* settle
        expect(supervisor.state()).toBe(state)
      })
    )
  )

  it("a child that spends its own budget ends the supervisor, but can't spend that of its siblings", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        // The defaults: 3 in 5 seconds each, 9 for all.
        const supervisor = yield* children.start({
          children: [children.spec("a"), children.spec("b"), children.spec("c")],
          backoff: atOnce
        })
        for (const id of ["a", "b", "c", "a", "b", "c", "a", "b", "c"]) {
          children.crash(id)
          yield* settle
        }
        expect(supervisor.state()).toBe("running")
        children.crash("b")
        const failure = yield* Effect.flip(supervisor.ended)
        expect(failure).toMatchObject({ child: "b", limit: "child", restarts: 3, periodMs: 5000 })
      })
    ))

  it.each(["one-for-one", "one-for-all", "rest-for-one"] as const)(
    "SV-4: attempts to restart that fail count too, under %s (OTP one_for_one_escalation …)",
    (strategy) =>
      virtual(
        Effect.gen(function* () {
          const children = new ScriptedChildren()
          const supervisor = yield* children.start({
            strategy,
            backoff: atOnce,
            intensity: { restarts: 4, period: 3_600_000 },
            childIntensity: often,
            children: [children.spec("a"), children.spec("b")]
          })
          children.script("a", { start: "fail" })
          children.crash("a")
          expect(Exit.isFailure(yield* Effect.exit(supervisor.ended))).toBe(true)
          // The first life and four failed restarts; the fifth was not tried.
          expect(children.begun.get("a")).toBe(5)
          expect([children.aliveOf("a"), children.aliveOf("b")]).toEqual([0, 0])
        })
      )
  )

  it("with an intensity of 0 the first restart escalates", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* children.start({ intensity: { restarts: 0, period: 1 }, children: [children.spec("a")] })
        children.crash("a")
        yield* Effect.flip(supervisor.ended)
        expect(children.begun.get("a")).toBe(1)
      })
    ))

  it("a loop of failing restarts blocks neither queries nor stop nor terminateChild (OTP hanging_restart_loop)", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* children.start({
          backoff: atOnce,
          intensity: { restarts: 1e9, period: 1000 },
          childIntensity: { restarts: 1e9, period: 1000 },
          children: [children.spec("a"), children.spec("b")]
        })
        children.script("a", { start: "fail" })
        children.crash("a")
        yield* until(() => children.begun.get("a")! >= 100)
        expect(supervisor.countChildren().specs).toBe(2)
        yield* supervisor.terminateChild("a")
        expect(supervisor.whichChildren().map(({ state }) => state)).toEqual(["stopped", "running"])
        const begun = children.begun.get("a")
        yield* after(10_000)
        expect(children.begun.get("a")).toBe(begun)
        expect(Exit.isFailure(yield* Effect.exit(supervisor.restartChild("a")))).toBe(true)
        yield* supervisor.stop()
      })
    ))
})

describe("backoff", () => {
  it("SV-12: waits twice as long each time, and from the beginning after a healthy time", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        yield* children.start({ backoff: exact, childIntensity: often, intensity: often, children: [children.spec("a")] })
        const crashAndWait = Effect.fnUntraced(function* (delay: number) {
          children.crash("a")
          yield* after(delay - 1)
          expect(children.aliveOf("a")).toBe(0)
          yield* after(1)
          expect(children.aliveOf("a")).toBe(1)
        })
        for (const delay of [100, 200, 400, 800, 1000, 1000]) yield* crashAndWait(delay)
        yield* after(59_999)
        yield* crashAndWait(1000)
        yield* after(60_000)
        yield* crashAndWait(100)
        yield* crashAndWait(200)
      })
    ))

  it("a child in its backoff is seen waiting, and delays no other", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* children.start({ backoff: exact, children: [children.spec("a"), children.spec("b")] })
        children.crash("a")
        yield* after(99)
        children.crash("b")
        yield* after(1)
        expect(supervisor.whichChildren().map(({ state }) => state)).toEqual(["running", "waiting"])
        expect(supervisor.countChildren()).toMatchObject({ specs: 2, active: 1 })
        yield* after(99)
        expect(supervisor.countChildren()).toMatchObject({ specs: 2, active: 2 })
      })
    ))
})

import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import type { RestartStrategy } from "../../src/supervisors/index.ts"
import { after, atOnce, exact, often, ScriptedChildren, settle, until, virtual } from "./ScriptedChildren.ts"

const three = (children: ScriptedChildren, strategy: RestartStrategy, options = {}) =>
  children.start({
    strategy,
    backoff: atOnce,
    intensity: often,
    childIntensity: often,
    children: [children.spec("a"), children.spec("b"), children.spec("c")],
    ...options
  })

describe("RestartStrategy", () => {
  it.each([
    ["one-for-one", "b- b+ b!"],
    ["one-for-all", "b- c- a- a+ a! b+ b! c+ c!"],
    ["rest-for-one", "b- c- b+ b! c+ c!"]
  ] as const)("SV-3: %s restarts whom it says, stopping in reverse and starting in order", (strategy, expected) =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* three(children, strategy)
        children.takeLog()
        children.crash("b")
        yield* settle
        expect(children.takeLog()).toBe(expected)
        expect(supervisor.countChildren()).toEqual({ specs: 3, active: 3, supervisors: 0, workers: 3 })
        const lives = supervisor.whichChildren().map(({ incarnation, restarts }) => [incarnation, restarts])
        expect(lives).toEqual([
          [strategy === "one-for-all" ? 2 : 1, 0],
          [2, 1],
          [strategy === "one-for-one" ? 1 : 2, 0]
        ])
      })
    )
  )

  it("SV-3: one-for-one restarts children independently, so a hanging start delays nobody else", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* three(children, "one-for-one")
        children.script("a", { start: "hang" })
        children.takeLog()
        children.crash("a")
        yield* settle
        children.crash("b")
        yield* settle
        expect(children.takeLog()).toBe("a- a+ b- b+ b!")
        expect(supervisor.whichChildren().map(({ state }) => state)).toEqual(["starting", "running", "running"])
        expect(supervisor.countChildren().active).toBe(3)
        yield* supervisor.stop()
        expect(children.aliveOf("a")).toBe(0)
      })
    ))

  it("SV-3: one-for-all takes down again what it has restarted when a later child fails (OTP one_for_all_other_child_fails_restart)", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        yield* three(children, "one-for-all")
        children.script("b", { start: "fail" })
        children.takeLog()
        children.crash("a")
        // The first attempt reaches b; then everything begins again.
        yield* until(() => children.begun.get("b") === 2)
        children.script("b", {})
        yield* settle
        expect(children.takeLog()).toBe("a- c- b- a+ a! b+ b- a- a+ a! b+ b! c+ c!")
      })
    ))

  it("SV-3: rest-for-one does not restart again what this pass has restarted (OTP rest_for_one_other_child_fails_restart)", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        yield* three(children, "rest-for-one")
        children.script("b", { start: "fail" })
        children.takeLog()
        children.crash("a")
        yield* until(() => children.begun.get("b") === 2)
        children.script("b", {})
        yield* settle
        expect(children.takeLog()).toBe("a- c- b- a+ a! b+ b- b+ b! c+ c!")
      })
    ))

  it("a sibling that falls while it is about to be stopped anyway costs nothing more", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* three(children, "one-for-all", {
          intensity: { restarts: 1, period: 1000 }
        })
        children.script("c", { asked: "ignore" })
        yield* supervisor.terminateChild("c")
        yield* supervisor.restartChild("c")
        children.takeLog()
        children.crash("b")
        yield* settle
        children.crash("a")
        yield* settle
        expect(supervisor.whichChildren().map(({ state }) => state)).toEqual(["waiting", "waiting", "stopping"])
        yield* after(5000)
        expect(children.takeLog()).toBe("b- c? a- c- a+ a! b+ b! c+ c!")
        expect(supervisor.whichChildren().map(({ restarts }) => restarts)).toEqual([0, 1, 0])
      })
    ))

  it("a group restart starts children that had ended normally or been terminated, and drops temporary ones (OTP)", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* three(children, "one-for-all", {
          children: [
            children.spec("done", { restart: "transient" }),
            children.spec("terminated"),
            children.spec("temporary", { restart: "temporary" }),
            children.spec("d")
          ]
        })
        children.finish("done")
        yield* supervisor.terminateChild("terminated")
        children.takeLog()
        children.crash("d")
        yield* settle
        expect(children.takeLog()).toBe("d- temporary- done+ done! terminated+ terminated! d+ d!")
        expect(supervisor.whichChildren().map(({ id }) => id)).toEqual(["done", "terminated", "d"])
      })
    ))

  it("a new end widens a restart that is waiting, and cuts no backoff short", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        yield* three(children, "rest-for-one", { backoff: { ...exact, maximum: 10_000 } })
        for (const wait of [100, 200, 400]) {
          children.crash("c")
          yield* after(wait)
        }
        children.takeLog()
        children.crash("c")
        yield* after(300)
        children.crash("b")
        yield* after(499)
        expect(children.takeLog()).toBe("c- b-")
        yield* after(1)
        expect(children.takeLog()).toBe("b+ b! c+ c!")
      })
    ))

  it("a terminated child is taken out of the restart it waits for", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* three(children, "one-for-all", { backoff: exact })
        children.crash("a")
        yield* settle
        yield* supervisor.terminateChild("b")
        children.takeLog()
        yield* after(100)
        expect(children.takeLog()).toBe("a+ a! c+ c!")
        expect(supervisor.whichChildren().map(({ state }) => state)).toEqual(["running", "stopped", "running"])
      })
    ))
})

describe("Restart", () => {
  it.each([
    ["permanent", "normal", "running"],
    ["permanent", "crash", "running"],
    ["transient", "normal", "stopped"],
    ["transient", "crash", "running"],
    ["temporary", "normal", "forgotten"],
    ["temporary", "crash", "forgotten"]
  ] as const)("SV-5: a %s child after a %s end is %s (OTP permanent_normal … temporary_abnormal)", (restart, end, expected) =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* children.start({ backoff: atOnce, children: [children.spec("bystander")] })
        yield* supervisor.addChild(children.spec("a", { restart }))
        if (end === "normal") children.finish("a")
        else children.crash("a")
        yield* settle
        expect(supervisor.whichChildren().find(({ id }) => id === "a")?.state ?? "forgotten").toBe(expected)
        expect(children.begun.get("bystander")).toBe(1)
        // A temporary child's id is free again; that of another one is taken.
        const again = yield* Effect.exit(supervisor.addChild(children.spec("a", { restart })))
        expect(again._tag).toBe(expected === "forgotten" ? "Success" : "Failure")
      })
    )
  )

  it("an interruption that is not the supervisor's is a crash", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const stray = children.spec("a", {
          restart: "transient",
          run: ({ ready }) => Effect.andThen(ready, Effect.andThen(Effect.yieldNow, Effect.interrupt))
        })
        const supervisor = yield* children.start({ children: [stray] })
        yield* settle
        expect(supervisor.whichChildren()[0]).toMatchObject({ state: "waiting", lastExit: { kind: "crashed" } })
      })
    ))
})

import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { describe, expect, it } from "vitest"
import { ChildAlreadyPresent, ChildNotFound, ChildNotStopped, ChildStartFailed } from "../../src/supervisors/index.ts"
import { after, atOnce, ScriptedChildren, settle, until, virtual } from "./ScriptedChildren.ts"

describe("children that come and go", () => {
  it("can be added, terminated, restarted and deleted, each where it has its place (OTP child_adm, extra_return)", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* children.start({})
        const spec = children.spec("a")
        expect(yield* supervisor.addChild(spec)).toMatchObject({ id: "a", state: "running", incarnation: 1 })
        expect(yield* Effect.flip(supervisor.addChild(spec))).toMatchObject(
          new ChildAlreadyPresent({ supervisor: "/top", child: "a", state: "running" })
        )
        for (const missing of [supervisor.terminateChild("x"), supervisor.restartChild("x"), supervisor.deleteChild("x")]) {
          expect(yield* Effect.flip(missing)).toBeInstanceOf(ChildNotFound)
        }
        expect(yield* Effect.flip(supervisor.restartChild("a"))).toBeInstanceOf(ChildNotStopped)
        expect(yield* Effect.flip(supervisor.deleteChild("a"))).toBeInstanceOf(ChildNotStopped)

        yield* supervisor.terminateChild("a")
        expect(supervisor.countChildren()).toEqual({ specs: 1, active: 0, supervisors: 0, workers: 1 })
        yield* supervisor.terminateChild("a")
        expect(yield* Effect.flip(supervisor.addChild(spec))).toMatchObject({ _tag: "ChildAlreadyPresent", state: "stopped" })

        expect(yield* supervisor.restartChild("a")).toMatchObject({ state: "running", incarnation: 2, restarts: 0 })
        yield* supervisor.terminateChild("a")
        yield* supervisor.deleteChild("a")
        expect(yield* Effect.flip(supervisor.restartChild("a"))).toBeInstanceOf(ChildNotFound)
        expect(supervisor.whichChildren()).toEqual([])
        expect(yield* supervisor.addChild(spec)).toMatchObject({ incarnation: 1 })
      })
    ))

  it("one that does not start is not kept, and one that is restarted by hand and does not start stays stopped", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* children.start({ children: [children.spec("b")] })
        const failure = yield* Effect.flip(supervisor.addChild(children.spec("a", {}, { start: "fail" })))
        expect(failure).toBeInstanceOf(ChildStartFailed)
        expect(supervisor.whichChildren().map(({ id }) => id)).toEqual(["b"])
        yield* supervisor.terminateChild("b")
        children.script("b", { start: "fail" })
        expect(yield* Effect.flip(supervisor.restartChild("b"))).toBeInstanceOf(ChildStartFailed)
        expect(supervisor.whichChildren()).toMatchObject([{ id: "b", state: "stopped", restarts: 0 }])
        yield* after(100_000)
        expect(children.begun.get("b")).toBe(2)
      })
    ))

  it("SV-11: a hanging start or stop of one blocks no query and no other child", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* children.start({ children: [children.spec("deaf", { shutdown: "infinity" }, { asked: "ignore" })] })
        const terminating = yield* Effect.forkChild(supervisor.terminateChild("deaf"))
        const adding = yield* Effect.forkChild(supervisor.addChild(children.spec("slow", {}, { start: "hang" })))
        yield* settle
        expect(supervisor.whichChildren().map(({ id, state }) => `${id} ${state}`)).toEqual(["deaf stopping", "slow starting"])
        expect(supervisor.countChildren()).toEqual({ specs: 2, active: 2, supervisors: 0, workers: 2 })
        yield* supervisor.addChild(children.spec("other"))
        yield* supervisor.terminateChild("other")
        yield* supervisor.deleteChild("other")
        children.makeReady("slow")
        children.finish("deaf")
        yield* Fiber.join(terminating)
        expect(yield* Fiber.join(adding)).toMatchObject({ state: "running" })
      })
    ))

  it("an interrupted addChild withdraws the child", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* children.start({})
        const adding = yield* Effect.forkChild(supervisor.addChild(children.spec("a", {}, { start: "hang", asked: "ignore" })))
        yield* settle
        yield* Fiber.interrupt(adding)
        expect(supervisor.whichChildren()).toEqual([])
        expect(children.aliveOf("a")).toBe(0)
      })
    ))

  it("one that is terminated or caught by the supervisor's end while it starts has failed to start", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* children.start({})
        for (const end of [supervisor.terminateChild("a"), supervisor.stop()]) {
          const adding = yield* Effect.forkChild(Effect.flip(supervisor.addChild(children.spec("a", {}, { start: "hang" }))))
          yield* settle
          yield* end
          expect(yield* Fiber.join(adding)).toBeInstanceOf(ChildStartFailed)
          expect(supervisor.whichChildren()).toEqual([])
        }
      })
    ))

  it("one that is being added is not one of the group before it is up", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* children.start({ strategy: "one-for-all", backoff: atOnce, children: [children.spec("a")] })
        const adding = yield* Effect.forkChild(supervisor.addChild(children.spec("b", {}, { start: "hang" })))
        yield* settle
        children.crash("a")
        yield* settle
        expect(children.begun.get("a")).toBe(2)
        expect(children.begun.get("b")).toBe(1)
        children.makeReady("b")
        yield* Fiber.join(adding)
        children.crash("a")
        yield* settle
        expect(children.begun.get("b")).toBe(2)
      })
    ))

  it("thousands of them are counted, stopped together and forgotten (OTP count_children, …_scale_many_temporary_children)", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* children.start({ stopOrder: "together" })
        const ids = Array.from({ length: 5000 }, (_, index) => `child-${index}`)
        yield* Effect.forEach(ids, (id) => supervisor.addChild(children.spec(id, { restart: "temporary" })), {
          concurrency: "unbounded",
          discard: true
        })
        expect(supervisor.countChildren()).toEqual({ specs: 5000, active: 5000, supervisors: 0, workers: 5000 })
        for (const id of ids.slice(0, 2000)) children.finish(id)
        expect(supervisor.countChildren()).toEqual({ specs: 3000, active: 3000, supervisors: 0, workers: 3000 })
        yield* supervisor.stop()
        expect(supervisor.whichChildren()).toEqual([])
        expect(Math.max(...children.alive.values())).toBe(0)
      })
    ))

  it("5000 that crash in one moment all come up again", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* children.start({ stopOrder: "together", backoff: atOnce })
        const ids = Array.from({ length: 5000 }, (_, index) => `child-${index}`)
        yield* Effect.forEach(ids, (id) => supervisor.addChild(children.spec(id)), { discard: true })
        for (const id of ids) children.crash(id)
        yield* settle
        yield* until(() => children.living.size === 5000)
        expect(supervisor.countChildren().active).toBe(5000)
        expect(supervisor.state()).toBe("running")
      })
    ))
})

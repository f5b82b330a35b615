import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { describe, expect, it } from "vitest"
import { Supervisor, type SupervisorOptions } from "../../src/supervisors/index.ts"
import { after, atOnce, never, ScriptedChildren, settle, virtual } from "./ScriptedChildren.ts"

/** A supervisor `low` under one at the top, and a way to the present one. */
const tree = (children: ScriptedChildren, low: Partial<SupervisorOptions>, top: Partial<SupervisorOptions> = {}) =>
  Effect.gen(function* () {
    let present: Supervisor | undefined
    const lives: Array<Supervisor> = []
    const spec = Supervisor.asChild(
      { address: "/top/low", backoff: atOnce, onEvent: (event) => children.events.push(event), ...low },
      { id: "low", onStarted: (supervisor) => Effect.sync(() => void lives.push((present = supervisor))) }
    )
    const supervisor = yield* children.start({ backoff: atOnce, children: [children.spec("before"), spec, children.spec("after")], ...top })
    return { supervisor, lives, low: () => present! }
  })

describe("a tree of supervisors", () => {
  it("is counted and addressed as one (OTP tree)", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const { low, supervisor } = yield* tree(children, { children: [children.spec("a"), children.spec("b")] })
        expect(supervisor.countChildren()).toEqual({ specs: 3, active: 3, supervisors: 1, workers: 2 })
        expect(low().countChildren()).toEqual({ specs: 2, active: 2, supervisors: 0, workers: 2 })
        expect(
          low()
            .whichChildren()
            .map(({ address }) => address)
        ).toEqual(["/top/low/a", "/top/low/b"])
        children.crash("a")
        yield* settle
        expect(supervisor.whichChildren().map(({ incarnation }) => incarnation)).toEqual([1, 1, 1])
        expect(
          low()
            .whichChildren()
            .map(({ incarnation }) => incarnation)
        ).toEqual([2, 1])
      })
    ))

  it("SV-4, SV-8: one that escalates is restarted by its parent, without the children added to it (OTP tree)", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const { lives, low, supervisor } = yield* tree(children, { intensity: never, children: [children.spec("a")] })
        yield* low().addChild(children.spec("added"))
        children.takeLog()
        children.crash("a")
        yield* settle
        expect(children.takeLog()).toBe("a- added- a+ a!")
        expect(lives).toHaveLength(2)
        expect(lives[0]!.state()).toBe("failed")
        expect(
          low()
            .whichChildren()
            .map(({ id }) => id)
        ).toEqual(["a"])
        expect(supervisor.whichChildren()[1]).toMatchObject({
          id: "low",
          state: "running",
          incarnation: 2,
          restarts: 1,
          lastExit: { kind: "crashed" }
        })
      })
    ))

  it("escalates on, up to the one that is awaited, and every level says why", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const { supervisor } = yield* tree(children, { intensity: never, children: [children.spec("a")] }, { intensity: never })
        children.crash("a", new Error("the disk is gone"))
        const failure = yield* Effect.flip(supervisor.ended)
        expect(failure).toMatchObject({ supervisor: "/top", child: "low", cause: { supervisor: "/top/low", child: "a" } })
        expect(failure.message).toContain("the disk is gone")
        expect([...children.alive.values()]).toEqual([0, 0, 0])
      })
    ))

  it("stops from the last leaf to the first, and waits for a lower one as long as its children take", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const { supervisor } = yield* tree(children, {
          children: [children.spec("a", { shutdown: 20_000 }, { asked: "ignore" }), children.spec("b", {}, { asked: "end" })]
        })
        children.takeLog()
        const stop = yield* Effect.forkChild(supervisor.stop())
        yield* settle
        yield* after(19_999)
        expect(children.takeLog()).toBe("after- b? b- a?")
        yield* after(1)
        expect(children.takeLog()).toBe("a- before-")
        expect(yield* Fiber.join(stop)).toEqual({ killed: [], abandoned: [] })
      })
    ))

  it("SV-10: hands a time limit down, and when it is over nothing below runs any more", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const deepest = Supervisor.asChild(
          { address: "/top/low/deep", children: [children.spec("a", { shutdown: "infinity" }, { asked: "ignore" })] },
          { id: "deep" }
        )
        const { supervisor } = yield* tree(children, {
          children: [deepest, children.spec("b", { shutdown: "infinity" }, { asked: "ignore" })]
        })
        const stop = yield* Effect.forkChild(supervisor.stop({ within: 3000 }))
        yield* settle
        yield* after(2999)
        expect([children.aliveOf("a"), children.aliveOf("b")]).toEqual([1, 1])
        yield* after(1)
        expect([children.aliveOf("a"), children.aliveOf("b"), children.aliveOf("before")]).toEqual([0, 0, 0])
        yield* Fiber.join(stop)
      })
    ))

  it("SV-10: a lower one that has to abandon a child ends within its grace, and is not abandoned itself", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const { supervisor } = yield* tree(children, {
          children: [children.spec("a", { shutdown: "infinity" }, { asked: "ignore", killed: "ignore" }), children.spec("b")]
        })
        const stop = yield* Effect.forkChild(supervisor.stop({ within: 100 }))
        yield* settle
        yield* after(100 + 1000)
        const report = yield* Fiber.join(stop)
        expect(report.abandoned).toEqual([])
        expect(children.events).toContainEqual(expect.objectContaining({ supervisor: "/top/low", child: "a", kind: "abandoned" }))
        children.finish("a")
      })
    ))

  it("one whose children can't start is a child that can't start", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const failure = yield* Effect.flip(tree(children, { children: [children.spec("a"), children.spec("b", {}, { start: "fail" })] }))
        expect(failure).toMatchObject({
          _tag: "ChildStartFailed",
          supervisor: "/top",
          child: "low",
          cause: { supervisor: "/top/low", child: "b" }
        })
        expect(children.takeLog()).toBe("before+ before! a+ a! b+ b- a- before-")
      })
    ))

  it("stopping reaches a lower one that still waits in onStarted, however long it may take", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const spec = Supervisor.asChild(
          { address: "/top/low", children: [children.spec("a")] },
          { id: "low", onStarted: () => Effect.never }
        )
        const supervisor = yield* children.start({})
        const adding = yield* Effect.forkChild(Effect.exit(supervisor.addChild(spec)))
        yield* settle
        expect(supervisor.whichChildren()[0]!.state).toBe("starting")
        expect(yield* supervisor.stop()).toEqual({ killed: [], abandoned: [] })
        expect(children.aliveOf("a")).toBe(0)
        yield* Fiber.join(adding)
      })
    ))

  it("stopping while a lower one is starting stops what that has started", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const { supervisor } = yield* tree(children, { intensity: never, children: [children.spec("a"), children.spec("b")] })
        children.script("b", { start: "hang" })
        children.crash("a")
        yield* settle
        expect(supervisor.whichChildren()[1]!.state).toBe("starting")
        yield* supervisor.stop()
        expect([...children.alive.values()]).toEqual([0, 0, 0, 0])
        expect(supervisor.whichChildren()[1]!.lastExit!.kind).toBe("shutdown")
      })
    ))
})

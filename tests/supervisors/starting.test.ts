import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { describe, expect, it } from "vitest"
import { BadSupervision, ChildStartFailed, SupervisorNotRunning } from "../../src/supervisors/index.ts"
import { ScriptedChildren, settle, virtual } from "./ScriptedChildren.ts"

describe("starting a supervisor", () => {
  it("SV-1: starts children from left to right, each after the one before is ready", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const specs = [children.spec("a"), children.spec("b", {}, { start: "hang" }), children.spec("c")]
        const starting = yield* Effect.forkChild(children.start({ children: specs }))
        yield* settle
        expect(children.takeLog()).toBe("a+ a! b+")
        children.makeReady("b")
        const supervisor = yield* Fiber.join(starting)
        expect(children.takeLog()).toBe("b! c+ c!")
        expect(supervisor.state()).toBe("running")
        expect(supervisor.whichChildren().map(({ address, state }) => [address, state])).toEqual([
          ["/top/a", "running"],
          ["/top/b", "running"],
          ["/top/c", "running"]
        ])
      })
    ))

  it("SV-1: a failed start stops those already started in reverse, and fails with the child and its cause (OTP sup_start_fail)", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const specs = [
          children.spec("a"),
          children.spec("b", {}, { asked: "end" }),
          children.spec("c", {}, { start: "fail" }),
          children.spec("d")
        ]
        const failure = yield* Effect.flip(children.start({ children: specs }))
        expect(failure).toBeInstanceOf(ChildStartFailed)
        expect(failure).toMatchObject({ supervisor: "/top", child: "c", cause: "c can't start" })
        expect(children.takeLog()).toBe("a+ a! b+ b! c+ c- b? b- a-")
      })
    ))

  it("starts with no children (OTP sup_start_normal)", () =>
    virtual(
      Effect.gen(function* () {
        const supervisor = yield* new ScriptedChildren().start({})
        expect(supervisor.countChildren()).toEqual({ specs: 0, active: 0, supervisors: 0, workers: 0 })
        yield* supervisor.stop()
        yield* supervisor.ended
        expect(supervisor.state()).toBe("stopped")
      })
    ))

  it("keeps a child that declines to run, stopped, and forgets a temporary one (OTP sup_start_ignore_child, …_temporary_child)", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* children.start({
          children: [
            children.spec("kept", {}, { start: "decline" }),
            children.spec("forgotten", { restart: "temporary" }, { start: "decline" }),
            children.spec("up")
          ]
        })
        const added = yield* supervisor.addChild(children.spec("added", {}, { start: "decline" }))
        expect(added.state).toBe("stopped")
        expect(supervisor.whichChildren().map(({ id, state }) => `${id} ${state}`)).toEqual(["kept stopped", "up running", "added stopped"])
        children.script("kept", {})
        expect((yield* supervisor.restartChild("kept")).state).toBe("running")
      })
    ))

  it("decides about a child that ended during the start once all are up", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const specs = [children.spec("a"), children.spec("b", {}, { start: "hang" })]
        const starting = yield* Effect.forkChild(children.start({ strategy: "one-for-all", children: specs }))
        yield* settle
        children.crash("a")
        yield* settle
        expect(children.takeLog()).toBe("a+ a! b+ a-")
        children.makeReady("b")
        const supervisor = yield* Fiber.join(starting)
        expect(supervisor.whichChildren().map(({ state }) => state)).toEqual(["waiting", "running"])
        yield* settle
        expect(children.takeLog()).toBe("b! b-")
      })
    ))

  it("an interrupted start stops what it has started", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const starting = yield* Effect.forkChild(
          children.start({ children: [children.spec("a"), children.spec("b", {}, { start: "hang" })] })
        )
        yield* settle
        yield* Fiber.interrupt(starting)
        expect(children.takeLog()).toBe("a+ a! b+ b- a-")
      })
    ))

  it("a crash in the first synchronous step of a child is its failure and nobody else's", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const bad = {
          id: "bad",
          run: () => {
            throw new Error("not even an effect")
          }
        }
        const failure = yield* Effect.flip(children.start({ children: [bad] }))
        expect(failure.message).toContain("not even an effect")
      })
    ))

  it.each([
    ["no id", [{ id: "" }], `"" can't be a child's id`],
    ["a slash in the id", [{ id: "a/b" }], `"a/b" can't be a child's id`],
    ["two of one id", [{ id: "a" }, { id: "a" }], `two children have the id "a"`],
    ["significance without a say", [{ id: "a", restart: "transient", significant: true }], `autoShutdown is "never"`],
    ["a negative time", [{ id: "a", shutdown: -10 }], "shutdown time of -10"]
  ] as const)("refuses %s before it starts anything (OTP child_specs, sup_start_map_faulty_specs)", (_, specs, problem) =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const list = specs.map(({ id, ...options }) => children.spec(id, options))
        const failure = yield* Effect.flip(children.start({ children: [children.spec("first"), ...list] }))
        expect(failure).toBeInstanceOf(BadSupervision)
        expect(failure.message).toContain(problem)
        expect(children.takeLog()).toBe("")
      })
    )
  )

  it("refuses a child that is significant and permanent", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const specs = [children.spec("a", { significant: true })]
        const failure = yield* Effect.flip(children.start({ autoShutdown: "any-significant", children: specs }))
        expect(failure.message).toContain("significant and permanent")
      })
    ))

  it.each([
    ["strategy", { strategy: "none-for-one" as never }],
    ["number of restarts", { intensity: { restarts: -1, period: 1000 } }],
    ["broken number of restarts", { childIntensity: { restarts: 1.5, period: 1000 } }],
    ["period", { intensity: { restarts: 1, period: 0 } }],
    ["period without end", { intensity: { restarts: 1, period: Infinity } }],
    ["backoff", { backoff: { initial: 100, factor: 0.5, maximum: 1000, jitter: 0, resetAfter: 1000 } }]
  ])("refuses a bad %s (OTP sup_flags)", (_, options) =>
    virtual(
      Effect.gen(function* () {
        expect(yield* Effect.flip(new ScriptedChildren().start(options))).toBeInstanceOf(BadSupervision)
      })
    )
  )

  it("a supervisor that is over starts no child", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* children.start({ children: [children.spec("a")] })
        yield* supervisor.stop()
        expect(yield* Effect.flip(supervisor.addChild(children.spec("b")))).toBeInstanceOf(SupervisorNotRunning)
        expect(yield* Effect.flip(supervisor.restartChild("a"))).toBeInstanceOf(SupervisorNotRunning)
        expect(Exit.isSuccess(yield* Effect.exit(supervisor.ended))).toBe(true)
      })
    ))
})

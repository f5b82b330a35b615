import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import { describe, expect, it } from "vitest"
import type { ChildExit, Directive } from "../../src/supervisors/index.ts"
import { after, atOnce, exact, never, ScriptedChildren, settle, virtual } from "./ScriptedChildren.ts"

describe("the owner's say about an end", () => {
  it("is asked with what would happen otherwise, and may leave it at that", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const asked: Array<ChildExit> = []
        const supervisor = yield* children.start({
          backoff: atOnce,
          childIntensity: { restarts: 1, period: 1000 },
          children: [children.spec("a", { restart: "transient" })],
          onExit: (exit) => {
            asked.push(exit)
            return exit.otherwise
          }
        })
        children.crash("a", "poison")
        yield* settle
        children.crash("a", "poison")
        expect((yield* Effect.flip(supervisor.ended))._tag).toBe("RestartIntensityExceeded")
        expect(asked).toMatchObject([
          { child: "a", address: "/top/a", incarnation: 1, phase: "running", restarts: 0, otherwise: { type: "restart" } },
          { child: "a", incarnation: 2, restarts: 1, otherwise: { type: "escalate" } }
        ])
        expect(asked[0]!.exit).toEqual(Exit.fail("poison"))
      })
    ))

  it("a restart that is not counted spends no budget and lengthens no backoff", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* children.start({
          backoff: exact,
          intensity: never,
          childIntensity: never,
          children: [children.spec("a"), children.spec("b")],
          onExit: ({ exit, otherwise }): Directive =>
            Exit.isFailure(exit) && JSON.stringify(exit).includes("poison") ? { type: "restart", counted: false } : otherwise
        })
        for (let i = 0; i < 50; i++) {
          children.crash("a", "poison")
          yield* after(100)
          expect(supervisor.countChildren().active).toBe(2)
        }
        children.crash("b")
        yield* settle
        expect(supervisor.state()).toBe("failed")
      })
    ))

  it("a restart may take the siblings along where the supervisor would not", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        yield* children.start({
          backoff: atOnce,
          children: [children.spec("a"), children.spec("b")],
          onExit: () => ({ type: "restart", strategy: "one-for-all" })
        })
        children.takeLog()
        children.crash("b")
        yield* settle
        expect(children.takeLog()).toBe("b- a- a+ a! b+ b!")
      })
    ))

  it("may leave a child stopped, or escalate with its cause", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* children.start({
          children: [children.spec("a"), children.spec("b"), children.spec("c")],
          onExit: ({ child }) => ({ type: child === "a" ? "stop" : "escalate" })
        })
        children.crash("a")
        yield* after(1000)
        expect(supervisor.whichChildren().map(({ state }) => state)).toEqual(["stopped", "running", "running"])
        children.crash("b", new Error("position lost"))
        expect(yield* Effect.flip(supervisor.ended)).toMatchObject({
          _tag: "ChildEscalated",
          child: "b",
          cause: { message: "position lost" }
        })
      })
    ))

  it("may give up one child whose budget is spent, so that the supervisor lives on", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* children.start({
          childIntensity: never,
          children: [children.spec("a"), children.spec("b")],
          onExit: ({ otherwise }) => (otherwise.type === "escalate" ? { type: "stop" } : otherwise)
        })
        children.crash("a")
        yield* after(1000)
        expect(supervisor.state()).toBe("running")
        expect(supervisor.whichChildren().map(({ state }) => state)).toEqual(["stopped", "running"])
      })
    ))

  it("a narrower restart takes over what a wider one had not done yet", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        yield* children.start({
          backoff: atOnce,
          children: [children.spec("a"), children.spec("b"), children.spec("c")],
          onExit: ({ phase }) => ({ type: "restart", strategy: phase === "running" ? "one-for-all" : "one-for-one" })
        })
        children.nextStarts("b", ["fail"])
        children.takeLog()
        children.crash("a")
        yield* settle
        expect(children.takeLog()).toBe("a- c- b- a+ a! b+ b- b+ b! c+ c!")
      })
    ))

  it("is asked about a failed attempt to restart", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const phases: Array<string> = []
        const supervisor = yield* children.start({
          backoff: atOnce,
          strategy: "one-for-all",
          children: [children.spec("a"), children.spec("b")],
          onExit: ({ otherwise, phase }): Directive => {
            phases.push(phase)
            return phase === "starting" ? { type: "stop" } : otherwise
          }
        })
        children.script("a", { start: "fail" })
        children.crash("b")
        yield* settle
        expect(phases).toEqual(["running", "starting"])
        // The pass goes on with the others.
        expect(supervisor.whichChildren().map(({ state }) => state)).toEqual(["stopped", "running"])
      })
    ))

  it("that throws escalates with what it threw", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* children.start({
          children: [children.spec("a")],
          onExit: () => {
            throw new Error("no idea")
          }
        })
        children.crash("a")
        expect((yield* Effect.flip(supervisor.ended)).message).toContain("no idea")
      })
    ))

  it("a listener that throws disturbs nothing", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const logged: Array<unknown> = []
        const logger = Logger.make(({ message }) => void logged.push(...(Array.isArray(message) ? message : [message])))
        const start = children.start({
          backoff: atOnce,
          children: [children.spec("a")],
          onEvent: () => {
            throw new Error("listener")
          }
        })
        const supervisor = yield* Effect.provide(start, Logger.layer([logger]))
        children.crash("a")
        yield* settle
        expect(supervisor.countChildren().active).toBe(1)
        expect(logged).toContain("The event listener of supervisor /top threw")
      })
    ))
})

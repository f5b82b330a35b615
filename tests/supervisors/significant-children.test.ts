import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { describe, expect, it } from "vitest"
import { after, atOnce, ScriptedChildren, settle, virtual } from "./ScriptedChildren.ts"

describe("significant children", () => {
  it("SV-7: with any-significant the first that ends for good ends the supervisor, normally", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* children.start({
          autoShutdown: "any-significant",
          children: [
            children.spec("a"),
            children.spec("b", { restart: "transient", significant: true }),
            children.spec("c", { restart: "temporary", significant: true })
          ]
        })
        children.takeLog()
        children.finish("b")
        yield* supervisor.ended
        expect(children.takeLog()).toBe("b- c- a-")
        expect(supervisor.state()).toBe("stopped")
      })
    ))

  it("SV-7: with all-significant the last one does", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* children.start({
          autoShutdown: "all-significant",
          children: [
            children.spec("a"),
            children.spec("b", { restart: "transient", significant: true }),
            children.spec("c", { restart: "temporary", significant: true })
          ]
        })
        children.finish("b")
        yield* settle
        expect(supervisor.state()).toBe("running")
        children.crash("c")
        yield* supervisor.ended
      })
    ))

  it("a significant child that restarts ends nothing, nor does one that was terminated or is not significant", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* children.start({
          autoShutdown: "any-significant",
          backoff: atOnce,
          children: [
            children.spec("a", { restart: "transient" }),
            children.spec("b", { restart: "transient", significant: true }),
            children.spec("c", { restart: "transient", significant: true })
          ]
        })
        children.finish("a")
        children.crash("b")
        yield* settle
        expect(children.begun.get("b")).toBe(2)
        yield* supervisor.terminateChild("c")
        yield* after(1000)
        expect(supervisor.state()).toBe("running")
      })
    ))

  it("one that waits for its restart is not over yet", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* children.start({
          autoShutdown: "all-significant",
          children: [
            children.spec("a", { restart: "transient", significant: true }),
            children.spec("b", { restart: "transient", significant: true })
          ]
        })
        children.crash("a")
        children.finish("b")
        yield* settle
        expect(supervisor.whichChildren().map(({ state }) => state)).toEqual(["waiting", "stopped"])
        expect(supervisor.state()).toBe("running")
      })
    ))

  it("one whose end nobody has decided about yet is not over: its failure is heard", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const starting = yield* Effect.forkChild(
          children.start({
            autoShutdown: "all-significant",
            onExit: ({ exit, otherwise }) => (exit._tag === "Failure" ? { type: "escalate" } : otherwise),
            children: [
              children.spec("a", { restart: "transient", significant: true }),
              children.spec("b", { restart: "transient", significant: true }),
              children.spec("c", { restart: "transient" }, { start: "hang" })
            ]
          })
        )
        yield* settle
        // Both end while the third one is still starting, the one that ends normally first.
        children.finish("b")
        children.crash("a")
        yield* settle
        children.makeReady("c")
        const supervisor = yield* Fiber.join(starting)
        expect(yield* Effect.flip(supervisor.ended)).toMatchObject({ _tag: "ChildEscalated", child: "a" })
      })
    ))
})

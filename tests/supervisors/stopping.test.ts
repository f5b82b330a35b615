import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { describe, expect, it } from "vitest"
import { type ChildSpec, Supervisor } from "../../src/supervisors/index.ts"
import { after, atOnce, exact, ScriptedChildren, settle, virtual } from "./ScriptedChildren.ts"

/** Asks to stop and hands back the fiber that waits for it. */
const stopping = (supervisor: Supervisor, within?: number) =>
  Effect.tap(Effect.forkChild(supervisor.stop(within === undefined ? undefined : { within })), settle)

const kinds = (children: ScriptedChildren) =>
  children.events.flatMap((event) => (event.type === "child-exited" ? [`${event.child} ${event.kind}`] : []))

describe("stopping a supervisor", () => {
  it("SV-2: stops in reverse, each child after the one before has ended", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* children.start({
          children: [children.spec("a", {}, { asked: "end" }), children.spec("b", {}, { asked: "ignore" }), children.spec("c")]
        })
        children.takeLog()
        const stop = yield* stopping(supervisor)
        expect(children.takeLog()).toBe("c- b?")
        children.finish("b")
        expect(yield* Fiber.join(stop)).toEqual({ killed: [], abandoned: [] })
        expect(children.takeLog()).toBe("b- a? a-")
        expect(kinds(children)).toEqual(["c shutdown", "b shutdown", "a shutdown"])
      })
    ))

  it("SV-2: kills a child when its own time is over, to the millisecond (OTP sup_stop_timeout)", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* children.start({
          children: [
            children.spec("a", { shutdown: 1000 }, { asked: "ignore" }),
            children.spec("b", {}, { asked: "ignore" }) // 5 seconds
          ]
        })
        children.takeLog()
        const stop = yield* stopping(supervisor)
        yield* after(4999)
        expect(children.takeLog()).toBe("b?")
        yield* after(1)
        expect(children.takeLog()).toBe("b- a?")
        yield* after(999)
        expect(children.takeLog()).toBe("")
        yield* after(1)
        expect(children.takeLog()).toBe("a-")
        expect(yield* Fiber.join(stop)).toEqual({ killed: ["/top/b", "/top/a"], abandoned: [] })
        expect(kinds(children)).toEqual(["b killed", "a killed"])
      })
    ))

  it.each(["worker", "supervisor"] as const)("SV-2: waits for ever for a %s with infinity (OTP sup_stop_infinity)", (type) =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const options = type === "worker" ? { type, shutdown: "infinity" as const } : { type }
        const supervisor = yield* children.start({ children: [children.spec("a", options, { asked: "ignore" })] })
        const stop = yield* stopping(supervisor)
        yield* after(1e9)
        expect(children.aliveOf("a")).toBe(1)
        children.finish("a")
        expect((yield* Fiber.join(stop)).killed).toEqual([])
      })
    )
  )

  it("SV-6: brutal-kill does not ask (OTP sup_stop_brutal_kill)", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* children.start({
          children: [children.spec("a", {}, { asked: "end" }), children.spec("b", { shutdown: "brutal-kill" }, { asked: "end" })]
        })
        children.takeLog()
        expect((yield* supervisor.stop()).killed).toEqual(["/top/b"])
        expect(children.takeLog()).toBe("b- a? a-")
      })
    ))

  it("interrupts a child at once that has no request, or whose request fails", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* children.start({ children: [children.spec("a", {}, { asked: "fail" }), children.spec("b")] })
        children.takeLog()
        yield* supervisor.stop()
        expect(children.takeLog()).toBe("b- a? a-")
        expect(kinds(children)).toEqual(["b shutdown", "a shutdown"])
      })
    ))

  it("abandons and reports a child that ignores even the kill, after the grace (OTP child_unlink)", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* children.start({
          killGrace: 300,
          children: [children.spec("a"), children.spec("b", { shutdown: 1000 }, { asked: "ignore", killed: "ignore" })]
        })
        const stop = yield* stopping(supervisor)
        yield* after(1299)
        expect(supervisor.whichChildren().map(({ state }) => state)).toEqual(["running", "stopping"])
        yield* after(1)
        expect(yield* Fiber.join(stop)).toEqual({ killed: [], abandoned: ["/top/b"] })
        expect(kinds(children)).toEqual(["b abandoned", "a shutdown"])
        expect(children.aliveOf("b")).toBe(1)
        children.finish("b")
      })
    ))

  it("SV-9: the end of an abandoned life does not touch the next one", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* children.start({
          killGrace: 300,
          backoff: atOnce,
          strategy: "one-for-all",
          children: [children.spec("a"), children.spec("b", { shutdown: 0 }, { killed: "ignore" })]
        })
        children.crash("a")
        yield* settle
        const endOldLife = children.endOf("b")
        children.script("b", {})
        yield* after(300)
        expect(supervisor.whichChildren().map(({ state, incarnation }) => [state, incarnation])).toEqual([
          ["running", 2],
          ["running", 2]
        ])
        endOldLife()
        yield* settle
        expect(children.aliveOf("b")).toBe(1)
        expect(supervisor.whichChildren()[1]).toMatchObject({ state: "running", incarnation: 2, restarts: 0 })
      })
    ))

  it("stops all at the same moment where children don't depend on each other (OTP simple_one_for_one_shutdown)", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* children.start({ stopOrder: "together" })
        for (const id of ["a", "b", "c"]) yield* supervisor.addChild(children.spec(id, { shutdown: 1000 }, { asked: "ignore" }))
        children.takeLog()
        const stop = yield* stopping(supervisor)
        expect(children.takeLog()).toBe("c? b? a?")
        yield* after(1000)
        expect((yield* Fiber.join(stop)).killed).toEqual(["/top/c", "/top/b", "/top/a"])
      })
    ))

  it("one time limit for all: what is still up when it is over is killed together", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* children.start({
          children: [
            children.spec("a", {}, { asked: "end" }),
            children.spec("b", { shutdown: "infinity" }, { asked: "ignore" }),
            children.spec("c")
          ]
        })
        children.takeLog()
        const stop = yield* stopping(supervisor, 2000)
        yield* after(1999)
        expect(children.takeLog()).toBe("c- b?")
        yield* after(1)
        expect(children.takeLog()).toBe("a- b-")
        expect(yield* Fiber.join(stop)).toEqual({ killed: ["/top/a", "/top/b"], abandoned: [] })
      })
    ))

  it("a later and earlier limit counts, a second stop gets the same report", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* children.start({ children: [children.spec("a", { shutdown: "infinity" }, { asked: "ignore" })] })
        const first = yield* stopping(supervisor)
        const second = yield* stopping(supervisor, 500)
        const third = yield* stopping(supervisor, 5000)
        yield* after(500)
        const report = yield* Fiber.join(first)
        expect(report).toEqual({ killed: ["/top/a"], abandoned: [] })
        expect(yield* Fiber.join(second)).toBe(report)
        expect(yield* Fiber.join(third)).toBe(report)
        expect(yield* supervisor.stop()).toBe(report)
      })
    ))

  it("tells a request how long it has", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const told: Array<string> = []
        const spec = (id: string, shutdown: number | "infinity"): ChildSpec => ({
          id,
          shutdown,
          run: ({ onShutdown, ready }) =>
            Effect.gen(function* () {
              yield* onShutdown((within) =>
                Effect.andThen(
                  Effect.sync(() => told.push(`${id} ${String(within)}`)),
                  Effect.fail("interrupt me")
                )
              )
              yield* ready
              yield* Effect.never
            })
        })
        const supervisor = yield* children.start({ children: [spec("a", 100), spec("b", "infinity"), spec("c", 9000)] })
        yield* supervisor.stop({ within: 3000 })
        expect(told).toEqual(["c 3000 millis", "b 3000 millis", "a 100 millis"])
      })
    ))

  it.each([
    ["waits for its backoff", exact],
    ["is being restarted", atOnce]
  ])("SV-10: stops while a child %s, and nothing starts any more", (_, backoff) =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* children.start({ backoff, children: [children.spec("a"), children.spec("b")] })
        children.script("b", { start: "hang" })
        children.crash("b")
        yield* settle
        yield* supervisor.stop()
        children.takeLog()
        yield* after(100_000)
        expect(children.takeLog()).toBe("")
        expect([children.aliveOf("a"), children.aliveOf("b")]).toEqual([0, 0])
        expect(supervisor.whichChildren().map(({ state }) => state)).toEqual(["stopped", "stopped"])
      })
    )
  )

  it("a crash while it stops is reported and not restarted", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const supervisor = yield* children.start({
          backoff: atOnce,
          children: [children.spec("a"), children.spec("t", { restart: "temporary" }), children.spec("b", {}, { asked: "ignore" })]
        })
        const stop = yield* stopping(supervisor)
        children.crash("a")
        children.crash("t")
        children.crash("b")
        yield* Fiber.join(stop)
        expect(kinds(children)).toEqual(["a crashed", "t crashed", "b crashed"])
        expect(supervisor.whichChildren().map(({ id, state }) => `${id} ${state}`)).toEqual(["a stopped", "b stopped"])
        expect([...children.begun.values()]).toEqual([1, 1, 1])
      })
    ))

  it("a child may stop its own supervisor and is then ended like the others", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        const gate = yield* Deferred.make<Supervisor>()
        const suicidal: ChildSpec = {
          id: "a",
          run: ({ ready }) =>
            Effect.andThen(
              ready,
              Effect.flatMap(Deferred.await(gate), (supervisor) => supervisor.stop())
            )
        }
        const supervisor = yield* children.start({ children: [children.spec("b"), suicidal] })
        yield* Deferred.succeed(gate, supervisor)
        yield* supervisor.ended
        expect(kinds(children)).toEqual(["a shutdown", "b shutdown"])
      })
    ))

  it("stops when its scope closes", () =>
    virtual(
      Effect.gen(function* () {
        const children = new ScriptedChildren()
        yield* Effect.scoped(Supervisor.start({ address: "/top", children: [children.spec("a"), children.spec("b")] }))
        expect(children.takeLog()).toBe("a+ a! b+ b! b- a-")
      })
    ))
})

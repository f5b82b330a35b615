import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import fc from "fast-check"
import assert from "node:assert/strict"
import { describe, it } from "vitest"
import { delayOf } from "../src/supervisors/Backoff.ts"
import { type Backoff, type ChildSpec, Supervisor } from "../src/supervisors/index.ts"
import { addRestart, isExceeded, noRestarts } from "../src/supervisors/RestartIntensity.ts"
import { after, atOnce, often, type Script, ScriptedChildren, settle, virtual } from "../tests/supervisors/ScriptedChildren.ts"
import { type ModelChild, SupervisorModel } from "./models/SupervisorModel.ts"

const numRuns = Number(process.env["FC_RUNS"] ?? 200)

const strategy = fc.constantFrom("one-for-one", "one-for-all", "rest-for-one")
const restart = fc.constantFrom("permanent", "transient", "temporary")

/** Until nothing has happened for a while, without moving time. */
const quiet = (children: ScriptedChildren) =>
  Effect.gen(function* () {
    let [seen, calm] = [-1, 0]
    while (calm < 10) {
      calm = seen === children.log.length + children.events.length ? calm + 1 : 0
      seen = children.log.length + children.events.length
      yield* settle
    }
  })

// ------------------------------------------------------------------------------------------------------------------
// Against a model of OTP, with commands

interface Real {
  readonly children: ScriptedChildren
  readonly supervisor: Supervisor
  readonly run: <A, E>(effect: Effect.Effect<A, E>) => Promise<A>
}

type Command = fc.AsyncCommand<SupervisorModel, Real, boolean>

/** Does to both, lets everything settle, and compares all that can be seen: what the children did, and the table. */
const command = (
  name: string,
  check: (model: SupervisorModel) => boolean,
  run: (model: SupervisorModel, real: Real) => Effect.Effect<void>
): Command => ({
  check,
  toString: () => name,
  run: (model, real) =>
    real.run(
      Effect.gen(function* () {
        yield* run(model, real)
        yield* quiet(real.children)
        assert.equal(real.children.takeLog(), model.log.join(" "))
        model.log = []
        assert.equal(real.supervisor.state(), model.state)
        assert.deepEqual(
          real.supervisor.whichChildren().map(({ id, incarnation, restarts, state }) => ({ id, state, incarnation, restarts })),
          model.children.map(({ id, isUp, lives, restarts }) => ({
            id,
            state: isUp ? "running" : "stopped",
            incarnation: lives,
            restarts
          }))
        )
        assert.equal(real.supervisor.countChildren().active, model.children.filter(({ isUp }) => isUp).length)
        assert.equal(real.children.living.size, real.supervisor.countChildren().active)
      })
    )
})

const pick = (model: SupervisorModel, index: number): ModelChild => model.children[index % model.children.length]!
const hasChildren = (model: SupervisorModel) => model.children.length > 0
const succeeds = (effect: Effect.Effect<unknown, unknown>) => Effect.map(Effect.exit(effect), Exit.isSuccess)

const starts = fc.array(fc.constantFrom("fail", "decline"), { maxLength: 3 })

const add = (type: ModelChild["restart"], isSignificant: boolean, nextStarts: Array<"fail" | "decline">): Command =>
  command(
    `add ${type}${isSignificant ? " significant" : ""} ${nextStarts.join("+")}`,
    () => true,
    (model, { children, supervisor }) =>
      Effect.gen(function* () {
        const id = `c${model.children.length}-${model.now}-${children.begun.size}`
        const significant = isSignificant && type !== "permanent" && model.options.autoShutdown !== "never"
        const child: ModelChild = {
          id,
          restart: type,
          significant,
          isUp: false,
          lives: 0,
          restarts: 0,
          nextStarts: [...nextStarts],
          history: []
        }
        children.nextStarts(id, nextStarts)
        const expected = model.state === "running" && model.add(child)
        assert.equal(yield* succeeds(supervisor.addChild(children.spec(id, { restart: type, significant }))), expected)
      })
  )

const ends = (index: number, how: "crash" | "normal", nextStarts: Array<"fail" | "decline">): Command =>
  command(`${how} ${index} ${nextStarts.join("+")}`, hasChildren, (model, { children }) =>
    Effect.sync(() => {
      const child = pick(model, index)
      if (!child.isUp) return
      child.nextStarts = [...nextStarts]
      children.nextStarts(child.id, nextStarts)
      model.ends(child, how)
      if (how === "crash") children.crash(child.id)
      else children.finish(child.id)
    })
  )

const failLater = (index: number, nextStarts: Array<"fail" | "decline">): Command =>
  command(`next starts of ${index}: ${nextStarts.join("+")}`, hasChildren, (model, { children }) =>
    Effect.sync(() => {
      const child = pick(model, index)
      child.nextStarts = [...nextStarts]
      children.nextStarts(child.id, nextStarts)
    })
  )

const terminate = (index: number): Command =>
  command(`terminate ${index}`, hasChildren, (model, { supervisor }) =>
    Effect.suspend(() => {
      const child = pick(model, index)
      model.terminate(child)
      return Effect.orDie(supervisor.terminateChild(child.id))
    })
  )

const restartByHand = (index: number): Command =>
  command(`restart ${index}`, hasChildren, (model, { supervisor }) =>
    Effect.gen(function* () {
      const child = pick(model, index)
      const expected = model.state === "running" && !child.isUp && model.restartByHand(child)
      assert.equal(yield* succeeds(supervisor.restartChild(child.id)), expected)
    })
  )

const remove = (index: number): Command =>
  command(`delete ${index}`, hasChildren, (model, { supervisor }) =>
    Effect.gen(function* () {
      const child = pick(model, index)
      const expected = !child.isUp
      if (expected) model.delete(child)
      assert.equal(yield* succeeds(supervisor.deleteChild(child.id)), expected)
    })
  )

const wait = (millis: number): Command =>
  command(
    `wait ${millis}`,
    () => true,
    (model) => {
      model.now += millis
      return TestClock.adjust(millis)
    }
  )

const stop = command(
  "stop",
  (model) => model.state === "running",
  (model, { supervisor }) => {
    model.end("stopped")
    return Effect.asVoid(supervisor.stop())
  }
)

const commands = fc.commands(
  [
    fc
      .tuple(
        restart,
        fc.boolean(),
        fc.oneof({ weight: 4, arbitrary: fc.constant<Array<"fail" | "decline">>([]) }, { weight: 1, arbitrary: starts })
      )
      .map((options) => add(...options)),
    fc.tuple(fc.nat(9), fc.constantFrom("crash", "normal"), starts).map((options) => ends(...options)),
    fc.tuple(fc.nat(9), starts).map((options) => failLater(...options)),
    fc.nat(9).map(terminate),
    fc.nat(9).map(restartByHand),
    fc.nat(9).map(remove),
    fc.constantFrom(1, 499, 500, 501, 1000, 1001).map(wait),
    fc.constant(stop)
  ],
  { maxCommands: 30, size: "max" }
)

const modelOptions = fc.record({
  strategy,
  autoShutdown: fc.constantFrom("never", "any-significant", "all-significant"),
  intensity: fc.record({ restarts: fc.nat(6), period: fc.constantFrom(500, 1000) }),
  childIntensity: fc.record({ restarts: fc.nat(4), period: fc.constantFrom(500, 1000) })
})

// ------------------------------------------------------------------------------------------------------------------
// Anything at any time: what holds whatever happens

const script = fc.record<Script>({
  start: fc.constantFrom("ready", "ready", "fail", "hang", "decline"),
  asked: fc.constantFrom(undefined, "end", "ignore", "fail"),
  killed: fc.constantFrom("end", "end", "ignore")
})

const wildSpec = fc.record({ restart, shutdown: fc.constantFrom<ChildSpec["shutdown"]>("brutal-kill", "infinity", 0, 300, 5000), script })

const wildAction = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("crash" as const), child: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("finish", "makeReady", "terminate", "restart", "delete"), child: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("script" as const), child: fc.nat(5), script }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("add" as const), child: fc.nat(5), spec: wildSpec }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("giveUpAdding" as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("wait" as const), millis: fc.constantFrom(0, 1, 99, 100, 300, 1000, 5000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("stop" as const), within: fc.constantFrom(undefined, 0, 100, 4000) }) }
)

describe("Supervisor", () => {
  it("SV-3, SV-4, SV-5, SV-7: does what OTP does, for any strategy, children, ends, failing starts and times", () =>
    fc.assert(
      fc.asyncProperty(modelOptions, commands, async (options, plan) => {
        const runtime = ManagedRuntime.make(TestClock.layer())
        const scope = await runtime.runPromise(Scope.make())
        const children = new ScriptedChildren()
        try {
          const supervisor = await runtime.runPromise(Scope.provide(children.start({ ...options, backoff: atOnce }), scope))
          await fc.asyncModelRun(
            () => ({ model: new SupervisorModel(options), real: { children, supervisor, run: runtime.runPromise } }),
            plan
          )
        } finally {
          await runtime.runPromise(Scope.close(scope, Exit.void))
          await runtime.dispose()
        }
        assert.equal(children.living.size, 0)
      }),
      { numRuns }
    ))

  it("SV-9, SV-10, SV-11: one life per child at most, queries that answer at once and tell the truth, and nothing after the end", () =>
    fc.assert(
      fc.asyncProperty(
        fc.record({ strategy, stopOrder: fc.constantFrom("reverse", "together") }),
        fc.array(wildSpec, { maxLength: 4 }),
        fc.array(wildAction, { maxLength: 40 }),
        (options, specs, actions) =>
          virtual(
            Effect.gen(function* () {
              const children = new ScriptedChildren()
              const backoff: Backoff = { initial: 100, factor: 2, maximum: 1000, jitter: 0.2, resetAfter: 5000 }
              const supervisor = yield* children.start({ ...options, backoff, killGrace: 200, intensity: { restarts: 20, period: 5000 } })
              const background: Array<Fiber.Fiber<unknown, unknown>> = []
              const adding: Array<Fiber.Fiber<unknown, unknown>> = []
              const inBackground = (effect: Effect.Effect<unknown, unknown>) =>
                Effect.tap(Effect.forkChild(Effect.exit(effect)), (fiber) => Effect.sync(() => void background.push(fiber)))
              const addOne = (index: number, { script, ...spec }: (typeof specs)[number]) =>
                Effect.tap(inBackground(supervisor.addChild(children.spec(`c${index}`, spec, script))), (fiber) =>
                  Effect.sync(() => void adding.push(fiber))
                )

              const holds = () => {
                const abandoned = new Set(
                  children.events.flatMap((event) =>
                    event.type === "child-exited" && event.kind === "abandoned" ? [`${event.child}#${event.incarnation}`] : []
                  )
                )
                // A life that was abandoned may have been that of a child whose id another one has by now.
                const living = [...children.living].filter((life) => !abandoned.has(life))
                const active = supervisor
                  .whichChildren()
                  .filter(({ state }) => state === "starting" || state === "running" || state === "stopping")
                  .map(({ id, incarnation }) => `${id}#${incarnation}`)
                  .filter((life) => !abandoned.has(life))
                assert.deepEqual(living.toSorted(), active.toSorted())
              }

              for (const [index, spec] of specs.entries()) yield* addOne(index, spec)
              for (const action of actions) {
                switch (action.do) {
                  case "crash":
                    children.crash(`c${action.child}`)
                    break
                  case "finish":
                    children.finish(`c${action.child}`)
                    break
                  case "makeReady":
                    children.makeReady(`c${action.child}`)
                    break
                  case "terminate":
                    yield* inBackground(supervisor.terminateChild(`c${action.child}`))
                    break
                  case "restart":
                    yield* inBackground(supervisor.restartChild(`c${action.child}`))
                    break
                  case "delete":
                    yield* inBackground(supervisor.deleteChild(`c${action.child}`))
                    break
                  case "script":
                    children.script(`c${action.child}`, action.script)
                    break
                  case "add":
                    yield* addOne(action.child, action.spec)
                    break
                  case "giveUpAdding":
                    for (const fiber of adding) fiber.interruptUnsafe()
                    break
                  case "wait":
                    yield* after(action.millis)
                    break
                  case "stop":
                    yield* inBackground(supervisor.stop(action.within === undefined ? undefined : { within: action.within }))
                    break
                }
                yield* settle
                holds()
              }

              const stopped = yield* Effect.forkChild(supervisor.stop({ within: 1000 }))
              yield* after(1000 + 200)
              yield* quiet(children)
              // Whatever hangs: the limit and one grace later all is over, and all who waited were told.
              assert.notEqual(stopped.pollUnsafe(), undefined)
              for (const fiber of background) assert.notEqual(fiber.pollUnsafe(), undefined)
              assert.equal(supervisor.countChildren().active, 0)
              holds()
              const before = children.log.length
              yield* after(1_000_000)
              yield* quiet(children)
              assert.equal(children.log.length, before)
            })
          )
      ),
      { numRuns }
    ))

  // ----------------------------------------------------------------------------------------------------------------
  // Orders and times, exactly

  const stopper = fc.record({
    /** How long after it was asked it ends; never, if it takes longer than it may. */
    takes: fc.nat(2000),
    shutdown: fc.oneof(fc.constantFrom<ChildSpec["shutdown"]>("brutal-kill", "infinity"), fc.integer({ min: 1, max: 2000 }))
  })

  it("SV-1: for any child that fails to start: those before it were started in order and are stopped in reverse, those after it never run", () =>
    fc.assert(
      fc.asyncProperty(fc.nat(8), fc.nat(8), (before, behind) =>
        virtual(
          Effect.gen(function* () {
            const children = new ScriptedChildren()
            const ids = Array.from({ length: before }, (_, index) => `c${index}`)
            const specs = [
              ...ids.map((id) => children.spec(id)),
              children.spec("bad", {}, { start: "fail" }),
              ...Array.from({ length: behind }, (_, index) => children.spec(`never${index}`))
            ]
            assert.ok(Exit.isFailure(yield* Effect.exit(children.start({ children: specs }))))
            const expected = [...ids.flatMap((id) => [`${id}+`, `${id}!`]), "bad+", "bad-", ...ids.toReversed().map((id) => `${id}-`)]
            assert.equal(children.takeLog(), expected.join(" "))
          })
        )
      ),
      { numRuns }
    ))

  it("SV-2, SV-6: each child has its own time to stop, one after the other in reverse or all together; brutal-kill does not ask", () =>
    fc.assert(
      fc.asyncProperty(fc.array(stopper, { maxLength: 6 }), fc.constantFrom("reverse", "together"), (stoppers, stopOrder) =>
        virtual(
          Effect.gen(function* () {
            const seen: Array<string> = []
            const specs = stoppers.map(({ shutdown, takes }, index): ChildSpec => ({
              id: `c${index}`,
              shutdown: shutdown!,
              run: ({ onShutdown, ready }) =>
                Effect.callback<void>((resume) => {
                  const end = Effect.andThen(
                    Effect.sleep(takes),
                    Effect.sync(() => resume(Effect.void))
                  )
                  const asked = Effect.andThen(
                    Effect.clockWith((clock) => clock.currentTimeMillis),
                    (now) => Effect.sync(() => seen.push(`c${index} asked ${now}`))
                  )
                  Effect.runSync(onShutdown(() => Effect.andThen(asked, end)))
                  Effect.runSync(ready)
                })
            }))
            const supervisor = yield* Supervisor.start({
              address: "/top",
              stopOrder,
              children: specs,
              onEvent: (event) => event.type === "child-exited" && seen.push(`${event.child} ${event.kind} ${event.time}`)
            })
            const stopping = yield* Effect.forkChild(supervisor.stop())
            yield* settle
            yield* after(100_000)
            yield* Fiber.join(stopping)

            const expected: Array<string> = []
            let now = 0
            for (const [index, { shutdown, takes }] of [...stoppers.entries()].toReversed()) {
              const may = shutdown === "brutal-kill" ? 0 : shutdown === "infinity" ? Infinity : (shutdown as number)
              if (may > 0) expected.push(`c${index} asked ${now}`)
              // At the very moment its time is over both may come first.
              const ends = now + Math.min(takes, may)
              const kind = takes === may && may > 0 ? "(shutdown|killed)" : takes < may ? "shutdown" : "killed"
              expected.push(`c${index} ${kind} ${ends}`)
              if (stopOrder === "reverse") now = ends
            }
            if (stopOrder === "reverse") {
              assert.match(seen.join("\n"), new RegExp(`^${expected.join("\n")}$`))
            } else {
              for (const line of expected)
                assert.ok(
                  seen.some((other) => new RegExp(`^${line}$`).test(other)),
                  `${line} is missing in ${seen.join(", ")}`
                )
              assert.equal(seen.length, expected.length)
            }
          })
        )
      ),
      { numRuns }
    ))

  it("SV-8: a supervisor that is restarted has the children of its options, whatever had been added, removed or had ended", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(restart, { maxLength: 4 }),
        fc.array(restart, { maxLength: 4 }),
        fc.array(fc.nat(7)),
        (own, added, removed) =>
          virtual(
            Effect.gen(function* () {
              const children = new ScriptedChildren()
              let low: Supervisor | undefined
              const specs = own.map((type, index) => children.spec(`own${index}`, { restart: type }))
              const spec = Supervisor.asChild(
                { address: "/top/low", intensity: { restarts: 0, period: 1 }, children: [...specs, children.spec("bomb")] },
                { id: "low", onStarted: (supervisor) => Effect.sync(() => (low = supervisor)) }
              )
              const top = yield* children.start({ backoff: atOnce, children: [spec] })
              for (const [index, type] of added.entries()) yield* low!.addChild(children.spec(`added${index}`, { restart: type }))
              for (const index of removed) {
                const { id } = low!.whichChildren()[index % low!.whichChildren().length]!
                if (id === "bomb") continue
                yield* low!.terminateChild(id)
                if (index % 2 === 0) yield* Effect.exit(low!.deleteChild(id))
              }
              const old = low
              children.crash("bomb")
              yield* quiet(children)
              assert.notEqual(low, old)
              assert.deepEqual(
                low!.whichChildren().map(({ id, incarnation, state }) => `${id} ${state} ${incarnation}`),
                [...own.map((_, index) => `own${index} running 1`), "bomb running 1"]
              )
              assert.equal(children.living.size, own.length + 1)
              assert.equal(top.state(), "running")
            })
          )
      ),
      { numRuns }
    ))

  it("SV-4: an intensity is exceeded exactly when more restarts than it allows lie within one period, edge included", () =>
    fc.assert(
      fc.property(fc.nat(5), fc.integer({ min: 1, max: 50 }), fc.array(fc.nat(30), { maxLength: 40 }), (restarts, period, gaps) => {
        const intensity = { restarts, period }
        const times: Array<number> = []
        let history = noRestarts
        let now = 0
        for (const gap of gaps) {
          now += gap
          times.push(now)
          history = addRestart(history, now, intensity)
          const within = times.filter((time) => now - time <= period).length
          assert.equal(isExceeded(history, intensity), within > restarts)
          if (within > restarts) return
          // The bound that is promised: no more is remembered than can count.
          assert.ok(history.length <= restarts + 1)
        }
      }),
      { numRuns }
    ))

  const backoffs = fc.record<Backoff>({
    initial: fc.integer({ min: 1, max: 1000 }),
    factor: fc.double({ min: 1, max: 4, noNaN: true }),
    maximum: fc.integer({ min: 1000, max: 60_000 }),
    jitter: fc.double({ min: 0, max: 0.5, noNaN: true }),
    resetAfter: fc.integer({ min: 1000, max: 100_000 })
  })

  it("SV-12: a delay lies between its step and its step plus the jitter, and steps grow up to the maximum", () =>
    fc.assert(
      fc.property(backoffs, fc.nat(2000), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (backoff, attempt, random) => {
        const delay = Duration.toMillis(delayOf(backoff, attempt, random))
        const step = Math.min((backoff.initial as number) * backoff.factor ** attempt, backoff.maximum as number)
        // Durations are whole nanoseconds.
        assert.ok(delay >= step - 1e-6 && delay <= step * (1 + backoff.jitter) + 1e-6, `${delay} is not around ${step}`)
        assert.ok(Duration.toMillis(delayOf(backoff, attempt + 1, 0)) >= Duration.toMillis(delayOf(backoff, attempt, 0)))
      }),
      { numRuns: numRuns * 5 }
    ))

  it("SV-12: a child that crashes again and again waits step after step, and from the beginning after a quiet time", () =>
    fc.assert(
      fc.asyncProperty(backoffs, fc.string(), fc.array(fc.integer({ min: 0, max: 200_000 }), { maxLength: 15 }), (backoff, seed, upTimes) =>
        virtual(
          Effect.gen(function* () {
            const children = new ScriptedChildren()
            const supervisor = yield* children.start({ backoff, intensity: often, childIntensity: often, children: [children.spec("a")] })
            let attempt = 0
            for (const up of upTimes) {
              yield* after(up)
              if (up >= (backoff.resetAfter as number)) attempt = 0
              children.crash("a")
              const told = children.events.at(-1)!
              assert.ok(told.type === "restarting")
              const step = Duration.toMillis(delayOf(backoff, attempt++, 0))
              const delay = Duration.toMillis(told.delay)
              assert.ok(delay >= step - 1e-6 && delay <= step * (1 + backoff.jitter) + 1e-6, `${delay} is not around ${step}`)
              assert.equal(supervisor.whichChildren()[0]!.state, "waiting")
              // It is down for the whole of the delay that was told, and up after it.
              yield* after(Math.floor(delay) - 1)
              assert.equal(children.aliveOf("a"), 0)
              yield* after(2)
              assert.equal(children.aliveOf("a"), 1)
            }
          }).pipe(Random.withSeed(seed))
        )
      ),
      { numRuns: Math.ceil(numRuns / 2) }
    ))
})

import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { type Backoff, type ChildSpec, Supervisor } from "../../src/supervisors/index.ts"

/** On the real clock, with real timers, because it is those that might leak. */
const backoff: Backoff = { initial: 1, factor: 1, maximum: 1, jitter: 0.2, resetAfter: 60_000 }
const often = { restarts: 1e9, period: 1 }

const heapMegabytes = async (): Promise<number> => {
  for (let i = 0; i < 3; i++) {
    ;(globalThis as { gc?: () => void }).gc!()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return process.memoryUsage().heapUsed / 1e6
}

/** Timers and handles that keep this process alive. */
const resources = (): number => process.getActiveResourcesInfo().length

const listeners = (): number => process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0)

/** A group of which some crash as soon as they are up, until the group had so many lives; then they stay. */
const crashing = (lives: number, isUnstable: (id: string) => boolean) => {
  const state = { begun: 0, alive: 0 }
  const done = Deferred.makeUnsafe<void>()
  const spec = (id: string): ChildSpec => ({
    id,
    run: ({ onShutdown, ready }) =>
      Effect.gen(function* () {
        yield* Effect.acquireRelease(
          Effect.sync(() => void state.alive++),
          () => Effect.sync(() => void state.alive--)
        )
        yield* onShutdown(() => Effect.interrupt)
        yield* ready
        if (++state.begun >= lives) {
          Deferred.doneUnsafe(done, Effect.void)
          return yield* Effect.never
        }
        if (!isUnstable(id)) return yield* Effect.never
        return yield* Effect.fail(new Error("crash"))
      })
  })
  return { state, done: Deferred.await(done), spec }
}

describe("P6: a supervisor that works for weeks", () => {
  it.each(["one-for-one", "one-for-all"] as const)(
    "10,000 restarts under %s leave no timer, handle, listener or fiber behind, and at most 20 MB",
    async (strategy) => {
      const run = (lives: number) =>
        Effect.gen(function* () {
          // In a group the last one crashes, so that each restart is one of all.
          const { done, spec, state } = crashing(lives, (id) => strategy === "one-for-one" || id === "child-19")
          const children = Array.from({ length: 20 }, (_, index) => spec(`child-${index}`))
          const supervisor = yield* Supervisor.start({
            address: "/s",
            strategy,
            backoff,
            intensity: often,
            childIntensity: often,
            children
          })
          yield* done
          const heap = yield* Effect.promise(heapMegabytes)
          const restarts = supervisor.whichChildren().reduce((sum, child) => sum + child.incarnation - 1, 0)
          yield* supervisor.stop()
          return { heap, restarts, alive: state.alive }
        }).pipe(Effect.scoped, Effect.runPromise)

      const warm = await run(1000)
      const before = { resources: resources(), listeners: listeners() }
      const { alive, heap, restarts } = await run(10_020)
      expect(restarts).toBeGreaterThanOrEqual(10_000)
      expect(alive).toBe(0)
      expect(heap - warm.heap).toBeLessThanOrEqual(20)
      expect(resources()).toBeLessThanOrEqual(before.resources)
      expect(listeners()).toBe(before.listeners)
      console.log(`${strategy}: ${restarts} restarts, heap ${warm.heap.toFixed(1)} → ${heap.toFixed(1)} MB`)
    },
    60_000
  )

  it("SV-5: 20,000 temporary children that came and went, with what their specs held, leave at most 5 MB", async () => {
    await Effect.gen(function* () {
      const supervisor = yield* Supervisor.start({ address: "/s", stopOrder: "together" })
      const addOne = (index: number) => {
        const argument = new Uint8Array(10_000).fill(index)
        return supervisor.addChild({
          id: `child-${index}`,
          restart: "temporary",
          run: ({ ready }) =>
            Effect.andThen(
              ready,
              Effect.sync(() => argument.length)
            )
        })
      }
      for (let i = 0; i < 1000; i++) yield* addOne(i)
      const before = yield* Effect.promise(heapMegabytes)
      for (let i = 0; i < 20_000; i++) yield* addOne(i)
      expect(supervisor.countChildren().specs).toBe(0)
      const grown = (yield* Effect.promise(heapMegabytes)) - before
      expect(grown).toBeLessThanOrEqual(5)
      console.log(`20,000 temporary children: ${grown.toFixed(1)} MB`)
    }).pipe(Effect.scoped, Effect.runPromise)
  })
})

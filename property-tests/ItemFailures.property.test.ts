import { setImmediate as nextTurn } from "node:timers/promises"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import {
  type Actor,
  type ActorFailure,
  type AsyncSinkSpec,
  type DeadItem,
  ItemFailure,
  type ItemServices,
  type StageSpec
} from "../src/actors/index.ts"
import { type ItemPolicy, skipItems } from "../src/scheduler/index.ts"
import { StoreFailure } from "../src/state/index.ts"
import { actor, mailbox, received, Sender } from "../tests/actors/actorSetup.ts"

const runs = { numRuns: Number(process.env["FC_RUNS"] ?? 150) }

/** What a stage does with each item: how often it fails on it, and what its policy is. */
interface Station {
  readonly kind: "plain" | "asynchronous" | "concurrent"
  readonly policy: ItemPolicy
  readonly failures: ReadonlyMap<number, number>
}

const items = (most: number) => Array.from({ length: most }, (_, index) => index)
const mostItems = 24

const policy: fc.Arbitrary<ItemPolicy> = fc.record({
  retries: fc.integer({ min: 0, max: 3 }),
  backoffMs: fc.constantFrom(0, 10, 1000),
  then: fc.constantFrom("skip", "dead-letter")
})

const station: fc.Arbitrary<Station> = fc.record({
  kind: fc.constantFrom("plain", "asynchronous", "concurrent"),
  policy,
  failures: fc.array(fc.tuple(fc.nat(mostItems - 1), fc.integer({ min: 1, max: 5 })), { maxLength: 6 }).map((pairs) => new Map(pairs))
})

/** A stage that gives its items on as they are, or fails; `calls` gets each item it was called with. */
const stageOf = ({ failures, kind }: Station, calls: Array<number>): StageSpec => {
  const left = new Map(failures)
  const call = (item: number): number => {
    calls.push(item)
    const count = left.get(item) ?? 0
    left.set(item, count - 1)
    if (count > 0) throw new Error(`no ${item}`)
    return item
  }
  return {
    kind: "stage",
    capability: "test.station",
    apply: {
      fn: kind === "plain" ? call : async (item: number) => (await nextTurn(), call(item)),
      ...(kind === "concurrent" ? { concurrency: { parallelism: 3, offload: "never", operation: "map" } } : {})
    }
  }
}

/** Works on in virtual time until something has come about. */
const until = <A, E>(fiber: Fiber.Fiber<A, E>, rounds = 2000) =>
  Effect.gen(function* () {
    for (let round = 0; round < rounds && fiber.pollUnsafe() === undefined; round++) {
      yield* Effect.promise(() => nextTurn())
      yield* TestClock.adjust(1000)
    }
    return fiber.pollUnsafe()
  })

const virtually = <A>(body: Effect.Effect<A, unknown>): Promise<A> => Effect.runPromise(Effect.provide(body, TestClock.layer()))

const toEnd = (made: Actor): Promise<Exit.Exit<void, ActorFailure>> =>
  virtually(
    Effect.gen(function* () {
      const exit = yield* until(yield* Effect.forkChild(made.run(Effect.void)))
      assert(exit !== undefined, "the actor waits for ever")
      return exit
    })
  )

const keepingIn = (dead: Array<DeadItem>, more: Partial<ItemServices> = {}): ItemServices => ({
  errorValue: (error) => error,
  keep: (item) => Effect.sync(() => void dead.push(item)),
  ...more
})

const source = (count: number) => {
  const input = mailbox({ maxFrames: 100 })
  const sender = new Sender(input)
  for (let from = 0; from < count; from += 5) sender.items(...items(count).slice(from, from + 5))
  sender.end()
  return { mailbox: input, edges: 1 }
}

describe("items that fail", () => {
  it("DL-1, DL-2 out, dead and skipped are what came in, in order, each tried as often as its policy says", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(station, { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 1, max: mostItems }),
        async (stations, count) => {
          const dead: Array<DeadItem> = []
          const output = mailbox({ maxFrames: 1000 })
          const calls = stations.map((): Array<number> => [])
          const made = actor({
            input: source(count),
            stages: stations.map((each, index) => stageOf(each, calls[index]!)),
            policies: stations.map((each) => each.policy),
            nodeIds: stations.map((_, index) => `node-${index}`),
            outputs: [{ mailbox: output, edge: 0 }],
            items: keepingIn(dead)
          })
          assert(Exit.isSuccess(await toEnd(made)))

          let left = items(count)
          const expected: Array<unknown> = []
          let skipped = 0
          stations.forEach(({ failures, policy: { retries, then } }, index) => {
            const givenUp = left.filter((item) => (failures.get(item) ?? 0) > retries)
            if (then === "skip") skipped += givenUp.length
            else expected.push(...givenUp.map((item) => [`node-${index}`, item, retries + 1, `no ${item}`]))
            for (const item of left) {
              const tries = calls[index]!.filter((called) => called === item).length
              assert.equal(tries, Math.min(retries, failures.get(item) ?? 0) + 1, `item ${item} in stage ${index}`)
            }
            left = left.filter((item) => !givenUp.includes(item))
          })
          assert.deepEqual(received(output), [...left, "end"])
          const letters = dead.map(({ attempts, cause, node, value }) => [node, value, attempts, (cause as Error).message])
          assert.sameDeepMembers(letters, expected)
          assert.equal(new Set(dead.map(({ node, place }) => `${node} ${place}`)).size, dead.length)
          const { stages } = made.inspect()
          assert.equal(
            stages.reduce((sum, stage) => sum + stage.skipped, 0),
            skipped
          )
          assert.equal(
            stages.reduce((sum, stage) => sum + stage.deadLettered, 0),
            expected.length
          )
        }
      ),
      runs
    ))

  it("DL-1 holds for a sink that can't write some of them", () =>
    fc.assert(
      fc.asyncProperty(station, fc.integer({ min: 1, max: mostItems }), async ({ failures, policy }, count) => {
        const dead: Array<DeadItem> = []
        const written: Array<unknown> = []
        const left = new Map(failures)
        const sink: AsyncSinkSpec = {
          kind: "async-sink",
          capability: "test.sink",
          open: () =>
            Effect.succeed({
              write: (batch) =>
                Effect.suspend(() => {
                  for (const [index, item] of batch.entries()) {
                    const count = left.get(item as number) ?? 0
                    left.set(item as number, count - 1)
                    if (count > 0) return Effect.fail(new ItemFailure({ index, cause: new Error(`no ${String(item)}`) }))
                    written.push(item)
                  }
                  return Effect.void
                }),
              finish: Effect.succeed(null),
              position: () => written.length
            })
        }
        const made = actor({ input: source(count), sink, policies: [policy], items: keepingIn(dead) })
        assert(Exit.isSuccess(await toEnd(made)))
        const givenUp = items(count).filter((item) => (failures.get(item) ?? 0) > policy.retries)
        assert.deepEqual(
          written,
          items(count).filter((item) => !givenUp.includes(item))
        )
        assert.deepEqual(
          dead.map(({ attempts, value }) => [value, attempts]),
          policy.then === "skip" ? [] : givenUp.map((item) => [item, policy.retries + 1])
        )
      }),
      runs
    ))

  it("DL-3 a store that fails holds the stream up, and no item is let go without its letter", () =>
    fc.assert(
      fc.asyncProperty(station, fc.integer({ min: 1, max: 4 }), fc.constantFrom(1, 2, 5, Infinity), async (given, nth, outage) => {
        const failing = { ...given, policy: { ...given.policy, then: "dead-letter" as const } }
        const dead: Array<DeadItem> = []
        const output = mailbox({ maxFrames: 1000 })
        let operation = 0
        let failures = 0
        const services = keepingIn(dead, {
          keep: (item) =>
            Effect.suspend(() => {
              operation++
              if (operation >= nth && failures < outage) {
                failures++
                return Effect.fail(new StoreFailure("memory:test", "can't be written", { fix: "Wait." }))
              }
              dead.push(item)
              return Effect.void
            })
        })
        const made = actor({
          input: source(mostItems),
          stages: [stageOf(failing, [])],
          policies: [failing.policy],
          outputs: [{ mailbox: output, edge: 0 }],
          items: services
        })
        const givenUp = items(mostItems).filter((item) => (failing.failures.get(item) ?? 0) > failing.policy.retries)
        const isHeldUp = outage === Infinity && givenUp.length >= nth
        await virtually(
          Effect.gen(function* () {
            const fiber = yield* Effect.forkChild(made.run(Effect.void))
            const exit = yield* until(fiber, isHeldUp ? 300 : 3000)
            if (!isHeldUp) return assert(exit !== undefined && Exit.isSuccess(exit))
            assert(exit === undefined, "it went on although the letter is not stored")
            assert.match(made.inspect().waitsFor ?? "", /dead letters.*can't be written/)
            made.stop()
            assert((yield* until(fiber)) !== undefined, "a stop has to end the wait")
          })
        )
        const stored = isHeldUp ? givenUp.slice(0, nth - 1) : givenUp
        assert.deepEqual(
          dead.map(({ value }) => value),
          stored
        )
        const passed = items(isHeldUp ? givenUp[nth - 1]! : mostItems).filter((item) => !stored.includes(item))
        assert.deepEqual(received(output), isHeldUp ? passed : [...passed, "end"])
      }),
      runs
    ))

  it("DL-5 noted tries are not begun anew by a process that goes on after a crash", () =>
    fc.assert(
      fc.asyncProperty(
        fc.constantFrom<Station["kind"]>("plain", "asynchronous", "concurrent"),
        fc.integer({ min: 0, max: 4 }),
        fc.integer({ min: 0, max: 6 }),
        fc.nat(9),
        async (kind, retries, crashAfter, poison) => {
          const dead: Array<DeadItem> = []
          const notes = new Map<string, number>()
          const policy: ItemPolicy = { retries, backoffMs: 1000, then: "dead-letter" }
          const failures = new Map([[poison, Infinity]])
          const make = () => {
            // A call that was under way ends after the crash, but not in the next process.
            const calls: Array<number> = []
            const output = mailbox({ maxFrames: 1000 })
            const made = actor({
              input: source(10),
              stages: [stageOf({ kind, policy, failures }, calls)],
              policies: [policy],
              outputs: [{ mailbox: output, edge: 0 }],
              items: keepingIn(dead, {
                attempts: {
                  noted: (node, place) => notes.get(`${node} ${place}`) ?? 0,
                  note: (node, place, tries) =>
                    Effect.sync(() => void (tries === 0 ? notes.delete(`${node} ${place}`) : notes.set(`${node} ${place}`, tries)))
                }
              })
            })
            return { made, output, tries: () => calls.filter((item) => item === poison).length }
          }
          const crashing = make()
          await virtually(
            Effect.gen(function* () {
              const fiber = yield* Effect.forkChild(crashing.made.run(Effect.void))
              for (let round = 0; round < 200 && crashing.tries() < crashAfter; round++) {
                yield* Effect.promise(() => nextTurn())
                yield* TestClock.adjust(200)
              }
              for (let turn = 0; turn < 10; turn++) yield* Effect.promise(() => nextTurn())
              yield* Fiber.interrupt(fiber)
            })
          )
          const before = crashing.tries()
          if (dead.length > 0) return
          const noted = [...notes.values()][0] ?? 0
          assert.isAtLeast(noted, before - 1, "only the last try may be missing")
          const again = make()
          assert(Exit.isSuccess(await toEnd(again.made)))
          assert.equal(again.tries(), Math.max(1, retries + 1 - noted), "tries in the second process")
          assert.deepEqual(
            dead.map(({ attempts, value }) => [value, attempts]),
            [[poison, Math.max(retries, noted) + 1]]
          )
          assert.deepEqual(received(again.output), [...items(10).filter((item) => item !== poison), "end"])
          assert.equal(notes.size, 0, "a note that nobody needs")
        }
      ),
      runs
    ))

  it("skips at once where nothing is to be tried again, so that skipping stays cheap", async () => {
    const output = mailbox({ maxFrames: 1000 })
    const failures = new Map(items(mostItems).map((item) => [item, item % 2]))
    const made = actor({
      input: source(mostItems),
      stages: [stageOf({ kind: "plain", policy: skipItems, failures }, [])],
      policies: [skipItems],
      outputs: [{ mailbox: output, edge: 0 }]
    })
    assert(Exit.isSuccess(await toEnd(made)))
    assert.deepEqual(received(output), [...items(mostItems).filter((item) => item % 2 === 0), "end"])
  })
})

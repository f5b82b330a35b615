import { setImmediate as nextTurn } from "node:timers/promises"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { describe, expect, it } from "vitest"
import type { Actor, ActorFailure, AsyncSourceSpec, DeadItem, StageSpec } from "../../src/actors/index.ts"
import { failItems, type ItemPolicy } from "../../src/scheduler/index.ts"
import { keyword } from "../../src/serialization/index.ts"
import { actor, collect, failureOf, filter, keeping, mailbox, map, received, Sender } from "./actorSetup.ts"

const policy = (given: Partial<ItemPolicy>): ItemPolicy => ({ ...failItems, backoffMs: 1000, ...given })

/** One actor in virtual time: `after` lets so many milliseconds go by, and everything that they bring about. */
const during = <A>(
  made: Actor,
  body: (tools: {
    readonly fiber: Fiber.Fiber<void, ActorFailure>
    readonly after: (milliseconds: number) => Effect.Effect<void>
  }) => Effect.Effect<A>
): Promise<A> =>
  Effect.gen(function* () {
    const after = (milliseconds: number) =>
      Effect.gen(function* () {
        for (let turn = 0; turn < 10; turn++) yield* Effect.promise(() => nextTurn())
        yield* TestClock.adjust(milliseconds)
        for (let turn = 0; turn < 10; turn++) yield* Effect.promise(() => nextTurn())
      })
    const fiber = yield* Effect.forkChild(made.run(Effect.void))
    const result = yield* body({ fiber, after })
    yield* Fiber.interrupt(fiber)
    return result
  }).pipe(Effect.provide(TestClock.layer()), Effect.runPromise)

const from = (...items: ReadonlyArray<unknown>) => {
  const input = mailbox()
  new Sender(input).items(...items).end()
  return { mailbox: input, edges: 1 }
}

/** Fails on an item so many times. */
const failingOn = (bad: number, times: number) => {
  let left = times
  return (item: number) => {
    if (item === bad && left-- > 0) throw new Error("not yet")
    return item
  }
}

describe("an item that is tried again", () => {
  it("waits 1, 2, 4 … times the backoff and a fifth longer at most; what is done goes out meanwhile", async () => {
    const output = mailbox()
    const made = actor({
      input: from(1, 2, 3),
      stages: [map(failingOn(2, 2))],
      policies: [policy({ retries: 2 })],
      outputs: [{ mailbox: output, edge: 0 }]
    })
    await during(made, ({ after }) =>
      Effect.gen(function* () {
        yield* after(999)
        expect(received(output)).toEqual([1])
        expect(made.inspect().waitsFor).toBe("try 2 of item 2 in test.map")
        yield* after(201)
        expect(made.inspect().waitsFor).toBe("try 3 of item 2 in test.map")
        yield* after(1799)
        expect(received(output)).toEqual([])
        yield* after(601)
        expect(received(output)).toEqual([2, 3, "end"])
        expect(made.inspect().waitsFor).toBeUndefined()
        expect(made.inspect().stages[0]).toMatchObject({ failed: 2, retried: 2 })
      })
    )
  })

  it("is finished when the actor is paused or drained meanwhile, and left at once when it is stopped", async () => {
    const output = mailbox()
    const make = () =>
      actor({
        input: { source: { kind: "sync-source", capability: "test.source", open: () => numbers() } },
        stages: [map(failingOn(2, 1))],
        policies: [policy({ retries: 1 })],
        outputs: [{ mailbox: output, edge: 0 }]
      })
    const paused = make()
    await during(paused, ({ after, fiber }) =>
      Effect.gen(function* () {
        yield* after(500)
        paused.pause()
        yield* after(1000)
        expect(received(output)).toEqual([1, 2])
        expect(fiber.pollUnsafe()).toBeUndefined()
        paused.resume()
        yield* after(0)
        expect(received(output).slice(0, 2)).toEqual([3, 4])
      })
    )
    const drained = make()
    received(output)
    await during(drained, ({ after, fiber }) =>
      Effect.gen(function* () {
        yield* after(500)
        drained.drain()
        yield* after(1000)
        expect(received(output).slice(0, 2)).toEqual([1, 2])
        expect(Exit.isSuccess(fiber.pollUnsafe()!)).toBe(true)
      })
    )
    const stopped = make()
    received(output)
    await during(stopped, ({ after, fiber }) =>
      Effect.gen(function* () {
        yield* after(500)
        stopped.stop()
        yield* after(0)
        expect(fiber.pollUnsafe()).toBeDefined()
        expect(received(output)).toEqual([1])
      })
    )
  })

  it("goes on counting where a life is killed while it waits", async () => {
    let calls = 0
    const dead: Array<DeadItem> = []
    const made = actor({
      input: from(1),
      stages: [
        map(() => {
          calls++
          throw new Error("never")
        }),
        collect()
      ],
      policies: [policy({ retries: 2, then: "dead-letter" }), failItems],
      items: keeping(dead)
    })
    await during(made, ({ after }) => after(500))
    await during(made, ({ after }) => after(2500))
    expect(calls).toBe(3)
    expect(dead.map(({ attempts }) => attempts)).toEqual([3])
  })

  it("is tried once in each further life of the actor, when its policy is to fail after that", async () => {
    const dead: Array<DeadItem> = []
    const made = actor({
      input: from(1, 2),
      stages: [map(failingOn(1, 99)), collect()],
      policies: [policy({ retries: 2, queue: "mine" }), failItems],
      items: keeping(dead),
      failures: "restart"
    })
    const lives: Array<number> = []
    for (let life = 0; life < 4; life++) {
      await during(made, ({ after, fiber }) =>
        Effect.gen(function* () {
          yield* after(1200)
          yield* after(2400)
          const exit = fiber.pollUnsafe()!
          if (Exit.isFailure(exit)) lives.push(failureOf(exit).attempts)
        })
      )
    }
    expect(lives).toEqual([3, 4, 5])
    expect(made.result()).toEqual([2])
    expect(dead).toMatchObject([{ why: "quarantine", queue: "mine", attempts: 5, value: 1 }])
  })
})

describe("an item that is replaced", () => {
  const replaceWith = (value: unknown) => policy({ retries: 3, handler: () => ({ replace: value }) })
  const through = async (stages: ReadonlyArray<StageSpec>, policies: ReadonlyArray<ItemPolicy>) => {
    const made = actor({ input: from(1, 2, 3, 4), stages: [...stages, collect()], policies, items: keeping([]) })
    await during(made, ({ after }) => after(0))
    return made.result()
  }
  const never = failingOn(2, Infinity)

  it("goes on behind the stage that failed, whatever that would have done with it", async () => {
    expect(await through([map(never), map((x) => x * 10)], [replaceWith(7)])).toEqual([10, 70, 30, 40])
    expect(await through([filter((x) => never(x) > 3)], [replaceWith(7)])).toEqual([7, 4])
  })

  it("does so where several items are worked on at once, in their order", async () => {
    const concurrency = { parallelism: 3, offload: "never", operation: "map" } as const
    const asynchronous = map(() => undefined, { apply: { fn: async (x: number) => never(x), concurrency } })
    expect(await through([asynchronous, map((x) => x * 10)], [replaceWith(7)])).toEqual([10, 70, 30, 40])
    const fn = async (x: number) => never(x) > 3
    const kept = filter(() => true)
    expect(await through([{ ...kept, apply: { fn, concurrency: { ...concurrency, operation: "filter" } } }], [replaceWith(7)])).toEqual([
      7, 4
    ])
  })

  it("is written by a sink, and fails in the end if that can't be", async () => {
    const sink = (bad: (item: number) => boolean) => {
      const written: Array<number> = []
      const stage = map(
        (item: number) => {
          if (bad(item)) throw new Error("no")
          written.push(item)
        },
        { then: () => "" }
      )
      return { written, made: actor({ input: from(1, 2, 3), stages: [stage], policies: [replaceWith(7)], items: keeping([]) }) }
    }
    const once = sink((item) => item === 2)
    await during(once.made, ({ after }) => after(0))
    expect(once.written).toEqual([1, 7, 3])
    const always = sink((item) => item === 2 || item === 7)
    await during(always.made, ({ after, fiber }) =>
      Effect.map(after(0), () => expect(failureOf(fiber.pollUnsafe()!)).toMatchObject({ item: 2, attempts: 4 }))
    )
  })
})

describe("a dead letter", () => {
  it("has the state of the stage, of an item that ended its actor again and again", async () => {
    const dead: Array<DeadItem> = []
    const counting = {
      kind: "stage",
      capability: "test.counting",
      state: { seen: () => 0 },
      then: ({ emit, state, value }: any) => `${state("seen")}++; ${emit(`${value}.id`)}`
    } as const
    const strange = {
      get id() {
        throw new TypeError("a fault of ours")
      }
    }
    const made = actor({
      input: { source: { kind: "sync-source", capability: "test.source", open: () => numbers([{ id: 1 }, strange, { id: 3 }]) } },
      stages: [counting, collect()],
      items: keeping(dead)
    })
    for (let life = 0; life < 4; life++) await during(made, ({ after }) => after(0))
    expect(made.result()).toEqual([1, 3])
    expect(dead).toMatchObject([{ why: "quarantine", queue: "quarantine", attempts: 3, item: 2, state: { seen: expect.any(Number) } }])
  })

  it("is made of a source's item that can't be encoded", async () => {
    const dead: Array<DeadItem> = []
    const output = mailbox()
    const batches = [[1, () => 2, 3]]
    const source: AsyncSourceSpec = {
      kind: "async-source",
      capability: "test.source",
      open: () => Effect.succeed({ read: Effect.sync(() => (batches.length > 0 ? { items: batches.shift()! } : null)), position: () => 0 })
    }
    const made = actor({
      input: { source },
      sourcePolicy: policy({ retries: 5, then: "dead-letter" }),
      outputs: [{ mailbox: output, edge: 0 }],
      items: keeping(dead)
    })
    await during(made, ({ after }) => after(0))
    expect(received(output)).toEqual([1, 3, "end"])
    expect(dead).toMatchObject([{ item: 2, attempts: 1 }])
  })

  it("is stored before its observer is told; one that throws is a failure of the node", async () => {
    const order: Array<unknown> = []
    const make = (onDeadLetter: (item: unknown, error: unknown) => unknown) =>
      actor({
        input: from(1, 2),
        stages: [map(failingOn(1, 1)), collect()],
        policies: [policy({ then: "dead-letter", onDeadLetter })],
        items: { errorValue: (error) => (error as Error).message, keep: ({ value }) => Effect.sync(() => void order.push(["kept", value])) }
      })
    const made = make((item, error) => void order.push(["told", item, error]))
    await during(made, ({ after }) => after(0))
    expect(order).toEqual([
      ["kept", 1],
      ["told", 1, "not yet"]
    ])
    const throwing = make(() => {
      throw new Error("observer")
    })
    await during(throwing, ({ after, fiber }) =>
      Effect.map(after(0), () => expect(failureOf(fiber.pollUnsafe()!)).toMatchObject({ reason: "node", cause: { message: "observer" } }))
    )
  })

  it("is not made, but a failure, where nothing keeps it", async () => {
    const made = actor({ input: from(1), stages: [map(failingOn(1, 1))], policies: [policy({ then: "dead-letter" })] })
    await during(made, ({ after, fiber }) =>
      Effect.map(after(0), () => expect(failureOf(fiber.pollUnsafe()!)).toMatchObject({ reason: "item", item: 1 }))
    )
    const asked = actor({
      input: from(1),
      stages: [map(failingOn(1, 1))],
      policies: [policy({ handler: () => keyword("dead-letter") })]
    })
    await during(asked, ({ after, fiber }) =>
      Effect.map(after(0), () => expect(failureOf(fiber.pollUnsafe()!)).toMatchObject({ reason: "item", item: 1 }))
    )
  })
})

/** A source over these, or over the numbers from 1 on. */
const numbers = (items?: ReadonlyArray<unknown>) => {
  let next = 0
  return {
    pull: (into: Array<unknown>) => {
      if (items !== undefined && next >= items.length) return 0
      into.push(items === undefined ? next + 1 : items[next])
      next++
      return 1
    },
    position: () => next,
    seek: () => undefined
  }
}

import * as Exit from "effect/Exit"
import { describe, expect, it } from "vitest"
import type { ActorSnapshot, DeadItem, StageSpec } from "../../src/actors/index.ts"
import { failItems, skipItems } from "../../src/scheduler/index.ts"
import type { StreamFunction } from "../../src/scheduler/index.ts"
import {
  actor,
  batch,
  begin,
  collect,
  failureOf,
  fromArray,
  kill,
  keeping,
  life,
  mailbox,
  map,
  quiet,
  received,
  Sender
} from "./actorSetup.ts"
import { fakePool, portable } from "./fakePool.ts"

const range = (count: number) => Array.from({ length: count }, (_, index) => index)
const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

const concurrent = (
  fn: StreamFunction,
  options: { parallelism?: number; offload?: "auto" | "always" | "never"; operation?: "map" | "filter" } = {}
): StageSpec => ({
  kind: "stage",
  capability: "test.concurrent",
  apply: { fn, concurrency: { parallelism: 1, offload: "never", operation: "map", ...options } },
  ...(options.operation === "filter"
    ? { then: ({ emit, result, value }) => `if (${result} !== false && ${result} != null) { ${emit(value)} }` }
    : {})
})

const flows = (snapshot: ActorSnapshot) => snapshot.stages.map(({ itemsIn, itemsOut }) => [itemsIn, itemsOut])

describe("a stage whose function works on several items at a time", () => {
  it("has as many calls under way as it may, and keeps the order", async () => {
    let running = 0
    let most = 0
    const slow = async (x: number) => {
      most = Math.max(most, ++running)
      await later(x % 3)
      running--
      return x * 2
    }
    const made = actor({
      input: fromArray(range(40)),
      stages: [map((x) => x + 1), concurrent(slow, { parallelism: 4 }), batch(7), collect()]
    })
    expect(Exit.isSuccess(await life(made))).toBe(true)
    expect((made.result() as ReadonlyArray<ReadonlyArray<number>>).flat()).toEqual(range(40).map((x) => (x + 1) * 2))
    expect(most).toBe(4)
    expect(flows(made.inspect())).toEqual([
      [40, 40],
      [40, 40],
      [40, 40],
      [40, 6],
      [6, 0]
    ])
  })

  it("filters in it, too", async () => {
    const made = actor({
      input: fromArray(range(30)),
      stages: [concurrent(async (x: number) => x % 3 === 0, { parallelism: 3, operation: "filter" }), map((x) => x), collect()]
    })
    await life(made)
    expect(made.result()).toEqual(range(30).filter((x) => x % 3 === 0))
    expect(flows(made.inspect())).toEqual([
      [30, 30],
      [30, 10],
      [10, 10],
      [10, 0]
    ])
  })

  it("works over the borders of frames, and its calls outlive a kill: none is made twice", async () => {
    const input = mailbox()
    const output = mailbox()
    const calls: Array<number> = []
    const releases: Array<() => void> = []
    const made = actor({
      input: { mailbox: input, edges: 1 },
      stages: [concurrent((x: number) => (calls.push(x), new Promise((resolve) => releases.push(() => resolve(x)))), { parallelism: 3 })],
      outputs: [{ mailbox: output, edge: 0 }],
      failures: "restart"
    })
    new Sender(input).items(1).items(2).items(3).items(4).signal("barrier", 1).end()
    const fiber = begin(made)
    await quiet()
    expect(calls).toEqual([1, 2, 3])
    await kill(fiber)
    releases[2]!()
    releases[0]!()
    const second = begin(made)
    await quiet()
    expect(received(output)).toEqual([1])
    releases[1]!()
    await quiet()
    expect(calls).toEqual([1, 2, 3, 4])
    expect(received(output)).toEqual([2, 3])
    releases[3]!()
    await quiet()
    expect(received(output)).toEqual([4, ["barrier", 1], "end"])
    expect(second.pollUnsafe()).toBeDefined()
  })

  it("blames the item that failed, after those before it, and tries that one again first", async () => {
    let failures = 0
    const output = mailbox()
    const made = actor({
      input: fromArray(range(8)),
      stages: [
        concurrent(
          async (x: number) => {
            await later(1)
            if (x === 3 && failures++ < 2) throw new Error("twice")
            return x
          },
          { parallelism: 4 }
        )
      ],
      outputs: [{ mailbox: output, edge: 0 }],
      failures: "restart"
    })
    expect(failureOf(await life(made))).toMatchObject({ reason: "item", attempts: 1 })
    expect(failureOf(await life(made))).toMatchObject({ attempts: 2 })
    await life(made)
    expect(received(output)).toEqual([...range(8), "end"])
  })

  it("skips failing items, or puts them aside after three lives", async () => {
    for (const policy of ["skip", "fail"] as const) {
      const aside: Array<DeadItem> = []
      const made = actor({
        input: fromArray(range(20)),
        stages: [
          concurrent((x: number) => (x % 6 === 5 ? Promise.reject(new Error("no")) : Promise.resolve(x)), { parallelism: 4 }),
          collect()
        ],
        policies: [policy === "skip" ? skipItems : failItems],
        failures: "restart",
        items: keeping(aside)
      })
      while (Exit.isFailure(await life(made)));
      expect(made.result()).toEqual(range(20).filter((x) => x % 6 !== 5))
      expect(aside.map(({ value }) => value)).toEqual(policy === "skip" ? [] : [5, 11, 17])
    }
  })

  it("puts the item itself aside where code of ours throws on its result", async () => {
    const aside: Array<DeadItem> = []
    const crashing: StageSpec = {
      ...concurrent(async (x: number) => x, { parallelism: 3 }),
      constants: {
        check: (x: number) => {
          if (x === 2) throw new TypeError("a fault of ours")
          return x
        }
      },
      then: ({ constant, emit, result }) => emit(`${constant("check")}(${result})`)
    }
    const made = actor({
      input: fromArray([1, 2, 3]),
      stages: [map((x) => x), crashing, collect()],
      items: keeping(aside)
    })
    for (let crashes = 0; crashes < 3; crashes++) expect(Exit.isFailure(await life(made))).toBe(true)
    expect(await life(made)).toEqual(Exit.void)
    expect(made.result()).toEqual([1, 3])
    expect(aside).toMatchObject([{ capability: "test.concurrent", item: 2, value: 2, attempts: 3, cause: { message: "a fault of ours" } }])
  })
})

describe("a stage in the worker pool", () => {
  it("sends tasks that grow to a few milliseconds of work, and keeps the order whichever comes back first", async () => {
    const { pool, sizes } = fakePool({ delayOf: (task) => (task % 4 === 0 ? 8 : 1) })
    const made = actor({
      input: fromArray(range(500)),
      stages: [
        map((x) => x + 1),
        concurrent(
          portable((x) => x * 3),
          { offload: "always" }
        ),
        map((x) => x),
        collect()
      ],
      pool
    })
    await life(made)
    expect(made.result()).toEqual(range(500).map((x) => (x + 1) * 3))
    expect(Math.max(...sizes)).toBeLessThanOrEqual(16)
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(500)
    expect(flows(made.inspect())).toEqual([
      [500, 500],
      [500, 500],
      [500, 500],
      [500, 500],
      [500, 0]
    ])
  })

  it("keeps nil and false where its predicate keeps them", async () => {
    const { pool } = fakePool()
    const items = [null, false, 0, "drop", null]
    const made = actor({
      input: fromArray(items),
      stages: [
        concurrent(
          portable((x) => x !== "drop"),
          { offload: "always", operation: "filter" }
        ),
        collect()
      ],
      pool
    })
    await life(made)
    expect(made.result()).toEqual([null, false, 0, null])
  })

  it("filters there, and what it keeps is the item itself", async () => {
    const { pool } = fakePool()
    const items = range(50).map((id) => ({ id }))
    const made = actor({
      input: fromArray(items),
      stages: [
        concurrent(
          portable((x) => (x.id % 4 === 0 ? null : 0)),
          { offload: "always", operation: "filter" }
        ),
        collect()
      ],
      pool
    })
    await life(made)
    const kept = made.result() as ReadonlyArray<unknown>
    expect(kept).toEqual(items.filter(({ id }) => id % 4 !== 0))
    expect(items).toContain(kept[0])
  })

  it("blames single items of a task, those that can't be encoded included", async () => {
    const { pool } = fakePool()
    const bad = () => undefined
    const made = actor({
      input: fromArray([1, 2, bad, 4, 5, 6]),
      stages: [
        concurrent(
          portable((x) => {
            if (x === 5) throw new Error("five")
            return x
          }),
          { offload: "always" }
        ),
        collect()
      ],
      policies: [skipItems],
      pool
    })
    expect(Exit.isSuccess(await life(made))).toBe(true)
    expect(made.result()).toEqual([1, 2, 4, 6])
    expect(made.inspect().stages[1]).toMatchObject({ failed: 2, skipped: 2 })
  })

  it("is no fault of the item when the pool breaks: the task is sent again", async () => {
    const { pool } = fakePool({ rejects: (task) => task === 1 })
    const made = actor({
      input: fromArray(range(60)),
      stages: [
        concurrent(
          portable((x) => x),
          { offload: "always" }
        ),
        collect()
      ],
      pool,
      failures: "restart"
    })
    expect(failureOf(await life(made))).toMatchObject({ reason: "node", cause: { message: "the pool is broken" } })
    await life(made)
    expect(made.result()).toEqual(range(60))
  })

  it("moves a slow function by itself, in the middle of the stream, with all states; a quick one stays", async () => {
    const spin = (ms: number) => {
      for (const end = performance.now() + ms; performance.now() < end;);
    }
    for (const isSlow of [true, false]) {
      const { pool, sizes } = fakePool()
      const running: StageSpec = {
        kind: "stage",
        capability: "test.scan",
        state: { total: () => 0 },
        then: ({ emit, state, value }) => `${state("total")} += ${value}; ${emit(state("total"))}`
      }
      const made = actor({
        input: fromArray(range(300)),
        stages: [
          running,
          concurrent(
            portable((x) => {
              if (isSlow) spin(0.1)
              return x
            }),
            { offload: "auto" }
          ),
          // The island is slow either way: it is the function's own cost that decides.
          map((x) => {
            if (!isSlow) spin(0.05)
            return x
          }),
          batch(11),
          collect()
        ],
        pool
      })
      await life(made)
      let total = 0
      expect((made.result() as ReadonlyArray<ReadonlyArray<number>>).flat()).toEqual(range(300).map((x) => (total += x)))
      expect(sizes.length > 0).toBe(isSlow)
      expect(flows(made.inspect())).toEqual([
        [300, 300],
        [300, 300],
        [300, 300],
        [300, 300],
        [300, 28],
        [28, 0]
      ])
    }
  })

  it("keeps closures of the host on this thread", async () => {
    const { pool, sizes } = fakePool()
    const made = actor({ input: fromArray(range(10)), stages: [concurrent((x: number) => x, { offload: "always" }), collect()], pool })
    await life(made)
    expect(made.result()).toEqual(range(10))
    expect(sizes).toEqual([])
  })
})

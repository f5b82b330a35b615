import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Flow, StreamHost } from "rtfs-streams"
import { Groups } from "../src/capabilities/aggregation/Groups.ts"
import { framing, keys } from "./arbitraries/keys.ts"
import { type GroupModel, groupsModel, isSameMapKey } from "./models/KeyModel.ts"

const runs = { numRuns: Number(process.env["FC_RUNS"] ?? 200) }

let host: StreamHost
beforeAll(async () => void (host = await StreamHost.start()))
afterAll(() => host.stop({ timeout: 1000 }))

interface Numbered {
  readonly key: unknown
  readonly index: number
}

/** A map that was emitted, as a list of its groups. */
const groupsIn = (map: unknown): ReadonlyArray<GroupModel> =>
  (map instanceof Map ? [...map] : Object.entries(map as object)).map(([key, items]) => ({
    key,
    items: (items as ReadonlyArray<Numbered>).map(({ index }) => index)
  }))

const expectSame = (emitted: ReadonlyArray<unknown>, expected: ReadonlyArray<ReadonlyArray<GroupModel>>) => {
  const found = emitted.map(groupsIn)
  expect(found.map((groups) => groups.map(({ items }) => items))).toEqual(expected.map((groups) => groups.map(({ items }) => items)))
  found.forEach((groups, map) => groups.forEach(({ key }, group) => expect(isSameMapKey(key, expected[map]![group]!.key)).toBe(true)))
}

const capacity = fc.record({ maxGroups: fc.integer({ min: 1, max: 5 }), atCapacity: fc.constantFrom("fail", "evict-oldest", "overflow") })

describe("stream.group-by", () => {
  it("GB-1: each item is in exactly one group of exactly one map, in order; at capacity it does as it was told", () =>
    fc.assert(
      fc.asyncProperty(keys, framing, capacity, async (made, options, limits) => {
        const items = made.map((key, index): Numbered => ({ key, index }))
        const expected = groupsModel(made, limits)
        const flow = Flow.from(items).groupBy((item) => item.key, { ...limits, ...options })
        if (expected === "fails") await expect(host.runFlow(flow)).rejects.toThrow(/which is all that :max-groups allows/)
        else expectSame((await host.runFlow(flow)).value as ReadonlyArray<unknown>, expected)
      }),
      runs
    ))

  it("GB-1: groups that are idle too long are given on their own, and none is lost when it opens again", () =>
    fc.assert(
      fc.property(
        fc.array(fc.record({ key: fc.nat(4), later: fc.nat(6), looks: fc.boolean() }), { maxLength: 50 }),
        fc.integer({ min: 1, max: 10 }),
        fc.nat(50),
        (steps, idleMs, saveAt) => {
          const limits = { maxGroups: 100, maxItems: 100, atCapacity: "fail", idleMs } as const
          let groups = new Groups(limits)
          const open = new Map<number, { items: Array<number>; last: number }>()
          let now = 0
          steps.forEach(({ key, later, looks }, index) => {
            now += later
            if (index === saveAt) groups = Groups.restore(limits, structuredClone(groups.snapshot()))
            if (looks) {
              const idle = [...open].filter(([, { last }]) => now - last >= idleMs).toSorted(([, a], [, b]) => a.last - b.last)
              const taken = groups.takeIdle(now) as ReadonlyArray<Map<number, ReadonlyArray<number>>>
              expect(taken.map((map) => [...map])).toEqual(idle.map(([of, { items }]) => [[of, items]]))
              for (const [of] of idle) open.delete(of)
            }
            groups.admit(key)
            groups.add(key, index, now)
            const group = open.get(key) ?? { items: [], last: now }
            // The order among groups that got an item at the same time is that of their last items.
            open.delete(key)
            open.set(key, { items: [...group.items, index], last: now })
            expect(groups.due).toBe(Math.min(...[...open.values()].map(({ last }) => last + idleMs)))
          })
          const left = groups.takeAll()
          expect(left instanceof Map ? [...left] : Object.entries(left as object)).toEqual([...open].map(([of, { items }]) => [of, items]))
        }
      ),
      runs
    ))
})

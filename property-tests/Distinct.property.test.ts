import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Flow, StreamHost } from "rtfs-streams"
import { KeyMemory } from "../src/capabilities/processing/KeyMemory.ts"
import { framing, keys } from "./arbitraries/keys.ts"
import { boundedDistinctModel, distinctModel } from "./models/KeyModel.ts"

const runs = { numRuns: Number(process.env["FC_RUNS"] ?? 200) }

let host: StreamHost
beforeAll(async () => void (host = await StreamHost.start()))
afterAll(() => host.stop({ timeout: 1000 }))

const numbered = (made: ReadonlyArray<unknown>) => Flow.from(made.map((key, index) => ({ key, index })))

describe("stream.distinct", () => {
  it("DI-1: of the items that RTFS calls equal the first one passes, whatever their form and framing", () =>
    fc.assert(
      fc.asyncProperty(keys, framing, fc.boolean(), async (made, options, hasKeyFn) => {
        const expected = distinctModel(made)
        if (hasKeyFn) {
          const { value } = await host.runFlow(numbered(made).distinct({ key: (item) => item.key, ...options }))
          expect((value as ReadonlyArray<{ index: number }>).map(({ index }) => index)).toEqual(expected)
        } else {
          const { value } = await host.runFlow(Flow.from(made).distinct(options))
          expect((value as ReadonlyArray<unknown>).length).toBe(expected.length)
        }
      }),
      runs
    ))

  it("DI-2: with room for so many keys it forgets the one that was seen longest ago, and never holds more", () =>
    fc.assert(
      fc.asyncProperty(keys, framing, fc.integer({ min: 1, max: 5 }), async (made, options, maxKeys) => {
        const flow = numbered(made).distinct({ key: (item) => item.key, maxKeys, ...options })
        const { value } = await host.runFlow(flow)
        expect((value as ReadonlyArray<{ index: number }>).map(({ index }) => index)).toEqual(boundedDistinctModel(made, maxKeys).passed)
      }),
      runs
    ))

  it("DI-2: what is forgotten is counted, and a memory that was saved and restored goes on as the same", () =>
    fc.assert(
      fc.property(fc.array(fc.nat(6), { maxLength: 40 }), fc.integer({ min: 1, max: 4 }), fc.nat(40), (made, maxKeys, saveAt) => {
        const options = { maxKeys, ttlMs: Infinity }
        let memory = new KeyMemory(options)
        const passed = made.flatMap((key, index) => {
          if (index === saveAt) memory = KeyMemory.restore(options, structuredClone(memory.snapshot()))
          const isNew = memory.admit(key, 0)
          expect(memory.size).toBeLessThanOrEqual(maxKeys)
          return isNew ? [index] : []
        })
        expect({ passed, forgotten: memory.forgotten }).toEqual(boundedDistinctModel(made, maxKeys))
      }),
      runs
    ))

  it("DI-2: a key lets an item pass again exactly when its time since the last one that passed is up", () =>
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(3), fc.nat(5)), { maxLength: 60 }), fc.integer({ min: 1, max: 12 }), (steps, ttlMs) => {
        const memory = new KeyMemory({ maxKeys: Infinity, ttlMs })
        const passedAt = new Map<number, number>()
        let now = 0
        for (const [key, later] of steps) {
          now += later
          const since = passedAt.get(key)
          const isDue = since === undefined || now - since >= ttlMs
          expect(memory.admit(key, now)).toBe(isDue)
          if (isDue) passedAt.set(key, now)
        }
        // Nothing is held for longer than its time, counted from the last key that was new.
        expect(memory.size).toBeLessThanOrEqual(passedAt.size)
      }),
      runs
    ))
})

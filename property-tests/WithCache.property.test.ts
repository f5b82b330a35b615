import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Flow, StreamHost } from "rtfs-streams"
import { ComputationCache } from "../src/capabilities/optimization/ComputationCache.ts"
import { CacheModel } from "./models/CacheModel.ts"

const runs = { numRuns: Number(process.env["FC_RUNS"] ?? 200) }

let host: StreamHost
beforeAll(async () => void (host = await StreamHost.start()))
afterAll(() => host.stop({ timeout: 1000 }))

const limits = fc.record({
  maxEntries: fc.integer({ min: 1, max: 4 }),
  maxBytes: fc.constantFrom(12, 40, 1200, 1e6),
  ttlMs: fc.constantFrom(5, 20, Infinity),
  staleMs: fc.constantFrom(0, 10),
  negativeTtlMs: fc.constantFrom(0, 7)
})

const steps = fc.array(fc.record({ key: fc.nat(5), later: fc.nat(6), length: fc.constantFrom(1, 5, 30), fails: fc.boolean() }), {
  maxLength: 60,
  size: "max"
})

const unused = { jitter: 0, earlyRefresh: 0, mostRefreshes: 1, shares: true }

/** Lets everything that is under way go one turn on. */
const turn = () => new Promise((resolve) => setImmediate(resolve))

describe("stream.with-cache", () => {
  it("CA-1: gives what it computed no longer ago than its time, computes only then, and holds no more than its bounds", () =>
    fc.assert(
      fc.property(limits, steps, (options, asked) => {
        let now = 0
        const cache = new ComputationCache({ ...unused, ...options, now: () => now })
        const model = new CacheModel(options)
        for (const [index, { fails, key, later, length }] of asked.entries()) {
          now += later
          const value = String(index).padEnd(length, ".")
          let computes = false
          const compute = () => {
            computes = true
            if (fails) throw new Error("no value")
            return value
          }
          let gives: unknown
          try {
            const found = cache.find(key, compute)
            gives = found === undefined ? cache.compute(key, compute) : "error" in found ? "failure" : found.value
          } catch {
            gives = "failure"
          }
          expect({ gives, computes }).toEqual(model.ask(key, now, fails ? "fails" : { value }))
          expect([cache.size, cache.bytes]).toEqual([model.held.length, model.bytes])
          expect(cache.size).toBeLessThanOrEqual(options.maxEntries)
          expect(cache.bytes).toBeLessThanOrEqual(options.maxBytes)
        }
        const { hits, misses } = cache.counts
        expect(hits + misses).toBe(asked.length)
      }),
      runs
    ))

  it("CA-1: whatever goes on at once, one computation for a key at a time, and all who waited get what it gave", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ key: fc.nat(3), fails: fc.boolean(), turns: fc.nat(3) }), { maxLength: 25, size: "max" }),
        fc.integer({ min: 1, max: 5 }),
        fc.boolean(),
        async (items, parallelism, isBounded) => {
          const underWay = new Map<number, number>()
          const misses: Array<number> = []
          let hits = 0
          let computed = 0
          let mostAtOnce = 0
          const flow = Flow.from(items).cached(
            async ({ fails, key, turns }) => {
              underWay.set(key, (underWay.get(key) ?? 0) + 1)
              mostAtOnce = Math.max(mostAtOnce, underWay.get(key)!)
              computed++
              for (let i = 0; i < turns; i++) await turn()
              underWay.set(key, underWay.get(key)! - 1)
              if (fails) throw new Error("no value")
              return key * 10
            },
            {
              key: ({ key }) => key,
              parallelism,
              onFailure: "skip",
              onHit: () => void hits++,
              onMiss: ({ key }) => void misses.push(key),
              ...(isBounded ? { maxEntries: 1 } : {})
            }
          )
          const { value } = await host.runFlow(flow)
          const values = value as ReadonlyArray<number>
          expect(mostAtOnce).toBeLessThanOrEqual(1)
          const skipped = items.length - values.length
          if (items.every(({ fails }) => !fails)) expect(values).toEqual(items.map(({ key }) => key * 10))
          // What came out is in the order of the items.
          let from = 0
          for (const each of values) {
            from = items.findIndex(({ key }, index) => index >= from && key * 10 === each) + 1
            expect(from).toBeGreaterThan(0)
          }
          expect(hits + misses.length).toBe(items.length)
          expect(computed).toBeLessThanOrEqual(misses.length)
          if (!isBounded) expect(computed).toBeGreaterThanOrEqual(new Set(misses).size)
          expect(skipped).toBeLessThanOrEqual(misses.length)
        }
      ),
      runs
    ))

  it("CA-1: values spread their ends by the jitter, and early computations come only near the end", () =>
    fc.assert(
      fc.property(fc.integer({ min: 10, max: 1000 }), fc.double({ min: 0, max: 1, noNaN: true }), (ttlMs, jitter) => {
        let now = 0
        const options = { ...unused, maxEntries: 100, maxBytes: 1e6, ttlMs, staleMs: 0, negativeTtlMs: 0, now: () => now }
        const cache = new ComputationCache({ ...options, jitter })
        for (let key = 0; key < 50; key++) cache.compute(key, () => key)
        now = ttlMs * (1 - jitter) - 1e-6
        for (let key = 0; key < 50; key++) expect(cache.find(key, () => "new")).toEqual({ value: key })
        now = ttlMs * (1 + jitter)
        for (let key = 0; key < 50; key++) expect(cache.find(key, () => "new")).toBeUndefined()
        const early = new ComputationCache({ ...options, jitter: 0, earlyRefresh: 1 })
        // What takes no time is never computed early.
        early.compute("a", () => "old")
        now += ttlMs - 1e-6
        expect(early.find("a", () => "new")).toEqual({ value: "old" })
      }),
      runs
    ))
})

import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Flow, StreamHost } from "rtfs-streams"
import { keyOf } from "../src/serialization/index.ts"
import { framing, keys } from "./arbitraries/keys.ts"

const runs = { numRuns: Number(process.env["FC_RUNS"] ?? 100) }

let host: StreamHost
beforeAll(async () => void (host = await StreamHost.start()))
afterAll(() => host.stop({ timeout: 1000 }))

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)

/** What a function waits for with an item: nothing, or that others go first now and then. */
const pace = fc.constantFrom<(n: number) => Promise<unknown> | undefined>(
  () => undefined,
  (n) => (n % 3 === 0 ? Promise.resolve() : undefined),
  (n) => (n % 5 === 0 ? new Promise((resolve) => setImmediate(resolve)) : undefined)
)
const paced = <A>(wait: Promise<unknown> | undefined, value: A): A | Promise<A> => (wait === undefined ? value : wait.then(() => value))

describe("stream.branch", () => {
  const branch = fc.record({ pace, isStream: fc.boolean() })

  it("BR-1: gives every branch every item in order, none further ahead of another than their buffers", () =>
    fc.assert(
      fc.asyncProperty(
        fc.nat(60),
        fc.array(branch, { minLength: 2, maxLength: 4 }),
        fc.integer({ min: 1, max: 8 }),
        async (count, branches, bufferSize) => {
          const seen = branches.map((): Array<number> => [])
          let furthest = 0
          const made = branches.map(({ isStream, pace: wait }, index) => {
            const work = (n: number) => {
              seen[index]!.push(n)
              const lengths = seen.map(({ length }) => length)
              furthest = Math.max(furthest, Math.max(...lengths) - Math.min(...lengths))
              return paced(wait(n), n)
            }
            return isStream
              ? { pipeline: (part: Flow<number>) => part.map(work).reduce(0, (sum, n) => sum + n), bufferSize }
              : { processor: work, bufferSize }
          })
          const report = await host.runFlow(Flow.from(numbers(count)).branch(Object.fromEntries(made.entries())))
          for (const items of seen) expect(items).toEqual(numbers(count))
          const sum = numbers(count).reduce((total, n) => total + n, 0)
          expect(report.value).toEqual({ ...branches.map(({ isStream }) => (isStream ? sum : count)) })
          expect(report).toMatchObject({ accepted: count, processed: count, undrained: 0, dropped: 0 })
          // What lies in the mailbox of the slowest, and the frame that waits for room there.
          expect(furthest).toBeLessThanOrEqual(2 * bufferSize)
        }
      ),
      runs
    ))

  it("BR-2: a branch that fails alone changes nothing for the others, and is told of with all that it missed", () =>
    fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 60 }), fc.nat(), branch, branch, framing, async (count, at, bad, good, options) => {
        const failing = at % count
        const seen: Array<number> = []
        const fail = (n: number) => {
          if (n === failing) throw new Error(`not ${n}`)
          return paced(bad.pace(n), n)
        }
        const work = (n: number) => {
          seen.push(n)
          return paced(good.pace(n), n)
        }
        const of = ({ isStream }: { readonly isStream: boolean }, fn: (n: number) => unknown) =>
          isStream ? { pipeline: (part: Flow<number>) => part.map(fn, options), ...options } : { processor: fn, ...options }
        const report = await host.runFlow(Flow.from(numbers(count)).branch({ bad: of(bad, fail), good: of(good, work) }, { isolate: true }))
        expect(seen).toEqual(numbers(count))
        expect(report.value).toEqual({ bad: null, good: good.isStream ? numbers(count) : count })
        expect(report.streams[0]!.failedParts).toMatchObject([{ part: "branch bad", error: expect.stringContaining(`not ${failing}`) }])
        if (!bad.isStream) expect(report.streams[0]!.failedParts![0]!.missed).toBe(count - failing)
        expect(report).toMatchObject({ accepted: count, undrained: 0 })
      }),
      runs
    ))
})

describe("stream.parallel", () => {
  const parallelism = fc.integer({ min: 1, max: 6 })

  it("PA-1 PA-2: takes each item through one partition, equal keys through the same one and in order", () =>
    fc.assert(
      fc.asyncProperty(keys, parallelism, pace, framing, async (items, parallelism, wait, options) => {
        const states: Array<Array<number>> = []
        const flow = Flow.from(items.map((key, index) => ({ key: key ?? null, index }))).parallel({
          parallelism,
          key: ({ key }) => key,
          processor: (part) => part.map(({ index, key }) => paced(wait(index), { index, key }), options).batch(1000, { timeout: 60_000 }),
          combiner: (results) => results
        })
        const [results] = (await host.runFlow(flow)).value as [ReadonlyArray<ReadonlyArray<ReadonlyArray<{ index: number; key: unknown }>>>]
        expect(results).toHaveLength(parallelism)
        for (const batches of results) states.push(batches.flat().map(({ index }) => index))
        expect(states.flat().toSorted((a, b) => a - b)).toEqual(numbers(items.length))
        for (const partition of states) expect(partition).toEqual(partition.toSorted((a, b) => a - b))
        const home = new Map<unknown, number>()
        states.forEach((partition, number) => {
          for (const index of partition) {
            const key = keyOf(items[index] ?? null)
            expect(home.get(key) ?? number).toBe(number)
            home.set(key, number)
          }
        })
      }),
      runs
    ))

  it("PA-3: gives with :ordered what one partition would give", () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.nat(5), { maxLength: 80 }), parallelism, pace, framing, async (hashes, parallelism, wait, options) => {
        const flow = Flow.from(hashes.map((hash, index) => ({ hash, index }))).parallel({
          parallelism,
          partition: ({ hash }) => hash % parallelism,
          ordered: true,
          processor: (part) => part.map(({ hash, index }) => paced(wait(index + hash), index), options)
        })
        const report = await host.runFlow(flow)
        expect(report.value).toEqual(numbers(hashes.length))
        expect(report).toMatchObject({ accepted: hashes.length, processed: hashes.length, undrained: 0 })
      }),
      runs
    ))

  it("PA-4: fails exactly the items whose partition does not exist", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.integer({ min: -2, max: 6 }), fc.constantFrom<unknown>(null, 0.5, NaN, "1", true)), { maxLength: 40 }),
        parallelism,
        async (given, parallelism) => {
          const flow = Flow.from(numbers(given.length)).parallel({
            parallelism,
            partition: (index) => given[index] as number,
            onFailure: "skip",
            ordered: true,
            processor: (part) => part
          })
          const report = await host.runFlow(flow)
          const exists = (to: unknown) => Number.isInteger(to) && (to as number) >= 0 && (to as number) < parallelism
          expect(report.value).toEqual(numbers(given.length).filter((index) => exists(given[index])))
          expect(report.skipped).toBe(given.filter((to) => !exists(to)).length)
        }
      ),
      runs
    ))
})

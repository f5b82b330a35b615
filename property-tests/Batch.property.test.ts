import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Flow, StreamHost } from "rtfs-streams"
import { encodeValue } from "../src/serialization/index.ts"
import { framing } from "./arbitraries/keys.ts"
import { value } from "./arbitraries/Value.ts"

const runs = { numRuns: Number(process.env["FC_RUNS"] ?? 200) }

let host: StreamHost
beforeAll(async () => void (host = await StreamHost.start()))
afterAll(() => host.stop({ timeout: 1000 }))

const bytesOf = (items: ReadonlyArray<unknown>): number => items.reduce<number>((sum, item) => sum + encodeValue(item).byteLength, 0)

describe("stream.batch", () => {
  it("BA-1: the batches, put together, are the items; each is full, by number or bytes, and only the last may not be", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(value, { maxLength: 40 }),
        fc.integer({ min: 1, max: 10 }),
        fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined }),
        framing,
        async (items, size, maxBytes, options) => {
          const flow = Flow.from(items).batch(size, { timeout: 60_000, ...(maxBytes === undefined ? {} : { maxBytes }), ...options })
          const batches = (await host.runFlow(flow)).value as ReadonlyArray<ReadonlyArray<unknown>>
          expect(batches.flat(1)).toEqual(items.map((item) => item ?? null))
          batches.forEach((batch, index) => {
            expect(batch.length).toBeGreaterThanOrEqual(1)
            expect(batch.length).toBeLessThanOrEqual(size)
            const limit = maxBytes ?? Infinity
            // It was given with the item that filled it, and not before.
            expect(bytesOf(batch.slice(0, -1))).toBeLessThan(limit)
            if (index < batches.length - 1) expect(batch.length === size || bytesOf(batch) >= limit).toBe(true)
          })
        }
      ),
      runs
    ))
})

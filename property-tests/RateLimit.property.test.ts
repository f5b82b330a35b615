import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { StageServices } from "../src/actors/index.ts"
import { Island } from "../src/actors/Island.ts"
import { suspended, worked } from "../src/actors/IslandWriter.ts"
import { rateLimit } from "../src/capabilities/flow-control/rate-limit.ts"
import { TokenBucket } from "../src/capabilities/flow-control/TokenBucket.ts"
import { decodeValue, encodeValue } from "../src/serialization/index.ts"
import { stagesOf } from "./models/TimedStages.ts"

const runs = { numRuns: Number(process.env["FC_RUNS"] ?? 200) }

/** A clock that jumps to the end of each wait. */
class Time {
  current = 0
  readonly shared = new Map<string, unknown>()

  services(): StageServices {
    return {
      time: {
        now: () => this.current,
        sleep: (milliseconds: number) => {
          this.current += milliseconds
          return Promise.resolve()
        }
      },
      shared: (name: string, make: () => unknown) => {
        if (!this.shared.has(name)) this.shared.set(name, make())
        return this.shared.get(name)
      }
    } as unknown as StageServices
  }
}

interface Item {
  readonly id: number
  readonly at: number
  readonly cost: number
}

/** Sends items through a rate limit, each no sooner than it comes, and tells when each left. */
const leave = async (
  items: ReadonlyArray<Item>,
  options: { readonly rate: number; readonly burst: number },
  restarts: ReadonlyArray<number> = []
): Promise<ReadonlyArray<Item & { readonly left: number }>> => {
  const time = new Time()
  const make = () => {
    const stages = stagesOf(rateLimit, { ...options, cost: (item: Item) => item.cost })
    stages[0]!.bind!(time.services())
    return new Island(stages)
  }
  let island = make()
  const left: Array<Item & { readonly left: number }> = []
  for (const [index, item] of items.entries()) {
    time.current = Math.max(time.current, item.at)
    island.rewind()
    let outcome = island.run([item], 1, time.current, 100)
    if (outcome === suspended && restarts.includes(index)) {
      // The next life has the position and the states, and calls the function again.
      outcome = island.run([item], 1, time.current, 100)
    }
    if (outcome === suspended) {
      island.resumeWith(await island.cause)
      outcome = island.run([item], 1, time.current, 100)
    }
    expect(outcome).toBe(worked)
    expect(island.outCount).toBe(1)
    left.push({ ...(island.out[0] as Item), left: time.current })
    island.outCount = 0
    if (restarts.includes(index)) {
      const bytes = encodeValue(island.snapshot())
      island = make()
      island.restore(decodeValue(bytes) as ReturnType<Island["snapshot"]>)
    }
  }
  return left
}

const limits = fc.record({ rate: fc.integer({ min: 1, max: 500 }), burst: fc.integer({ min: 1, max: 10 }) })
const itemsOf = (made: ReadonlyArray<{ readonly later: number; readonly cost: number }>, burst: number): ReadonlyArray<Item> => {
  let at = 0
  return made.map(({ cost, later }, id) => ({ id, at: (at += later), cost: Math.min(cost, burst) }))
}
const made = fc.array(fc.record({ later: fc.oneof(fc.constant(0), fc.nat(300)), cost: fc.oneof(fc.constant(1), fc.nat(10)) }), {
  maxLength: 25
})

describe("stream.rate-limit", () => {
  it("RL-1, RL-2, RL-3: in no span more than burst + rate·t leave; each leaves as soon as that allows; all do, in order", () =>
    fc.assert(
      fc.asyncProperty(limits, made, fc.array(fc.nat(25), { maxLength: 3 }), async (limits, made, restarts) => {
        const items = itemsOf(made, limits.burst)
        const left = await leave(items, limits, restarts)
        expect(left.map(({ id }) => id)).toEqual(items.map(({ id }) => id))
        left.forEach((item, index) => {
          let cost = 0
          // The earliest time at which it may leave, by what left before it.
          let earliest = Math.max(item.at, index === 0 ? 0 : left[index - 1]!.left)
          for (let i = index; i >= 0; i--) {
            cost += left[i]!.cost
            const span = item.left - left[i]!.left
            expect(cost).toBeLessThanOrEqual(limits.burst + (limits.rate * span) / 1000 + 1e-6)
            earliest = Math.max(earliest, left[i]!.left + ((cost - limits.burst) * 1000) / limits.rate)
          }
          // A timer counts whole ms.
          if (!restarts.some((restart) => restart < index)) expect(item.left).toBeLessThan(earliest + 1 + 1e-6)
        })
      }),
      runs
    ))

  it("RL-2: an item that costs more than the burst leaves when all that it costs has come in", async () => {
    const left = await leave(
      [
        { id: 0, at: 0, cost: 50 },
        { id: 1, at: 0, cost: 1 }
      ],
      { rate: 10, burst: 5 }
    )
    expect(left.map((item) => item.left)).toEqual([4500, 4600])
  })

  it("RL-3: a clock that goes back gives no tokens", () =>
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -1000, max: 1000 }), { maxLength: 30 }), limits, (jumps, limits) => {
        const bucket = new TokenBucket(limits)
        bucket.take(limits.burst, 0)
        let now = 0
        let forward = 0
        for (const jump of jumps) {
          now += jump
          forward += Math.max(0, jump)
          bucket.take(0, now)
          expect(bucket.tokens).toBeLessThanOrEqual(Math.min(limits.burst, (forward * limits.rate) / 1000) + 1e-6)
        }
      }),
      runs
    ))

  it("shares a limit by name, and refuses one name for two limits", () => {
    const time = new Time()
    const bind = (options: Record<string, unknown>) => {
      const [stage] = stagesOf(rateLimit, options)
      stage!.bind!(time.services())
      return new Island([stage!])
    }
    const [one, other] = [bind({ rate: 1, burst: 2, name: "api" }), bind({ rate: 1, burst: 2, name: "api" })]
    expect(one.run(["a", "b"], 2, 0, 10)).toBe(worked)
    expect(other.run(["c"], 1, 0, 10)).toBe(suspended)
    expect(() => bind({ rate: 2, burst: 2, name: "api" })).toThrow(/shares the limit "api", which was given :rate 1 :burst 2 first/)
    expect(bind({ rate: 2, burst: 2 }).run(["d", "e"], 2, 0, 10)).toBe(worked)
  })
})

import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { Island } from "../src/actors/Island.ts"
import { IslandCode } from "../src/actors/IslandCode.ts"
import { failed, spent, suspended, worked } from "../src/actors/IslandWriter.ts"
import { chain, type Fault, faults, items } from "./arbitraries/chains.ts"
import type { StageModel } from "./models/StageModel.ts"

const runs = { numRuns: Number(process.env["FC_RUNS"] ?? 300) }

/** A function's failure that a retry cures, and one that stays. */
const passing = new Error("passing")
const lasting = new Error("lasting")

interface Situation {
  readonly models: ReadonlyArray<StageModel>
  readonly faults: ReadonlyArray<Fault>
  /** Values whose sum of digits is this modulo 7 never work, and are skipped. */
  readonly poison: number
  readonly fuseAfter: number
  /** Items of each slice, in turn, and the budget of each call, in turn. */
  readonly slices: ReadonlyArray<number>
  readonly budgets: ReadonlyArray<number>
  /** At which of the calls of the island another one takes over, from a snapshot. */
  readonly crashes: ReadonlyArray<number>
}

const situation: fc.Arbitrary<Situation> = fc.record({
  models: chain,
  faults,
  poison: fc.integer({ min: 1, max: 12 }),
  fuseAfter: fc.constantFrom(0, 3, Number.MAX_SAFE_INTEGER),
  slices: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 }),
  budgets: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 5 }),
  crashes: fc.array(fc.nat(60), { maxLength: 6 })
})

const isPoison = (poison: number) => (value: unknown) => JSON.stringify(value).length > 0 && sumOfDigits(value) % 11 === poison
const sumOfDigits = (value: unknown) => [...JSON.stringify(value)].reduce((sum, digit) => sum + Number(/\d/.test(digit) ? digit : 0), 0)

/** Runs a chain over items in the situation, as an actor would, and gives the output and the counts. */
const runIsland = (input: ReadonlyArray<number>, situation: Situation) => {
  const { models, poison, crashes, slices, budgets } = situation
  let calls = 0
  const poisoned = isPoison(poison)
  const stages = models.flatMap((model) =>
    model.stage((compute, value) => {
      if (poisoned(value)) throw lasting
      const fault = situation.faults[calls++] ?? "works"
      if (fault === "throws") throw passing
      const result = compute()
      if (fault === "works") return result
      return { then: fault, result }
    })
  )
  // A promise whose outcome the test decides: no turn of the event loop is needed.
  for (const stage of stages) {
    const fn = stage.apply?.fn
    if (!fn) continue
    Object.assign(stage.apply!, {
      fn: (...args: ReadonlyArray<unknown>) => {
        const result = fn(...args) as { then?: unknown; result?: unknown }
        return typeof result?.then === "string"
          ? { then: () => undefined, fails: result.then === "promises-and-fails", result: result.result }
          : result
      }
    })
  }
  const code = IslandCode.fusedAfter(stages, situation.fuseAfter)
  let island = new Island(stages, code)
  const output: Array<unknown> = []
  let turns = 0
  const turn = (call: () => number): number => {
    const outcome = call()
    // The output is taken away now and then only, so that crashes find some of it.
    if (turns % 3 === 0) {
      output.push(...island.out.slice(0, island.outCount))
      island.outCount = 0
    }
    if (outcome === failed) {
      if (island.cause === lasting) island.skip()
      else assert.equal(island.cause, passing)
    } else if (outcome === suspended) {
      const promise = island.cause as { fails: boolean; result: unknown }
      if (promise.fails) island.failWith(passing)
      else island.resumeWith(promise.result)
    } else assert.include([worked, spent], outcome)
    if (crashes.includes(turns++)) {
      const snapshot = structuredClone(island.snapshot())
      island = new Island(stages, code)
      island.restore(snapshot)
    }
    return outcome
  }
  const budget = () => budgets[turns % budgets.length]!
  for (let from = 0; from < input.length;) {
    const slice = input.slice(from, from + slices[turns % slices.length]!)
    from += slice.length
    island.rewind()
    while (turn(() => island.run(slice, slice.length, 0, budget())) !== worked);
    assert.equal(island.index, slice.length)
  }
  while (island.startEnd(0) >= 0) while (turn(() => island.settle(0, budget())) !== worked);
  output.push(...island.out.slice(0, island.outCount))
  return { output, entered: [...island.entered] }
}

/** The same by lists. */
const runModel = (input: ReadonlyArray<number>, { models, poison }: Pick<Situation, "models" | "poison">) => {
  const works = (value: unknown) => !isPoison(poison)(value)
  return models.reduce<ReadonlyArray<number>>((list, model) => model.list(list, works), input)
}

describe("Island", () => {
  it("OP-1 OP-2 OP-3 BA-1: is the list functions, however the input is cut, calls fail or wait, and islands crash", () =>
    fc.assert(
      fc.property(items, situation, (input, situation) => {
        assert.deepEqual(runIsland(input, situation).output, [...runModel(input, situation)])
      }),
      runs
    ))

  it("counts each value once at each stage, whatever fails and is tried again", () =>
    fc.assert(
      fc.property(items, situation, (input, situation) => {
        const calm = { ...situation, faults: [], crashes: [], slices: [1000], budgets: [1000], fuseAfter: Number.MAX_SAFE_INTEGER }
        assert.deepEqual(runIsland(input, situation).entered, runIsland(input, calm).entered)
      }),
      runs
    ))

  it("OP-1: calls each function once for each attempt", () =>
    fc.assert(
      fc.property(
        items,
        fc.constantFrom(0, Number.MAX_SAFE_INTEGER),
        fc.array(fc.boolean(), { maxLength: 40 }),
        (input, fuseAfter, failures) => {
          let attempts = 0
          const stage = {
            kind: "stage" as const,
            capability: "test.map",
            apply: {
              fn: (value: number) => {
                if (failures[attempts++] === true) throw passing
                return value
              }
            }
          }
          const island = new Island([stage], IslandCode.fusedAfter([stage], fuseAfter))
          let failing = 0
          while (island.run(input, input.length, 0, 100) === failed) failing++
          assert.equal(attempts, input.length + failing)
          assert.deepEqual(island.out.slice(0, island.outCount), [...input])
        }
      ),
      runs
    ))
})

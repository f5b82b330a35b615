import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { type Flow, StreamHost } from "rtfs-streams"
import { allSources, cuts, graphs } from "./arbitraries/graphs.ts"
import { flowOf, type GraphPlan, modelOf, through } from "./models/GraphModel.ts"
import { type Item, type Lanes, lanesOf, withoutEmpty } from "./models/GraphStep.ts"
import { boundsOf, expectWithin, worldOf } from "./models/GraphRuns.ts"

const numRuns = Number(process.env["FC_RUNS"] ?? 80)

const expected = ({ body, branches }: GraphPlan): ReadonlyArray<Lanes> => {
  const given = modelOf(body)
  return branches.length === 0 ? [given] : branches.map((steps) => through(steps, given))
}

interface Framing {
  readonly cuts: ReadonlyArray<number>
  readonly memory: string
}

/** Runs it, and looks now and then whether what waits is within its bounds. */
const run = async (plan: GraphPlan, { cuts, memory }: Framing): Promise<ReadonlyArray<Lanes>> => {
  await using host = await StreamHost.start({ memory, log: () => {} })
  let calls = 0
  let broken: unknown
  let bounds: ReturnType<typeof boundsOf> = new Map()
  const world = worldOf(cuts, () => {
    if (++calls % 20 !== 0 || broken !== undefined) return
    try {
      looked.waiting += expectWithin(bounds, host)
      looked.times++
    } catch (error) {
      broken = error
    }
  })
  const body = flowOf(plan.body, world)
  const flow: Flow<unknown> =
    plan.branches.length === 0
      ? body
      : body.branch(
          Object.fromEntries(
            plan.branches.map((steps, index) => [
              `b${index}`,
              { pipeline: (stream: Flow<Item>) => steps.reduce((input, step) => step.flow(input, world), stream), ...world.cut() }
            ])
          )
        )
  bounds = boundsOf(flow, memory === "8MB" ? 1024 ** 2 : 32 * 1024 ** 2)
  const { processed, accepted, deadLettered, dropped, undrained, value } = await host.runFlow(flow, { timeoutMs: 20_000 })
  if (broken !== undefined) throw broken
  // Operators may make more items than they take, and dead letters of all of them.
  expect({ processed, undrained, dropped }).toEqual({ processed: Math.max(0, accepted - deadLettered), undrained: 0, dropped: 0 })
  if (plan.branches.length === 0) return [lanesOf(value as ReadonlyArray<Item>)]
  return plan.branches.map((_, index) => lanesOf((value as Record<string, ReadonlyArray<Item>>)[`b${index}`]!))
}

const looked = { times: 0, waiting: 0 }

const framings = fc.record({ cuts, memory: fc.constantFrom("8MB", "256MB") })

describe("any graph of any operators", () => {
  it(
    "OP-1, OP-2, BA-1, SL-1, DI-1, GB-1, ME-1, BR-1, PA-1, PA-2, CA-1: gives what lists give, however it is cut into actors and frames, within its bounds, and ends",
    () =>
      fc.assert(
        fc.asyncProperty(graphs(allSources), fc.array(framings, { minLength: 1, maxLength: 2 }), async (plan, ways) => {
          const wanted = expected(plan).map(withoutEmpty)
          for (const way of ways) expect((await run(plan, way)).map(withoutEmpty)).toEqual(wanted)
        }),
        { numRuns, interruptAfterTimeLimit: 60_000 * Math.max(1, numRuns / 80), markInterruptAsFailure: true }
      ),
    120_000 * Math.max(1, numRuns / 80)
  )

  it("is looked at while something waits, often enough for that to say something", () => {
    expect(looked.times).toBeGreaterThan(numRuns)
    expect(looked.waiting).toBeGreaterThan(numRuns)
  })
})

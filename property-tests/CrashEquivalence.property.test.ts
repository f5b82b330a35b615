import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setImmediate } from "node:timers/promises"
import fc from "fast-check"
import { afterAll, describe, expect, it } from "vitest"
import { Flow, StreamHost } from "rtfs-streams"
import { flowValue } from "../src/host/flowValue.ts"
import { cuts, graphs, repeatableSources } from "./arbitraries/graphs.ts"
import { CrashingStore } from "./models/CrashingStore.ts"
import { type GraphPlan, flowOf, isExact, modelOf, through } from "./models/GraphModel.ts"
import { worldOf } from "./models/GraphRuns.ts"
import { type Item, type Lanes, lanesOf, withoutEmpty, type World } from "./models/GraphStep.ts"

const numRuns = Number(process.env["FC_RUNS"] ?? 40)
const limits = { numRuns, interruptAfterTimeLimit: 60_000 * Math.max(1, numRuns / 40), markInterruptAsFailure: true }
const timeout = 120_000 * Math.max(1, numRuns / 40)

const root = mkdtempSync(join(tmpdir(), "rtfs-streams-crash-equivalence-"))
afterAll(() => rmSync(root, { recursive: true }))

/** When a process ends: after this share of the calls of functions that a whole run makes, or around the n-th checkpoint. */
type Crash =
  | { readonly at: "call"; readonly share: number }
  | { readonly at: "before the commit" | "behind the commit"; readonly nth: number }

const crash: fc.Arbitrary<Crash> = fc.oneof(
  { weight: 3, arbitrary: fc.oneof(fc.nat(99), fc.nat(25)).map((percent) => ({ at: "call" as const, share: percent / 100 })) },
  {
    weight: 1,
    arbitrary: fc.record({ at: fc.constantFrom("before the commit", "behind the commit"), nth: fc.integer({ min: 1, max: 8 }) })
  }
)

interface Scene {
  readonly plan: GraphPlan
  readonly cuts: ReadonlyArray<number>
  readonly everyItems: number
  readonly intervalMs: number
  readonly crashes: ReadonlyArray<Crash>
  /** Every so many calls everything else gets its turn, checkpoints among it. */
  readonly turnEvery: number
}

const scenes = fc.record({
  plan: graphs(repeatableSources),
  cuts,
  everyItems: fc.constantFrom(1, 2, 5, 20, 300),
  intervalMs: fc.constantFrom(1, 3, 3_600_000),
  crashes: fc.array(crash, { minLength: 1, maxLength: 4 }),
  turnEvery: fc.constantFrom(1, 3, 10)
})

let ordinal = 0

/** Consumes a graph of the scene: `life` is 0 for the run without crashes, in another store, by which calls are counted. */
type Use<Result> = (
  checkpointed: <Of>(flow: Flow<Of>) => Flow<Of>,
  world: World,
  run: (flow: Flow<unknown>) => Promise<unknown>,
  life: number
) => Promise<Result>

interface Life {
  readonly store: CrashingStore
  readonly crash: Crash | undefined
  /** How many calls of functions a whole run makes. */
  readonly allCalls: number
  readonly life: number
}

/** One process. @returns its result, unless it crashed, and how often it called functions of the graph */
const live = async <Result>(
  { cuts, everyItems, intervalMs, turnEvery }: Omit<Scene, "plan">,
  use: Use<Result>,
  { allCalls, crash, life, store }: Life
) => {
  const host = await StreamHost.start({ store: store.url, policy: { all: true, fsRoot: root }, log: () => {} })
  let isDead = false
  let die = () => {}
  const death = new Promise<"crashed">((resolve) => {
    die = () => {
      isDead = true
      store.die()
      resolve("crashed")
    }
  })
  store.revive(crash === undefined || crash.at === "call" ? undefined : { ...crash, die: () => die() })
  const lastCall = crash?.at === "call" ? 1 + Math.floor(crash.share * allCalls) : Infinity
  let calls = 0
  const world = worldOf(cuts, () => {
    if (++calls === lastCall) die()
    if (isDead) return new Promise<never>(() => {})
    return calls % turnEvery === 0 ? setImmediate() : undefined
  })
  const checkpointed = <Of>(flow: Flow<Of>): Flow<Of> =>
    new Flow("stream.with-checkpointing", [
      flowValue(flow)!,
      { "stream-id": "s", "checkpoint-interval": intervalMs, "every-n-items": everyItems }
    ])
  const running = use(checkpointed, world, async (flow) => (await host.runFlow(flow, { timeoutMs: 20_000 })).value, life)
  running.catch(() => {})
  const outcome = await Promise.race([death, running.then((result) => ({ result }))])
  await host.stop({ timeout: 0 })
  await running.catch(() => {})
  return { outcome, calls }
}

/** Runs it again and again, until a run ends without a crash. @returns its result */
const runThrough = async <Result>(scene: Omit<Scene, "plan">, use: Use<Result>): Promise<Result> => {
  const url = `memory:crash-equivalence-${++ordinal}`
  const whole = await live(scene, use, { store: await CrashingStore.named(`${url}-whole`), crash: undefined, allCalls: 0, life: 0 })
  const store = await CrashingStore.named(url)
  for (const [index, crash] of [...scene.crashes, undefined].entries()) {
    const { outcome } = await live(scene, use, { store, crash, allCalls: whole.calls, life: index + 1 })
    if (outcome !== "crashed") return outcome.result
    tally.crashes++
    // The first checkpoint is taken before the first item.
    if (store.commits.length > 1) tally.resumed++
  }
  throw new Error("the last run crashed, though nothing was to")
}

const expected = ({ body, branches }: GraphPlan): ReadonlyArray<Lanes> => {
  const given = modelOf(body)
  return (branches.length === 0 ? [given] : branches.map((steps) => through(steps, given))).map(withoutEmpty)
}

const tally = { crashes: 0, resumed: 0 }

describe("a checkpointed graph whose process ends at any moment, any number of times", () => {
  it(
    "CP-2, CP-3: comes to the result of a run without crashes",
    () =>
      fc.assert(
        fc.asyncProperty(scenes, async (scene) => {
          const { plan } = scene
          const result = await runThrough(scene, async (checkpointed, world, run) => {
            const body = checkpointed(flowOf(plan.body, world))
            if (plan.branches.length === 0) return [lanesOf((await run(body)) as ReadonlyArray<Item>)]
            const branches = plan.branches.map(
              (steps, index) =>
                [
                  `b${index}`,
                  { pipeline: (stream: Flow<Item>) => steps.reduce((input, step) => step.flow(input, world), stream), ...world.cut() }
                ] as const
            )
            const value = (await run(body.branch(Object.fromEntries(branches)))) as Record<string, ReadonlyArray<Item>>
            return plan.branches.map((_, index) => lanesOf(value[`b${index}`]!))
          })
          expect(result.map(withoutEmpty)).toEqual(expected(plan))
        }),
        limits
      ),
    timeout
  )

  it(
    "CP-2: writes each item into a file once",
    () =>
      fc.assert(
        fc.asyncProperty(scenes, async (scene) => {
          const { plan } = scene
          const file = `out-${++ordinal}.ndjson`
          await runThrough(scene, (checkpointed, world, run, life) =>
            run(checkpointed(flowOf(plan.body, world)).toFile(life === 0 ? `whole-${file}` : file, { format: "ndjson" }))
          )
          const written = readFileSync(join(root, file), "utf8").split("\n")
          expect(written.pop()).toBe("")
          const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value))
          const wanted = withoutEmpty(modelOf(plan.body))
          expect(lanesOf(written.map((line) => JSON.parse(line) as Item))).toEqual(
            new Map([...wanted].map(([s, values]) => [s, asJson(values) as ReadonlyArray<unknown>]))
          )
          for (const name of [file, `whole-${file}`]) rmSync(join(root, name))
        }),
        limits
      ),
    timeout
  )

  it(
    "CP-2: calls a function at least once for each item, in order, and again only for those since the last checkpoint",
    () =>
      fc.assert(
        fc.asyncProperty(
          scenes.filter(({ plan }) => isExact(plan.body)),
          async (scene) => {
            const lives: Array<Array<unknown>> = []
            await runThrough(scene, (checkpointed, world, run, life) => {
              const told: Array<unknown> = (lives[life] = [])
              const callback = (item: Item) => world.call("now", () => void told.push(item.n))
              return run(checkpointed(flowOf(scene.plan.body, world)).forEach(callback))
            })
            const wanted = [...modelOf(scene.plan.body).values()].flat()
            // Each life goes on somewhere in what those before it have done, and leaves nothing out.
            let done = 0
            for (const told of lives.slice(1)) {
              const starts = Array.from({ length: done + 1 }, (_, from) => from).filter((from) =>
                told.every((n, index) => same(n, wanted[from + index]))
              )
              expect(
                starts.length,
                `${JSON.stringify(told)} is no part of ${JSON.stringify(wanted)} from at most ${done} on`
              ).toBeGreaterThan(0)
              done = Math.max(done, starts.at(-1)! + told.length)
            }
            expect(done).toBe(wanted.length)
          }
        ),
        limits
      ),
    timeout
  )

  it("does end, and go on behind its first checkpoint, often enough for that to say something", () => {
    expect(tally.crashes).toBeGreaterThan(numRuns)
    expect(tally.resumed).toBeGreaterThan(numRuns / 4)
  })
})

const same = (left: unknown, right: unknown): boolean => JSON.stringify(left) === JSON.stringify(right)

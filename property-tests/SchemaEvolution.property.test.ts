import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Flow, StreamHost } from "rtfs-streams"

const runs = { numRuns: Number(process.env["FC_RUNS"] ?? 100) }

let host: StreamHost
beforeAll(async () => void (host = await StreamHost.start()))
afterAll(() => host.stop({ timeout: 1000 }))

interface Item {
  readonly id: number
  readonly version?: number
  readonly failsAt?: number
  /** The steps that it went through. */
  readonly steps: ReadonlyArray<number>
}

/** Versions from `oldest` to `current`, and items of these versions, some without one, some that a step fails on. */
const situation = fc.record({ oldest: fc.integer({ min: 0, max: 3 }), steps: fc.integer({ min: 1, max: 4 }) }).chain(({ oldest, steps }) =>
  fc.record({
    oldest: fc.constant(oldest),
    current: fc.constant(oldest + steps),
    waits: fc.boolean(),
    stamps: fc.boolean(),
    items: fc.array(
      fc.record({
        version: fc.option(fc.integer({ min: oldest - 1, max: oldest + steps + 1 }), { nil: undefined }),
        failsAt: fc.integer({ min: -1, max: oldest + steps })
      }),
      { maxLength: 10 }
    )
  })
)

const itemsOf = (made: ReadonlyArray<{ readonly version: number | undefined; readonly failsAt: number }>): ReadonlyArray<Item> =>
  made.map(({ failsAt, version }, id) => ({ id, failsAt, steps: [], ...(version === undefined ? {} : { version }) }))

type Step = (item: Item) => Item | Promise<Item>

const stepFrom = (from: number, { stamps, waits }: { readonly stamps: boolean; readonly waits: boolean }): Step => {
  const step = (item: Item): Item => {
    if (item.failsAt === from) throw new Error(`no step for ${item.id}`)
    return { ...item, steps: [...item.steps, from], ...(stamps ? { version: from + 1 } : {}) }
  }
  return waits && from % 2 === 0 ? async (item) => step(item) : step
}

const stepsBetween = (from: number, to: number, how: { readonly stamps: boolean; readonly waits: boolean }): Record<number, Step> =>
  Object.fromEntries(Array.from({ length: to - from }, (_, index) => [from + index, stepFrom(from + index, how)]))

/** The current form has its version and has been through the step before it, unless it was born current. */
const schemaOf = (version: number) => ({ type: "map", required: ["version"], properties: { version: { enum: [version] } } }) as const

const evolved = async (
  items: ReadonlyArray<Item>,
  oldest: number,
  current: number,
  how: { readonly stamps: boolean; readonly waits: boolean }
) => {
  const invalid: Array<number> = []
  const flow = Flow.from(items).evolve<Item>(schemaOf(current), {
    migrations: stepsBetween(oldest, current, how),
    onInvalid: (_, item) => void invalid.push(item.id)
  })
  const { value } = await host.runFlow(flow)
  return { valid: value as ReadonlyArray<Item>, invalid }
}

describe("stream.schema-evolution", () => {
  it("EV-1: an item goes through exactly the steps from its version on, or is invalid, each once and in order", () =>
    fc.assert(
      fc.asyncProperty(situation, async ({ current, items: made, oldest, ...how }) => {
        const items = itemsOf(made)
        const expected = items.map((item) => {
          const from = item.version ?? oldest
          if (from < oldest || from > current) return undefined
          if (item.failsAt !== undefined && item.failsAt >= from && item.failsAt < current) return undefined
          return { ...item, version: current, steps: Array.from({ length: current - from }, (_, index) => from + index) }
        })
        const { invalid, valid } = await evolved(items, oldest, current, how)
        expect(valid).toEqual(expected.filter((item) => item !== undefined))
        expect(invalid).toEqual(items.filter((_, index) => expected[index] === undefined).map(({ id }) => id))
      }),
      runs
    ))

  it("EV-1: two evolutions, one behind the other, are one with the steps of both", () =>
    fc.assert(
      fc.asyncProperty(situation, fc.nat(3), async ({ current, items: made, oldest, ...how }, cut) => {
        const middle = Math.min(current - 1, oldest + 1 + cut)
        if (middle <= oldest) return
        // Without items that the first of the two does not know.
        const items = itemsOf(made.filter(({ version }) => version === undefined || (version >= oldest && version <= middle)))
        const once = await evolved(items, oldest, current, how)
        const first = await evolved(items, oldest, middle, how)
        const second = await evolved(first.valid, middle, current, how)
        expect(second.valid).toEqual(once.valid)
        expect([...first.invalid, ...second.invalid].sort()).toEqual([...once.invalid].sort())
      }),
      runs
    ))

  it("EV-1: a second pass changes nothing", () =>
    fc.assert(
      fc.asyncProperty(situation, async ({ current, items: made, oldest, ...how }) => {
        const { valid } = await evolved(itemsOf(made), oldest, current, how)
        expect(await evolved(valid, oldest, current, how)).toEqual({ valid, invalid: [] })
      }),
      runs
    ))
})

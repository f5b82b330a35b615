import { Flow } from "rtfs-streams"
import { flowValue } from "../../src/host/flowValue.ts"

export interface Item {
  readonly s: string
  readonly n: unknown
}

/** The values of each origin, in their order. */
export type Lanes = ReadonlyMap<string, ReadonlyArray<unknown>>

export const lanesOf = (items: Iterable<Item>): Lanes => {
  const lanes = new Map<string, Array<unknown>>()
  for (const { n, s } of items) lanes.set(s, [...(lanes.get(s) ?? []), n])
  return lanes
}

/** An origin without items is as good as none. */
export const withoutEmpty = (lanes: Lanes): Lanes => new Map([...lanes].filter(([, values]) => values.length > 0))

/** A number of any value, whatever the order of the keys in maps. */
export const digest = (value: unknown): number => {
  if (typeof value === "number") return Math.abs(value) % 1009
  if (Array.isArray(value)) return value.reduce<number>((sum, each, index) => (sum + (index + 1) * digest(each) + 7) % 1009, 1)
  if (value === null || value === undefined) return 3
  if (typeof value === "string") return digest([...value].map((letter) => letter.charCodeAt(0)))
  const entries = value instanceof Map ? [...value] : Object.entries(value)
  return entries.reduce((sum, [key, each]) => (sum + 31 * digest(key) + digest(each)) % 1009, 5)
}

/** How a function gives its result. */
export type Timing = "now" | "promise" | "turn"

/** What is around a graph: where mailboxes stand, and what happens to calls. */
export interface World {
  /** The buffer of the next node that is made. */
  readonly cut: () => { readonly bufferSize?: number }
  /** Calls a function of the graph. */
  readonly call: <Value>(timing: Timing, body: () => Value) => Value | Promise<Value>
}

/** One operator, as it is called and as a function over lists. */
export interface Step {
  readonly text: string
  /** Whether it makes one item of many: it needs to know their order, and leaves no doubt about it. */
  readonly gathers: boolean
  /** Whether its result depends on the order between origins. */
  readonly needsOrder: boolean
  /** Gives one item for each. */
  readonly isOneToOne: boolean
  readonly flow: (input: Flow<Item>, world: World) => Flow<Item>
  readonly model: (lanes: Lanes) => Lanes
}

const perLane = (each: (values: ReadonlyArray<unknown>, s: string) => ReadonlyArray<unknown>) => (lanes: Lanes) =>
  new Map([...lanes].map(([s, values]) => [s, each(values, s)] as const))

const call = (input: Flow<Item>, id: string, options: Record<string, unknown>): Flow<any> => new Flow(id, [flowValue(input)!, options])
const cutting = (world: World): Record<string, unknown> => {
  const { bufferSize } = world.cut()
  return bufferSize === undefined ? {} : { "buffer-size": bufferSize }
}

const keeping = { gathers: false, needsOrder: false, isOneToOne: false } as const
const gathering = { gathers: true, needsOrder: true, isOneToOne: false } as const

const scaled = (n: unknown, by: number): number => digest(n) * by + 1

export const mapStep = (by: number, timing: Timing, parallelism: number): Step => ({
  ...keeping,
  isOneToOne: true,
  text: `map ×${by}${timing === "now" ? "" : ` (${timing})`}${parallelism > 1 ? ` by ${parallelism}` : ""}`,
  flow: (input, world) =>
    input.map(({ n, s }) => world.call(timing, (): Item => ({ s, n: scaled(n, by) })), { parallelism, offload: "never", ...world.cut() }),
  model: perLane((values) => values.map((n) => scaled(n, by)))
})

export const filterStep = (modulus: number, timing: Timing): Step => ({
  ...keeping,
  text: `filter %${modulus}${timing === "now" ? "" : ` (${timing})`}`,
  flow: (input, world) =>
    input.filter(({ n }) => world.call(timing, () => digest(n) % modulus !== 0), { offload: "never", ...world.cut() }),
  model: perLane((values) => values.filter((n) => digest(n) % modulus !== 0))
})

export const distinctStep = (modulus: number): Step => ({
  ...keeping,
  text: `distinct %${modulus}`,
  flow: (input, world) =>
    input.distinct({ key: ({ n, s }) => world.call("now", () => [s, digest(n) % modulus]), maxKeys: 5000, ...world.cut() }),
  model: perLane((values) =>
    values.filter((n, index) => values.findIndex((other) => digest(other) % modulus === digest(n) % modulus) === index)
  )
})

/** Counts the items of each origin, and gives the count for those whose value is not a multiple. */
export const statefulStep = (modulus: number, timing: Timing): Step => ({
  ...keeping,
  text: `stateful %${modulus}${timing === "now" ? "" : ` (${timing})`}`,
  flow: (input, world) =>
    input.stateful(
      {} as Readonly<Record<string, number>>,
      (state, { n, s }) =>
        world.call(timing, (): readonly [Readonly<Record<string, number>>] | readonly [Readonly<Record<string, number>>, Item] => {
          const key = `of ${s}`
          const seen = (state[key] ?? 0) + digest(n)
          const next = { ...state, [key]: seen }
          return digest(n) % modulus === 0 ? [next] : [next, { s, n: seen }]
        }),
      world.cut()
    ),
  model: perLane((values) => {
    let seen = 0
    return values.flatMap((n) => ((seen += digest(n)), digest(n) % modulus === 0 ? [] : [seen]))
  })
})

export const cacheStep = (modulus: number, timing: Timing, parallelism: number): Step => ({
  ...keeping,
  isOneToOne: false,
  text: `cached %${modulus} by ${parallelism}`,
  flow: (input, world) =>
    input.cached(({ n, s }) => world.call(timing, (): Item => ({ s, n: digest(n) % modulus })), {
      key: ({ n, s }) => [s, digest(n) % modulus],
      parallelism,
      maxEntries: 3,
      ...world.cut()
    }),
  model: perLane((values) => values.map((n) => digest(n) % modulus))
})

export const validateStep: Step = {
  ...keeping,
  text: "integers",
  flow: (input, world) => input.validate<Item>({ type: "map", required: ["n"], properties: { n: { type: "integer" } } }, world.cut()),
  model: perLane((values) => values.filter((n) => Number.isInteger(n)))
}

/** Fails on some items, which are left out, as the node or a decorator below it says. */
export const failingStep = (modulus: number, how: "skip" | "dead-letter" | "decorated", timing: Timing): Step => ({
  ...keeping,
  text: `failing %${modulus} ${how}${timing === "now" ? "" : ` (${timing})`}`,
  flow: (input, world) => {
    const failing = call(input, "stream.map", {
      transform: (item: Item) =>
        world.call(timing, () => {
          if (digest(item.n) % modulus === 0) throw new Error("a multiple")
          return item
        }),
      ...(how === "decorated" ? {} : { "on-failure": how }),
      ...cutting(world)
    })
    return how === "decorated" ? call(failing, "stream.with-dead-letter", { "max-retries": 0 }) : failing
  },
  model: perLane((values) => values.filter((n) => digest(n) % modulus !== 0))
})

const passing: ReadonlyArray<readonly [text: string, id: string, options: Record<string, unknown>]> = [
  ["rate-limit", "stream.rate-limit", { rate: 1e9, burst: 1_000_000 }],
  ["with-circuit-breaker", "stream.with-circuit-breaker", { window: 1_000_000, "minimum-calls": 1_000_000 }],
  ["with-metrics", "stream.with-metrics", { interval: 3_600_000 }],
  ["debug", "stream.debug", { "sample-rate": 0.5 }],
  ["memory-efficient", "stream.memory-efficient", { "max-memory": "8GB" }]
]

/** Changes nothing of what passes. */
export const passingSteps: ReadonlyArray<Step> = passing.map(([text, id, options]) => ({
  ...keeping,
  text,
  flow: (input, world) => call(input, id, { ...options, ...(id === "stream.memory-efficient" ? {} : cutting(world)) }),
  model: (lanes) => lanes
}))

/** What gathers emits something else than items: a function of ours makes one of it. */
const remade = (
  text: string,
  gather: (input: Flow<Item>, world: World) => Flow<any>,
  remake: (gathered: any) => unknown,
  model: (values: ReadonlyArray<unknown>) => ReadonlyArray<unknown>,
  traits: Partial<Step> = {}
): Step => ({
  ...gathering,
  text,
  flow: (input, world) =>
    gather(input, world).map((gathered) => world.call("now", (): Item => ({ s: "", n: remake(gathered) })), world.cut()),
  model: (lanes) => new Map([["", model([...lanes.values()].flat())]]),
  ...traits
})

const valuesOf = (items: ReadonlyArray<Item>) => items.map(({ n }) => n)

/** Longer than any run takes, however busy the machine. */
const aLongTime = 3_600_000

export const batchStep = (size: number): Step =>
  remade(
    `batch ${size}`,
    (input, world) => input.batch(size, { timeout: aLongTime, ...world.cut() }),
    valuesOf,
    (values) => Array.from({ length: Math.ceil(values.length / size) }, (_, index) => values.slice(index * size, (index + 1) * size))
  )

export const slidingStep = (size: number, slide: number, emitPartial: boolean): Step =>
  remade(
    `sliding-window ${size}/${slide}${emitPartial ? " with partial" : ""}`,
    (input, world) => input.slidingWindow({ size, slide, emitPartial, ...world.cut() }),
    valuesOf,
    (values) => {
      const windows: Array<ReadonlyArray<unknown>> = []
      let start = 0
      for (; start + size <= values.length; start += slide) windows.push(values.slice(start, start + size))
      const known = windows.length === 0 ? 0 : start - slide + size
      return emitPartial && Math.max(start, known) < values.length ? [...windows, values.slice(start)] : windows
    }
  )

/** Windows by the values of items, which are as far out of order as is allowed: all end with the stream, in the order of their times. */
export const windowStep = (duration: number): Step =>
  remade(
    `window ${duration}`,
    (input, world) =>
      input.window(duration, { timestamp: ({ n }) => world.call("now", () => digest(n)) as number, maxDelay: 2000, ...world.cut() }),
    ({ items }: { readonly items: ReadonlyArray<Item> }) => valuesOf(items),
    (values) => {
      const windows = new Map<number, Array<unknown>>()
      for (const n of values) {
        const window = Math.floor(digest(n) / duration)
        windows.set(window, [...(windows.get(window) ?? []), n])
      }
      return [...windows].toSorted(([left], [right]) => left - right).map(([, items]) => items)
    }
  )

/** Sessions of one key, by the values of items. */
export const sessionStep = (timeout: number): Step =>
  remade(
    `session-window ${timeout}`,
    (input, world) =>
      input.sessionWindow({
        key: () => 0,
        timeout,
        timestamp: ({ n }) => world.call("now", () => digest(n)) as number,
        maxDelay: 2000,
        ...world.cut()
      }),
    ({ items }: { readonly items: ReadonlyArray<Item> }) => valuesOf(items),
    (values) => {
      const sessions: Array<Array<unknown>> = []
      const inTime = values.map((n, index) => [digest(n), index, n] as const).toSorted((a, b) => a[0] - b[0] || a[1] - b[1])
      inTime.forEach(([time, , n], index) => {
        if (index > 0 && time - inTime[index - 1]![0] < timeout) sessions.at(-1)!.push(n)
        else sessions.push([n])
      })
      return sessions
    }
  )

export const groupStep = (modulus: number): Step =>
  remade(
    `group-by %${modulus}`,
    (input, world) => input.groupBy(({ n }) => world.call("now", () => digest(n) % modulus), world.cut()),
    (groups: Map<number, ReadonlyArray<Item>> | Readonly<Record<string, never>>) =>
      (groups instanceof Map ? [...groups] : []).map(([key, items]) => [key, valuesOf(items)]),
    (values) => {
      const groups = new Map<number, Array<unknown>>()
      for (const n of values) groups.set(digest(n) % modulus, [...(groups.get(digest(n) % modulus) ?? []), n])
      return [[...groups]]
    }
  )

/** A fold in which the order of the items makes a difference. */
export const foldStep = (by: number, timing: Timing): Step => {
  const add = (sum: number, n: unknown) => (sum * by + digest(n) + 1) % 10007
  return remade(
    `fold ×${by}${timing === "now" ? "" : ` (${timing})`}`,
    (input, world) => input.reduce(0, (sum, { n }) => world.call(timing, () => add(sum, n)), world.cut()),
    (sum: number) => sum,
    (values) => [values.reduce<number>(add, 0)]
  )
}

/** A fold in which it makes none. */
export const sumStep: Step = remade(
  "sum",
  (input, world) =>
    input.reduce(
      { count: 0, sum: 0 },
      ({ count, sum }, { n }) => world.call("now", () => ({ count: count + 1, sum: sum + digest(n) })),
      world.cut()
    ),
  ({ count, sum }: { readonly count: number; readonly sum: number }) => [count, sum],
  (values) => [[values.length, values.reduce<number>((sum, n) => sum + digest(n), 0)]],
  { needsOrder: false }
)

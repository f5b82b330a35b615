// What does each operator cost, against the nearest of RxJS and Effect Stream, and a loop written by hand?
//
// Run: npm run bench operators
//
// Ours is a flow that a host runs, with its tree of actors, supervision and metrics. Each operator stands behind a map that
// makes a record of each item, as operators do in pipelines. Every work ends in one number, which must be the same for all.
// The loop is shown as the limit; it knows nothing of time, errors or bounds.
import * as Effect from "effect/Effect"
import * as EffectStream from "effect/Stream"
import {
  bufferCount,
  distinct,
  filter,
  from,
  groupBy,
  lastValueFrom,
  map,
  merge as mergeAll,
  mergeMap,
  type Observable,
  reduce,
  scan,
  share,
  toArray
} from "rxjs"
import { Flow, StreamHost } from "../src/index.ts"
import { measure, median, ratioOf } from "./measure.ts"
import type { Row } from "./Row.ts"

interface Item {
  readonly id: number
  readonly key: number
  readonly time: number
  readonly value: number
}

interface Work {
  readonly name: string
  /** By default 300,000. */
  readonly items?: number
  readonly flow: (items: Flow<Item>) => Flow<number>
  readonly loop: (items: ReadonlyArray<Item>) => number
  readonly rxjs?: (items: Observable<Item>) => Observable<number>
  readonly effect?: (items: EffectStream.Stream<Item>) => EffectStream.Stream<number>
  /** Against the better of RxJS and Effect Stream; only for operators that are fused. */
  readonly target?: number
}

const shape = (x: Item): Item => ({ ...x, value: x.value + 1 })
const add = (total: number, value: number) => (total + value) % 1_000_003
const half = (x: Item) => x.value * 0.5
const odd = (x: Item) => x.value % 2 === 1
const keyOf = (x: Item) => x.key
const sumOf = (items: ReadonlyArray<Item>) => {
  let sum = 0
  for (let i = 0; i < items.length; i++) sum = add(sum, items[i]!.value)
  return sum
}
const step = (state: number, x: Item): readonly [number, number] => [add(state, x.value), state]

const folded = (numbers: Flow<number>): Flow<number> => numbers.reduce(0, add)

const works: ReadonlyArray<Work> = [
  {
    name: "map",
    flow: (items) => folded(items.map(half)),
    loop: (items) => {
      let sum = 0
      for (const raw of items) sum = add(sum, half(shape(raw)))
      return sum
    },
    rxjs: (items) => items.pipe(map(half), reduce(add, 0)),
    effect: (items) => EffectStream.map(items, half),
    target: 2
  },
  {
    name: "filter",
    flow: (items) => folded(items.filter(odd).map(half)),
    loop: (items) => {
      let sum = 0
      for (const raw of items) {
        const x = shape(raw)
        if (odd(x)) sum = add(sum, half(x))
      }
      return sum
    },
    rxjs: (items) => items.pipe(filter(odd), map(half), reduce(add, 0)),
    effect: (items) => EffectStream.map(EffectStream.filter(items, odd), half),
    target: 2
  },
  {
    name: "distinct, 10,000 keys",
    flow: (items) => folded(items.distinct({ key: keyOf, maxKeys: 20_000 }).map(half)),
    loop: (items) => {
      const seen = new Set<number>()
      let sum = 0
      for (const raw of items) {
        const x = shape(raw)
        if (seen.has(x.key)) continue
        seen.add(x.key)
        sum = add(sum, half(x))
      }
      return sum
    },
    rxjs: (items) => items.pipe(distinct(keyOf), map(half), reduce(add, 0))
  },
  {
    name: "stateful",
    flow: (items) => folded(items.stateful(0, step)),
    loop: (items) => {
      let state = 0
      let sum = 0
      for (const raw of items) {
        const x = shape(raw)
        const [next, out] = step(state, x)
        state = next
        sum = add(sum, out)
      }
      return sum
    },
    rxjs: (items) =>
      items.pipe(
        scan(([state]: readonly [number, number], x: Item) => step(state, x), [0, 0] as readonly [number, number]),
        map(([, out]) => out),
        reduce(add, 0)
      ),
    effect: (items) => EffectStream.mapAccum(items, () => 0, (state: number, x) => {
      const [next, out] = step(state, x)
      return [next, [out]] as const
    }),
    target: 2
  },
  {
    name: "batch of 100",
    flow: (items) => folded(items.batch(100).map(sumOf)),
    loop: (items) => {
      let sum = 0
      for (let i = 0; i < items.length; i += 100) sum = add(sum, sumOf(items.slice(i, i + 100).map(shape)))
      return sum
    },
    rxjs: (items) => items.pipe(bufferCount(100), map(sumOf), reduce(add, 0)),
    effect: (items) => EffectStream.map(EffectStream.grouped(items, 100), sumOf),
    target: 2
  },
  {
    name: "sliding window of 10 by 5",
    flow: (items) => folded(items.slidingWindow({ size: 10, slide: 5 }).map(sumOf)),
    loop: (items) => {
      let sum = 0
      let last: Array<Item> = []
      for (let i = 0; i + 5 <= items.length; i += 5) {
        const next = items.slice(i, i + 5).map(shape)
        if (i > 0) sum = add(sum, sumOf([...last, ...next]))
        last = next
      }
      return sum
    },
    rxjs: (items) =>
      items.pipe(
        bufferCount(10, 5),
        filter((window) => window.length === 10),
        map(sumOf),
        reduce(add, 0)
      ),
    target: 2
  },
  {
    name: "group-by, 10,000 keys",
    flow: (items) =>
      items
        .groupBy(keyOf, { maxGroups: 20_000, maxItems: 10_000_000 })
        .map((groups) => (groups instanceof Map ? groups.size : Object.keys(groups).length)),
    loop: (items) => {
      const groups = new Map<number, Array<Item>>()
      for (const raw of items) {
        const x = shape(raw)
        const group = groups.get(x.key)
        if (group) group.push(x)
        else groups.set(x.key, [x])
      }
      return groups.size
    },
    rxjs: (items) =>
      items.pipe(
        groupBy(keyOf),
        mergeMap((group) => group.pipe(toArray())),
        reduce((count) => count + 1, 0)
      )
  },
  {
    // Without RxJS, which takes longer for it than all other works together.
    name: "group-by, a million keys, within its bound",
    items: 1_000_000,
    flow: (items) => items.groupBy((x) => x.id, { maxGroups: 1_000_000, maxItems: 1_000_000 }).map((groups) => (groups instanceof Map ? groups.size : Object.keys(groups).length)),
    loop: (items) => {
      const groups = new Map<number, Array<Item>>()
      for (const raw of items) {
        const x = shape(raw)
        const group = groups.get(x.id)
        if (group) group.push(x)
        else groups.set(x.id, [x])
      }
      return groups.size
    }
  },
  {
    name: "window, event time, a million items",
    items: 1_000_000,
    flow: (items) => folded(items.window(1000, { timestampFn: (x: Item) => x.time } as never).map(({ items: inside }) => sumOf(inside))),
    loop: (items) => {
      let sum = 0
      let inside: Array<Item> = []
      let start = 0
      for (const raw of items) {
        const x = shape(raw)
        const of = Math.floor(x.time / 1000) * 1000
        if (of !== start && inside.length > 0) {
          sum = add(sum, sumOf(inside))
          inside = []
        }
        start = of
        inside.push(x)
      }
      return inside.length > 0 ? add(sum, sumOf(inside)) : sum
    }
  },
  {
    name: "session window, 10,000 keys, a million items",
    items: 1_000_000,
    flow: (items) =>
      items
        .sessionWindow({ key: keyOf, timeout: 1e12, maxKeys: 20_000, timestampFn: (x: Item) => x.time, processor: (session: { items: ReadonlyArray<Item> }) => session.items.length } as never)
        .reduce(0, (sum: number, length: unknown) => sum + (length as number)),
    loop: (items) => {
      const sessions = new Map<number, Array<Item>>()
      for (const raw of items) {
        const x = shape(raw)
        const session = sessions.get(x.key)
        if (session) session.push(x)
        else sessions.set(x.key, [x])
      }
      let sum = 0
      for (const session of sessions.values()) sum += session.length
      return sum
    }
  },
  {
    name: "validate-types",
    flow: (items) =>
      folded(
        items
          .validate<Item>({ type: "map", required: ["id", "value"], properties: { id: { type: "integer" }, value: { type: "integer" } } } as never)
          .map(half)
      ),
    loop: (items) => {
      let sum = 0
      for (const raw of items) {
        const x = shape(raw)
        if (typeof x === "object" && x !== null && Number.isInteger(x.id) && Number.isInteger(x.value)) sum = add(sum, half(x))
      }
      return sum
    }
  },
  {
    name: "with-cache, 10,000 keys",
    flow: (items) => folded(items.cached(half, { key: keyOf, maxEntries: 20_000 })),
    loop: (items) => {
      const cache = new Map<number, number>()
      let sum = 0
      for (const raw of items) {
        const x = shape(raw)
        let value = cache.get(x.key)
        if (value === undefined) cache.set(x.key, (value = half(x)))
        sum = add(sum, value)
      }
      return sum
    }
  }
]

const effectRun = (stream: EffectStream.Stream<number>): Promise<number> => Effect.runPromise(EffectStream.runFold(stream, () => 0, add))

const flowRun = async (host: StreamHost, flow: Flow<number>): Promise<number> => {
  let result = NaN
  await host.runFlow(flow.forEach((value) => (result = value)))
  return result
}

export const run = async (options: { readonly items?: number; readonly rounds?: number } = {}): Promise<ReadonlyArray<Row>> => {
  const most = options.items ?? 1_000_000
  const rounds = options.rounds ?? 3
  const all = Array.from({ length: most }, (_, id): Item => ({ id, key: (id * 7919) % 10_007, time: id * 3, value: (id * 31) % 1000 }))
  await using host = await StreamHost.start({ memory: "1GB" })
  const rows: Array<Row> = []
  const report = async (name: string, count: number, variants: Parameters<typeof measure>[0], target?: number) => {
    const times = await measure(variants, rounds)
    const own = median(times.get("ours")!)
    const detail = `${name}, ${(count / own / 1000).toFixed(1)} M items/s`
    const peers = variants.map((variant) => variant.name).filter((peer) => peer !== "ours" && peer !== "loop")
    for (const peer of peers) rows.push({ name: detail, unit: `× ${peer}`, ratio: ratioOf(times, "ours", peer), ...(target === undefined ? {} : { target }) })
    rows.push({ name: detail, unit: "× a loop (the limit)", ratio: ratioOf(times, "ours", "loop") })
  }
  const usual = Math.min(300_000, most)
  for (const { effect, flow, items: wanted = usual, loop, name, rxjs, target } of works) {
    const items = all.slice(0, wanted)
    await report(
      name,
      items.length,
      [
        { name: "ours", once: () => flowRun(host, flow(Flow.from(items).map(shape))) },
        { name: "loop", once: () => loop(items) },
        ...(rxjs === undefined ? [] : [{ name: "RxJS", once: () => lastValueFrom(rxjs(from(items).pipe(map(shape)))) }]),
        ...(effect === undefined ? [] : [{ name: "Effect Stream", once: () => effectRun(effect(EffectStream.map(EffectStream.fromArray(items), shape))) }])
      ],
      target
    )
  }
  const eighth = Math.floor(usual / 8)
  const parts = Array.from({ length: 8 }, (_, part) => all.slice(part * eighth, (part + 1) * eighth))
  const whole = parts.flat()
  await report("merge of 8", whole.length, [
    { name: "ours", once: () => flowRun(host, Flow.merge(parts.map((part) => Flow.from(part))).reduce(0, (sum, x) => sum + x.value)) },
    {
      name: "loop",
      once: () => {
        let sum = 0
        for (let i = 0; i < eighth; i++) for (const part of parts) sum += part[i]!.value
        return sum
      }
    },
    { name: "RxJS", once: () => lastValueFrom(mergeAll(...parts.map((part) => from(part))).pipe(reduce((sum, x) => sum + x.value, 0))) },
    {
      name: "Effect Stream",
      once: () =>
        Effect.runPromise(
          EffectStream.runFold(EffectStream.mergeAll(parts.map((part) => EffectStream.fromArray(part)), { concurrency: 8 }), () => 0, (sum, x) => sum + x.value)
        )
    }
  ])
  const names = ["a", "b", "c", "d", "e", "f", "g", "h"]
  await report("branch to 8", whole.length, [
    {
      name: "ours",
      once: async () => {
        let sum = 0
        const branches = Object.fromEntries(names.map((name) => [name, { processor: (x: Item) => void (sum += x.value) }]))
        await host.runFlow(Flow.from(whole).branch(branches as never))
        return sum
      }
    },
    {
      name: "loop",
      once: () => {
        let sum = 0
        for (const x of whole) for (let i = 0; i < names.length; i++) sum += x.value
        return sum
      }
    },
    {
      name: "RxJS",
      once: async () => {
        let sum = 0
        const shared = from(whole).pipe(share())
        const ends = names.map(() => new Promise<void>((resolve) => shared.subscribe({ next: (x) => (sum += x.value), complete: resolve })))
        // `share` starts with its first subscriber, which has had everything before the second comes: each gets a pass of its own.
        await Promise.all(ends)
        return sum
      }
    }
  ])
  return rows
}

if (import.meta.main) {
  console.table(await run({ items: 200_000, rounds: 3 }))
}

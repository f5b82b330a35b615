// What does a pipeline of fused stages cost, against a loop written by hand, RxJS, Effect Stream and Node streams?
//
// Run: npm run bench fused
//
// Ours is the real path: an actor with a source, an island and a sink runs one life, supervision and metrics included.
// Time is CPU time of this thread. All variants call the same functions and must give the same sum. Variants alternate
// within each round; what counts is the median of the ratios of the rounds. Fifty other pipelines ran before, in each system.
import { Readable, Transform, Writable } from "node:stream"
import { pipeline } from "node:stream/promises"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { distinct, filter, from, map, reduce, scan } from "rxjs"
import { Island } from "../src/actors/Island.ts"
import { IslandCode } from "../src/actors/IslandCode.ts"
import { writeFusedLoop } from "../src/actors/IslandWriter.ts"
import { type Actor, makeActor, type StageSpec, type StreamServices } from "../src/actors/index.ts"
import { geometricMean, measure, median, p99, ratioOf } from "./measure.ts"
import type { Row } from "./Row.ts"

interface Item {
  readonly id: number
  readonly name: string
  readonly category: string
  readonly value: number
}

type Fn = (...args: ReadonlyArray<any>) => any
type Step = readonly ["map", Fn] | readonly ["filter", Fn] | readonly ["distinct", Fn] | readonly ["scan", Fn, number]

interface Workload {
  readonly name: string
  readonly steps: ReadonlyArray<Step>
  readonly raw: (items: ReadonlyArray<Item>) => number
}

const add = (total: number, value: number) => total + value

const spread = (x: Item) => ({ ...x, value: x.value * 2 })
const large = (x: Item) => x.value > 500
const weight = (x: Item) => x.value + x.id
const few: Workload = {
  name: "W1 spread, filter, map",
  steps: [
    ["map", spread],
    ["filter", large],
    ["map", weight]
  ],
  raw: (items) => {
    let total = 0
    for (let i = 0; i < items.length; i++) {
      const x = spread(items[i]!)
      if (!large(x)) continue
      total = add(total, weight(x))
    }
    return total
  }
}

const keyed = (x: Item) => ({ key: (x.id * 7919) % 40_009, value: x.value, category: x.category })
const wanted = (x: { category: string }) => x.category !== "d"
const key = (x: { key: number }) => x.key
const priced = (x: { key: number; value: number }) => ({ key: x.key, price: x.value * 1.5 + 1 })
const dear = (x: { price: number }) => x.price > 20
const running = (total: number, x: { price: number }) => (total + x.price) % 1_000_003
const rounded = (total: number) => Math.round(total)
const stateful: Workload = {
  name: "W3 seven stages with distinct and scan",
  steps: [
    ["map", keyed],
    ["filter", wanted],
    ["distinct", key],
    ["map", priced],
    ["filter", dear],
    ["scan", running, 0],
    ["map", rounded]
  ],
  raw: (items) => {
    const seen = new Set<number>()
    let state = 0
    let total = 0
    for (let i = 0; i < items.length; i++) {
      const x = keyed(items[i]!)
      if (!wanted(x)) continue
      const k = key(x)
      if (seen.has(k)) continue
      seen.add(k)
      const y = priced(x)
      if (!dear(y)) continue
      state = running(state, y)
      total = add(total, rounded(state))
    }
    return total
  }
}

const narrow = (x: Item) => ({ id: x.id, value: x.value * 3, category: x.category })
const even = (x: { value: number }) => x.value % 2 === 0
const graded = (x: { id: number; value: number; category: string }) => ({
  id: x.id,
  value: x.value + 1,
  grade: x.id % 7,
  label: x.category
})
const passing = (x: { grade: number }) => x.grade !== 3
const sumUp = (total: number, x: { value: number }) => (total + x.value) % 1_000_003
const bucket = (total: number) => total % 1000
const scanning: Workload = {
  name: "W4 six stages with scan",
  steps: [
    ["map", narrow],
    ["filter", even],
    ["map", graded],
    ["filter", passing],
    ["scan", sumUp, 0],
    ["map", bucket]
  ],
  raw: (items) => {
    let state = 0
    let total = 0
    for (let i = 0; i < items.length; i++) {
      const x = narrow(items[i]!)
      if (!even(x)) continue
      const y = graded(x)
      if (!passing(y)) continue
      state = sumUp(state, y)
      total = add(total, bucket(state))
    }
    return total
  }
}

const stageOf = ([kind, fn, first]: Step): StageSpec => {
  const base = { kind: "stage", capability: `bench.${kind}` } as const
  switch (kind) {
    case "map":
      return { ...base, apply: { fn } }
    case "filter":
      return {
        ...base,
        apply: { fn },
        then: ({ emit, result, value }) => `if (${result} !== false && ${result} != null) { ${emit(value)} }`
      }
    case "distinct":
      return {
        ...base,
        apply: { fn },
        state: { seen: () => new Set() },
        then: ({ emit, result, state, value }) =>
          `if (!${state("seen")}.has(${result})) { ${state("seen")}.add(${result}); ${emit(value)} }`
      }
    case "scan":
      return {
        ...base,
        apply: { fn, args: ({ state, value }) => [state("total"), value] },
        state: { total: () => first },
        then: ({ emit, result, state }) => `${state("total")} = ${result}; ${emit(result)}`
      }
  }
}

const summing = (): StageSpec => ({
  kind: "stage",
  capability: "bench.sum",
  apply: { fn: add, args: ({ state, value }) => [state("total"), value] },
  state: { total: () => 0 },
  then: ({ result, state }) => `${state("total")} = ${result}`,
  result: ({ total }) => total
})

const stagesOf = ({ steps }: Pick<Workload, "steps">): ReadonlyArray<StageSpec> => [...steps.map(stageOf), summing()]

const services = { progress: () => undefined, print: () => undefined } as unknown as StreamServices

const actorOver = (items: ReadonlyArray<unknown>, stages: ReadonlyArray<StageSpec>): Actor =>
  makeActor({
    address: "/bench",
    input: {
      source: {
        kind: "sync-source",
        capability: "bench.items",
        open: () => ({ items, total: items.length, pull: () => 0, position: () => 0, seek: () => undefined })
      }
    },
    stages,
    policies: [],
    outputs: [],
    services,
    failures: "restart"
  })

const ours = async (items: ReadonlyArray<unknown>, stages: ReadonlyArray<StageSpec>): Promise<number> => {
  const actor = actorOver(items, stages)
  await Effect.runPromise(actor.run(Effect.void))
  return actor.result() as number
}

const rxjs = (items: ReadonlyArray<unknown>, { steps }: Pick<Workload, "steps">): number => {
  const operators = steps.map(([kind, fn, first]) => {
    switch (kind) {
      case "map":
        return map((value: unknown) => fn(value))
      case "filter":
        return filter((value: unknown) => fn(value))
      case "distinct":
        return distinct((value: unknown) => fn(value))
      case "scan":
        return scan((state: unknown, value: unknown) => fn(state, value), first as unknown)
    }
  })
  let result = 0
  const piped = (from(items).pipe as Fn)(...operators, reduce(add, 0))
  piped.subscribe((total: number) => (result = total))
  return result
}

const effectStream = (items: ReadonlyArray<unknown>, { steps }: Pick<Workload, "steps">): Promise<number> => {
  let stream: Stream.Stream<any> = Stream.fromArray(items as Array<unknown>).pipe(Stream.rechunk(512))
  for (const [kind, fn, first] of steps) {
    switch (kind) {
      case "map":
        stream = Stream.map(stream, (value) => fn(value))
        break
      case "filter":
        stream = Stream.filter(stream, (value) => fn(value))
        break
      case "distinct": {
        const seen = new Set()
        stream = Stream.filter(stream, (value) => {
          const k = fn(value)
          if (seen.has(k)) return false
          seen.add(k)
          return true
        })
        break
      }
      case "scan": {
        let state: unknown = first
        stream = Stream.map(stream, (value) => (state = fn(state, value)))
      }
    }
  }
  return Effect.runPromise(Stream.runFold(stream, () => 0, add))
}

const nodeStreams = async (items: ReadonlyArray<unknown>, { steps }: Pick<Workload, "steps">): Promise<number> => {
  let next = 0
  const source = new Readable({
    objectMode: true,
    read() {
      while (next < items.length && this.push(items[next++]));
      if (next === items.length) this.push(null)
    }
  })
  const transforms = steps.map(([kind, fn, first]) => {
    const seen = new Set()
    let state: unknown = first
    return new Transform({
      objectMode: true,
      transform(value, _, done) {
        if (kind === "map") return done(null, fn(value))
        if (kind === "filter") return fn(value) ? done(null, value) : done()
        if (kind === "scan") return done(null, (state = fn(state, value)))
        const k = fn(value)
        if (seen.has(k)) return done()
        seen.add(k)
        return done(null, value)
      }
    })
  })
  let total = 0
  const sink = new Writable({
    objectMode: true,
    write(value, _, done) {
      total = add(total, value)
      done()
    }
  })
  await (pipeline as Fn)(source, ...transforms, sink)
  return total
}

/** Fifty pipelines with functions and record shapes of their own, in each system: a process that has done other work. */
const pollute = async (items: ReadonlyArray<Item>) => {
  const some = items.slice(0, 2000)
  for (let i = 0; i < 50; i++) {
    const name = `field${i}`
    const steps: ReadonlyArray<Step> = [
      ["map", (x: Item) => ({ ...x, [name]: i })],
      ["filter", (x: any) => x[name] === i],
      ["map", (x: any) => ({ value: x.value + i, [`${name}b`]: x.id })],
      ["map", (x: any) => x.value]
    ]
    const stages = stagesOf({ steps })
    for (let pass = 0; pass < 6; pass++) await ours(some, stages)
    rxjs(some, { steps })
    await effectStream(some, { steps })
    await nodeStreams(some.slice(0, 500), { steps })
  }
}

/** The island's loop without what supervision and metrics add to it. */
const bareLoop = (stages: ReadonlyArray<StageSpec>): IslandCode => {
  const code = IslandCode.fusedAfter(stages, Infinity)
  const text = writeFusedLoop(stages, 1_000_000_000 + Math.floor(Math.random() * 1e9))
    .replaceAll(/^try \{ (r\d+ = .*?) \} catch .*$/gm, "$1")
    .replaceAll(/^try \{$/gm, "{")
    .replaceAll(/^\} catch \(error\) \{.*\}$/gm, "}")
    .replaceAll(/^t\d+ = .*$/gm, "")
    .replaceAll(/^if \(typeof r\d+ === "object".*$/gm, "")
  if (/\btry\b|\bt\d+ =(?! 0)|\.then\b/.test(text)) throw new Error("the loop's text has changed: something of supervision is left in it")
  const loop = new Function("F", "K", text)(
    stages.map(({ apply }) => ({ fn: apply?.fn })),
    stages.map(({ constants = {} }) => constants)
  )
  Object.assign(code, { loop })
  return code
}

const bare = (items: ReadonlyArray<unknown>, stages: ReadonlyArray<StageSpec>, code: IslandCode): number => {
  const island = new Island(stages, code)
  while (island.index < items.length) island.run(items, Math.min(items.length, island.index + 8192), 0, 1e9)
  return island.sinkResult() as number
}

export const run = async (options: { readonly items?: number; readonly rounds?: number } = {}): Promise<ReadonlyArray<Row>> => {
  const count = options.items ?? 1_000_000
  const rounds = options.rounds ?? 7
  const categories = ["a", "b", "c", "d"]
  const items = Array.from({ length: count }, (_, id): Item => ({
    id,
    name: `item-${id}`,
    category: categories[id % 4]!,
    value: (id * 31) % 1000
  }))
  await pollute(items)

  const rows: Array<Row> = []
  const ratios = new Map<string, Array<number>>()
  const supervised: Array<number> = []
  for (const workload of [few, stateful, scanning]) {
    const stages = stagesOf(workload)
    const plain = stagesOf(workload)
    const code = bareLoop(plain)
    const times = await measure(
      [
        { name: "raw loop", once: () => workload.raw(items) },
        { name: "ours", once: () => ours(items, stages) },
        { name: "bare", once: () => bare(items, plain, code) },
        { name: "rxjs", once: () => rxjs(items, workload) },
        { name: "Effect Stream", once: () => effectStream(items, workload) },
        { name: "Node streams", once: () => nodeStreams(items, workload) }
      ],
      rounds
    )
    const own = times.get("ours")!
    const detail = `${(count / median(own) / 1000).toFixed(1)} M items/s, pass ${median(own).toFixed(1)} ms (p99 ${p99(own).toFixed(1)} ms)`
    for (const peer of ["raw loop", "rxjs", "Effect Stream", "Node streams"]) {
      const ratio = ratioOf(times, "ours", peer)
      ratios.set(peer, [...(ratios.get(peer) ?? []), ratio])
      rows.push({ name: `${workload.name}, ${detail}`, unit: `× ${peer}`, ratio })
    }
    supervised.push(ratioOf(times, "ours", "bare"))
    rows.push({
      name: `${workload.name}: supervision and metrics`,
      unit: "× the same loop without them",
      ratio: supervised.at(-1)!
    })
  }
  for (const [peer, all] of ratios)
    rows.push({ name: "geometric mean", unit: `× ${peer}`, ratio: geometricMean(all), target: targets[peer]! })
  rows.push({
    name: "geometric mean: supervision and metrics",
    unit: "× the same loop without them",
    ratio: geometricMean(supervised),
    target: 0.85
  })
  rows.push(await coldStart(items.slice(0, 100), rounds))
  return rows
}

const targets: Readonly<Record<string, number>> = { "raw loop": 0.9, rxjs: 3, "Effect Stream": 3, "Node streams": 15 }

/** A pipeline that is made, runs over a hundred items and is forgotten, again and again. */
const coldStart = async (items: ReadonlyArray<Item>, rounds: number): Promise<Row> => {
  const fresh = () => ({
    steps: [
      ["map", (x: Item) => ({ ...x, value: x.value * 2 })],
      ["filter", (x: Item) => x.value > 500],
      ["map", (x: Item) => x.value + x.id]
    ] as ReadonlyArray<Step>
  })
  const times = await measure(
    [
      { name: "ours", once: () => ours(items, stagesOf(fresh())) },
      { name: "rxjs", once: () => rxjs(items, fresh()) }
    ],
    rounds
  )
  return {
    name: `a new pipeline over 100 items, ${(median(times.get("ours")!) * 1000).toFixed(1)} µs each`,
    unit: "× rxjs",
    ratio: ratioOf(times, "ours", "rxjs"),
    target: 1.5
  }
}

if (import.meta.main) {
  console.table(await run())
}

// What does a function written in RTFS cost, against the same function written in JavaScript?
import type { Row } from "./Row.ts"
import { createEvaluator } from "../src/rtfs/index.ts"
import { aboutFunction, type Meter, type StreamFunction } from "../src/scheduler/index.ts"

/**
 * Seven functions as they stand in pipelines, over the same items and with the same result. The RTFS side is taken as an
 * island takes it: the inline text of the compiler, once more evaluated inside the loop's own text. The native side is
 * evaluated from text in the same way. Before measuring, 50 other pipelines have run in the process, so that nothing
 * shared is specialised for one shape.
 */
interface Case {
  readonly rtfs: string
  readonly native: string
  readonly items: (index: number) => unknown
  /** Turns a result into a number for the check sum. */
  readonly sum: string
}

const words = ["", "a", "bc", "def"]
const record = (index: number) => ({ id: index, name: `n${index % 100}`, category: index % 3 === 0 ? "a" : "b", value: index % 25 })

const cases: ReadonlyArray<Case> = [
  { rtfs: "(fn [x] (> (count x) 0))", native: "x => x.length > 0", items: (i) => words[i % 4], sum: "r ? 1 : 0" },
  { rtfs: "(fn [item] (:id item))", native: "item => item.id", items: record, sum: "r" },
  { rtfs: "(fn [acc] (inc acc))", native: "acc => acc + 1", items: (i) => i, sum: "r" },
  {
    rtfs: '(fn [x] (and (> (:value x) 10) (= (:category x) "a")))',
    native: 'x => x.value > 10 && x.category === "a"',
    items: record,
    sum: "r ? 1 : 0"
  },
  { rtfs: "(fn [x] (assoc x :value (* 2 (:value x))))", native: "x => ({ ...x, value: 2 * x.value })", items: record, sum: "r.value" },
  {
    rtfs: "(fn [x] [{:n (inc (:id x)) :sum (+ (:id x) (:value x))} (:name x)])",
    native: "x => [{ n: x.id + 1, sum: x.id + x.value }, x.name]",
    items: record,
    sum: "r[0].sum"
  },
  { rtfs: "(fn [x] (mod (:id x) 4))", native: "x => x.id % 4", items: record, sum: "r" }
]

/** As many items as a frame holds; islands run one frame at a time. */
const itemCount = 512
const sampleMs = 80
const rounds = 9

type Loop = (items: ReadonlyArray<unknown>) => number

let texts = 0

/** A loop over a frame whose text contains the function; a metered function is refilled before each item, as islands do. */
const makeLoop = (source: string, free: Readonly<Record<string, unknown>>, sum: string, meter: Meter | undefined): Loop => {
  const refill = meter === undefined ? "" : "m.fuel = m.slice; m.slices = 0;"
  const text = `"use strict"; const f = (${source});
    return (items) => { let total = 0; for (let i = 0; i < items.length; i++) { ${refill} const r = f(items[i]); total += ${sum}; } return total } // ${++texts}`
  return new Function("m", ...Object.keys(free), text)(meter, ...Object.values(free)) as Loop
}

const cpu = (): number => {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

const measure = (loop: Loop, items: ReadonlyArray<unknown>, repeat: number): { readonly ms: number; readonly total: number } => {
  const start = cpu()
  let total = 0
  for (let round = 0; round < repeat; round++) total += loop(items)
  return { ms: cpu() - start, total }
}

/** How often to repeat so that one sample takes long enough for the CPU clock, which ticks in steps of 4 ms. */
const calibrate = (loop: Loop, items: ReadonlyArray<unknown>): number => {
  let repeat = 64
  for (;;) {
    const { ms } = measure(loop, items, repeat)
    if (ms >= sampleMs) return repeat
    repeat = ms < 8 ? repeat * 4 : Math.ceil((repeat * sampleMs * 1.2) / ms)
  }
}

const median = (values: ReadonlyArray<number>): number => [...values].sort((a, b) => a - b)[values.length >> 1]!

const evaluator = createEvaluator({ call: () => null, globals: new Map() })
const compile = async (source: string): Promise<StreamFunction> => (await evaluator.evaluate(source)) as StreamFunction

const rtfsLoop = async ({ rtfs, sum }: Case): Promise<Loop> => {
  const { inline, meter } = (await compile(rtfs))[aboutFunction]!
  if (inline === undefined) throw new Error(`Not inlined: ${rtfs}`)
  return makeLoop(inline.source, inline.free, sum, meter)
}

/** 50 pipelines with items of 50 shapes, through the same functions. */
const pollute = async (): Promise<void> => {
  for (let index = 0; index < 50; index++) {
    const one = cases[index % cases.length]!
    const items = Array.from({ length: 200 }, (_, i) => {
      const item = one.items(i)
      return typeof item === "object" ? { [`extra${index}`]: i, ...(item as object) } : item
    })
    const loops = [await rtfsLoop(one), makeLoop(one.native, {}, one.sum, undefined)]
    for (const loop of loops) for (let round = 0; round < 20; round++) loop(items)
    const shared = await compile(one.rtfs)
    for (const item of items) shared(item)
  }
}

/** A program of 1,000 lines. */
const program = Array.from(
  { length: 125 },
  (_, index) =>
    `(defn step-${index} [state item]
  ;; keeps a count for each category
  (let [category (:category item)
        before (get state category 0)
        value (if (> (:value item) ${index}) (* 2 (:value item)) (:value item))]
    (cond
      (= category "a") (assoc state :a (+ before value))
      :else (assoc state :b (+ before (mod value ${index + 2}))))))`
).join("\n")

/** What reading and compiling it may cost. */
const compileLimitMs = 50

const compileRow = (): Row => {
  const costs = Array.from({ length: 15 }, () => {
    const fresh = createEvaluator({ call: () => null, globals: new Map() })
    const start = cpu()
    fresh.evaluateNow(program)
    return cpu() - start
  })
  const name = `${program.split("\n").length} lines read, expanded, analysed, defined: ${costs[0]!.toFixed(0)} ms CPU at first, ${median(costs).toFixed(0)} ms median`
  // The clock ticks in steps of 4 ms, so a median below that says nothing more than that.
  return { name, ratio: compileLimitMs / Math.max(4, costs[0]!), target: 1, unit: `× under ${compileLimitMs} ms` }
}

export const run = async (): Promise<ReadonlyArray<Row>> => {
  await pollute()
  const rows: Array<Row> = []
  for (const one of cases) {
    const items = Array.from({ length: itemCount }, (_, index) => one.items(index))
    const native = makeLoop(one.native, {}, one.sum, undefined)
    const rtfs = await rtfsLoop(one)
    const repeats = [calibrate(native, items), calibrate(rtfs, items)] as const
    const ratios: Array<number> = []
    for (let round = 0; round < rounds; round++) {
      const first = measure(native, items, repeats[0])
      const second = measure(rtfs, items, repeats[1])
      if (first.total / repeats[0] !== second.total / repeats[1]) throw new Error(`Different results: ${one.rtfs}`)
      ratios.push(first.ms / repeats[0] / (second.ms / repeats[1]))
    }
    rows.push({ name: one.rtfs, ratio: median(ratios), worst: Math.min(...ratios), unit: "× native JavaScript" })
  }
  return [...rows, { name: "median of these functions", ratio: median(rows.map(({ ratio }) => ratio)), target: 0.5, unit: "× native JavaScript" }, compileRow()]
}

if (import.meta.main) console.table(await run())

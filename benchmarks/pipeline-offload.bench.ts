// How much faster do N workers make a stage of 50 µs per item, and how much of the main thread do they free?
//
// Computed from the CPU time of threads, since the wall clock of a shared machine measures its other users: with a
// processor for each thread, a run takes as long as its busiest thread. speed-up = inline ÷ max(main, workers ÷ N).
import { availableParallelism, cpus } from "node:os"
import { makeOrderedWindow, makeWorkerPool, type OffloadPool, type OffloadResult, type OffloadTask } from "../src/scheduler/index.ts"
import { decodeFrame, FrameEncoder } from "../src/serialization/index.ts"
import type { Row } from "./Row.ts"
import { work, type WorkItem } from "./workers/offloadWork.ts"

const microsPerItem = 50
/** 4 ms of work: tasks of 2 to 5 ms pay for their dispatch and still spread evenly. */
const itemsPerFrame = 80
const itemsPerSample = 16_320
const rounds = 5
const workerCounts = [1, 2, 3]

const task: OffloadTask = {
  origin: { kind: "module", specifier: new URL("./workers/offloadWork.ts", import.meta.url).href, exportName: "work" },
  operation: "map",
  name: "work"
}

/** Runs each variant alternately, `rounds` times after a warm-up, and compares it with the inline run of its round. */
export const run = async (): Promise<ReadonlyArray<Row>> => {
  const items = makeItems(calibrate())
  const pools = workerCounts.map((workers) =>
    makeWorkerPool({ workers, workerFile: new URL("./workers/offloadWorker.ts", import.meta.url), idleTimeoutMs: 600_000 })
  )
  try {
    const inline = measureInline(items)
    for (const pool of pools) check(inline.sum, (await measureOffloaded(pool, items)).sum)
    const samples: Array<{ readonly inlineMs: number; readonly offloaded: ReadonlyArray<Offloaded> }> = []
    for (let round = 0; round < rounds; round++) {
      minorGc()
      const { milliseconds: inlineMs, sum } = measureInline(items)
      const offloaded: Array<Offloaded> = []
      for (const pool of pools) {
        minorGc()
        const sample = await measureOffloaded(pool, items)
        check(sum, sample.sum)
        offloaded.push(sample)
      }
      samples.push({ inlineMs, offloaded })
    }
    return workerCounts.flatMap((workers, i) =>
      rowsOf(
        workers,
        pools[i]!,
        samples.map(({ inlineMs, offloaded }) => ({ inlineMs, ...offloaded[i]! }))
      )
    )
  } finally {
    await Promise.all(pools.map((pool) => pool.close()))
  }
}

interface Offloaded {
  readonly sum: number
  readonly mainMs: number
  readonly workersMs: number
}

const rowsOf = (
  workers: number,
  pool: OffloadPool,
  samples: ReadonlyArray<Offloaded & { readonly inlineMs: number }>
): ReadonlyArray<Row> => {
  const row = (name: string, unit: string, value: (sample: Offloaded & { readonly inlineMs: number }) => number, target?: number): Row => {
    const values = samples.map(value).sort((one, other) => one - other)
    return { name, unit, ratio: values[values.length >> 1]!, worst: values[0]!, ...(target === undefined ? {} : { target }) }
  }
  const frames = itemsPerSample / itemsPerFrame
  return [
    row(`speed-up with ${workers} workers`, "× inline", (s) => s.inlineMs / Math.max(s.mainMs, s.workersMs / workers), 0.9 * workers),
    row(`main thread freed with ${workers} workers`, "of inline", (s) => 1 - s.mainMs / s.inlineMs, 0.9),
    row(`main thread per frame with ${workers} workers, codec included`, "ms", (s) => s.mainMs / frames),
    { name: `dispatchCostMs with ${workers} workers`, unit: "ms", ratio: pool.dispatchCostMs, worst: pool.dispatchCostMs }
  ]
}

const cpuMs = (): number => {
  const { system, user } = process.threadCpuUsage()
  return (system + user) / 1000
}

const minorGc = (): void => {
  // A full collection would throw optimised code away; see the hidden classes that it holds weakly.
  ;(globalThis as { gc?: (options: { readonly type: "minor" }) => void }).gc?.({ type: "minor" })
}

const measureInline = (items: ReadonlyArray<WorkItem>): { readonly sum: number; readonly milliseconds: number } => {
  const from = cpuMs()
  let sum = 0
  for (const item of items) sum += work(item).digest
  return { sum, milliseconds: cpuMs() - from }
}

/** As an island does it: encodes frames, keeps a window of them in order, decodes the results. */
const measureOffloaded = async (pool: OffloadPool, items: ReadonlyArray<WorkItem>): Promise<Offloaded> => {
  const encoder = new FrameEncoder({ stream: "benchmark" })
  const window = makeOrderedWindow<number, OffloadResult>({ running: pool.inFlight, held: pool.workers * 8 })
  const workersFrom = pool.stats().workerCpuMs
  const from = cpuMs()
  let sum = 0
  let next = 0
  while (next < items.length || !window.isEmpty) {
    for (; next < items.length && window.hasRoom; next += itemsPerFrame) {
      const frame = encoder.encode(items, next, Math.min(next + itemsPerFrame, items.length), 0)
      window.start(next, () => pool.submit(task, frame))
    }
    await new Promise<void>((resolve) => window.wait(next < items.length ? "outcome-or-room" : "outcome", resolve))
    for (let outcome = window.take(); outcome !== undefined; outcome = window.take()) {
      if (!outcome.ok) throw outcome.error
      for (const result of decodeFrame(outcome.value.frame)) sum += (result as ReturnType<typeof work>).digest
    }
  }
  return { sum, mainMs: cpuMs() - from, workersMs: pool.stats().workerCpuMs - workersFrom }
}

const makeItems = (workRounds: number): ReadonlyArray<WorkItem> =>
  Array.from({ length: itemsPerSample }, (_, id) => ({ id, rounds: workRounds }))

/** How many rounds of work take `microsPerItem`, after more than a second of warm-up. */
const calibrate = (): number => {
  let workRounds = 1000
  for (let pass = 0; pass < 4; pass++) {
    const { milliseconds } = measureInline(makeItems(workRounds))
    workRounds = Math.max(1, Math.round((workRounds * microsPerItem * itemsPerSample) / 1000 / milliseconds))
  }
  return workRounds
}

const check = (expected: number, actual: number): void => {
  if (expected !== actual) throw new Error(`The variants disagree: ${expected} inline, ${actual} offloaded.`)
}

if (import.meta.main) {
  console.log(`Node ${process.version}, ${cpus()[0]?.model ?? "?"}, ${availableParallelism()} processors`)
  for (const { name, ratio, target, unit, worst } of await run()) {
    const verdict =
      target === undefined ? "" : ratio >= target ? `  ok (target ${target.toFixed(2)})` : `  MISSED (target ${target.toFixed(2)})`
    console.log(`${name.padEnd(62)} ${ratio.toFixed(3)} ${unit} (worst ${(worst ?? ratio).toFixed(3)})${verdict}`)
  }
}

// How much memory does a fast source take whose sink needs a millisecond for each frame, over ten million items?

import { Flow, StreamHost } from "../src/index.ts"
import type { Row } from "./Row.ts"

const items = 10_000_000
const frame = 512
const mebibyte = 1024 * 1024
/** What may be resident above what the process had before. */
const limitMiB = 30

const numbers = (end: number) =>
  Flow.generate(0, (n) => (n < end ? ([{ id: n, name: `item ${n}` }, n + 1] as const) : "done"))

/** A sink behind a mailbox that takes a millisecond for every frame's worth of items. */
const slowSink = (flow: Flow<{ readonly id: number }>, onItem: (count: number) => void) => {
  let count = 0
  return flow.forEach(
    () => {
      onItem(++count)
      return count % frame === 0 ? new Promise<void>((resolve) => setTimeout(resolve, 1)) : undefined
    },
    { bufferSize: 8 * frame }
  )
}

export const run = async (): Promise<ReadonlyArray<Row>> => {
  const collect = globalThis.gc ?? (() => {})
  await using host = await StreamHost.start()
  await host.runFlow(slowSink(numbers(500_000), () => {}))
  collect()
  const base = process.memoryUsage.rss()
  let peak = base
  const heaps: Array<number> = []
  const timer = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss())
  }, 10)
  let seen = 0
  await host.runFlow(
    slowSink(numbers(items), (count) => {
      seen = count
      if (count % 1_000_000 === 0) {
        collect()
        heaps.push(process.memoryUsage().heapUsed)
      }
    })
  )
  clearInterval(timer)
  if (seen !== items) throw new Error(`${seen} of ${items} items arrived`)
  const grown = (peak - base) / mebibyte
  const drift = (Math.max(...heaps.slice(1)) - heaps[1]!) / mebibyte
  return [
    { name: `resident memory above the start: ${grown.toFixed(1)} MiB`, ratio: limitMiB / Math.max(grown, 0.1), target: 1, unit: `× under ${limitMiB} MiB` },
    { name: `live heap from 2 to 10 million items: +${drift.toFixed(1)} MiB`, ratio: 2 / Math.max(drift, 0.1), target: 1, unit: "× under 2 MiB" }
  ]
}

if (import.meta.main) console.table(await run())

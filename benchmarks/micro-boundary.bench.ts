// What does it cost to hand 512 items to another actor, against msgpackr, JSON and structuredClone?
//
// Ratios of thread CPU time, encoding and decoding together: 4.0 means that the peer needs four times as long. All
// variants run in one process and in turn, after each has run over all payloads, so that no code is tuned to one.
import { deepStrictEqual } from "node:assert/strict"
import { readFileSync } from "node:fs"
import { cpus } from "node:os"
import { Packr } from "msgpackr"
import { decodeFrame, FrameEncoder } from "../src/serialization/index.ts"
import type { Row } from "./Row.ts"

const sampleMs = 80
const rounds = 7

interface Payload {
  readonly name: string
  readonly items: ReadonlyArray<unknown>
  /** The least ratio to each peer that is promised. */
  readonly targets?: Readonly<Record<string, number>>
}

const times = (count: number, item: (i: number) => unknown): ReadonlyArray<unknown> => Array.from({ length: count }, (_, i) => item(i))

/** Strings as they come from a file or socket, and not as the ropes that `+` makes. */
const flat = (text: string): string => Buffer.from(text).toString()

const field = (key: number, i: number): unknown =>
  key % 4 === 0 ? i * key : key % 4 === 1 ? i * 1.5 + key : key % 4 === 2 ? flat(`text ${i} ${key}`) : (i + key) % 3 === 0

const mixed = (i: number): unknown =>
  [
    { id: i, name: flat(`name ${i}`), tags: ["a", flat(`b${i}`)] },
    flat(`some text of number ${i}`),
    i * 1.5,
    [i, i + 1, { x: i }],
    { kind: "event", at: i * 1000, user: { id: i, name: flat(`name ${i}`) }, ok: true },
    null
  ][i % 6]

const alike = { "msgpackr without records": 4, "msgpackr with records": 4, structuredClone: 8 }

const payloads = (): ReadonlyArray<Payload> => [
  {
    name: "records {id, name, category, value}",
    items: times(512, (i) => ({ id: i, name: flat(`item name ${i}`), category: `cat${i % 7}`, value: i * 1.1 })),
    targets: alike
  },
  {
    name: "records of 20 fields",
    items: times(512, (i) => Object.fromEntries(Array.from({ length: 20 }, (_, key) => [`field${key}`, field(key, i)]))),
    targets: alike
  },
  {
    name: "nested maps and small arrays",
    items: times(512, (i) => ({ id: i, position: { x: i * 1.5, y: 2.5 }, tags: ["a", flat(`b${i}`)], meta: { inner: { k: i } } }))
  },
  { name: "movies of vega-datasets, with nil", items: movies() },
  { name: "integers", items: times(512, (i) => i * 7) },
  { name: "doubles", items: times(512, (i) => i * 1.1 + 0.5) },
  { name: "texts of 20 characters", items: times(512, (i) => flat(`a text of ${String(i).padStart(10, "0")}`)) },
  { name: "bytes, 512 of 64 B", items: times(512, (i) => new Uint8Array(64).fill(i)) },
  { name: "bytes, 64 of 1 KiB", items: times(64, (i) => new Uint8Array(1024).fill(i)) },
  { name: "mixed kinds (rows)", items: times(512, mixed), targets: { "msgpackr without records": 0.9 } },
  { name: "one record (rows)", items: times(1, (i) => ({ id: i, name: "a name", category: "cat", value: 1.5 })) }
]

/** Real records: 16 fields, many of them nil, titles that are sometimes numbers. */
const movies = (): ReadonlyArray<unknown> =>
  (
    JSON.parse(readFileSync(new URL("../node_modules/vega-datasets/data/movies.json", import.meta.url), "utf8")) as ReadonlyArray<unknown>
  ).slice(0, 512)

type Crossing = (items: ReadonlyArray<unknown>) => unknown

const variants = (): Readonly<Record<string, Crossing>> => {
  const rows = new Packr({ useRecords: false })
  const records = new Packr()
  return {
    "msgpackr without records": (items) => rows.unpack(rows.pack(items)),
    "msgpackr with records": (items) => records.unpack(records.pack(items)),
    JSON: (items) => JSON.parse(JSON.stringify(items)),
    structuredClone: (items) => structuredClone(items)
  }
}

/** Compares frames with each peer on each payload. A round runs ours and the peer's one after the other. */
export const run = async (): Promise<ReadonlyArray<Row>> => {
  const peers = variants()
  const cases = payloads().map((payload) => {
    const encoder = new FrameEncoder({ stream: "bench" })
    return { ...payload, ours: (items: ReadonlyArray<unknown>) => decodeFrame(encoder.encode(items, 0, items.length, 0)) }
  })
  for (let pass = 0; pass < 2; pass++) {
    for (const { items, ours } of cases) {
      deepStrictEqual(ours(items), items)
      for (const cross of [ours, ...Object.values(peers)]) microsPerCall(() => cross(items))
    }
  }
  const results: Array<Row> = []
  for (const { items, name, ours, targets } of cases) {
    const byPeer = new Map<string, Array<number>>()
    const micros: Array<number> = []
    for (let round = 0; round < rounds; round++) {
      for (const [peer, cross] of Object.entries(peers)) {
        // JSON makes an object of a byte array, which is no comparison.
        if (peer === "JSON" && items[0] instanceof Uint8Array) continue
        const own = microsPerCall(() => ours(items))
        micros.push(own)
        byPeer.set(peer, [...(byPeer.get(peer) ?? []), microsPerCall(() => cross(items)) / own])
      }
      globalThis.gc?.({ type: "minor", execution: "sync" } as never)
    }
    deepStrictEqual(ours(items), items)
    for (const [peer, ratios] of byPeer) {
      const target = targets?.[peer]
      results.push({
        name: `${name} ÷ ${peer}`,
        ratio: median(ratios),
        worst: Math.min(...ratios),
        ...(target === undefined ? {} : { target }),
        unit: `× (ours ${((median(micros) * 1000) / items.length).toFixed(0)} ns per item)`
      })
    }
  }
  return results
}

const threadMicros = (): number => {
  const { system, user } = (process as unknown as { threadCpuUsage(): { readonly user: number; readonly system: number } }).threadCpuUsage()
  return user + system
}

const microsPerCall = (call: () => unknown): number => {
  const start = threadMicros()
  let calls = 0
  let spent = 0
  do {
    for (let i = 0; i < 20; i++) call()
    calls += 20
    spent = threadMicros() - start
  } while (spent < sampleMs * 1000)
  return spent / calls
}

const median = (numbers: ReadonlyArray<number>): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!

if (import.meta.main) {
  console.log(
    `Node ${process.version}, ${cpus()[0]?.model ?? "unknown CPU"}; median and worst of ${rounds} rounds, samples of ${sampleMs} ms of thread CPU`
  )
  for (const { name, ratio, target, unit, worst } of await run()) {
    const verdict = target === undefined ? "" : ratio >= target ? `  (target ${target}: met)` : `  (target ${target}: MISSED)`
    console.log(`${name.padEnd(64)} ${ratio.toFixed(2).padStart(6)} ${worst!.toFixed(2).padStart(6)} ${unit}${verdict}`)
  }
}

// What do checkpoints cost a file that is copied, and how soon does a stream with 100 MB of state go on?
//
// Wall time of a copy of 1.5 million lines through a running total, its output synced at the end in every variant: without
// checkpoints, with one every second, and with one every 10,000 items. 0.9 means that checkpoints take a tenth of the
// throughput. Then the time from the start of a new host to the first item behind a checkpoint of `stream.distinct` with
// 100 MB of keys, against reading and deduplicating the same lines from the start.
import { ok, strictEqual } from "node:assert/strict"
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs"
import { cpus as processors, tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { StreamHost } from "../src/host/index.ts"
import type { Row } from "./Row.ts"

const copiedLines = 1_500_000
const rounds = 3
/** So many keys of 64 characters are 100 MB as msgpack. */
const keys = 1_560_000

const lineOf = (number: number): string =>
  `${String(number).padStart(12, "0")} ${"a flight that was late by more than an hour, again..".slice(0, 51)}`

const writeLines = (path: string, count: number): void => {
  for (let from = 0; from < count; from += 100_000) {
    const lines = Array.from({ length: Math.min(100_000, count - from) }, (_, index) => lineOf(from + index))
    writeFileSync(path, `${lines.join("\n")}\n`, { flag: from === 0 ? "w" : "a" })
  }
}

const median = (numbers: ReadonlyArray<number>): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!

/** @param settings the options of `with-checkpointing`; none without it */
const copyProgram = (folder: string, settings: string | undefined): string => {
  const lines = `(call :stream.file.read "${folder}/in.txt" {:format :lines})`
  const source = settings === undefined ? lines : `(call :stream.with-checkpointing ${lines} {:stream-id "copy" ${settings}})`
  return `
(call :stream.await
  (call :stream.file.write "${folder}/out.txt"
    {:data-source (call :stream.stateful ${source}
                    {:initial-state 0 :processor (fn [sum line] (let [next (+ sum (count line))] [next line]))})
     :format :lines}))`
}

/** @returns seconds, and how many checkpoints there were */
const copy = async (
  folder: string,
  settings: string | undefined
): Promise<{ readonly seconds: number; readonly cpu: number; readonly checkpoints: number }> => {
  const dataDir = join(folder, "data")
  rmSync(dataDir, { recursive: true, force: true })
  const begun = performance.now()
  const used = process.cpuUsage()
  const host = await StreamHost.start({ dataDir, policy: { read: [folder], write: [folder] } })
  const { value } = await host.run(copyProgram(folder, settings))
  await host.stop()
  const seconds = (performance.now() - begun) / 1000
  const { system, user } = process.cpuUsage(used)
  strictEqual((value as { readonly items: number }).items, copiedLines)
  strictEqual(statSync(join(folder, "out.txt")).size, statSync(join(folder, "in.txt")).size)
  return { seconds, cpu: (system + user) / 1e6, checkpoints: settings === undefined ? 0 : lastCheckpointOf(dataDir).id }
}

const lastCheckpointOf = (dataDir: string): { readonly id: number; readonly bytes: number } => {
  const database = new DatabaseSync(join(dataDir, "state.db"), { readOnly: true })
  const row = database.prepare("SELECT id, length(bytes) AS bytes FROM checkpoints ORDER BY id DESC LIMIT 1").get()
  database.close()
  return { id: Number(row?.["id"]), bytes: Number(row?.["bytes"]) }
}

const throughput = async (folder: string): Promise<ReadonlyArray<Row>> => {
  writeLines(join(folder, "in.txt"), copiedLines)
  const variants = {
    without: undefined,
    everySecond: ":checkpoint-interval 1000",
    every10000: ":checkpoint-interval 600000 :every-n-items 10000"
  }
  const spent: Record<keyof typeof variants, Array<number>> = { without: [], everySecond: [], every10000: [] }
  const cpus: Record<keyof typeof variants, Array<number>> = { without: [], everySecond: [], every10000: [] }
  const taken: Partial<Record<keyof typeof variants, number>> = {}
  for (let round = -1; round < rounds; round++) {
    for (const [variant, settings] of Object.entries(variants) as ReadonlyArray<[keyof typeof variants, string | undefined]>) {
      const { checkpoints, cpu, seconds } = await copy(folder, settings)
      taken[variant] = checkpoints
      // The round before the first one is the warm-up.
      if (round < 0) continue
      spent[variant].push(seconds)
      cpus[variant].push(cpu)
    }
  }
  const row = (variant: "everySecond" | "every10000", name: string, target?: number): Row => {
    const ratios = spent[variant].map((seconds, round) => spent.without[round]! / seconds)
    const speed = (copiedLines / median(spent[variant]) / 1e6).toFixed(2)
    const byCpu = (median(cpus.without) / median(cpus[variant])).toFixed(2)
    const unit = `× without (${byCpu} × by CPU time; ours ${speed} M items/s, ${taken[variant]} checkpoints in ${median(spent[variant]).toFixed(1)} s)`
    return { name, ratio: median(ratios), worst: Math.min(...ratios), ...(target === undefined ? {} : { target }), unit }
  }
  return [
    row("everySecond", "file copy with a total: a checkpoint every second", 0.9),
    row("every10000", "file copy with a total: a checkpoint every 10,000 items")
  ]
}

const distinctProgram = (folder: string): string => `
(call :stream.for-each
  (call :stream.distinct
    (call :stream.with-checkpointing
      (call :stream.file.read "${folder}/keys.txt" {:format :lines})
      {:stream-id "keys" :checkpoint-interval 600000})
    {:max-keys ${keys * 2}})
  {:callback seen})`

const recovery = async (folder: string): Promise<Row> => {
  writeLines(join(folder, "keys.txt"), keys)
  const dataDir = join(folder, "keys-data")
  const options = { dataDir, policy: { read: [folder] }, memory: "1GB" }
  let count = 0
  let drained: Promise<void> | undefined
  const begun = performance.now()
  const first = await StreamHost.start({
    ...options,
    bindings: {
      seen: () => {
        if (++count === keys - 20_000) void drain()
      }
    }
  })
  let drain = (): Promise<void> => Promise.resolve()
  await first.run(distinctProgram(folder), { onStart: (program) => (drain = () => (drained ??= program.drain())) })
  await drained
  const fromTheStart = performance.now() - begun
  await first.stop()
  const before = count
  const { bytes } = lastCheckpointOf(dataDir)

  let firstItem = 0
  const again = performance.now()
  const second = await StreamHost.start({
    ...options,
    bindings: {
      seen: () => {
        count++
        if (firstItem === 0) firstItem = performance.now() - again
      }
    }
  })
  await second.run(distinctProgram(folder))
  await second.stop()
  // A function is called again for what it had got behind the checkpoint; beginning anew would be far more.
  ok(before < keys && count >= keys && count < keys + 50_000, `${count} calls for ${keys} keys, ${before} of them before`)
  return {
    name: `first item after a checkpoint of ${Math.round(bytes / 1e6)} MB ÷ doing it again`,
    ratio: fromTheStart / firstItem,
    unit: `× (${(firstItem / 1000).toFixed(2)} s instead of ${(fromTheStart / 1000).toFixed(2)} s)`
  }
}

export const run = async (): Promise<ReadonlyArray<Row>> => {
  const folder = mkdtempSync(join(tmpdir(), "rtfs-checkpoint-"))
  try {
    return [...(await throughput(folder)), await recovery(folder)]
  } finally {
    rmSync(folder, { recursive: true })
  }
}

if (import.meta.main) {
  console.log(`Node ${process.version}, ${processors()[0]?.model ?? "unknown CPU"}; median and worst of ${rounds} rounds of wall time`)
  for (const { name, ratio, target, unit, worst } of await run()) {
    const verdict = target === undefined ? "" : ratio >= target ? `  (target ${target}: met)` : `  (target ${target}: MISSED)`
    console.log(`${name.padEnd(62)} ${ratio.toFixed(2).padStart(6)} ${(worst ?? ratio).toFixed(2).padStart(6)} ${unit}${verdict}`)
  }
}

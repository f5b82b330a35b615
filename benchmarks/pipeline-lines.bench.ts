// How fast do the lines of a file become items of another actor, against node:readline?
//
// Thread CPU time for a file of 100 MB: reading, cutting, encoding as frames and decoding them to strings, against
// readline's strings without any frame; and the same through a host, as a user of `Flow` has it, mailbox, supervision and
// callback included. 2.0 means that readline needs twice as long.
import { strictEqual } from "node:assert/strict"
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { cpus, tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import * as Effect from "effect/Effect"
import type { SourceBatch } from "../src/actors/index.ts"
import { fileReadSource } from "../src/capabilities/files/file-read.ts"
import { makeFileAccess } from "../src/host/FilePolicy.ts"
import { makeNetworkAccess } from "../src/host/NetworkPolicy.ts"
import { Flow, StreamHost } from "../src/host/index.ts"
import { decodeFrame, FrameEncoder } from "../src/serialization/index.ts"
import type { Row } from "./Row.ts"

const fileBytes = 100 * 1024 * 1024
const rounds = 5
const frameItems = 512

/** Lines, and the UTF-16 units in them: what each variant has to come to. */
interface Sum {
  lines: number
  units: number
}

type Variant = (path: string) => Promise<Sum>

const source = (path: string, take: (batch: SourceBatch, sum: Sum) => void): Promise<Sum> => {
  const spec = fileReadSource({
    path,
    format: "lines",
    encoding: "utf8",
    compression: "none",
    "chunk-size": undefined,
    "max-record-size": undefined,
    separator: undefined,
    header: undefined
  })
  const services = { files: makeFileAccess({ read: [path] }), print: () => {}, progress: () => {}, network: makeNetworkAccess({}), databases: { find: () => { throw new Error("not here") } }, queues: { open: () => { throw new Error("not here") } } }
  return Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const { read } = yield* spec.open({ address: "/bench", services, position: undefined })
        const sum = { lines: 0, units: 0 }
        for (let batch = yield* read; batch !== null; batch = yield* read) take(batch, sum)
        return sum
      })
    )
  )
}

/** As the output of a source does it: frames of 512 lines, without a string; then the receiver's strings. */
const framesAndBack: Variant = (path) => {
  const encoder = new FrameEncoder({ stream: "bench" })
  return source(path, (batch, sum) => {
    if (!("block" in batch)) throw new Error("lines come as blocks")
    const { length } = batch.lineEnds
    for (let from = 0; from < length; from += frameItems) {
      const frame = encoder.encodeLines(batch, from, Math.min(length, from + frameItems), 0)
      for (const line of decodeFrame(frame) as ReadonlyArray<string>) {
        sum.lines++
        sum.units += line.length
      }
    }
  })
}

/** What the actor of the source alone has to do. */
const blocks: Variant = (path) =>
  source(path, (batch, sum) => {
    if ("block" in batch) sum.lines += batch.lineEnds.length
  })

/** What a user writes. */
const flow: Variant = async (path) => {
  await using host = await StreamHost.start({ policy: { read: [path] } })
  const sum = { lines: 0, units: 0 }
  await host.runFlow(
    Flow.fromFile(path)
      .lines()
      .forEach((line) => {
        sum.lines++
        sum.units += line.length
      })
  )
  return sum
}

const readlineEvents: Variant = (path) =>
  new Promise((resolve) => {
    const sum = { lines: 0, units: 0 }
    createInterface({ input: createReadStream(path), crlfDelay: Infinity })
      .on("line", (line) => {
        sum.lines++
        sum.units += line.length
      })
      .on("close", () => resolve(sum))
  })

const readlineForAwait: Variant = async (path) => {
  const sum = { lines: 0, units: 0 }
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    sum.lines++
    sum.units += line.length
  }
  return sum
}

interface Kind {
  readonly name: string
  readonly line: (i: number) => string
  readonly events: number
  readonly forAwait: number
}

const kinds: ReadonlyArray<Kind> = [
  {
    name: "ASCII lines of 63 B",
    line: (i) => `${String(i).padStart(10, "0")} ${"the quick brown fox jumps over the lazy dog now ok.".slice(0, 52)}`,
    events: 2,
    forAwait: 3
  },
  {
    name: "UTF-8 lines of 63 B",
    line: (i) => `${String(i).padStart(10, "0")} ${"größe, Köln, naïve, café, 東京 and some more te"}`,
    events: 1.6,
    forAwait: 2
  }
]

/** Measures ours and both peers in turn, over one file of each kind. */
export const run = async (): Promise<ReadonlyArray<Row>> => {
  const folder = mkdtempSync(join(tmpdir(), "rtfs-lines-"))
  try {
    const rows: Array<Row> = []
    for (const kind of kinds) rows.push(...(await runKind(kind, join(folder, "lines.txt"))))
    return rows
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const runKind = async ({ events, forAwait, line, name }: Kind, path: string): Promise<ReadonlyArray<Row>> => {
  const expected = makeFile(path, line)
  const variants = { frames: framesAndBack, blocks, flow, events: readlineEvents, forAwait: readlineForAwait }
  const millis: Record<keyof typeof variants, Array<number>> = { frames: [], blocks: [], flow: [], events: [], forAwait: [] }
  for (let round = -1; round < rounds; round++) {
    for (const [variant, read] of Object.entries(variants) as ReadonlyArray<[keyof typeof variants, Variant]>) {
      globalThis.gc?.({ type: "minor", execution: "sync" } as never)
      const start = threadMicros()
      const sum = await read(path)
      const spent = (threadMicros() - start) / 1000
      strictEqual(sum.lines, expected.lines)
      if (variant !== "blocks") strictEqual(sum.units, expected.units)
      // The round before the first one is the warm-up.
      if (round >= 0) millis[variant].push(spent)
    }
  }
  const row = (what: string, own: ReadonlyArray<number>, peer: ReadonlyArray<number>, target?: number): Row => {
    const speed = (fileBytes / 1e6 / (median(own) / 1000)).toFixed(0)
    const ratios = own.map((spent, round) => peer[round]! / spent)
    return {
      name: `${name}: ${what}`,
      ratio: median(ratios),
      worst: Math.min(...ratios),
      ...(target === undefined ? {} : { target }),
      unit: `× (ours ${speed} MB/s)`
    }
  }
  return [
    row("source, frame, decode ÷ readline events", millis.frames, millis.events, events),
    row("source, frame, decode ÷ readline for-await", millis.frames, millis.forAwait, forAwait),
    row("source alone ÷ readline events", millis.blocks, millis.events),
    row("Flow.fromFile().lines().forEach() ÷ readline events", millis.flow, millis.events)
  ]
}

const makeFile = (path: string, line: (i: number) => string): Sum => {
  const sum = { lines: 0, units: 0 }
  const parts: Array<Buffer> = []
  for (let bytes = 0; bytes < fileBytes;) {
    const lines = Array.from({ length: 10_000 }, (_, i) => line(sum.lines + i))
    const part = Buffer.from(`${lines.join("\n")}\n`)
    sum.lines += lines.length
    sum.units += lines.reduce((units, { length }) => units + length, 0)
    bytes += part.length
    parts.push(part)
  }
  writeFileSync(path, Buffer.concat(parts))
  return sum
}

const threadMicros = (): number => {
  const { system, user } = (process as unknown as { threadCpuUsage(): { readonly user: number; readonly system: number } }).threadCpuUsage()
  return user + system
}

const median = (numbers: ReadonlyArray<number>): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!

if (import.meta.main) {
  console.log(
    `Node ${process.version}, ${cpus()[0]?.model ?? "unknown CPU"}; median and worst of ${rounds} rounds of thread CPU, ${fileBytes / 2 ** 20} MiB`
  )
  for (const { name, ratio, target, unit, worst } of await run()) {
    const verdict = target === undefined ? "" : ratio >= target ? `  (target ${target}: met)` : `  (target ${target}: MISSED)`
    console.log(`${name.padEnd(66)} ${ratio.toFixed(2).padStart(6)} ${worst!.toFixed(2).padStart(6)} ${unit}${verdict}`)
  }
}

// How much of the client's CPU does a line of NDJSON over HTTP cost, against fetch and readline?
//
// Thread CPU time for 900,000 records (84 MB) from a server in a process of its own. As lines: `stream.http.get` up to strings
// behind a frame, against `fetch` and `node:readline`. As items: up to parsed items in the source's batches, and the same through
// a host with mailbox, supervision and callback, against the same with `JSON.parse`, which is half of all of it on either side;
// ours also checks depth, big integers and UTF-8. 2.0 means that the peer needs twice as long.
import { strictEqual } from "node:assert/strict"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { Readable } from "node:stream"
import type { ReadableStream } from "node:stream/web"
import * as Effect from "effect/Effect"
import type { OpenContext, SourceBatch } from "../src/actors/index.ts"
import { httpGetSource } from "../src/capabilities/network/http-get.ts"
import { StreamHost } from "../src/host/index.ts"
import { makeNetworkAccess } from "../src/host/NetworkPolicy.ts"
import { decodeFrame, FrameEncoder } from "../src/serialization/index.ts"
import type { Row } from "./Row.ts"

const records = 900_000
const rounds = 5

const serverCode = `
  const lines = []
  for (let i = 0; i < 1000; i++) lines.push(JSON.stringify({ id: i, name: "customer " + i, city: "Köln", total: i * 1.25, tags: ["a", "b"], active: i % 2 === 0 }) + "\\n")
  const block = Buffer.from(lines.join(""))
  require("node:http").createServer((_, response) => {
    let left = ${records / 1000}
    const push = () => {
      while (left-- > 0) if (!response.write(block)) return void response.once("drain", push)
      response.end()
    }
    push()
  }).listen(0, "127.0.0.1", function () { process.stdout.write(String(this.address().port)) })
`

/** Items, and a sum over them: what each variant has to come to. */
interface Sum {
  items: number
  ids: number
}

type Variant = (url: string) => Promise<Sum>

const add = (sum: Sum, item: unknown): void => {
  sum.items++
  sum.ids += (item as { readonly id: number }).id
}

/** The id stands where the text of each record has it. */
const addLine = (sum: Sum, line: string): void => {
  sum.items++
  sum.ids += Number(line.slice(6, line.indexOf(",")))
}

const absent = {
  headers: undefined,
  "chunk-size": undefined,
  "max-record-size": undefined,
  "max-body-size": undefined,
  separator: undefined,
  header: undefined,
  "connect-timeout": undefined,
  "headers-timeout": undefined,
  "idle-timeout": undefined,
  "total-timeout": undefined
}

const read = (url: string, format: "lines" | "ndjson", take: (batch: SourceBatch, sum: Sum) => void): Promise<Sum> => {
  const spec = httpGetSource({ ...absent, url, format, timeout: 30_000, "max-attempts": 1 })
  const services = { network: makeNetworkAccess({ all: true }), progress: () => {} } as unknown as OpenContext["services"]
  return Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const { read } = yield* spec.open({ address: "/bench", services, position: undefined })
        const sum = { items: 0, ids: 0 }
        for (let batch = yield* read; batch !== null; batch = yield* read) take(batch, sum)
        return sum
      })
    )
  )
}

const items: Variant = (url) =>
  read(url, "ndjson", (batch, sum) => {
    if ("items" in batch) for (const item of batch.items) add(sum, item)
  })

/** What a receiver behind the source's mailbox gets. */
const lines: Variant = (url) => {
  const encoder = new FrameEncoder({ stream: "bench" })
  return read(url, "lines", (batch, sum) => {
    if (!("block" in batch)) throw new Error("lines come as blocks")
    const { length } = batch.lineEnds
    for (let from = 0; from < length; from += 512) {
      for (const line of decodeFrame(encoder.encodeLines(batch, from, Math.min(length, from + 512), 0)) as ReadonlyArray<string>)
        addLine(sum, line)
    }
  })
}

const program: Variant = async (url) => {
  const sum = { items: 0, ids: 0 }
  await using host = await StreamHost.start({ policy: { all: true }, bindings: { add: (item: unknown) => add(sum, item) } })
  await host.run(`(call :stream.http.get "${url}" {:format :ndjson :on-data add})`)
  return sum
}

const readlineOf = async (url: string) => {
  const { body } = await fetch(url)
  return createInterface({ input: Readable.fromWeb(body as unknown as ReadableStream), crlfDelay: Infinity })
}

const peerItems: Variant = async (url) => {
  const sum = { items: 0, ids: 0 }
  for await (const line of await readlineOf(url)) add(sum, JSON.parse(line))
  return sum
}

const peerLines: Variant = async (url) => {
  const sum = { items: 0, ids: 0 }
  for await (const line of await readlineOf(url)) addLine(sum, line)
  return sum
}

const cpuOf = async (variant: Variant, url: string): Promise<number> => {
  const before = process.threadCpuUsage()
  const sum = await variant(url)
  const { system, user } = process.threadCpuUsage(before)
  strictEqual(sum.items, records)
  strictEqual(sum.ids, (records / 1000) * 499_500)
  return user + system
}

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

/** Measures ours and the peer in turn. */
export const run = async (): Promise<ReadonlyArray<Row>> => {
  const server = spawn(process.execPath, ["-e", serverCode], { stdio: ["ignore", "pipe", "inherit"] })
  try {
    const [port] = (await once(server.stdout, "data")) as [Buffer]
    const url = `http://127.0.0.1:${String(port)}/`
    const contests = [
      { name: "lines, as strings behind a frame", ours: lines, theirs: peerLines },
      { name: "items, in the source", ours: items, theirs: peerItems },
      { name: "items, in a callback of a host", ours: program, theirs: peerItems }
    ]
    const rows: Array<Row> = []
    for (const { name, ours, theirs } of contests) {
      const ratios: Array<number> = []
      for (let round = -1; round < rounds; round++) {
        const ratio = (await cpuOf(theirs, url)) / (await cpuOf(ours, url))
        // The first round warms up.
        if (round >= 0) ratios.push(ratio)
      }
      rows.push({ name, ratio: median(ratios), worst: Math.min(...ratios), unit: "× fetch + readline", target: 1.5 })
    }
    return rows
  } finally {
    server.kill()
  }
}

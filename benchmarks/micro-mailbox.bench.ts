// What does it cost to hand one frame to another actor's mailbox, against Effect's Queue?
//
// Sender and receiver are fibers; the frames are made beforehand, so that only the hop is measured. Every sample runs
// at least 80 ms of thread CPU; ours and the peer's are taken in turn.
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { Mailbox } from "../src/actors/index.ts"
import { Frame } from "../src/serialization/index.ts"
import type { Row } from "./Row.ts"

const sampleMs = 80
const rounds = 7
const framesPerCall = 20_000
/** What a hop may cost. */
const budgetNs = 300

const frames = Array.from(
  { length: 64 },
  (_, sequence) => new Frame({ kind: "data", layout: "rows", stream: "bench", sequence, count: 512, time: 0, body: new Uint8Array(100) })
)

const mailboxOf = (maxFrames: number) =>
  Mailbox.make({
    address: "/bench",
    edges: 1,
    maxFrames,
    maxItems: maxFrames * 512,
    maxBytes: maxFrames * 65_536,
    overflow: "backpressure"
  })

/** Both ends meet in the mailbox, as shells use it: without a fiber's help while there is room or a frame. */
const throughMailbox = (maxFrames: number) =>
  Effect.gen(function* () {
    const mailbox = yield* mailboxOf(maxFrames)
    let items = 0
    const receiver = Effect.gen(function* () {
      for (let received = 0; received < framesPerCall;) {
        const delivery = mailbox.peek()
        if (delivery === undefined) {
          yield* mailbox.awaitWork
          continue
        }
        items += delivery.frame.count
        mailbox.release(delivery.edge)
        received++
      }
    })
    const sender = Effect.gen(function* () {
      for (let sent = 0; sent < framesPerCall; sent++) {
        const frame = frames[sent & 63]!
        if (!mailbox.offerNow(0, frame)) yield* mailbox.offer(0, frame)
      }
    })
    yield* Effect.all([receiver, sender], { concurrency: 2, discard: true })
    return items
  })

const throughQueue = (capacity: number) =>
  Effect.gen(function* () {
    const queue = yield* Queue.bounded<Frame>(capacity)
    let items = 0
    const receiver = Effect.gen(function* () {
      for (let received = 0; received < framesPerCall; received++) items += (yield* Queue.take(queue)).count
    })
    const sender = Effect.gen(function* () {
      for (let sent = 0; sent < framesPerCall; sent++) yield* Queue.offer(queue, frames[sent & 63]!)
    })
    yield* Effect.all([receiver, sender], { concurrency: 2, discard: true })
    return items
  })

/** The data path alone: nobody ever waits. */
const withoutWaiting = (mailbox: Mailbox) => {
  let items = 0
  for (let sent = 0; sent < framesPerCall;) {
    for (let i = 0; i < 8; i++) mailbox.offerNow(0, frames[sent++ & 63]!)
    for (let delivery = mailbox.peek(); delivery !== undefined; delivery = mailbox.peek()) {
      items += delivery.frame.count
      mailbox.release(delivery.edge)
    }
  }
  return items
}

export const run = async (): Promise<ReadonlyArray<Row>> => {
  const rows: Array<Row> = []
  const mailbox = Effect.runSync(mailboxOf(8))
  for (const capacity of [8, 64]) {
    const own: Array<number> = []
    const peer: Array<number> = []
    for (let round = -2; round < rounds; round++) {
      const nanos = [
        await nanosPerFrame(() => Effect.runPromise(throughMailbox(capacity))),
        await nanosPerFrame(() => Effect.runPromise(throughQueue(capacity)))
      ] as const
      // Two rounds to warm up.
      if (round < 0) continue
      own.push(nanos[0])
      peer.push(nanos[1])
    }
    const ratios = own.map((nanos, round) => peer[round]! / nanos)
    const hop = median(own)
    rows.push(
      {
        name: `hop, ${capacity} frames ÷ Queue.offer and take`,
        ratio: median(ratios),
        worst: Math.min(...ratios),
        target: 3,
        unit: `× (ours ${hop.toFixed(0)} ns per frame)`
      },
      {
        name: `hop, ${capacity} frames, under its budget`,
        ratio: budgetNs / hop,
        worst: budgetNs / Math.max(...own),
        target: 1,
        unit: `× under ${budgetNs} ns`
      }
    )
  }
  const alone: Array<number> = []
  for (let round = 0; round < rounds; round++) alone.push(await nanosPerFrame(async () => withoutWaiting(mailbox)))
  rows.push({
    name: "offer, peek and release, nobody waits",
    ratio: budgetNs / median(alone),
    target: 1,
    unit: `× under ${budgetNs} ns (${median(alone).toFixed(0)} ns per frame)`
  })
  return rows
}

const threadMicros = (): number => {
  const { system, user } = (process as unknown as { threadCpuUsage(): { readonly user: number; readonly system: number } }).threadCpuUsage()
  return user + system
}

const nanosPerFrame = async (call: () => Promise<number>): Promise<number> => {
  const start = threadMicros()
  let count = 0
  let spent = 0
  do {
    if ((await call()) !== framesPerCall * 512) throw new Error("frames were lost or doubled")
    count += framesPerCall
    spent = threadMicros() - start
  } while (spent < sampleMs * 1000)
  return (spent * 1000) / count
}

const median = (numbers: ReadonlyArray<number>): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!

if (import.meta.main) console.table(await run())

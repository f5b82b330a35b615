// What does a message cost to produce, and to consume and acknowledge, against the plain driver?
//
// CPU time of this process for each message, without starting the host or connecting; 0.9 means that ours takes a ninth more.
// Ours starts a stream for it, some 40 ms, which is 1.3 µs of each of 30,000 messages; with more of them (QUEUE_BENCH_MESSAGES) it is less.
// Ours is a host that decodes JSON, hands each message to a callback and acknowledges behind its checkpoints, or that takes an
// array and publishes it confirmed. The plain driver (queuePeers.ts) parses the same JSON, hands it to the same callback and acknowledges;
// both with portions of 500 and as many messages ahead. A server that is not there is left out, by name.
import { strictEqual } from "node:assert/strict"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type HostOptions, StreamHost } from "../src/host/index.ts"
import {
  natsPeer,
  type QueuePeer,
  rabbitPeer,
  redisPeer,
  removeNatsQueue,
  removeRabbitQueue,
  removeRedisQueue,
  sqlitePeer
} from "./queuePeers.ts"
import { median } from "./measure.ts"
import type { Row } from "./Row.ts"

const count = Number(process.env["QUEUE_BENCH_MESSAGES"] ?? 30_000)
const rounds = 3
const portions = { portion: 500, ahead: 5000 }
const urls = {
  redis: process.env["TEST_REDIS_URL"] ?? "redis://127.0.0.1:6379",
  nats: process.env["TEST_NATS_URL"] ?? "nats://127.0.0.1:4222",
  rabbitmq: process.env["TEST_RABBITMQ_URL"] ?? "amqp://guest:guest@127.0.0.1:5672"
}
const queue = `rtfs-bench-${process.pid}`

interface Body {
  readonly id: number
  readonly label: string
}

const values: ReadonlyArray<Body> = Array.from({ length: count }, (_, id) => ({ id, label: `message number ${id}` }))
const total = (count * (count - 1)) / 2

let seen = 0
const take = (value: unknown): void => {
  seen += (value as Body).id
}

/** @returns ms of CPU time until `work` is done; what it leaves behind is its result, and is not counted */
const cpuMs = async <A>(work: () => Promise<A>): Promise<readonly [number, A]> => {
  const before = process.cpuUsage()
  const result = await work()
  const { system, user } = process.cpuUsage(before)
  return [(user + system) / 1000, result]
}

interface Contestant {
  readonly produce: () => Promise<unknown>
  /** @returns what is to be ended once all is acknowledged, which costs no message anything */
  readonly consume: () => Promise<() => Promise<unknown>>
  readonly close: () => Promise<unknown>
}

const theDriver = (peer: QueuePeer): Contestant => ({
  produce: () => peer.produce(values),
  consume: async () => {
    await peer.consume(count, take)
    return async () => {}
  },
  close: peer.close
})

const ours = async (options: HostOptions): Promise<Contestant> => {
  let acknowledged = (_ids: ReadonlyArray<string>) => {}
  const host = await StreamHost.start({
    ...options,
    policy: { queue: [queue] },
    bindings: {
      values,
      take: ({ body }: { readonly body: unknown }) => take(body),
      acknowledged: (ids: ReadonlyArray<string>) => acknowledged(ids)
    }
  })
  const consuming = `(call :stream.for-each (call :stream.queue.consume "${queue}" {:batch-size ${portions.portion} :max-in-flight ${portions.ahead} :on-ack acknowledged}) {:callback take})`
  return {
    produce: () =>
      host.run(`(call :stream.await (call :stream.queue.produce "${queue}" {:data-stream values :batch-size ${portions.portion}}))`),
    consume: async () => {
      let left = count
      const all = Promise.withResolvers<void>()
      acknowledged = (ids) => {
        if ((left -= ids.length) === 0) all.resolve()
      }
      const started = Promise.withResolvers<() => Promise<void>>()
      const running = host.run(consuming, { onStart: (program) => started.resolve(() => program.drain()) })
      await Promise.race([all.promise, running])
      return async () => {
        await (
          await started.promise
        )()
        await running
      }
    },
    close: () => host.stop()
  }
}

/** Both of one server produce what the other one consumes; but the embedded queue is in a file of its own for each. */
const rowsOf = async (name: string, our: Contestant, their: Contestant): Promise<ReadonlyArray<Row>> => {
  const produce = async (by: Contestant) => (await cpuMs(by.produce))[0]
  const consume = async (by: Contestant) => {
    seen = 0
    const [ms, end] = await cpuMs(by.consume)
    await end()
    strictEqual(seen, total, `${name}: a message was lost, or came twice`)
    return ms
  }
  const isShared = name !== "embedded"
  const ratios = { produce: new Array<number>(), consume: new Array<number>() }
  // The first round makes the queue and warms up.
  for (let round = 0; round <= rounds; round++) {
    const producing = { ours: await produce(our), theirs: 0 }
    const consuming = { theirs: 0, ours: 0 }
    if (isShared) consuming.theirs = await consume(their)
    producing.theirs = await produce(their)
    if (!isShared) consuming.theirs = await consume(their)
    consuming.ours = await consume(our)
    if (round === 0) continue
    ratios.produce.push(producing.theirs / producing.ours)
    ratios.consume.push(consuming.theirs / consuming.ours)
  }
  return [
    {
      name: `consume and acknowledge, ${name}`,
      ratio: median(ratios.consume),
      worst: Math.min(...ratios.consume),
      target: 0.9,
      unit: "× driver, by CPU time"
    },
    {
      name: `produce, confirmed, ${name}`,
      ratio: median(ratios.produce),
      worst: Math.min(...ratios.produce),
      unit: "× driver, by CPU time"
    }
  ]
}

const servers = {
  redis: { open: redisPeer, remove: removeRedisQueue },
  nats: { open: natsPeer, remove: removeNatsQueue },
  rabbitmq: { open: rabbitPeer, remove: removeRabbitQueue }
}

export const run = async (): Promise<ReadonlyArray<Row>> => {
  const rows: Array<Row> = []
  const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-queue-bench-"))
  const between = async (name: string, our: Contestant, their: Contestant) => {
    rows.push(...(await rowsOf(name, our, their)))
    await Promise.all([our.close(), their.close()])
  }
  const embedded = await ours({ store: `sqlite:${join(folder, "ours.db")}` })
  await between("embedded", embedded, theDriver(sqlitePeer(join(folder, "theirs.db"), queue, portions)))
  for (const [name, { open, remove }] of Object.entries(servers)) {
    const url = urls[name as keyof typeof urls]
    const our = await ours({ connections: { queue: url } })
    // Makes the queue.
    const problem = await our.produce().then(
      () => undefined,
      (error: Error) => error.message
    )
    if (problem !== undefined) {
      console.log(`left out: ${name}: ${problem}`)
      await our.close()
      continue
    }
    await (
      await our.consume()
    )()
    await between(name, our, theDriver(await open(url, queue, portions)))
    await remove(url, queue)
  }
  rmSync(folder, { recursive: true })
  return rows
}

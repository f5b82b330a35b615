// What does a message cost to consume and to acknowledge, against the plain driver?
//
// CPU time of this process for each message: a host that consumes, decodes JSON, hands each message to a callback and
// acknowledges behind its checkpoints, against the driver with the same portions, JSON.parse and its plain acknowledgement. 0.9 means that
// ours takes a ninth more. A server that is not there is left out, by name.
import { strictEqual } from "node:assert/strict"
import { jetstream, jetstreamManager } from "@nats-io/jetstream"
import { connect } from "@nats-io/transport-node"
import amqplib from "amqplib"
import * as Effect from "effect/Effect"
import { createClient } from "redis"
import { StreamHost } from "../src/host/index.ts"
import { openQueueBackend } from "../src/state/index.ts"
import type { Row } from "./Row.ts"

const count = 20_000
const portion = 500
const rounds = 3
const urls = {
  redis: process.env["TEST_REDIS_URL"] ?? "redis://127.0.0.1:6379",
  nats: process.env["TEST_NATS_URL"] ?? "nats://127.0.0.1:4222",
  rabbitmq: process.env["TEST_RABBITMQ_URL"] ?? "amqp://guest:guest@127.0.0.1:5672"
}
const queue = `rtfs-bench-${process.pid}`

let seen = 0
const total = (count * (count - 1)) / 2

const cpuMs = async (work: () => Promise<void>): Promise<number> => {
  seen = 0
  const before = process.cpuUsage()
  await work()
  const { system, user } = process.cpuUsage(before)
  strictEqual(seen, total)
  return (user + system) / 1000
}

const median = (numbers: ReadonlyArray<number>): number => numbers.toSorted((one, other) => one - other)[Math.floor(numbers.length / 2)]!

const bodies = Array.from({ length: count }, (_, id) => Buffer.from(JSON.stringify({ id, label: `message number ${id}` })))
let fills = 0

const fill = (url: string): Promise<void> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.flatMap(openQueueBackend(url), (backend) =>
        Effect.gen(function* () {
          fills++
          for (let at = 0; at < count; at += portion) {
            const batch = bodies
              .slice(at, at + portion)
              .map((body, n) => ({ key: `${fills}-${at + n}`, body, contentType: "application/json", headers: {}, time: Date.now() }))
            yield* backend.publish(queue, batch)
          }
        })
      )
    )
  )

const take = (body: Uint8Array): void => {
  seen += (JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString()) as { id: number }).id
}

const ours = (url: string) => async (): Promise<void> => {
  let taken = 0
  let done = () => {}
  const all = new Promise<void>((resolve) => (done = resolve))
  const acknowledged = (ids: ReadonlyArray<string>) => {
    if ((taken += ids.length) === count) done()
  }
  await using host = await StreamHost.start({
    connections: { queue: url },
    policy: { queue: [queue] },
    bindings: { take: ({ body }: { body: { id: number } }) => void (seen += body.id), acknowledged }
  })
  const running = host.run(
    `(call :stream.for-each (call :stream.queue.consume "${queue}" {:batch-size ${portion} :on-ack acknowledged}) {:callback take})`
  )
  await all
  await host.drain()
  await running
}

const plain: Readonly<Record<keyof typeof urls, () => Promise<void>>> = {
  redis: async () => {
    const client = createClient({ url: urls.redis, RESP: 2 })
    await client.connect()
    for (let at = 0; at < count;) {
      const reply = await client.sendCommand([
        "XREADGROUP",
        "GROUP",
        "rtfs-streams",
        "bench",
        "COUNT",
        String(portion),
        "BLOCK",
        "1000",
        "STREAMS",
        queue,
        ">"
      ])
      const entries = (reply as unknown as [[string, ReadonlyArray<[string, ReadonlyArray<string>]>]])[0][1]
      for (const [, fields] of entries) take(Buffer.from(fields[fields.indexOf("body") + 1]!))
      const ids = entries.map(([id]) => id)
      await Promise.all([client.sendCommand(["XACK", queue, "rtfs-streams", ...ids]), client.sendCommand(["XDEL", queue, ...ids])])
      at += ids.length
    }
    client.destroy()
  },
  nats: async () => {
    const connection = await connect({ servers: new URL(urls.nats).host })
    const consumer = await jetstream(connection).consumers.get(queue, "rtfs-streams")
    for (let at = 0; at < count;) {
      for await (const message of await consumer.fetch({ max_messages: Math.min(portion, count - at), expires: 1000 })) {
        take(message.data)
        message.ack()
        at++
      }
    }
    await connection.drain()
  },
  rabbitmq: async () => {
    const connection = await amqplib.connect(urls.rabbitmq)
    const channel = await connection.createChannel()
    await channel.prefetch(5000)
    let at = 0
    await new Promise<void>((resolve) => {
      void channel.consume(queue, (message) => {
        take(message!.content)
        channel.ack(message!)
        if (++at === count) resolve()
      })
    })
    await channel.close()
    await connection.close()
  }
}

const remove: Readonly<Record<keyof typeof urls, () => Promise<unknown>>> = {
  redis: async () => {
    const client = createClient({ url: urls.redis, RESP: 2 })
    await client.connect()
    for await (const keys of client.scanIterator({ MATCH: `${queue}*`, COUNT: 1000 })) if (keys.length > 0) await client.del(keys)
    client.destroy()
  },
  nats: async () => {
    const connection = await connect({ servers: new URL(urls.nats).host })
    await (await jetstreamManager(connection)).streams.delete(queue)
    await connection.close()
  },
  rabbitmq: async () => {
    const connection = await amqplib.connect(urls.rabbitmq)
    await (await connection.createChannel()).deleteQueue(queue)
    await connection.close()
  }
}

export const run = async (): Promise<ReadonlyArray<Row>> => {
  const rows: Array<Row> = []
  for (const [name, url] of Object.entries(urls) as ReadonlyArray<[keyof typeof urls, string]>) {
    const problem = await fill(url).then(
      () => undefined,
      (error: Error) => error.message
    )
    if (problem !== undefined) {
      console.log(`left out: ${name}: ${problem}`)
      continue
    }
    // Makes the consumer, and warms both up.
    await cpuMs(ours(url))
    const ratios: Array<number> = []
    for (let round = 0; round < rounds; round++) {
      await fill(url)
      const peer = await cpuMs(plain[name])
      await fill(url)
      ratios.push(peer / (await cpuMs(ours(url))))
    }
    await remove[name]()
    rows.push({
      name: `consume and acknowledge, ${name}`,
      ratio: median(ratios),
      worst: Math.min(...ratios),
      target: 0.9,
      unit: "× driver, by CPU time"
    })
  }
  return rows
}

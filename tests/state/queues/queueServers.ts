import { randomBytes } from "node:crypto"
import { jetstreamManager } from "@nats-io/jetstream"
import { connect as connectNats } from "@nats-io/transport-node"
import amqplib from "amqplib"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { openQueueBackend, openStateStore, type QueueBackend } from "../../../src/state/index.ts"
import type { QueueUnderTest } from "../../contracts/queue.ts"
import { CutProxy } from "./CutProxy.ts"
import { redisProblem, redisUrl, removeRedisKeys } from "../servers.ts"

// Servers on this machine, or where the environment says. Tests that need one which does not answer are skipped by name.

export const natsUrl = process.env["TEST_NATS_URL"] ?? "nats://127.0.0.1:4222"
export const rabbitUrl = process.env["TEST_RABBITMQ_URL"] ?? "amqp://guest:guest@127.0.0.1:5672"

const run = randomBytes(6).toString("hex")
let ordinal = 0
/** Of this run alone. */
export const freshQueue = () => `rtfs-test-${run}-${++ordinal}`

const problemOf = (what: string, body: () => Promise<unknown>): Promise<string | undefined> =>
  body().then(
    () => undefined,
    (error: unknown) => `${what} does not answer (${(error as Error).message || String((error as { code?: string }).code)})`
  )

const natsProblem = () =>
  problemOf(natsUrl, async () => {
    const connection = await connectNats({ servers: new URL(natsUrl).host, timeout: 2000, reconnect: false })
    await jetstreamManager(connection)
    await connection.close()
  })

const rabbitProblem = () =>
  problemOf(new URL(rabbitUrl).host, async () => {
    const connection = await amqplib.connect(rabbitUrl, { timeout: 2000 })
    await connection.close()
  })

export const embedded: QueueUnderTest = {
  name: "embedded, in memory",
  open: embeddedAt("memory:"),
  freshQueue,
  dedupes: true,
  leases: true,
  uncounts: true
}

export function embeddedAt(url: string): Effect.Effect<QueueBackend, unknown, Scope.Scope> {
  return Effect.flatMap(openStateStore(url), ({ queues }) => queues!)
}

/** The servers, with why one can't be tested, each behind a proxy of its own. */
export const servers = async (): Promise<ReadonlyArray<Server>> => {
  const [redis, nats, rabbit] = await Promise.all([redisProblem(), natsProblem(), rabbitProblem()])
  const all: ReadonlyArray<Omit<Server, "open" | "proxy">> = [
    {
      name: "Redis Streams",
      url: redisUrl,
      unavailable: redis,
      freshQueue,
      dedupes: true,
      leases: true,
      uncounts: true,
      remove: () => (redis === undefined ? removeRedisKeys(`rtfs-test-${run}`) : Promise.resolve())
    },
    {
      name: "NATS JetStream",
      url: natsUrl,
      unavailable: nats,
      freshQueue,
      dedupes: true,
      leases: true,
      uncounts: false,
      remove: async () => {
        if (nats !== undefined) return
        const connection = await connectNats({ servers: new URL(natsUrl).host })
        const { streams } = await jetstreamManager(connection)
        for await (const name of streams.names()) if (name.startsWith(`rtfs-test-${run}`)) await streams.delete(name)
        await connection.close()
      }
    },
    {
      name: "RabbitMQ",
      url: rabbitUrl,
      unavailable: rabbit,
      freshQueue,
      dedupes: false,
      leases: false,
      uncounts: false,
      remove: async () => {
        if (rabbit !== undefined) return
        const connection = await amqplib.connect(rabbitUrl)
        const channel = await connection.createChannel()
        for (let each = 1; each <= ordinal; each++) await channel.deleteQueue(`rtfs-test-${run}-${each}`)
        await connection.close()
      }
    }
  ]
  return Promise.all(
    all.map(async (server) => {
      const proxy = await CutProxy.to(server.url)
      const url = proxy.urlOf(server.url)
      const cutOff = async () => {
        proxy.cut()
        await new Promise((resolve) => setTimeout(resolve, 200))
        proxy.mend()
      }
      const stall = async (ms: number) => {
        proxy.stall()
        await new Promise((resolve) => setTimeout(resolve, ms))
        proxy.flow()
      }
      const remove = async () => {
        proxy.close()
        await server.remove()
      }
      return { ...server, url, proxy, remove, cutOff, stall, open: openQueueBackend(url) }
    })
  )
}

export interface Server extends QueueUnderTest {
  readonly url: string
  readonly proxy: CutProxy
  readonly remove: () => Promise<void>
}

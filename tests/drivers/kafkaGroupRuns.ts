import { type ChildProcess, fork } from "node:child_process"
import { setTimeout as sleep } from "node:timers/promises"
import * as Effect from "effect/Effect"
import fc from "fast-check"
import { openQueueBackend } from "../../src/state/index.ts"
import { kafkaApi, type KafkaMock } from "../state/queues/KafkaMock.ts"
import type { Told } from "./kafkaConsumer.ts"

export interface GroupRun {
  readonly mock: KafkaMock
  readonly topic: string
  readonly messages: number
  readonly partitions: number
  /** How many come, go, are killed, or servers that are, while messages are published. */
  readonly events: number
  readonly seed: number
}

export interface GroupReport {
  /** Published, and never durable anywhere. */
  readonly lost: number
  /** How many are waiting in the end, as the server counts. */
  readonly waiting: number
  /** Durable more than once. */
  readonly repeated: number
  readonly joins: number
  readonly leaves: number
  readonly kills: number
  readonly troubles: number
  readonly failures: ReadonlyArray<string>
}

/** A first consumer of the stand-in waits three seconds for others, and must not be given up meanwhile. */
const leaseMs = 4000
const script = new URL("./kafkaConsumer.ts", import.meta.url)

/**
 * Consumers of one group come, go and are killed (SIGKILL) while messages are published, servers go down and up, partitions move and
 * calls fail. In the end each message must have been durable somewhere before its offset was passed.
 */
export const kafkaGroupRun = async ({ events, messages, mock, partitions, seed, topic }: GroupRun): Promise<GroupReport> => {
  const random = fc.sample(fc.infiniteStream(fc.nat(1_000_000)), { numRuns: 1, seed })[0]!
  const below = (bound: number) => random.next().value! % bound
  await mock.topic(topic, partitions)
  const durable = new Map<string, number>()
  const failures: Array<string> = []
  const members: Array<ChildProcess> = []
  const counts = { joins: 0, leaves: 0, kills: 0, troubles: 0 }
  let progressAt = performance.now()

  const join = () => {
    counts.joins++
    const child = fork(script, [mock.url, topic, String(below(1_000_000)), String(leaseMs)], {
      stdio: ["ignore", "ignore", "inherit", "ipc"]
    })
    child.on("message", ({ keys = [], type, why }: Told) => {
      if (type === "failed") failures.push(why!)
      if (type !== "durable") return
      for (const key of keys) {
        if (!durable.has(key)) progressAt = performance.now()
        durable.set(key, (durable.get(key) ?? 0) + 1)
      }
      if (child.connected) child.send("noted", () => {})
    })
    members.push(child)
  }
  const depart = (how: "leave" | "kill"): Promise<unknown> => {
    const [child] = members.splice(below(members.length), 1)
    const gone = new Promise((resolve) => child!.once("exit", resolve))
    if (how === "leave") child!.send("leave", () => {})
    else child!.kill("SIGKILL")
    counts[how === "leave" ? "leaves" : "kills"]++
    return gone
  }
  const trouble = async () => {
    counts.troubles++
    const broker = 1 + below(3)
    switch (below(4)) {
      case 0:
        await mock.down(broker)
        await sleep(300 + below(700))
        return mock.up(broker)
      case 1:
        return mock.leader(topic, below(partitions), broker)
      case 2:
        return mock.coordinator(`rtfs-streams.${topic}`, broker)
      default:
        // Moved, busy, timed out.
        await mock.errors(kafkaApi.fetch, 6, 7)
        await mock.errors(kafkaApi.offsetCommit, 16, 14, 7)
        return mock.errors(kafkaApi.heartbeat, 15, 16)
    }
  }

  const run = Effect.gen(function* () {
    const backend = yield* openQueueBackend(mock.url)
    const publish = (from: number, to: number) =>
      Effect.retry(
        backend.publish(
          topic,
          Array.from({ length: to - from }, (_, n) => ({
            key: `m${from + n}`,
            body: Buffer.from(String(from + n)),
            contentType: "text/plain",
            headers: {},
            time: Date.now()
          }))
        ),
        { times: 20 }
      )
    join()
    join()
    for (let part = 0; part < events; part++) {
      yield* publish(Math.floor((part * messages) / events), Math.floor(((part + 1) * messages) / events))
      yield* Effect.promise(async () => {
        await sleep(500 + below(4000))
        const kind = below(4)
        if (kind === 0 || members.length < 2) join()
        else if (kind === 3) await trouble()
        else {
          await depart(kind === 1 ? "leave" : "kill")
          if (members.length < 2) join()
        }
      })
    }
    yield* Effect.promise(async () => {
      // Killed ones are missed only when their lease ends.
      while (durable.size < messages && performance.now() - progressAt < 30_000) await sleep(100)
      // What is durable may not be acknowledged yet.
      await Promise.all(members.splice(0).map((child) => new Promise((resolve) => child.once("exit", resolve).send("leave", () => {}))))
    })
    return yield* backend.depth(topic)
  })
  try {
    const { waiting } = await Effect.runPromise(Effect.scoped(run))
    const repeated = [...durable.values()].filter((times) => times > 1).length
    return { lost: messages - durable.size, waiting, repeated, ...counts, failures }
  } finally {
    for (const child of members) child.kill("SIGKILL")
  }
}

import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { inspect } from "node:util"
import * as Effect from "effect/Effect"
import { afterAll, describe, expect, it } from "vitest"
import { openQueueBackend, type QueueFailure } from "../../../src/state/index.ts"
import { receiveAll } from "../../contracts/queue.ts"
import { KafkaFront } from "./KafkaFront.ts"
import { KafkaMock } from "./KafkaMock.ts"

// Kafka behind TLS and passwords: librdkafka's mock cluster, with a front that has both.

const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-kafka-tls-"))
const made = spawnSync(
  "openssl",
  "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem".split(
    " "
  ),
  { cwd: folder }
)
const mock = await KafkaMock.start(2)
const missing = made.status === 0 ? (typeof mock === "string" ? mock : undefined) : "no openssl"
const fronts: Array<KafkaFront> = []
afterAll(() => {
  for (const front of fronts) front.close()
  if (mock instanceof KafkaMock) mock.stop()
  rmSync(folder, { recursive: true })
})

const failureOf = (url: string) => Effect.runPromise(Effect.scoped(Effect.flip(openQueueBackend(url)))) as Promise<QueueFailure>

describe.skipIf(missing !== undefined)(`Kafka behind TLS and passwords${missing === undefined ? "" : `: ${missing}`}`, () => {
  const user = { name: "ana", password: "hush/now@home" }
  const secret = encodeURIComponent(user.password)
  const ca = encodeURIComponent(join(folder, "cert.pem"))
  const front = async (isSecure: boolean) => {
    const tls = { key: readFileSync(join(folder, "key.pem")), cert: readFileSync(join(folder, "cert.pem")) }
    const made = await KafkaFront.before((mock as KafkaMock).url, { user, ...(isSecure ? { tls } : {}) })
    fronts.push(made)
    return made
  }

  it("publishes, consumes and acknowledges on connections that are all encrypted and proven", async () => {
    const before = await front(true)
    await (mock as KafkaMock).topic("secure", 2)
    const program = Effect.gen(function* () {
      const backend = yield* openQueueBackend(`kafkas://ana:${secret}@${before.brokers}?ca=${ca}`)
      const about = { contentType: "text/plain", headers: {}, time: Date.now() }
      yield* backend.publish(
        "secure",
        ["a", "b", "c"].map((key) => ({ ...about, key, body: Buffer.from(key) }))
      )
      const from = yield* backend.subscribe("secure", { leaseMs: 4000, maxHeld: 100 })
      const given = yield* receiveAll(from, 3)
      expect(given.map(({ body }) => Buffer.from(body).toString()).toSorted()).toEqual(["a", "b", "c"])
      yield* from.acknowledge(given)
      expect(yield* backend.depth("secure")).toEqual({ waiting: 0, held: undefined })
    })
    await Effect.runPromise(Effect.scoped(program))
    expect(before.proofs.good).toBeGreaterThan(4)
    expect(before.proofs.bad).toBe(0)
  })

  it("refuses certificates that nobody vouches for, and says what to do", async () => {
    const { brokers } = await front(true)
    for (const [url, words] of [
      [`kafkas://ana:${secret}@${brokers}`, /certificate that can't be trusted.*\?ca=FILE/],
      [`kafkas://ana:${secret}@${brokers}?ca=/nowhere.pem`, /certificates that can't be read/]
    ] as const) {
      const failure = await failureOf(url)
      expect(failure).toMatchObject({ _tag: "QueueFailure", isPassing: false })
      expect(failure.message).toMatch(words)
      expect(inspect(failure, { depth: 20 })).not.toMatch(/hush/)
    }
    // A server that wants TLS says nothing without it.
    expect((await failureOf(`kafka://ana:${secret}@${brokers}`)).message).toMatch(/whether it wants TLS/)
  })

  it("says that a password is wrong, and never what it is", async () => {
    const before = await front(false)
    const failure = await failureOf(`kafka://ana:hushed@${before.brokers}`)
    expect(failure).toMatchObject({ isPassing: false })
    expect(failure.message).toMatch(/refuses this user.*Check user, password and \?sasl=/)
    expect(inspect(failure, { depth: 20 })).not.toMatch(/hush/)
    expect(before.proofs).toMatchObject({ good: 0 })
    const other = await failureOf(`kafka://ana:${secret}@${before.brokers}?sasl=scram-sha-256`)
    expect(inspect(other, { depth: 20 })).not.toMatch(/hush/)
  })
})

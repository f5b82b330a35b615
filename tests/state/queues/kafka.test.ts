import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { afterAll, describe, expect, it } from "vitest"
import { openQueueBackend, type NewMessage, type QueueBackend, type QueueFailure } from "../../../src/state/index.ts"
import { receiveAll } from "../../contracts/queue.ts"
import { kafkaApi, KafkaMock } from "./KafkaMock.ts"

// What is Kafka's own, against librdkafka's mock cluster. A first consumer of a group waits three seconds there: so do the tests, beside
// one another, each on servers of its own where it stops them or has them fail.

const mocks: Array<KafkaMock> = []
const first = await KafkaMock.start()
if (first instanceof KafkaMock) mocks.push(first)
afterAll(() => mocks.forEach((mock) => mock.stop()))

/** Outlasts the wait for a first consumer. */
const leaseMs = 4000
const options = { leaseMs, maxHeld: 500 }

const message = (key: string, body = key): NewMessage => ({
  key,
  body: Buffer.from(body),
  contentType: "text/plain",
  headers: {},
  time: 1_700_000_000_123
})
const messages = (count: number) => Array.from({ length: count }, (_, n) => message(`m${n}`))
const bodies = (deliveries: ReadonlyArray<{ readonly body: Uint8Array }>) => deliveries.map(({ body }) => Buffer.from(body).toString())

const on = async (mock: KafkaMock, body: (backend: QueueBackend) => Effect.Effect<unknown, unknown, Scope.Scope>) => {
  await Effect.runPromise(Effect.scoped(Effect.flatMap(openQueueBackend(mock.url), body)))
}
const alone = async (brokers = 1): Promise<KafkaMock> => {
  const mock = (await KafkaMock.start(brokers)) as KafkaMock
  mocks.push(mock)
  return mock
}
const failing = (effect: Effect.Effect<unknown, unknown, Scope.Scope>) =>
  Effect.flip(effect) as Effect.Effect<QueueFailure, unknown, Scope.Scope>

describe("a server of Kafka that is none", () => {
  it("is an error that shows no password", async () => {
    for (const url of ["kafka://ana:hush@127.0.0.1:1", "kafka://ana:hush@host/path"]) {
      const failure = await Effect.runPromise(Effect.scoped(failing(openQueueBackend(url))))
      expect(failure._tag).toBe("QueueFailure")
      expect(`${failure.message} ${JSON.stringify(failure)} ${String((failure.cause as Error | undefined)?.stack)}`).not.toContain("hush")
    }
  })
})

const title = first instanceof KafkaMock ? "Kafka, a stand-in" : `Kafka, a stand-in: ${first}`
describe.skipIf(!(first instanceof KafkaMock)).concurrent(title, () => {
  const shared = first as KafkaMock

  it("goes on with what is not acknowledged, though later ones are, and counts what was given back", () =>
    on(shared, (backend) =>
      Effect.gen(function* () {
        yield* Effect.promise(() => shared.topic("gaps", 1))
        yield* backend.publish("gaps", messages(10))
        yield* Effect.scoped(
          Effect.gen(function* () {
            const from = yield* backend.subscribe("gaps", options)
            const given = yield* receiveAll(from, 10)
            expect((yield* from.acknowledge(given.slice(4, 8))).length).toBe(4)
            yield* from.stop
            yield* from.giveBack(given.slice(0, 1), { delayMs: 0, isUnstarted: false })
            yield* from.giveBack(given.slice(1, 2), { delayMs: 0, isUnstarted: true })
            // Until long after the next consumer has come.
            yield* from.giveBack(given.slice(2, 3), { delayMs: 6000, isUnstarted: false })
          })
        )
        expect((yield* backend.depth("gaps")).waiting).toBe(6)
        const from = yield* backend.subscribe("gaps", options)
        const again = yield* receiveAll(from, 6, 15_000)
        expect(bodies(again)).toEqual(["m0", "m1", "m3", "m8", "m9", "m2"])
        expect(again.map(({ attempts }) => attempts)).toEqual([2, 1, 1, 1, 1, 2])
        yield* from.acknowledge(again)
        expect((yield* backend.depth("gaps")).waiting).toBe(0)
      })
    ))

  it("shares the partitions when another consumer comes, and gives all to who stays", () =>
    on(shared, (backend) =>
      Effect.gen(function* () {
        yield* Effect.promise(() => shared.topic("shared", 4))
        const one = yield* backend.subscribe("shared", options)
        yield* backend.publish("shared", messages(40))
        const early = yield* receiveAll(one, 40)
        expect(new Set(bodies(early)).size).toBe(40)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const other = yield* backend.subscribe("shared", options)
            const again = yield* receiveAll(other, 40, 3000)
            expect(again.length).toBeGreaterThan(0)
            expect(again.length).toBeLessThan(40)
            // What the other has by now is not the first one's to acknowledge.
            const gone = yield* one.acknowledge(early)
            expect(new Set([...bodies(gone), ...bodies(again)]).size).toBe(40)
            expect(gone.length + again.length).toBe(40)
            yield* other.acknowledge(again.slice(1))
          })
        )
        const left = yield* receiveAll(one, 1, 10_000)
        expect(left.length).toBe(1)
        yield* one.acknowledge(left)
        expect((yield* backend.depth("shared")).waiting).toBe(0)
      })
    ))

  it("reads the oldest that is there where the server has deleted the next one", () =>
    on(shared, (backend) =>
      Effect.gen(function* () {
        yield* Effect.promise(() => shared.topic("short", 1))
        yield* backend.publish("short", messages(2))
        yield* Effect.scoped(
          Effect.gen(function* () {
            const from = yield* backend.subscribe("short", options)
            yield* from.acknowledge((yield* receiveAll(from, 2)).slice(0, 1))
          })
        )
        // The stand-in keeps 5 MB of a partition.
        for (let n = 0; n < 16; n++) yield* backend.publish("short", [message(`large${n}`, `${n} ${"x".repeat(500_000)}`)])
        const from = yield* backend.subscribe("short", options)
        const given = yield* receiveAll(from, 17, 3000)
        expect(given.length).toBeGreaterThan(5)
        expect(given.length).toBeLessThan(17)
        expect(bodies(given).at(-1)!.startsWith("15 ")).toBe(true)
      })
    ))

  it("says what a server refuses, and what can be done about that", () =>
    on(shared, (backend) =>
      Effect.gen(function* () {
        const mock = yield* Effect.promise(() => alone())
        const strict = yield* openQueueBackend(mock.url)
        yield* Effect.promise(() => mock.topic("orders", 1))
        for (const [code, words] of [
          [26, /refuses that lease.*:visibility-timeout/],
          [30, /refuses this user that consumer group.*\?group=/],
          [23, /whose members share the partitions in another way/]
        ] as const) {
          yield* Effect.promise(() => mock.errors(kafkaApi.joinGroup, code))
          const failure = yield* failing(Effect.scoped(strict.subscribe("orders", options)))
          expect(failure).toMatchObject({ _tag: "QueueFailure", isPassing: false })
          expect(failure.message).toMatch(words)
        }
        yield* Effect.promise(() => mock.errors(kafkaApi.produce, 10))
        expect((yield* failing(strict.publish("orders", messages(1)))).message).toMatch(/message that is too large.*message.max.bytes/)
        void backend
      })
    ))

  it("publishes once what a server refused for a moment", () =>
    on(shared, () =>
      Effect.gen(function* () {
        const mock = yield* Effect.promise(() => alone())
        yield* Effect.promise(() => mock.topic("orders", 1))
        const backend = yield* openQueueBackend(mock.url)
        yield* Effect.promise(() => mock.errors(kafkaApi.produce, 6, 7))
        yield* backend.publish("orders", messages(30))
        expect((yield* backend.depth("orders")).waiting).toBe(30)
      })
    ))

  it("acknowledges later what it can't while the group is being shared, and without a note where there is no room for one", () =>
    on(shared, () =>
      Effect.gen(function* () {
        const mock = yield* Effect.promise(() => alone())
        yield* Effect.promise(() => mock.topic("orders", 1))
        const backend = yield* openQueueBackend(mock.url)
        yield* backend.publish("orders", messages(4))
        const from = yield* backend.subscribe("orders", options)
        const given = yield* receiveAll(from, 4)
        yield* Effect.promise(() => mock.errors(kafkaApi.offsetCommit, 27))
        expect(yield* failing(from.acknowledge(given.slice(0, 1)))).toMatchObject({ isPassing: true })
        expect((yield* backend.depth("orders")).waiting).toBe(4)
        yield* Effect.promise(() => mock.errors(kafkaApi.offsetCommit, 12))
        expect((yield* from.acknowledge([given[0]!, given[2]!])).length).toBe(2)
        // The third is done, and the server was not told.
        expect((yield* backend.depth("orders")).waiting).toBe(3)
        yield* from.acknowledge([given[1]!])
        expect((yield* backend.depth("orders")).waiting).toBe(1)
      })
    ))

  it("goes on where the group's server and the partitions' leaders move, fail and come back", () =>
    on(shared, () =>
      Effect.gen(function* () {
        const mock = yield* Effect.promise(() => alone(3))
        yield* Effect.promise(() => mock.topic("orders", 3))
        const backend = yield* openQueueBackend(mock.url)
        const from = yield* backend.subscribe("orders", options)
        const seen = new Set<string>()
        const failures = new Set<string>()
        const patiently = <A>(effect: Effect.Effect<A, QueueFailure>): Effect.Effect<A, QueueFailure> =>
          Effect.catch(effect, (failure) => {
            failures.add(failure.message)
            return failure.isPassing ? Effect.andThen(Effect.sleep(100), patiently(effect)) : Effect.fail(failure)
          })
        const takeIn = (upTo: number) =>
          Effect.gen(function* () {
            const deadline = Date.now() + 20_000
            while (seen.size < upTo && Date.now() < deadline) {
              const given = yield* patiently(from.receive(20))
              for (const text of bodies(given)) seen.add(text)
              yield* patiently(from.acknowledge(given))
            }
          })
        const publish = (offset: number) => patiently(backend.publish("orders", messages(offset + 30).slice(offset)))
        yield* publish(0)
        yield* takeIn(30)
        yield* Effect.promise(async () => {
          for (const partition of [0, 1, 2]) await mock.leader("orders", partition, 1 + ((partition + 1) % 3))
          await mock.coordinator("rtfs-streams.orders", 2)
          await mock.errors(kafkaApi.fetch, 6, 74, 5)
          await mock.errors(kafkaApi.heartbeat, 16, 14)
        })
        yield* publish(30)
        yield* takeIn(60)
        yield* Effect.promise(async () => {
          for (const broker of [1, 2, 3]) await mock.down(broker)
        })
        expect((yield* failing(from.receive(1))).isPassing).toBe(true)
        yield* Effect.promise(async () => {
          for (const broker of [1, 2, 3]) await mock.up(broker)
        })
        yield* publish(60)
        yield* takeIn(90)
        expect(seen.size).toBe(90)
        expect((yield* patiently(backend.depth("orders"))).waiting).toBe(0)
        expect([...failures].join()).not.toContain("undefined")
      })
    ))
})

import * as Effect from "effect/Effect"
import fc from "fast-check"
import { type Delivery, openQueueBackend, type QueueFailure } from "../../src/state/index.ts"

// A process that consumes a topic as carelessly as is allowed: it acknowledges late and out of order, and gives back now and then. Before
// it acknowledges it tells its parent that the messages are durable, and waits until that is noted. It ends when it is told to, or killed.

const [url, topic, seed, leaseMs] = process.argv.slice(2) as [string, string, string, string]

export interface Told {
  readonly type: "joined" | "durable" | "failed"
  readonly keys?: ReadonlyArray<string>
  readonly why?: string
}

const random = fc.sample(fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true })), {
  numRuns: 1,
  seed: Number(seed)
})[0]!
const chance = (): number => random.next().value!
const tell = (told: Told) => process.send!(told)

let isLeaving = false
let noted = () => {}
process.on("message", (message) => (message === "leave" ? (isLeaving = true) : noted()))

const keyOf = ({ headers }: Delivery) => headers["message-key"]!
const some = (held: ReadonlyMap<string, Delivery>, share: number) => [...held.values()].filter(() => chance() < share)

const main = Effect.gen(function* () {
  const backend = yield* openQueueBackend(url)
  const from = yield* backend.subscribe(topic, { leaseMs: Number(leaseMs), maxHeld: 500 })
  tell({ type: "joined" })
  const held = new Map<string, Delivery>()
  const acknowledge = (deliveries: ReadonlyArray<Delivery>) =>
    Effect.gen(function* () {
      if (deliveries.length === 0) return
      yield* Effect.promise(
        () =>
          new Promise<void>((resolve) => {
            noted = resolve
            tell({ type: "durable", keys: deliveries.map(keyOf) })
          })
      )
      yield* from.acknowledge(deliveries)
      for (const { id } of deliveries) held.delete(id)
    })
  const unlessPassing = <A>(effect: Effect.Effect<A, QueueFailure>) =>
    Effect.catch(effect, (failure) => (failure.isPassing ? Effect.sleep(50) : Effect.fail(failure)))
  while (!isLeaving) {
    yield* unlessPassing(
      Effect.map(held.size < 500 ? from.receive(50) : Effect.succeed([]), (deliveries) => {
        for (const delivery of deliveries) held.set(delivery.id, delivery)
      })
    )
    yield* Effect.sleep(chance() * 60)
    if (chance() < 0.5) yield* unlessPassing(acknowledge(some(held, chance())))
    if (chance() < 0.1) {
      const back = some(held, 0.1)
      for (const { id } of back) held.delete(id)
      yield* unlessPassing(from.giveBack(back, { delayMs: Math.floor(chance() * 300), isUnstarted: chance() < 0.5 }))
    }
  }
  yield* from.stop
  yield* Effect.ignore(acknowledge(some(held, 0.5)))
  yield* Effect.ignore(from.giveBack([...held.values()], { delayMs: 0, isUnstarted: false }))
})

try {
  await Effect.runPromise(Effect.scoped(main))
} catch (error) {
  tell({ type: "failed", why: String(error) })
}
process.disconnect()

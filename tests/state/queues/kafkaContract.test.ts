import * as Effect from "effect/Effect"
import { afterAll, describe } from "vitest"
import { openQueueBackend, type QueueBackend } from "../../../src/state/index.ts"
import { queueContract } from "../../contracts/queue.ts"
import { KafkaMock } from "./KafkaMock.ts"

// What every queue promises, by Kafka against librdkafka's mock cluster.

const mock = await KafkaMock.start()
const isHere = mock instanceof KafkaMock
let ordinal = 0
const topics = Array.from({ length: 30 }, (_, n) => `orders-${n}`)
// With one partition, so that there is an order.
if (isHere) for (const topic of topics) await mock.topic(topic, 1)

/** When a consumer leaves, the stand-in waits for others for a second less than its lease was; and a first one has to outlast three seconds. */
function shortly(backend: QueueBackend): QueueBackend {
  return {
    kind: backend.kind,
    location: backend.location,
    publish: (queue, messages) => backend.publish(queue, messages),
    depth: (queue) => backend.depth(queue),
    subscribe: (queue, options) => backend.subscribe(queue, { ...options, leaseMs: 4000 })
  }
}

// A first consumer of a group waits for others, three seconds: so the tests wait beside one another.
describe.concurrent("queues of Kafka", () => {
  queueContract({
    name: "Kafka, a stand-in",
    unavailable: isHere ? undefined : mock,
    open: isHere ? Effect.map(openQueueBackend(mock.url), shortly) : Effect.die(mock),
    freshQueue: () => topics[ordinal++]!,
    dedupes: false,
    // As long as a consumer lives, the partitions are its own.
    leases: false,
    uncounts: true
  })
})

afterAll(() => {
  if (isHere) mock.stop()
})

import * as Effect from "effect/Effect"
import { afterAll, describe } from "vitest"
import { openQueueBackend, type QueueBackend } from "../../../src/state/index.ts"
import { queueContract, type QueueUnderTest } from "../../contracts/queue.ts"
import { KafkaMock } from "./KafkaMock.ts"

// What every queue promises, by Kafka against librdkafka's mock cluster.

const mock = await KafkaMock.start()
const isHere = mock instanceof KafkaMock
let ordinal = 0
const common: Omit<QueueUnderTest, "name" | "freshQueue"> = {
  unavailable: isHere ? undefined : mock,
  open: isHere ? Effect.map(openQueueBackend(mock.url), shortly) : Effect.die(mock),
  dedupes: false,
  // As long as a consumer lives, the partitions are its own.
  leases: false,
  uncounts: true
}

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
  const names: ReadonlyArray<string> = Array.from({ length: 30 }, (_, n) => `orders-${n}`)
  queueContract({ ...common, name: "Kafka, one partition, a stand-in", freshQueue: () => names[ordinal++]! })
})

if (isHere) for (let n = 0; n < 30; n++) await mock.topic(`orders-${n}`, 1)

afterAll(() => {
  if (isHere) mock.stop()
})

import { randomUUID } from "node:crypto"
import * as Effect from "effect/Effect"
import { defineCapability } from "../Capability.ts"
import { count, defaulted, fn, optional, required, stream, text } from "../Option.ts"
import { connection, format } from "./options.ts"
import { QueueProducer } from "./QueueProducer.ts"

export const queueProduce = defineCapability({
  id: "stream.queue.produce",
  summary: "Publishes items as messages of a queue, and goes on when the server has confirmed them.",
  spec: "§10 Message Queue Integration",
  kind: "sink",
  subject: { is: "value", name: "queue" },
  streams: ["data-stream"],
  startsAtOnce: true,
  options: {
    queue: required(text, "the name of the queue"),
    "data-stream": required(stream, "the stream, or the collection, whose items become messages"),
    "batch-size": defaulted(
      count,
      50,
      "how many messages are published together at most; fewer where no more items wait, so a lone one goes at once"
    ),
    format,
    connection,
    "on-sent": optional(fn, "is called with how many messages have been confirmed, batch by batch")
  },
  effects: [":queue"],
  touches: ({ queue }) => [{ effect: ":queue", queue }],
  boundary: () => "it writes to the queue",
  order: "Kept, but for batches that had to be published again after the server was away.",
  delivery:
    "At least once, and each confirmed. A message that is published again after a failure or a resumption has the same key, by which the embedded queue, Redis and NATS drop it; RabbitMQ does not.",
  backpressure:
    "Up to four batches are unconfirmed; meanwhile it takes nothing further. Beside a frame it holds less than a batch, and less than 1 MiB. A queue that is full, and a server that is away, make the stream wait.",
  notes: [
    "The key of a message (its `message-key` header, on NATS `Nats-Msg-Id`, on RabbitMQ its message id) is made of the stream, of the item's place in it and of a checksum of the body. How long keys are known: see docs/queues.md.",
    "An item that has no form in the :format is an item failure: its policy says what becomes of it.",
    "What came before a checkpoint is published and confirmed before the checkpoint is taken.",
    "The result is a map with `:queue` and `:sent`, how many messages have been confirmed."
  ],
  example: `(call :stream.await (call :stream.queue.produce "orders" {:data-stream [{:id 1} {:id 2}]}))`,
  node: (options) => {
    const { "batch-size": batchSize, connection, format, "on-sent": onSent, queue } = options
    // The same for all lives of this sink.
    const run = randomUUID()
    return {
      kind: "async-sink",
      capability: "stream.queue.produce",
      open: (context) =>
        Effect.map(
          context.services.queues.open("stream.queue.produce", queue, connection),
          (backend) => new QueueProducer(backend, { queue, batchSize, format, onSent }, context, run)
        )
    }
  }
})

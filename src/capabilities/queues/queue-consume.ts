import * as Effect from "effect/Effect"
import { defineCapability } from "../Capability.ts"
import { count, defaulted, fn, milliseconds, optional, required, text } from "../Option.ts"
import { connection, format, seconds } from "./options.ts"
import { QueueConsumer } from "./QueueConsumer.ts"

/** Told by the host that `:on-batch` takes the items. */
const forBatches = "$batches"

/** How often a message may be given before it goes to the dead letters, where there are some. */
const usualReceives = 5

export const queueConsume = defineCapability({
  id: "stream.queue.consume",
  summary: "Reads the messages of a queue, and acknowledges each once what became of it is durable.",
  spec: "§10 Message Queue Integration",
  kind: "source",
  subject: { is: "value", name: "queue" },
  consuming: ["on-batch"],
  consumption: { [forBatches]: true },
  options: {
    queue: required(text, "the name of the queue"),
    "batch-size": defaulted(count, 10, "how many messages `:on-batch` gets at most, and how many are read at once"),
    "visibility-timeout": defaulted(
      seconds,
      30,
      "for how long nobody else gets a message that is being worked on; it is extended at half of that, as long as the stream runs"
    ),
    "max-receives": optional(
      count,
      "after how many times a message that comes again goes to the `:dead-letter-queue`; 5 where there is one"
    ),
    "dead-letter-queue": optional(text, "a queue of the same server for messages that came too often, or that can't be read"),
    "nack-delay": defaulted(
      milliseconds,
      0,
      "how long nobody gets a message that the stream had begun to work on and gave back; at most the `:visibility-timeout`"
    ),
    "max-in-flight": defaulted(count, 5000, "how many messages are read and not acknowledged at most"),
    wait: optional(milliseconds, "ends the stream once no message has come for so long; without it the stream waits for the next for ever"),
    format,
    connection,
    "on-batch": optional(fn, "receives the messages as vectors, in order, and starts the stream"),
    "on-ack": optional(fn, "is called with the ids of messages that have been acknowledged")
  },
  effects: [":queue"],
  touches: ({ queue }) => [{ effect: ":queue", queue }],
  boundary: () => "it waits for the queue",
  check: (options) => {
    if (options["max-receives"] !== undefined && options["dead-letter-queue"] === undefined)
      return "has :max-receives but no :dead-letter-queue for such messages."
    if (options["dead-letter-queue"] === options.queue) return "has itself as its :dead-letter-queue."
    if (options["nack-delay"] > options["visibility-timeout"] * 1000)
      return "has a :nack-delay (milliseconds) longer than the :visibility-timeout (seconds)."
    return undefined
  },
  order: "As the queue gives them: as published, but for messages that were given back.",
  delivery:
    "At least once: a message is acknowledged when a checkpoint holds what became of it, and comes again until then. What a crash leaves unacknowledged although a checkpoint has it is recognised when the stream goes on with that checkpoint.",
  backpressure: "Reads ahead of the stream a few batches, and has at most :max-in-flight messages that are not acknowledged.",
  notes: [
    "A message is a map: `:id` (the same whenever it comes), `:body`, `:attempts` (how often it came, this time included), `:sent-at` (milliseconds since 1970, or nil) and `:headers` (text by name; `message-key` is the one under which it was published).",
    "A stream with such a source has checkpoints whether it stands in a `stream.with-checkpointing` or not: at least each second in which messages came, and earlier when many did, in the host's store. A message is acknowledged when such a checkpoint is stored, so `:on-batch` has succeeded by then and sinks have written. Where that store is memory, what stages hold (a batch, a window) is lost with the process although it is acknowledged: give the host a data directory.",
    "When the stream stops, messages that it had not begun go back at once; those that it had begun and no checkpoint covers go back after :nack-delay. Without a `stream.graceful-shutdown` a stop works everything off that was begun.",
    "Amazon SQS (`sqs://`) is experimental, and its queues have to be there; a FIFO queue gives the next ten messages of a group once those before are acknowledged. See docs/queues.md.",
    "Apache Kafka (`kafka://`) is experimental: `:visibility-timeout` is the session timeout of a consumer, after which the partitions of one that died are given to others, and `:attempts` is 1 again for what it had. See docs/queues.md.",
    "A server that is away pauses the stream, and `inspect` says so; it is asked again for ever, at least each 5 seconds. A server that does not answer at the start is an error.",
    'On the embedded queue a dead-letter queue of the host is a queue, too: `(call :stream.queue.consume "dead-letters")` gives the items as bodies, with the rest of each letter under `:dead-letter`, and removes them when they are acknowledged.'
  ],
  example: `(call :stream.queue.consume "orders" {:wait 0})`,
  node: (options) => {
    const { "batch-size": batchSize, connection, format, "max-in-flight": maxInFlight, queue } = options
    const deadLetterQueue = options["dead-letter-queue"]
    return {
      kind: "async-source",
      capability: "stream.queue.consume",
      acknowledges: { atMost: maxInFlight },
      open: (context) =>
        Effect.flatMap(context.services.queues.open("stream.queue.consume", queue, connection), (backend) =>
          QueueConsumer.open(
            backend,
            {
              queue,
              batchSize,
              isBatched: (options as Readonly<Record<string, unknown>>)[forBatches] === true,
              visibilityMs: options["visibility-timeout"] * 1000,
              maxReceives: options["max-receives"] ?? (deadLetterQueue === undefined ? Infinity : usualReceives),
              deadLetterQueue,
              nackDelayMs: options["nack-delay"],
              maxInFlight,
              format,
              waitMs: options.wait,
              onAck: options["on-ack"]
            },
            context
          )
        )
    }
  }
})

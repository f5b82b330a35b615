import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { parseServerUrl } from "../ServerUrl.ts"
import type { QueueBackend } from "./QueueBackend.ts"
import { QueueFailure } from "./QueueFailure.ts"

/** The schemes of the URLs of servers that have queues. */
export const queueSchemes = ["redis", "rediss", "nats", "tls", "amqp", "amqps", "sqs", "kafka", "kafkas"] as const

/**
 * Connects to a server of queues, until the scope closes: `redis://…` (Redis Streams; `?prefix=` for its keys), `nats://…` or
 * `tls://…` (NATS JetStream), `amqp://…` or `amqps://…` (RabbitMQ),
 * `sqs://REGION` (Amazon SQS; `?endpoint=` for a server elsewhere), `kafka://HOST,HOST` or `kafkas://…` (Apache Kafka; `?group=` for the
 * consumer group, `?sasl=` for how the password is proved). Where the connection is lost it is made again.
 *
 * **Fails** with `QueueFailure`: the package is missing, or the server can't be reached or refuses the credentials.
 */
export const openQueueBackend = (url: string): Effect.Effect<QueueBackend, QueueFailure, Scope.Scope> =>
  Effect.suspend((): Effect.Effect<QueueBackend, QueueFailure, Scope.Scope> => {
    // With many hosts it is no URL for those that read one.
    if (/^kafkas?:\/\//.test(url)) {
      return Effect.flatMap(
        Effect.promise(() => import("./KafkaQueue.ts")),
        ({ KafkaQueue }) => KafkaQueue.open(url)
      )
    }
    const server = parseServerUrl(url, "prefix")
    // The URL may hold a password, so it is not shown.
    const scheme = /^[a-z]+(?=:\/\/)/.exec(url)?.[0]
    if (server === undefined || scheme === undefined || !(queueSchemes as ReadonlyArray<string>).includes(scheme)) {
      return Effect.fail(
        new QueueFailure(scheme ?? "of that URL", "is none that can be used", {
          fix: "Queues are at redis://HOST…, nats://HOST…, amqp://HOST…, kafka://HOST… or sqs://REGION",
          isPassing: false
        })
      )
    }
    switch (scheme) {
      case "redis":
      case "rediss":
        return Effect.flatMap(
          Effect.promise(() => import("./RedisQueue.ts")),
          ({ RedisQueue }) => RedisQueue.open(server)
        )
      case "nats":
      case "tls":
        return Effect.flatMap(
          Effect.promise(() => import("./NatsQueue.ts")),
          ({ NatsQueue }) => NatsQueue.open(server)
        )
      case "sqs":
        return Effect.flatMap(
          Effect.promise(() => import("./SqsQueue.ts")),
          ({ SqsQueue }) => SqsQueue.open(url)
        )
      default:
        return Effect.flatMap(
          Effect.promise(() => import("./RabbitQueue.ts")),
          ({ RabbitQueue }) => RabbitQueue.open(server)
        )
    }
  })

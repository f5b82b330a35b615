import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { MessageToProduce, Producer } from "@platformatic/kafka"
import { KafkaCluster } from "./KafkaCluster.ts"
import { offsetsOf } from "./KafkaFetches.ts"
import { kafkaCalls } from "./kafkaMessages.ts"
import { KafkaSubscription } from "./KafkaSubscription.ts"
import { type KafkaUrl, parseKafkaUrl } from "./kafkaUrl.ts"
import { PartitionLedger } from "./PartitionLedger.ts"
import type { NewMessage, QueueBackend, QueueDepth, QueueSubscription, SubscriptionOptions } from "./QueueBackend.ts"
import { QueueFailure } from "./QueueFailure.ts"

/** For so long a topic that is not there may be being made by the server, and a consumer tries to join before it gives up. */
const makingMs = 5000
const joiningMs = 20_000

const acknowledgedByAll = -1

/**
 * Queues as topics of Apache Kafka, read by consumer groups. A topic has to be there, or the server makes it where it is set to.
 *
 * **Order** as published within a partition, but for messages that were given back.
 */
export class KafkaQueue implements QueueBackend {
  readonly kind = "kafka"
  readonly location: string
  readonly #cluster: KafkaCluster
  readonly #group: string | undefined
  readonly #producer: Producer
  /** One call at a time, so that numbers of messages come in order; each goes to all servers at once. */
  #sending: Promise<unknown> = Promise.resolve()
  /** Topics that are there. */
  readonly #known = new Set<string>()

  private constructor(cluster: KafkaCluster, { group, location }: KafkaUrl) {
    this.location = location
    this.#cluster = cluster
    this.#group = group
    this.#producer = new cluster.kafka.Producer({
      ...cluster.options,
      acks: acknowledgedByAll,
      idempotent: true,
      // A new one is asked for; the client would say that it is number 0, which some servers look for.
      producerId: -1n,
      producerEpoch: -1,
      autocreateTopics: true,
      retries: 5,
      retryDelay: 200
    })
  }

  /** @param text `kafka://…` or `kafkas://…`; see `parseKafkaUrl` */
  static open(text: string): Effect.Effect<KafkaQueue, QueueFailure, Scope.Scope> {
    return Effect.acquireRelease(
      Effect.tryPromise({
        try: async () => {
          const url = parseKafkaUrl(text)
          return new KafkaQueue(await KafkaCluster.connect(url), url)
        },
        catch: (error) => error as QueueFailure
      }),
      (queue) => Effect.promise(() => queue.#close())
    )
  }

  subscribe(queue: string, { leaseMs, maxHeld }: SubscriptionOptions): Effect.Effect<QueueSubscription, QueueFailure, Scope.Scope> {
    return Effect.flatMap(
      this.#attempt(() => this.#leadersOf(queue)),
      () =>
        Effect.suspend(() => {
          const { promise, reject, resolve } = Promise.withResolvers<void>()
          const began = performance.now()
          const open = Effect.sync(
            () =>
              new KafkaSubscription(this.#cluster, { topic: queue, group: this.#groupOf(queue), leaseMs, maxHeld }, resolve, (failure) => {
                if (!failure.isPassing || performance.now() - began > joiningMs) reject(failure)
              })
          )
          return Effect.tap(
            Effect.acquireRelease(open, (subscription) => subscription.close),
            () => this.#attempt(() => promise)
          )
        })
    )
  }

  publish(queue: string, messages: ReadonlyArray<NewMessage>): Effect.Effect<void, QueueFailure> {
    return this.#attempt(async () => {
      // The client can't tell one that is not there from one that can't be told now.
      if (!this.#known.has(queue)) await this.#leadersOf(queue)
      this.#known.add(queue)
      for (const call of kafkaCalls(queue, messages)) await this.#send(queue, [...call])
    })
  }

  depth(queue: string): Effect.Effect<QueueDepth, QueueFailure> {
    return this.#attempt(async () => {
      const leaders = await this.#leadersOf(queue)
      const partitions = [...leaders.keys()]
      const { earliest, latest } = await offsetsOf(this.#cluster, queue, partitions, leaders)
      const coordinator = await this.#cluster.coordinator(this.#groupOf(queue))
      const wanted = [{ groupId: this.#groupOf(queue), topics: [{ name: queue, partitionIndexes: partitions }] }]
      const { topics } = await this.#cluster.askBroker(coordinator, this.#cluster.calls.offsetFetch, wanted, true)
      let waiting = 0
      for (const { committedOffset, metadata, partitionIndex } of topics.flatMap((each) => each.partitions)) {
        const from = Math.max(Number(committedOffset), earliest.get(partitionIndex)!)
        const to = latest.get(partitionIndex)!
        waiting += Math.max(0, to - from - PartitionLedger.done(Number(committedOffset), metadata ?? null, from, to))
      }
      return { waiting, held: undefined }
    })
  }

  #groupOf(queue: string): string {
    return this.#group ?? `rtfs-streams.${queue}`
  }

  async #leadersOf(queue: string): Promise<ReadonlyMap<number, number>> {
    const deadline = performance.now() + makingMs
    for (;;) {
      const leaders = await this.#cluster.leaders(queue)
      if (leaders.size > 0) return leaders
      if (performance.now() > deadline) {
        const fix = "Make it, with as many partitions as it is to have; the server does not do so by itself (auto.create.topics.enable)."
        throw new QueueFailure(this.location, `has no topic ${queue}`, { fix, isPassing: false })
      }
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }

  #send(queue: string, messages: Array<MessageToProduce>): Promise<unknown> {
    const sent = this.#sending.then(() => this.#producer.send({ messages }))
    this.#sending = sent.catch(() => this.#known.delete(queue))
    return sent
  }

  async #close(): Promise<void> {
    await this.#producer.close().catch(() => {})
    await this.#cluster.close()
  }

  #attempt<A>(body: () => Promise<A>): Effect.Effect<A, QueueFailure> {
    return Effect.tryPromise({ try: body, catch: (error) => this.#cluster.failure(error) })
  }
}

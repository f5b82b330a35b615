import * as Effect from "effect/Effect"
import { Arrivals } from "./Arrivals.ts"
import type { KafkaCluster } from "./KafkaCluster.ts"
import { KafkaFetches, offsetsOf } from "./KafkaFetches.ts"
import { type FetchedRecord, kafkaDelivery, type KafkaReceipt } from "./kafkaMessages.ts"
import { KafkaMember } from "./KafkaMember.ts"
import { PartitionLedger, type Returned } from "./PartitionLedger.ts"
import type { Delivery, GiveBackOptions, QueueSubscription } from "./QueueBackend.ts"
import type { QueueFailure } from "./QueueFailure.ts"

/** What waits here before more is fetched. */
const aheadMessages = 1000
const aheadBytes = 4 * 1024 * 1024

export interface KafkaSubscriptionOptions {
  readonly topic: string
  readonly group: string
  readonly leaseMs: number
  readonly maxHeld: number
}

/**
 * One consumer of a topic, as a member of its group.
 *
 * Where to read on is decided here: at each assignment every partition begins exactly behind what was committed, with a new ledger, and what
 * was read for an older assignment is dropped. An acknowledgement is a fact about a message, so it holds for whichever ledger is there now.
 *
 * **Bounds** a thousand messages or 4 MB that wait, and what one call to each server brings (4 MB).
 */
export class KafkaSubscription implements QueueSubscription {
  readonly #cluster: KafkaCluster
  readonly #options: KafkaSubscriptionOptions
  readonly #member: KafkaMember
  readonly #arrivals = new Arrivals()
  readonly #timers = new Set<NodeJS.Timeout>()
  #ledgers: ReadonlyMap<number, PartitionLedger> = new Map()
  #fetches: KafkaFetches | undefined
  #bytes = 0
  #isStopped = false
  #wake: Array<() => void> = []
  /** One commit at a time, so that none is overtaken by an older one. */
  #committing: Promise<unknown> = Promise.resolve()

  /** @param onAssigned called once there are partitions; `onFailure` where there never will be */
  constructor(
    cluster: KafkaCluster,
    options: KafkaSubscriptionOptions,
    onAssigned: () => void,
    onFailure: (failure: QueueFailure) => void
  ) {
    const { group, leaseMs, topic } = options
    this.#cluster = cluster
    this.#options = options
    this.#member = new KafkaMember(cluster, {
      group,
      topic,
      sessionMs: leaseMs,
      onAssigned: async (partitions) => {
        await this.#begin(partitions)
        onAssigned()
      },
      onRevoked: () => this.#forget(),
      onFailure: (failure) => {
        this.#arrivals.fail(failure)
        if (!failure.isPassing) onFailure(failure)
      }
    })
    void this.#member.run()
  }

  receive(max: number): Effect.Effect<ReadonlyArray<Delivery>, QueueFailure> {
    return Effect.flatMap(this.#arrivals.take(max), (deliveries) => {
      for (const { body } of deliveries) this.#bytes -= body.byteLength
      this.#wakeFetches()
      // That there is none is not known before the partitions are, and were read.
      // What was acknowledged while it waited here, by who had it before, is done.
      const given = deliveries.filter((delivery) => this.#ledgerOf(delivery)?.isOpen(receiptOf(delivery).offset) === true)
      const isKnown = given.length > 0 || (deliveries.length === 0 && (this.#isStopped || this.#fetches?.isCaughtUp === true))
      return isKnown ? Effect.succeed(given) : Effect.suspend(() => this.receive(max))
    })
  }

  acknowledge(deliveries: ReadonlyArray<Delivery>): Effect.Effect<ReadonlyArray<Delivery>, QueueFailure> {
    return this.#attempt(async () => {
      if (this.#fetches === undefined) throw this.#member.absence
      const ours = deliveries.filter((delivery) => this.#ledgerOf(delivery) !== undefined)
      for (const delivery of ours) this.#ledgerOf(delivery)!.acknowledge(receiptOf(delivery).offset)
      await this.#commit(ours)
      return ours
    })
  }

  giveBack(deliveries: ReadonlyArray<Delivery>, { delayMs, isUnstarted }: GiveBackOptions): Effect.Effect<void, QueueFailure> {
    return this.#attempt(async () => {
      const notBefore = delayMs === 0 ? 0 : Date.now() + delayMs
      const ours: Array<Delivery> = []
      for (const delivery of deliveries) {
        const { offset } = receiptOf(delivery)
        const ledger = this.#ledgerOf(delivery)
        if (ledger === undefined) continue
        ours.push(delivery)
        const attempts = delivery.attempts - (isUnstarted ? 1 : 0)
        ledger.giveBack(offset, { attempts, notBefore })
        // One that is not read yet is given when it is.
        if (ledger.isOpen(offset)) this.#give(ledger, offset, { ...delivery, attempts: attempts + 1 }, notBefore)
      }
      await this.#commit(ours)
    })
  }

  // The group's server is told that we are there by the member, for as long as this process runs.
  extend(): Effect.Effect<void> {
    return Effect.void
  }

  get stop(): Effect.Effect<void> {
    return Effect.sync(() => {
      this.#isStopped = true
      this.#fetches?.close()
      this.#drop()
    })
  }

  get close(): Effect.Effect<void> {
    return Effect.promise(() => {
      this.#isStopped = true
      this.#forget()
      return this.#member.close()
    })
  }

  async #begin(partitions: ReadonlyArray<number>): Promise<void> {
    const committed = await this.#member.committed(partitions)
    const unknown = partitions.filter((partition) => (committed.get(partition)?.offset ?? -1) < 0)
    const { topic } = this.#options
    const { earliest } =
      unknown.length === 0
        ? { earliest: new Map<number, number>() }
        : await offsetsOf(this.#cluster, topic, unknown, await this.#cluster.leaders(topic))
    const ledgers = partitions.map((partition): [number, PartitionLedger] => {
      const start = earliest.get(partition)
      const { note, offset } = committed.get(partition) ?? { note: null, offset: -1 }
      return [partition, start === undefined ? new PartitionLedger(partition, offset, note) : new PartitionLedger(partition, start, null)]
    })
    this.#ledgers = new Map(ledgers)
    const fetches = new KafkaFetches(this.#cluster, this.#ledgers, {
      topic,
      hasRoom: () => this.#hasRoom(),
      onMessages: (ledger, messages) => this.#onMessages(ledger, messages),
      onFailure: (failure) => this.#arrivals.fail(failure)
    })
    this.#fetches = fetches
    if (this.#isStopped) fetches.close()
    else await fetches.begin()
  }

  /** What others may have by now is nobody's here any more. */
  #forget(): void {
    this.#fetches?.close()
    this.#fetches = undefined
    this.#ledgers = new Map()
    this.#drop()
  }

  #drop(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
    this.#arrivals.drop()
    this.#bytes = 0
    this.#wakeFetches()
  }

  #onMessages(ledger: PartitionLedger, messages: ReadonlyArray<readonly [FetchedRecord, Returned]>): void {
    const now = Date.now()
    const arrived: Array<Delivery> = []
    for (const [record, { attempts, notBefore }] of messages) {
      const delivery = kafkaDelivery(ledger.partition, record, attempts + 1)
      if (notBefore > now) this.#give(ledger, record.offset, delivery, notBefore)
      else arrived.push(delivery)
    }
    this.#push(arrived)
  }

  /** Gives a message when its time has come, unless it is done by then, or somebody else's. */
  #give(ledger: PartitionLedger, offset: number, delivery: Delivery, notBefore: number): void {
    if (this.#isStopped) return
    const give = () => {
      if (this.#ledgers.get(ledger.partition) === ledger && ledger.isOpen(offset)) this.#push([delivery])
    }
    const delayMs = notBefore - Date.now()
    if (delayMs <= 0) return give()
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      give()
    }, delayMs)
    this.#timers.add(timer)
  }

  #push(deliveries: ReadonlyArray<Delivery>): void {
    if (this.#isStopped || deliveries.length === 0) return
    for (const { body } of deliveries) this.#bytes += body.byteLength
    this.#arrivals.push(...deliveries)
  }

  async #hasRoom(): Promise<void> {
    const most = Math.min(aheadMessages, this.#options.maxHeld)
    while (!this.#isStopped && (this.#arrivals.length >= most || this.#bytes >= aheadBytes)) {
      await new Promise<void>((resolve) => this.#wake.push(resolve))
    }
  }

  #wakeFetches(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }

  #commit(deliveries: ReadonlyArray<Delivery>): Promise<void> {
    const ledgers = new Set(deliveries.map((delivery) => this.#ledgerOf(delivery)!))
    const commit = async () => {
      if (ledgers.size === 0) return
      // Another ledger knows nothing of this, and has to be told again.
      if ([...ledgers].some((ledger) => this.#ledgers.get(ledger.partition) !== ledger)) throw this.#member.absence
      await this.#member.commit(Array.from(ledgers, (ledger) => ({ partition: ledger.partition, ...ledger.commit() })))
    }
    const done = this.#committing.then(commit)
    this.#committing = done.catch(() => {})
    return done
  }

  #ledgerOf(delivery: Delivery): PartitionLedger | undefined {
    return this.#ledgers.get(receiptOf(delivery).partition)
  }

  #attempt<A>(body: () => Promise<A>): Effect.Effect<A, QueueFailure> {
    return Effect.tryPromise({ try: body, catch: (error) => this.#cluster.failure(error) })
  }
}

const receiptOf = ({ receipt }: Delivery): KafkaReceipt => receipt as KafkaReceipt

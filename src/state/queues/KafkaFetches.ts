import type { ConnectionPool, fetchV11 } from "@platformatic/kafka"
import { answerOf, type KafkaCluster, kafkaCodes } from "./KafkaCluster.ts"
import { type FetchedRecord, isOffset, messagesOf } from "./kafkaMessages.ts"
import type { PartitionLedger, Returned } from "./PartitionLedger.ts"
import type { QueueFailure } from "./QueueFailure.ts"

/** How long a server waits for messages before it says that there are none. */
const waitMs = 500
const requestMs = 15_000

/** What one answer may hold: of all partitions, and of one. A larger message comes alone. */
const answerBytes = 4 * 1024 * 1024
const partitionBytes = 1024 * 1024

const firstPauseMs = 100
const longestPauseMs = 5000

/** Messages of transactions that were given up are not given. */
const readCommitted = 1

export interface FetchesOptions {
  readonly topic: string
  /** Completes once there is room for what one call brings. */
  readonly hasRoom: () => Promise<void>
  readonly onMessages: (ledger: PartitionLedger, messages: ReadonlyArray<readonly [FetchedRecord, Returned]>) => void
  readonly onFailure: (failure: QueueFailure) => void
}

/**
 * Reads partitions from where their ledgers say, by one call at a time to each server that leads some of them, until it is closed.
 *
 * **Backpressure** while there is no room nothing is asked for.
 */
export class KafkaFetches {
  readonly #cluster: KafkaCluster
  readonly #options: FetchesOptions
  readonly #pool: ConnectionPool
  readonly #ledgers: ReadonlyMap<number, PartitionLedger>
  /** Of servers, those that are read from. */
  readonly #reading = new Set<number>()
  /** Of partitions, the ones that were read to their end once. */
  readonly #ended = new Set<number>()
  #leaders: ReadonlyMap<number, number> = new Map()
  #isClosed = false
  readonly #wakes = new Set<() => void>()

  constructor(cluster: KafkaCluster, ledgers: ReadonlyMap<number, PartitionLedger>, options: FetchesOptions) {
    this.#cluster = cluster
    this.#options = options
    this.#ledgers = ledgers
    this.#pool = cluster.pool(requestMs)
  }

  /** Whether everything that was there at the beginning has been read. */
  get isCaughtUp(): boolean {
    return this.#ended.size === this.#ledgers.size
  }

  async begin(): Promise<void> {
    // That they can't be told now is said by the first call.
    await this.#findLeaders().catch(() => this.#read())
  }

  close(): void {
    this.#isClosed = true
    for (const wake of this.#wakes) wake()
    this.#pool.close().catch(() => {})
  }

  async #findLeaders(): Promise<void> {
    const leaders = await this.#cluster.leaders(this.#options.topic)
    if (this.#isClosed) return
    this.#leaders = leaders
    this.#read()
  }

  /** From every server that leads some of the partitions. */
  #read(): void {
    for (const partition of this.#ledgers.keys()) {
      const node = this.#leaderOf(partition)
      if (this.#reading.has(node)) continue
      this.#reading.add(node)
      void this.#readFrom(node)
    }
  }

  /** -1 where there is none. */
  #leaderOf(partition: number): number {
    return this.#leaders.get(partition) ?? -1
  }

  async #readFrom(node: number): Promise<void> {
    let pauseMs = firstPauseMs
    while (!this.#isClosed) {
      await this.#options.hasRoom()
      const ledgers = [...this.#ledgers.values()].filter(({ partition }) => this.#leaderOf(partition) === node)
      if (ledgers.length === 0 || this.#isClosed) break
      try {
        const moved = await this.#fetch(node, ledgers)
        if (moved === undefined) {
          pauseMs = firstPauseMs
          continue
        }
        // Once is usual.
        if (pauseMs > firstPauseMs) this.#options.onFailure(moved)
      } catch (error) {
        if (this.#isClosed) break
        const failure = this.#cluster.failure(error)
        this.#options.onFailure(failure)
        if (!failure.isPassing) break
      }
      await this.#sleep(pauseMs)
      pauseMs = Math.min(longestPauseMs, 2 * pauseMs)
      // That it can't be told now is told by the next call.
      if (!this.#isClosed) await this.#findLeaders().catch(() => {})
    }
    this.#reading.delete(node)
  }

  /** @returns what the server says of a partition that has moved, if one has */
  async #fetch(node: number, ledgers: ReadonlyArray<PartitionLedger>): Promise<QueueFailure | undefined> {
    const { topic } = this.#options
    const connection = await this.#pool.get(this.#cluster.broker(node))
    const partitions = ledgers.map(({ partition, position }) => ({
      partition,
      currentLeaderEpoch: -1,
      fetchOffset: BigInt(position),
      lastFetchedEpoch: -1,
      partitionMaxBytes: partitionBytes
    }))
    const { responses } = await this.#cluster.calls.fetch
      .async(connection, waitMs, 1, answerBytes, readCommitted, 0, -1, [{ topicId: topic, partitions }], [], "")
      .catch((error: unknown) => answerOf<fetchV11.FetchResponse>(error))
    if (this.#isClosed) return undefined
    let moved: QueueFailure | undefined
    for (const answer of responses.flatMap((each) => each.partitions)) {
      const ledger = this.#ledgers.get(answer.partitionIndex)
      if (ledger !== undefined) moved = (await this.#take(ledger, answer)) ?? moved
    }
    return moved
  }

  async #take(ledger: PartitionLedger, answer: fetchV11.FetchResponsePartition): Promise<QueueFailure | undefined> {
    const { abortedTransactions, errorCode, highWatermark, lastStableOffset, records } = answer
    if (errorCode === kafkaCodes.offsetOutOfRange) {
      await this.#restart(ledger)
      return undefined
    }
    if (errorCode !== 0) {
      const error = new this.#cluster.kafka.ProtocolError(errorCode)
      const failure = this.#cluster.failure(error)
      if (!failure.isPassing) throw failure
      return failure
    }
    const { next, records: found } = messagesOf(records ?? [], abortedTransactions ?? [])
    const news = ledger.read(found, next)
    const end = lastStableOffset >= 0n ? lastStableOffset : highWatermark
    if (ledger.position >= end) this.#ended.add(ledger.partition)
    if (news.length > 0) this.#options.onMessages(ledger, news)
    return undefined
  }

  /** The server has deleted what was to be read next, or has lost it: the oldest that it has comes again, rather than none. */
  async #restart(ledger: PartitionLedger): Promise<void> {
    const { earliest } = await offsetsOf(this.#cluster, this.#options.topic, [ledger.partition], this.#leaders)
    if (!this.#isClosed) ledger.restartAt(earliest.get(ledger.partition)!)
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer)
        this.#wakes.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, ms)
      this.#wakes.add(wake)
    })
  }
}

export interface PartitionOffsets {
  readonly earliest: ReadonlyMap<number, number>
  /** Behind the last. */
  readonly latest: ReadonlyMap<number, number>
}

/** Asks the leaders of partitions which messages they have. */
export const offsetsOf = async (
  cluster: KafkaCluster,
  topic: string,
  partitions: ReadonlyArray<number>,
  leaders: ReadonlyMap<number, number>
): Promise<PartitionOffsets> => {
  const ask = async (timestamp: bigint): Promise<ReadonlyMap<number, number>> => {
    const answers = await Promise.all(
      [...Map.groupBy(partitions, (partition) => leaders.get(partition) ?? -1)].map(([node, led]) => {
        const wanted = led.map((partitionIndex) => ({ partitionIndex, currentLeaderEpoch: -1, timestamp }))
        return cluster.askBroker(cluster.broker(node), cluster.calls.listOffsets, -1, readCommitted, [{ name: topic, partitions: wanted }])
      })
    )
    const found = new Map(
      answers.flatMap(({ topics }) =>
        topics.flatMap((each) => each.partitions.map(({ offset, partitionIndex }) => [partitionIndex, Number(offset)]))
      )
    )
    for (const partition of partitions)
      if (!isOffset(found.get(partition))) throw new Error(`the server gives no offset for the partition ${partition}`)
    return found
  }
  const [earliest, latest] = await Promise.all([ask(-2n), ask(-1n)])
  return { earliest, latest }
}

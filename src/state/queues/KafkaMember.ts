import type { API, Broker, ConnectionPool, offsetCommitV7 } from "@platformatic/kafka"
import { answerOf, type KafkaCluster, kafkaCodes } from "./KafkaCluster.ts"
import { QueueFailure } from "./QueueFailure.ts"
import { rangesOf } from "./rangeAssignor.ts"

/** How long a call may take that the server answers at once. */
const answerMs = 10_000

/** How long the others of the group have to come again; so long a call to join waits. */
const rebalanceMs = 60_000

/** At least so often the server is told that we are there, and asked how many partitions there are. */
const longestBeatMs = 3000
const metadataMs = 60_000

const firstPauseMs = 100
const longestPauseMs = 5000

export interface Membership {
  readonly group: string
  readonly topic: string
  /** After so long without a word the others share our partitions. */
  readonly sessionMs: number
  /** These partitions are ours until `onRevoked`. */
  readonly onAssigned: (partitions: ReadonlyArray<number>) => Promise<void>
  readonly onRevoked: () => void
  /** It goes on trying where the failure is passing. */
  readonly onFailure: (failure: QueueFailure) => void
}

interface Generation {
  readonly id: number
  readonly partitions: number
}

/** One member of a consumer group, which joins again whenever the partitions are shared anew. Closing it leaves the group. */
export class KafkaMember {
  readonly #cluster: KafkaCluster
  readonly #membership: Membership
  /** One for calls that wait for others. */
  readonly #joining: ConnectionPool
  readonly #telling: ConnectionPool
  #coordinator: Broker | undefined
  #memberId = ""
  #generation: Generation | undefined
  #isClosed = false
  /** Why it is no member any more, and will not be one. */
  #failure: QueueFailure | undefined
  #wake = () => {}

  constructor(cluster: KafkaCluster, membership: Membership) {
    this.#cluster = cluster
    this.#membership = membership
    this.#joining = cluster.pool(rebalanceMs + answerMs)
    this.#telling = cluster.pool(answerMs)
  }

  /** Until it is closed, or a failure that does not pass. */
  async run(): Promise<void> {
    const { onAssigned, onFailure, onRevoked } = this.#membership
    let pauseMs = firstPauseMs
    while (!this.#isClosed) {
      let isAssigned = false
      try {
        const partitions = await this.#join()
        if (this.#isClosed) break
        await onAssigned(partitions)
        isAssigned = true
        pauseMs = firstPauseMs
        await this.#beat()
      } catch (error) {
        if (this.#isClosed) break
        const isRebalance = this.#isRebalance(error)
        if (this.#cluster.hasCode(error, kafkaCodes.unknownMember)) this.#memberId = ""
        if (isRebalance && isAssigned) continue
        if (!isRebalance) {
          const failure = this.#cluster.failure(error)
          onFailure(failure)
          if (!failure.isPassing) {
            this.#failure = failure
            break
          }
          this.#coordinator = undefined
        }
        await this.#sleep(pauseMs)
        pauseMs = Math.min(longestPauseMs, 2 * pauseMs)
      } finally {
        this.#generation = undefined
        onRevoked()
      }
    }
  }

  /** Gives the partitions to the others at once. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#wake()
    // A call to join would wait for others.
    await this.#joining.close().catch(() => {})
    if (this.#memberId !== "") {
      await this.#ask(this.#cluster.calls.leaveGroup, this.#membership.group, [{ memberId: this.#memberId }]).catch(() => {})
    }
    await this.#telling.close().catch(() => {})
  }

  /** Why there are no partitions now. */
  get absence(): QueueFailure {
    const fix = "That ends by itself, once all consumers of the group have come again."
    const problem = "is sharing the partitions of a queue among its consumers"
    return this.#failure ?? new QueueFailure(this.#cluster.location, problem, { fix, isPassing: true })
  }

  /** What was committed of partitions, -1 where nothing was. */
  async committed(
    partitions: ReadonlyArray<number>
  ): Promise<ReadonlyMap<number, { readonly offset: number; readonly note: string | null }>> {
    const { group, topic } = this.#membership
    const topics = [{ name: topic, partitionIndexes: [...partitions] }]
    const answer = await this.#ask(this.#cluster.calls.offsetFetch, [{ groupId: group, topics }], true)
    return new Map(
      answer.topics.flatMap((each) =>
        each.partitions.map(({ committedOffset, metadata, partitionIndex }) => [
          partitionIndex,
          { offset: Number(committedOffset), note: metadata ?? null }
        ])
      )
    )
  }

  /** **Fails** where the group is being shared anew, or its server is away */
  async commit(offsets: ReadonlyArray<{ readonly partition: number; readonly offset: number; readonly note: string }>): Promise<void> {
    const generation = this.#generation
    if (generation === undefined) throw this.absence
    const send = async (notes: boolean) => {
      const partitions = offsets.map(({ note, offset, partition }): offsetCommitV7.OffsetCommitRequestPartition => ({
        partitionIndex: partition,
        committedOffset: BigInt(offset),
        committedLeaderEpoch: -1,
        committedMetadata: notes ? note : ""
      }))
      const { group, topic } = this.#membership
      await this.#ask(this.#cluster.calls.offsetCommit, group, generation.id, this.#memberId, null, [{ name: topic, partitions }])
    }
    try {
      await send(true).catch((error: unknown) => {
        if (!this.#cluster.hasCode(error, kafkaCodes.offsetMetadataTooLarge)) throw error
        return send(false)
      })
    } catch (error) {
      throw this.#isRebalance(error) ? this.absence : error
    }
  }

  async #join(): Promise<ReadonlyArray<number>> {
    const { group, sessionMs, topic } = this.#membership
    const { calls, kafka } = this.#cluster
    const metadata = kafka.encodeConsumerProtocolSubscription({ version: 0, topics: [topic] })
    const coordinator = await this.#findCoordinator()
    const connection = await this.#joining.get(coordinator)
    const ask = (memberId: string) =>
      calls.joinGroup.async(connection, group, sessionMs, Math.max(sessionMs, rebalanceMs), memberId, null, "consumer", [
        { name: "range", metadata }
      ])
    const joined = await ask(this.#memberId).catch((error: unknown) => {
      if (!this.#cluster.hasCode(error, kafkaCodes.memberIdRequired)) throw error
      this.#memberId = answerOf<{ readonly memberId: string }>(error).memberId
      return ask(this.#memberId)
    })
    this.#memberId = joined.memberId
    const isLeader = joined.leader === joined.memberId
    const assignments = isLeader ? await this.#share(joined.members) : []
    const { generationId, memberId } = joined
    const partitions = (await this.#cluster.leaders(topic)).size
    const { assignment } = await calls.syncGroup.async(connection, group, generationId, memberId, null, "consumer", "range", assignments)
    this.#generation = { id: generationId, partitions }
    // Empty where a member has none.
    if (assignment.length === 0) return []
    const { assignedPartitions } = kafka.decodeConsumerProtocolAssignment(assignment)
    return assignedPartitions.filter((each) => each.topic === topic).flatMap((each) => each.partitions)
  }

  /** The leader says who gets what. Members may be of other programs, and read other topics. */
  async #share(members: ReadonlyArray<{ readonly memberId: string; readonly metadata: Buffer }>) {
    const { kafka } = this.#cluster
    const wishes = members.map(({ memberId, metadata }) => ({
      memberId,
      topics: kafka.decodeConsumerProtocolSubscription(metadata).topics
    }))
    const counts = new Map<string, number>()
    for (const topic of new Set(wishes.flatMap(({ topics }) => topics))) counts.set(topic, (await this.#cluster.leaders(topic)).size)
    return rangesOf(wishes, counts).map(({ assigned, memberId }) => ({
      memberId,
      assignment: kafka.encodeConsumerProtocolAssignment({ version: 0, assignedPartitions: assigned })
    }))
  }

  /** Says that we are there, until the partitions are shared anew: by failing with the server's word for that. */
  async #beat(): Promise<void> {
    const { group, sessionMs, topic } = this.#membership
    const beatMs = Math.min(longestBeatMs, sessionMs / 4)
    let heard = performance.now()
    let counted = heard
    while (!this.#isClosed) {
      await this.#sleep(beatMs)
      if (this.#isClosed) return
      try {
        await this.#ask(this.#cluster.calls.heartbeat, group, this.#generation!.id, this.#memberId)
        heard = performance.now()
        if (heard - counted < metadataMs) continue
        counted = heard
        if ((await this.#cluster.leaders(topic)).size !== this.#generation!.partitions) return
      } catch (error) {
        // A server that is away for less than a session has forgotten nothing.
        if (this.#isRebalance(error) || performance.now() - heard > sessionMs) throw error
        if (!this.#cluster.failure(error).isPassing) throw error
        this.#coordinator = undefined
      }
    }
  }

  async #ask<Arguments extends Array<unknown>, Answer>(api: API<Arguments, Answer>, ...parameters: Arguments): Promise<Answer> {
    try {
      return await api.async(await this.#telling.get(await this.#findCoordinator()), ...parameters)
    } catch (error) {
      // It may have become another.
      if (!this.#isRebalance(error)) this.#coordinator = undefined
      throw error
    }
  }

  async #findCoordinator(): Promise<Broker> {
    return (this.#coordinator ??= await this.#cluster.coordinator(this.#membership.group))
  }

  #isRebalance(error: unknown): boolean {
    const { illegalGeneration, rebalanceInProgress, unknownMember } = kafkaCodes
    return this.#cluster.hasCode(error, illegalGeneration, unknownMember, rebalanceInProgress)
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

import type { API, Broker, ConnectionOptions, ConnectionPool } from "@platformatic/kafka"
import { certificateProblem, trustOf } from "../certificates.ts"
import { boundAnswers, boundDecompression } from "./kafkaBounds.ts"
import type { KafkaUrl } from "./kafkaUrl.ts"
import { lostQueue, missingPackage, QueueFailure } from "./QueueFailure.ts"

export type Kafka = typeof import("@platformatic/kafka")

const connectMs = 5000
const requestMs = 10_000

/**
 * The versions of the calls, fixed, so that what is tested is what runs. Servers from 2.4 on speak them.
 *
 * The client's own consumer is not used: what it reads on from after a rebalance is not what was committed.
 */
const callsOf = (kafka: Kafka): Calls => ({
  metadata: kafka.metadataV2.api,
  findCoordinator: kafka.findCoordinatorV2.api,
  joinGroup: kafka.joinGroupV5.api,
  syncGroup: kafka.syncGroupV3.api,
  heartbeat: kafka.heartbeatV3.api,
  leaveGroup: kafka.leaveGroupV1.api,
  offsetCommit: kafka.offsetCommitV7.api,
  offsetFetch: kafka.offsetFetchV5.api,
  listOffsets: kafka.listOffsetsV3.api,
  fetch: kafka.fetchV11.api
})

/** Written out, since the declarations of the package can't name what these have inside. */
interface Calls {
  readonly metadata: Kafka["metadataV2"]["api"]
  readonly findCoordinator: Kafka["findCoordinatorV2"]["api"]
  readonly joinGroup: Kafka["joinGroupV5"]["api"]
  readonly syncGroup: Kafka["syncGroupV3"]["api"]
  readonly heartbeat: Kafka["heartbeatV3"]["api"]
  readonly leaveGroup: Kafka["leaveGroupV1"]["api"]
  readonly offsetCommit: Kafka["offsetCommitV7"]["api"]
  readonly offsetFetch: Kafka["offsetFetchV5"]["api"]
  readonly listOffsets: Kafka["listOffsetsV3"]["api"]
  readonly fetch: Kafka["fetchV11"]["api"]
}

/** Codes of the protocol that are acted upon. */
export const kafkaCodes = {
  offsetOutOfRange: 1,
  unknownTopic: 3,
  leaderNotAvailable: 5,
  notLeader: 6,
  offsetMetadataTooLarge: 12,
  illegalGeneration: 22,
  unknownMember: 25,
  rebalanceInProgress: 27,
  memberIdRequired: 79
} as const

const notProven = 58

const refusals: ReadonlyMap<number, readonly [problem: string, fix: string]> = new Map([
  [
    10,
    [
      "refuses a message that is too large",
      "Send smaller ones, or raise message.max.bytes of the server or max.message.bytes of the topic."
    ]
  ],
  [17, ["refuses that name for a topic", "A topic's name has letters, digits, '.', '_' and '-', at most 249."]],
  [18, ["refuses messages that are too large together", "Raise max.message.bytes of the topic."]],
  [
    23,
    [
      "has a consumer group whose members share the partitions in another way",
      "Let them use the range assignor of the classic protocol, or give ?group= another name."
    ]
  ],
  [24, ["refuses that name for a consumer group", "Give ?group= another name."]],
  [
    26,
    [
      "refuses that lease",
      "Give a :visibility-timeout from group.min.session.timeout.ms (6 seconds, usually) to group.max.session.timeout.ms (30 minutes) of the server."
    ]
  ],
  [29, ["refuses this user that topic", "Let the user read, write and describe the topic."]],
  [30, ["refuses this user that consumer group", "Let the user read the group, or give ?group= another name."]],
  [31, ["refuses this user", "Let the user write idempotently, or write to the topic."]],
  [33, ["does not know that way to prove a password", "Give ?sasl=plain, scram-sha-256 or scram-sha-512."]],
  [35, ["is too old, or too new", "Apache Kafka from 2.4 on can be used."]],
  [notProven, ["refuses this user", "Check user, password and ?sasl=."]]
])

/** The servers of a cluster, of which any knows the others. **Bounds** a connection to each, for each pool. */
export class KafkaCluster {
  readonly kafka: Kafka
  readonly location: string
  readonly calls: Calls
  readonly #url: KafkaUrl
  readonly #general: ConnectionPool
  readonly #brokers = new Map<number, Broker>()

  private constructor(kafka: Kafka, url: KafkaUrl) {
    this.kafka = kafka
    this.location = url.location
    this.calls = callsOf(kafka)
    this.#url = url
    this.#general = this.pool(requestMs)
  }

  /** **Fails** with a `QueueFailure`, also where the servers are too old. */
  static async connect(url: KafkaUrl): Promise<KafkaCluster> {
    try {
      trustOf(url.authority)
    } catch (error) {
      const { fix, problem } = certificateProblem(error)!
      throw new QueueFailure(url.location, problem, { fix, isPassing: false })
    }
    const cluster = new KafkaCluster(await load(url.location), url)
    try {
      await cluster.#checkVersions()
      return cluster
    } catch (error) {
      await cluster.close()
      throw cluster.failure(error)
    }
  }

  close(): Promise<void> {
    return this.#general.close().catch(() => {})
  }

  /** What the client's own parts need to connect. */
  get options(): ConnectionOptions & { readonly clientId: string; readonly bootstrapBrokers: Array<string> } {
    const { authority, brokers, credentials, isSecure, mechanism } = this.#url
    return {
      clientId: "rtfs-streams",
      bootstrapBrokers: brokers.map(({ host, port }) => `${host.includes(":") ? `[${host}]` : host}:${port}`),
      connectTimeout: connectMs,
      ...(isSecure ? { tls: { ...trustOf(authority) } } : {}),
      ...(credentials === undefined ? {} : { sasl: { mechanism, ...credentials } })
    }
  }

  /** Connections of their own, for calls that wait: a server answers the calls of a connection one after the other. */
  pool(requestTimeout: number): ConnectionPool {
    const pool = new this.kafka.ConnectionPool("rtfs-streams", { ...this.options, requestTimeout })
    // An error of a connection that nobody uses any more would end the process.
    pool.on("connecting", ({ connection }) => {
      connection.on("error", () => {})
      boundAnswers(connection)
    })
    return pool
  }

  /** Asks for the leader of each partition; -1 where there is none now. @returns none where the topic is not there */
  async leaders(topic: string): Promise<ReadonlyMap<number, number>> {
    const { metadata } = this.calls
    const { brokers, topics } = await this.#anyhow(this.ask(metadata, [topic]))
    for (const { host, nodeId, port } of brokers) this.#brokers.set(nodeId, { host, port })
    const found = topics.find(({ name }) => name === topic)
    const code = found?.errorCode ?? kafkaCodes.unknownTopic
    if (code !== 0 && code !== kafkaCodes.unknownTopic && code !== kafkaCodes.leaderNotAvailable) throw new this.kafka.ProtocolError(code)
    return new Map((found?.partitions ?? []).map(({ leaderId, partitionIndex }) => [partitionIndex, leaderId]))
  }

  /** As it was last told. */
  broker(id: number): Broker {
    const broker = this.#brokers.get(id)
    if (broker === undefined) throw new Error(`there is no leader now`)
    return broker
  }

  async coordinator(group: string): Promise<Broker> {
    const { coordinators } = await this.ask(this.calls.findCoordinator, 0, [group])
    return coordinators[0]!
  }

  /** Asks any of the servers. */
  async ask<Arguments extends Array<unknown>, Answer>(api: API<Arguments, Answer>, ...parameters: Arguments): Promise<Answer> {
    const connection = await this.#general.getFirstAvailable([...this.#url.brokers, ...this.#brokers.values()])
    return api.async(connection, ...parameters)
  }

  /** Asks one of them. */
  async askBroker<Arguments extends Array<unknown>, Answer>(
    broker: Broker,
    api: API<Arguments, Answer>,
    ...parameters: Arguments
  ): Promise<Answer> {
    return api.async(await this.#general.get(broker), ...parameters)
  }

  failure(error: unknown): QueueFailure {
    if (error instanceof QueueFailure) return error
    const reason = all(error).at(-1)!
    const message = this.#url.redacted(reason.message)
    const certificate = certificateProblem(reason)
    if (certificate !== undefined) {
      return new QueueFailure(this.location, `${certificate.problem} (${message})`, { fix: certificate.fix, isPassing: false })
    }
    for (const [code, [problem, fix]] of refusals) {
      const isThat = this.hasCode(error, code) || (code === notProven && all(error).some((each) => each.code === "PLT_KFK_AUTHENTICATION"))
      if (isThat) return new QueueFailure(this.location, `${problem} (${message})`, { fix, isPassing: false })
    }
    if (/closed|TLS/.test(message) && !this.#url.isSecure) {
      const fix = "Check that the server runs and can be reached, and whether it wants TLS (kafkas://)."
      return new QueueFailure(this.location, `can't be used (${message})`, { fix, isPassing: true })
    }
    return lostQueue(this.location, message)
  }

  hasCode(error: unknown, ...codes: ReadonlyArray<number>): boolean {
    return all(error).some(({ apiCode }) => apiCode !== undefined && codes.includes(apiCode))
  }

  /** Answers that have errors for some of what they are about. */
  async #anyhow<Answer>(answer: Promise<Answer>): Promise<Answer> {
    try {
      return await answer
    } catch (error) {
      return answerOf<Answer>(error)
    }
  }

  async #checkVersions(): Promise<void> {
    const { apiKeys } = await this.ask(this.kafka.apiVersionsV2.api, "", "")
    for (const { key, version } of Object.values(this.calls)) {
      const spoken = apiKeys.find(({ apiKey }) => apiKey === key)
      if (spoken === undefined || version < spoken.minVersion || version > spoken.maxVersion) throw new this.kafka.ProtocolError(35)
    }
  }
}

/** The answer that the client throws as an error, since it has the code of one somewhere. **Fails** with any other error. */
export const answerOf = <Answer>(error: unknown): Answer => {
  const { response } = error as { readonly response?: Answer }
  if (response === undefined) throw error
  return response
}

interface Thrown {
  readonly message: string
  readonly code?: string
  readonly apiCode?: number
}

/** What the client throws may hold others, of several servers or tries, and their causes. @returns the one that says why as the last */
const all = (error: unknown): ReadonlyArray<Thrown> => {
  const { cause, errors = [] } = error as { readonly cause?: unknown; readonly errors?: ReadonlyArray<unknown> }
  const inner = [cause, ...errors].filter((each) => each instanceof Error)
  return [error instanceof Error ? error : new Error(String(error)), ...inner.flatMap(all)]
}

/** The package is one for the process. */
let isBounded = false

const load = async (location: string): Promise<Kafka> => {
  try {
    const kafka = await import("@platformatic/kafka")
    if (!isBounded) boundDecompression(kafka.compressionsAlgorithms)
    isBounded = true
    return kafka
  } catch (cause) {
    throw missingPackage(location, "@platformatic/kafka", cause)
  }
}

import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, SQS } from "@aws-sdk/client-sqs"
import { parseServerUrl } from "../ServerUrl.ts"
import { Arrivals } from "./Arrivals.ts"
import type { Delivery, NewMessage, QueueBackend, QueueDepth, QueueSubscription, SubscriptionOptions } from "./QueueBackend.ts"
import { lostQueue, missingPackage, QueueFailure } from "./QueueFailure.ts"
import { batchEntries, isFifo, sqsBatches, sqsDelivery, type SqsReceipt } from "./sqsMessages.ts"

/** For so long a call for messages waits in the server; the longest that it takes. */
const pollSeconds = 20

/** A call that has not been answered after so long waits in the server for messages. */
const answerMs = 1000

/** The longest lease that the server gives. */
const maxLeaseMs = 12 * 60 * 60 * 1000

/** How often entries of a batch are sent at which the server failed, and how long after the first time. */
const batchTries = 5
const firstPauseMs = 50

/** How many batches are under way at once, where order is not promised anyway. */
const parallelBatches = 8

/**
 * Queues of Amazon SQS, or of a server that speaks as it does. They have to be there: making one is a decision about
 * encryption, permissions and retention.
 *
 * Credentials are those of the environment, as the AWS SDK finds them.
 *
 * **Order** as published in a FIFO queue, of which messages of a group wait for one another; none in a standard queue.
 */
export class SqsQueue implements QueueBackend {
  readonly kind = "sqs"
  readonly location: string
  readonly #client: SQS
  readonly #urls = new Map<string, Promise<string>>()

  private constructor(location: string, client: SQS) {
    this.location = location
    this.#client = client
  }

  /** @param text `sqs://REGION`, with `?endpoint=https://HOST` for a server elsewhere */
  static open(text: string): Effect.Effect<SqsQueue, QueueFailure, Scope.Scope> {
    return Effect.flatMap(
      Effect.suspend(() => placeOf(text)),
      ({ endpoint, location, region }) =>
        Effect.acquireRelease(
          Effect.tryPromise({
            try: async () => {
              const client = await connect(location, region, endpoint)
              // Asked for here, because without them nothing that follows can succeed.
              await client.config.credentials()
              return new SqsQueue(location, client)
            },
            catch: (error) => failureOf(location, error)
          }),
          (queue) => Effect.sync(() => queue.#client.destroy())
        )
    )
  }

  subscribe(queue: string, { leaseMs }: SubscriptionOptions): Effect.Effect<QueueSubscription, QueueFailure, Scope.Scope> {
    if (leaseMs > maxLeaseMs) {
      const fix = "Give a :visibility-timeout of at most 43200 (seconds)."
      return Effect.fail(new QueueFailure(this.location, "leases messages for 12 hours at most", { fix, isPassing: false }))
    }
    const leaseSeconds = Math.max(1, Math.ceil(leaseMs / 1000))
    return Effect.gen({ self: this }, function* () {
      const url = yield* this.#attempt(queue, () => this.#urlOf(queue))
      const poll = new Poll(
        (max, signal) => this.#receive(url, max, leaseSeconds, signal),
        (error) => this.#failed(queue, error)
      )
      yield* Effect.addFinalizer(() => Effect.sync(() => poll.abort()))
      const setVisibility = (deliveries: ReadonlyArray<Delivery>, seconds: number) =>
        Effect.asVoid(
          this.#settle(queue, deliveries, (entries) => {
            const Entries = entries.map((entry): ChangeMessageVisibilityBatchRequestEntry => ({ ...entry, VisibilityTimeout: seconds }))
            return this.#client.changeMessageVisibilityBatch({ QueueUrl: url, Entries })
          })
        )
      return {
        receive: (max) =>
          Effect.suspend(() => {
            poll.begin(Math.min(max, batchEntries))
            return Effect.map(poll.arrivals.take(max), (deliveries) => {
              // What came when nobody asked may have waited here until its lease ended.
              const now = performance.now()
              return deliveries.filter(({ receipt }) => (receipt as SqsReceipt).until > now)
            })
          }),
        acknowledge: (deliveries) =>
          this.#settle(queue, deliveries, (Entries) => this.#client.deleteMessageBatch({ QueueUrl: url, Entries: [...Entries] })),
        giveBack: (deliveries, { delayMs }) => setVisibility(deliveries, Math.ceil(delayMs / 1000)),
        stop: Effect.suspend(() => {
          const ended = Effect.promise(() => poll.end())
          return Effect.andThen(
            ended,
            Effect.suspend(() => Effect.ignore(setVisibility(poll.arrivals.takeAll(), 0)))
          )
        }),
        extend: (deliveries) => setVisibility(deliveries, leaseSeconds)
      } satisfies QueueSubscription
    })
  }

  publish(queue: string, messages: ReadonlyArray<NewMessage>): Effect.Effect<void, QueueFailure> {
    const concurrency = isFifo(queue) ? 1 : parallelBatches
    return Effect.flatMap(
      this.#attempt(queue, () => this.#urlOf(queue)),
      (QueueUrl) =>
        Effect.forEach(
          sqsBatches(queue, messages),
          (batch) =>
            this.#attempt(queue, async () => {
              const { refused } = await inTries(batch, (Entries) => this.#client.sendMessageBatch({ QueueUrl, Entries: [...Entries] }))
              const [first] = refused
              if (first !== undefined) throw this.#refusal(first, `${refused.length} of ${batch.length} messages`)
            }),
          { concurrency, discard: true }
        )
    )
  }

  depth(queue: string): Effect.Effect<QueueDepth, QueueFailure> {
    return this.#attempt(queue, async () => {
      const { Attributes = {} } = await this.#client.getQueueAttributes({
        QueueUrl: await this.#urlOf(queue),
        AttributeNames: ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"]
      })
      const count = (name: keyof typeof Attributes) => Number(Attributes[name] ?? 0)
      return {
        waiting: count("ApproximateNumberOfMessages") + count("ApproximateNumberOfMessagesDelayed"),
        held: count("ApproximateNumberOfMessagesNotVisible")
      }
    })
  }

  async #receive(QueueUrl: string, max: number, leaseSeconds: number, abortSignal: AbortSignal): Promise<ReadonlyArray<Delivery>> {
    const { Messages = [] } = await this.#client.receiveMessage(
      {
        QueueUrl,
        MaxNumberOfMessages: max,
        VisibilityTimeout: leaseSeconds,
        WaitTimeSeconds: pollSeconds,
        MessageAttributeNames: ["All"],
        MessageSystemAttributeNames: ["ApproximateReceiveCount", "SentTimestamp", "MessageDeduplicationId"]
      },
      { abortSignal }
    )
    const until = performance.now() + leaseSeconds * 1000
    return Messages.map((message) => sqsDelivery(message, until))
  }

  /**
   * @returns those of which the server did as it was told. It may refuse receipts of messages that were given to somebody else, or
   *   take them and do nothing: such a message comes again
   */
  #settle(
    queue: string,
    deliveries: ReadonlyArray<Delivery>,
    send: (entries: ReadonlyArray<{ readonly Id: string; readonly ReceiptHandle: string }>) => Promise<BatchResult>
  ): Effect.Effect<ReadonlyArray<Delivery>, QueueFailure> {
    const entries = deliveries.map(({ receipt }, at) => ({ Id: String(at), ReceiptHandle: (receipt as SqsReceipt).handle }))
    const batches = Array.from({ length: Math.ceil(entries.length / batchEntries) }, (_, n) =>
      entries.slice(n * batchEntries, (n + 1) * batchEntries)
    )
    return Effect.map(
      Effect.forEach(batches, (batch) => this.#attempt(queue, () => inTries(batch, send)), { concurrency: parallelBatches }),
      (results) => {
        const refused = new Set(results.flatMap((result) => result.refused.map(({ Id }) => Id)))
        return deliveries.filter((_, at) => !refused.has(String(at)))
      }
    )
  }

  #urlOf(queue: string): Promise<string> {
    const known = this.#urls.get(queue)
    if (known !== undefined) return known
    const asking = this.#client.getQueueUrl({ QueueName: queue }).then(({ QueueUrl }) => QueueUrl!)
    this.#urls.set(queue, asking)
    asking.catch(() => this.#urls.delete(queue))
    return asking
  }

  #refusal({ Code, Message }: BatchResultErrorEntry, what: string): QueueFailure {
    const fix = "Check the size of the messages, and that the queue is of the kind that its name says."
    return new QueueFailure(this.location, `refuses ${what} (${Code}: ${Message ?? "it says no more"})`, { fix, isPassing: false })
  }

  #failed(queue: string, error: unknown): QueueFailure {
    if (error instanceof Error && /QueueDoesNotExist|NonExistentQueue/.test(error.name)) {
      // Somebody may make it again, elsewhere.
      this.#urls.delete(queue)
      const fix = "Make it, and give it the same name; it is not made here. Check the region, too."
      return new QueueFailure(this.location, `has no queue ${queue}`, { fix, isPassing: false })
    }
    return failureOf(this.location, error)
  }

  #attempt<A>(queue: string, body: () => Promise<A>): Effect.Effect<A, QueueFailure> {
    return Effect.tryPromise({ try: body, catch: (error) => this.#failed(queue, error) })
  }
}

/**
 * One long call for messages, begun when somebody asks and none is under way: it outlives the asking, so that an idle consumer
 * costs three calls a minute. **Bounds** ten messages.
 */
class Poll {
  readonly arrivals = new Arrivals()
  readonly #receive: (max: number, signal: AbortSignal) => Promise<ReadonlyArray<Delivery>>
  readonly #failed: (error: unknown) => QueueFailure
  readonly #abort = new AbortController()
  #underWay: Promise<void> | undefined
  #begun = 0
  #isEnded = false

  constructor(receive: (max: number, signal: AbortSignal) => Promise<ReadonlyArray<Delivery>>, failed: (error: unknown) => QueueFailure) {
    this.#receive = receive
    this.#failed = failed
  }

  begin(max: number): void {
    if (this.#underWay !== undefined || this.arrivals.length > 0 || this.#isEnded) return
    this.#begun = performance.now()
    // Over before anybody is woken: whoever is may ask again at once.
    const isOver = () => (this.#underWay = undefined)
    this.#underWay = this.#receive(max, this.#abort.signal)
      .finally(isOver)
      .then(
        (deliveries) => this.arrivals.push(...deliveries),
        (error: unknown) => {
          if (!this.#abort.signal.aborted) this.arrivals.fail(this.#failed(error))
        }
      )
  }

  /** Begins none again. One that is being answered is waited for; one that waits in the server is broken off. */
  async end(): Promise<void> {
    this.#isEnded = true
    const aborting = setTimeout(() => this.abort(), Math.max(0, this.#begun + answerMs - performance.now()))
    await this.#underWay
    clearTimeout(aborting)
  }

  /** What the server gives at this very moment comes again when its lease has run out. */
  abort(): void {
    this.#isEnded = true
    this.#abort.abort()
  }
}

interface BatchResult {
  readonly Failed?: ReadonlyArray<BatchResultErrorEntry> | undefined
}

/** Sends a batch, and again those of it at which the server failed. @returns those that it refuses because of what they are */
const inTries = async <Entry extends { readonly Id: string | undefined }>(
  batch: ReadonlyArray<Entry>,
  send: (entries: ReadonlyArray<Entry>) => Promise<BatchResult>
): Promise<{ readonly refused: ReadonlyArray<BatchResultErrorEntry> }> => {
  const refused: Array<BatchResultErrorEntry> = []
  let left = batch
  for (let attempt = 1; ; attempt++) {
    const { Failed = [] } = await send(left)
    refused.push(...Failed.filter(({ SenderFault }) => SenderFault === true))
    const again = Failed.filter(({ SenderFault }) => SenderFault !== true)
    if (again.length === 0) return { refused }
    if (attempt === batchTries)
      throw new Error(`it failed at ${again.length} entries of a batch, ${again[0]!.Code}: ${again[0]!.Message ?? ""}`)
    const ids = new Set(again.map(({ Id }) => Id))
    left = left.filter(({ Id }) => ids.has(Id))
    await new Promise((resolve) => setTimeout(resolve, firstPauseMs * 2 ** (attempt - 1)))
  }
}

interface Place {
  readonly region: string
  readonly endpoint: string | undefined
  readonly location: string
}

const placeOf = (text: string): Effect.Effect<Place, QueueFailure> => {
  const server = parseServerUrl(text, "endpoint")
  const wrong = (problem: string, fix: string) => Effect.fail(new QueueFailure("sqs", problem, { fix, isPassing: false }))
  if (server === undefined) return wrong("is at no URL", "Give it as sqs://REGION.")
  const { hostname, password, pathname, username } = new URL(text)
  const endpoint = server.parameter
  const elsewhere = endpoint !== undefined && URL.canParse(endpoint) ? new URL(endpoint) : undefined
  // Before anything of the URL is shown.
  if ([username, password, elsewhere?.username ?? "", elsewhere?.password ?? ""].some((part) => part !== "")) {
    return wrong(
      "has credentials in its URL",
      "Give them in the environment, as the AWS SDK reads them: AWS_ACCESS_KEY_ID, AWS_PROFILE or a role."
    )
  }
  if (!/^[a-z0-9-]+$/.test(hostname) || pathname.length > 1)
    return wrong("names no region", "Give it as sqs://REGION, such as sqs://eu-west-1.")
  if (endpoint !== undefined && !/^https?:$/.test(elsewhere?.protocol ?? "")) {
    return wrong("has an endpoint that is no URL", "Give it as sqs://REGION?endpoint=https://HOST.")
  }
  return Effect.succeed({ region: hostname, endpoint, location: server.location })
}

const connect = async (location: string, region: string, endpoint: string | undefined): Promise<SQS> => {
  const { SQS } = await load(location)
  const requestTimeout = (pollSeconds + 10) * 1000
  return new SQS({
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    requestHandler: { connectionTimeout: 5000, requestTimeout, throwOnRequestTimeout: true }
  })
}

const load = async (location: string) => {
  try {
    return await import("@aws-sdk/client-sqs")
  } catch (cause) {
    throw missingPackage(location, "@aws-sdk/client-sqs", cause)
  }
}

/** What the server says of a request that is wrong comes again; that it is busy or away does not. */
const failureOf = (location: string, error: unknown): QueueFailure => {
  if (error instanceof QueueFailure) return error
  const { $fault, $metadata, $retryable, message, name } = error as Partial<import("@aws-sdk/client-sqs").SQSServiceException>
  const said = `${name ?? "Error"}: ${message ?? String(error)}`
  if (name === "CredentialsProviderError") {
    const fix = "Give them in the environment, as the AWS SDK reads them: AWS_ACCESS_KEY_ID, AWS_PROFILE or a role."
    return new QueueFailure(location, `finds no credentials (${said})`, { fix, isPassing: false })
  }
  const isBusy = $retryable !== undefined || /Throttl|OverLimit|TooManyRequests/.test(name ?? "") || $metadata?.httpStatusCode === 429
  if ($fault === "client" && !isBusy) {
    const fix = "Check the credentials, what they may do with that queue, and the queue's settings."
    return new QueueFailure(location, `refuses this (${said})`, { fix, isPassing: false })
  }
  return lostQueue(location, said)
}

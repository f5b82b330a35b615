import { createHash } from "node:crypto"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import { type AsyncSink, type HeldItems, ItemFailure, type OpenContext } from "../../actors/index.ts"
import type { StreamFunction } from "../../scheduler/index.ts"
import { ErrorValue } from "../../serialization/index.ts"
import { UnwritableValue } from "../files/errors.ts"
import { jsonText } from "../files/JsonText.ts"
import { parseJson } from "../files/JsonValue.ts"
import { callWithMeter } from "../wrapFunction.ts"
import { allBytes } from "./BodyBytes.ts"
import { acceptedEncodings, decodedBody } from "./contentEncoding.ts"
import { NetworkFailure } from "./errors.ts"
import { type Answer, attempt, attemptPromise, exchange, timedOut } from "./exchange.ts"
import type { Agents } from "./HttpCall.ts"
import { itemStatuses } from "./multiStatus.ts"
import { failureOfStatus, isTemporaryStatus, type RetryPolicy, retryDelay } from "./Retry.ts"

export interface BatchPosterOptions {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly format: "json" | "ndjson"
  readonly batchSize: number
  /** A batch waits no longer for its last items. */
  readonly batchTimeoutMs: number | undefined
  readonly timeoutMs: number
  readonly retry: RetryPolicy & { readonly totalTimeoutMs: number }
  readonly onSuccess: StreamFunction | undefined
  readonly onError: StreamFunction | undefined
}

/** Where posting goes on, as `position` tells it. */
export interface PostPosition {
  /** Batches before it. */
  readonly sequence: number
  /** Items that wait for their batch to be full. */
  readonly pending: ReadonlyArray<unknown>
  readonly items: number
  readonly failed: number
  readonly retries: number
}

interface Entry {
  readonly item: unknown
  readonly text: string
}

/** The longest answer that is read, and how much of it a failure shows. */
const mostAnswerBytes = 1024 * 1024
const shownBodyLength = 500

/**
 * Gathers items into batches and posts them, one at a time.
 *
 * Each batch has a key made of the stream's name, the batch's place in it and its content: the same on each attempt, and
 * in another process that goes on from a checkpoint.
 */
export class BatchPoster implements AsyncSink, HeldItems {
  readonly #options: BatchPosterOptions
  readonly #context: OpenContext
  readonly #clock: Clock.Clock
  readonly #agents: Agents
  readonly #name: string
  #sequence: number
  #pending: Array<Entry>
  #items: number
  #failed: number
  #retries: number
  /** When the oldest item has waited long enough for its batch. */
  #due = Infinity
  /** Nothing more comes. */
  #isLast: boolean
  /** Of a batch that was given up on: how many of its items have not been dealt with, and why. */
  #doomed: { readonly count: number; readonly cause: unknown } | undefined

  constructor(
    options: BatchPosterOptions,
    context: OpenContext,
    { agents, clock }: { readonly clock: Clock.Clock; readonly agents: Agents }
  ) {
    this.#options = options
    this.#context = context
    this.#clock = clock
    this.#agents = agents
    this.#name =
      context.durable === undefined
        ? `${runId}${context.address}`
        : `${context.durable} ${context.address.slice(context.address.lastIndexOf("/"))}`
    this.#isLast = context.isSealed ?? false
    const from = context.position as PostPosition | undefined
    this.#sequence = from?.sequence ?? 0
    this.#pending = (from?.pending ?? []).map((item) => ({ item, text: jsonText(item) }))
    this.#items = from?.items ?? 0
    this.#failed = from?.failed ?? 0
    this.#retries = from?.retries ?? 0
    this.#setDue()
  }

  get held(): HeldItems {
    return this
  }

  /** Takes items in. One that JSON has no form for is refused at once, alone. */
  write(items: ReadonlyArray<unknown>): Effect.Effect<void, unknown> {
    return Effect.suspend(() => {
      for (const [index, item] of items.entries()) {
        try {
          this.#pending.push({ item, text: jsonText(item) })
        } catch (error) {
          return error instanceof UnwritableValue ? Effect.fail(new ItemFailure({ index, cause: error })) : Effect.die(error)
        }
        if (this.#pending.length === 1) this.#setDue()
      }
      return Effect.void
    })
  }

  isDue(): boolean {
    const { length } = this.#pending
    return length >= this.#options.batchSize || (length > 0 && (this.#isLast || this.#doomed !== undefined || this.#now() >= this.#due))
  }

  get awaitDue(): Effect.Effect<void> {
    return Effect.suspend(() => (this.#due === Infinity ? Effect.never : Effect.sleep(Math.max(1, Math.ceil(this.#due - this.#now())))))
  }

  get handOver(): Effect.Effect<void, unknown> {
    return Effect.suspend(() => this.#post(this.#pending.slice(0, this.#doomed?.count ?? this.#options.batchSize)))
  }

  /** The first item of a batch that was given up on: with it, the others are. */
  leaveOut(): void {
    this.#pending.shift()
    this.#failed++
    this.#items++
    const { cause, count } = this.#doomed ?? { cause: undefined, count: 1 }
    this.#doomed = count === 1 ? undefined : { count: count - 1, cause }
    this.#isGivenUp = count > 1
    if (count === 1) this.#endBatch()
  }

  /** The rest of the batch is left out without another attempt. */
  #isGivenUp = false

  replace(item: unknown): void {
    this.#pending[0] = { item, text: jsonText(item) }
    this.#isGivenUp = false
  }

  values(): ReadonlyArray<unknown> {
    return this.#pending.map(({ item }) => item)
  }

  /** What is held is sent now, full batch or not. */
  get seal(): Effect.Effect<void> {
    return Effect.sync(() => {
      this.#isLast = true
    })
  }

  get finish(): Effect.Effect<unknown> {
    return Effect.sync(() => ({ batches: this.#sequence, items: this.#items, failed: this.#failed, retries: this.#retries }))
  }

  readonly position = (): PostPosition => ({
    sequence: this.#sequence,
    pending: this.values(),
    items: this.#items,
    failed: this.#failed,
    retries: this.#retries
  })

  /** Posts a batch, which stands in front of what is pending, until each of its items was taken or given up on. */
  #post(batch: ReadonlyArray<Entry>): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function* () {
      if (this.#isGivenUp) return yield* this.#doom(this.#doomed!.count, this.#doomed!.cause)
      const { onSuccess, retry, url } = this.#options
      const startedAt = this.#now()
      let left = batch
      for (let attempts = 1; ; attempts++) {
        const tried = yield* Effect.result(Effect.scoped(this.#ask(left, retry.totalTimeoutMs - (this.#now() - startedAt))))
        let failure: unknown
        if (tried._tag === "Success") {
          const { again, body, refused, status } = tried.success
          const taken = left.length - refused.length - again.length
          this.#items += taken
          this.#pending.splice(0, left.length, ...refused.map(({ entry }) => entry), ...again.map(({ entry }) => entry))
          if (taken > 0 && onSuccess !== undefined) yield* callback(onSuccess, { status, body, items: taken })
          if (refused.length > 0) yield* this.#giveUp(refused.length, failureOfStatus(url, refused[0]!.status, undefined, 0))
          if (again.length === 0) return this.#endBatch()
          left = again.map(({ entry }) => entry)
          failure = failureOfStatus(url, again[0]!.status, undefined, 0)
        } else {
          failure = tried.failure
        }
        const delay = retryDelay(retry, attempts, failure, yield* Random.next)
        if (delay === undefined || delay > retry.totalTimeoutMs - (this.#now() - startedAt)) {
          yield* this.#giveUp(left.length, failure)
          return this.#endBatch()
        }
        this.#retries++
        yield* Effect.sleep(delay)
      }
    })
  }

  /** Gives the first items to `:on-error`. **Fails** where there is none, and for what is no failure of the peer. */
  #giveUp(count: number, failure: unknown): Effect.Effect<void, unknown> {
    const { onError } = this.#options
    if (!(failure instanceof NetworkFailure)) return Effect.fail(failure)
    if (onError === undefined) return this.#doom(count, failure)
    const entries = this.#pending.splice(0, count)
    this.#failed += count
    this.#items += count
    return callback(
      onError,
      ErrorValue.of(failure),
      entries.map(({ item }) => item)
    )
  }

  #doom(count: number, cause: unknown): Effect.Effect<never, unknown> {
    this.#doomed = { count, cause }
    return Effect.fail(new ItemFailure({ index: 0, cause }))
  }

  #endBatch(): void {
    this.#doomed = undefined
    this.#isGivenUp = false
    this.#sequence++
    this.#setDue()
  }

  #setDue(): void {
    const { batchTimeoutMs } = this.#options
    this.#due = batchTimeoutMs === undefined || this.#pending.length === 0 ? Infinity : this.#now() + batchTimeoutMs
  }

  #ask(entries: ReadonlyArray<Entry>, leftMs: number): Effect.Effect<Posted, unknown, Scope.Scope> {
    const { format, headers, timeoutMs, url } = this.#options
    const body = Buffer.from(
      format === "ndjson" ? entries.map(({ text }) => `${text}\n`).join("") : `[${entries.map(({ text }) => text).join(",")}]`
    )
    const key = createHash("sha256").update(`${this.#name}\n${this.#sequence}\n`).update(body).digest("base64url").slice(0, 32)
    const own = {
      "Content-Type": format === "ndjson" ? "application/x-ndjson" : "application/json",
      "Accept-Encoding": acceptedEncodings,
      "Idempotency-Key": key
    }
    const limit = Math.max(1, Math.min(timeoutMs, leftMs))
    return Effect.gen({ self: this }, function* () {
      const { network } = this.#context.services
      const answer = yield* exchange(network, {
        method: "POST",
        url,
        headers,
        own,
        body,
        agents: this.#agents,
        connectTimeoutMs: limit,
        headersTimeoutMs: limit
      })
      const read = Effect.timeoutOrElse(
        attemptPromise(() => bodyText(answer, url)),
        { duration: limit, orElse: () => Effect.fail(timedOut(url, "read from", limit)) }
      )
      const text = yield* read
      const { headers: given, status } = answer
      if (status < 200 || status > 299) {
        return yield* Effect.fail(
          failureOfStatus(
            url,
            status,
            given["retry-after"],
            this.#clock.currentTimeMillisUnsafe(),
            network.conceal(text.slice(0, shownBodyLength))
          )
        )
      }
      const parsed = yield* attempt(() => (/\bjson\b/i.test(given["content-type"] ?? "") && text !== "" ? parsedOr(text) : text))
      const statuses = status === 207 ? yield* attempt(() => itemStatuses(parsed, entries.length, url)) : []
      const failed = statuses.flatMap((each, index) => (each < 200 || each > 299 ? [{ entry: entries[index]!, status: each }] : []))
      return {
        status,
        body: parsed,
        again: failed.filter((each) => isTemporaryStatus(each.status)),
        refused: failed.filter((each) => !isTemporaryStatus(each.status))
      }
    })
  }

  #now(): number {
    return Number(this.#clock.monotonicTimeNanosUnsafe()) / 1e6
  }
}

interface Posted {
  readonly status: number
  readonly body: unknown
  /** Of a multi-status answer: the items that failed for now, and those that failed for good. */
  readonly again: ReadonlyArray<{ readonly entry: Entry; readonly status: number }>
  readonly refused: ReadonlyArray<{ readonly entry: Entry; readonly status: number }>
}

/** Without a durable name, batches of another process are others. */
const runId = createHash("sha256")
  .update(`${process.pid} ${process.hrtime.bigint()} ${performance.timeOrigin}`)
  .digest("base64url")
  .slice(0, 16)

const callback = (fn: StreamFunction, ...args: ReadonlyArray<unknown>): Effect.Effect<void, unknown> =>
  Effect.asVoid(attemptPromise(async () => callWithMeter(fn, ...args)))

const bodyText = async (answer: Answer, url: string): Promise<string> => {
  const body = decodedBody(answer.body, answer.headers["content-encoding"], { mostBytes: mostAnswerBytes, url })
  try {
    const tooLong = () =>
      new NetworkFailure({
        url,
        operation: "read from",
        problem: `its answer is longer than ${mostAnswerBytes} bytes`,
        fix: "Ask it for a shorter one."
      })
    return (await allBytes(body, mostAnswerBytes, tooLong)).toString("utf8")
  } finally {
    body.close()
  }
}

/** Peers that call an answer JSON are not always right. */
const parsedOr = (text: string): unknown => {
  try {
    return parseJson(text)
  } catch {
    return text
  }
}

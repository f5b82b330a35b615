import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import type { AsyncSource, OpenContext, SourceBatch } from "../../actors/index.ts"
import { ByteWindow } from "../files/ByteWindow.ts"
import { skip } from "../files/ByteSource.ts"
import type { Decoder } from "../files/Decoder.ts"
import { skipByteOrderMark } from "../files/Encoding.ts"
import { MalformedFile } from "../files/errors.ts"
import { acceptedEncodings, decodedBody } from "./contentEncoding.ts"
import { NetworkFailure } from "./errors.ts"
import { type Answer, attempt, attemptPromise, exchange, timedOut } from "./exchange.ts"
import { SharedAttempt } from "./SharedAttempt.ts"
import { failureOfStatus, retryDelay } from "./Retry.ts"
import type { SsePosition } from "./SseParser.ts"

export interface HttpReadingOptions {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly isEvents: boolean
  readonly decoder: (from: unknown) => Decoder
  readonly connectTimeoutMs: number
  readonly headersTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly totalTimeoutMs: number | undefined
  readonly mostBytes: number | undefined
  readonly maxAttempts: number
}

/** Where a read goes on, as `position` tells it. */
export interface HttpPosition {
  /** Bytes of the decoded body that have become items. */
  readonly offset: number
  /** The strong `ETag` of what was read: only the same can be gone on with. `null` where the peer gave none. */
  readonly etag: string | null
  readonly decoder: unknown
}

/** One answer that is being read. */
interface Live {
  readonly window: ByteWindow
  readonly decoder: Decoder
  readonly scope: Scope.Closeable
  readonly total: number | undefined
  isStarted: boolean
}

/**
 * Reads the answer to a GET, over as many connections as it takes.
 *
 * A connection that fails is made again as long as nothing has been given, or where it can go on behind what was: by
 * `Last-Event-ID` with events, else with the same `ETag`, by `Range` where the peer can and from the start where it can't.
 */
export class HttpReading implements AsyncSource {
  readonly #options: HttpReadingOptions
  readonly #context: OpenContext
  readonly #clock: Clock.Clock
  readonly #scope: Scope.Scope
  readonly #startedAt: number
  #position: HttpPosition
  #live: Live | undefined
  /** The way to the next answer. It goes on when the read that began it is interrupted: a barrier a second would never let it arrive. */
  readonly #connecting: SharedAttempt
  #waitingSince: number | undefined
  /** Ends the wait under way. */
  #giveUp: ((failure: unknown) => void) | undefined
  /** Attempts since something was given. */
  #attempts = 0
  #hasEnded = false

  constructor(options: HttpReadingOptions, context: OpenContext, clock: Clock.Clock, scope: Scope.Scope) {
    this.#options = options
    this.#context = context
    this.#clock = clock
    this.#scope = scope
    this.#connecting = new SharedAttempt(
      Effect.suspend(() => this.#connect),
      this.#scope
    )
    this.#startedAt = this.#now()
    this.#position = (context.position as HttpPosition | undefined) ?? { offset: 0, etag: null, decoder: undefined }
  }

  readonly read: Effect.Effect<SourceBatch | null, unknown> = Effect.suspend(() => {
    if (this.#hasEnded) return Effect.succeed(null)
    const late = this.#checkTotal()
    if (late !== undefined) return Effect.fail(late)
    if (this.#live === undefined) return Effect.andThen(this.#connecting.done, this.read)
    return this.#take(this.#live)
  })

  position(): HttpPosition {
    return this.#position
  }

  isRepeatable(): boolean {
    return this.#canGoOn
  }

  #take(live: Live): Effect.Effect<SourceBatch | null, unknown> {
    const { decoder, window } = live
    if (!live.isStarted) {
      // A byte order mark has up to three bytes.
      if (window.end - window.start < 3 && !window.ended) return this.#fill(live)
      skipByteOrderMark(window, "utf8")
      live.isStarted = true
    }
    try {
      const batch = decoder.take(window)
      if (batch === "more") return this.#fill(live)
      this.#attempts = 0
      const { etag } = this.#position
      const offset = window.offsetAt(window.start)
      this.#position = { offset, etag, decoder: decoder.position() }
      if (batch === null) this.#hasEnded = true
      this.#context.services.progress(this.#context.address, offset, batch === null ? offset : live.total, "bytes")
      return Effect.succeed(batch)
    } catch (error) {
      return error instanceof MalformedFile ? Effect.fail(error) : Effect.die(error)
    }
  }

  /** Waits for bytes. Only this waiting counts as idleness of the peer: a slow consumer is none of its business. */
  #fill(live: Live): Effect.Effect<SourceBatch | null, unknown> {
    this.#waitingSince ??= this.#now()
    return Effect.matchEffect(this.#filled(live), {
      onSuccess: () => {
        this.#waitingSince = undefined
        return this.read
      },
      onFailure: (failure) => {
        this.#waitingSince = undefined
        return Effect.andThen(this.#breakOff(live, failure), this.read)
      }
    })
  }

  /** Fails when the watch says so. A race with a timer for each wait would cost as much as parsing what comes. */
  #filled({ window }: Live): Effect.Effect<void, unknown> {
    return Effect.callback<void, unknown>((resume) => {
      this.#giveUp = (failure) => resume(Effect.fail(failure))
      window.fill().then(
        () => resume(Effect.void),
        (failure: unknown) => resume(Effect.fail(failure))
      )
      return Effect.sync(() => (this.#giveUp = undefined))
    })
  }

  /** Ends a wait that takes too long, for as long as the connection is in use. */
  get #watch(): Effect.Effect<never> {
    const { idleTimeoutMs, url } = this.#options
    const look = Effect.suspend(() => {
      const left = Math.min(idleTimeoutMs - (this.#waitingSince === undefined ? 0 : this.#now() - this.#waitingSince), this.#totalLeft)
      if (left > 0) return Effect.sleep(Math.max(1, left))
      this.#giveUp?.(this.#checkTotal() ?? timedOut(url, "read from", idleTimeoutMs))
      return Effect.sleep(idleTimeoutMs)
    })
    return Effect.forever(look)
  }

  /** Closes a connection that failed. **Fails** with its failure where it can't be gone on with. */
  #breakOff(live: Live, failure: unknown): Effect.Effect<void, unknown> {
    this.#live = undefined
    return Effect.andThen(
      Scope.close(live.scope, Exit.void),
      Effect.suspend(() => {
        if (this.#whyNot !== undefined) return Effect.fail(failure)
        this.#attempts++
        return this.#rest(failure)
      })
    )
  }

  get #connect(): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function* () {
      const why = this.#whyNot
      if (why !== undefined) return yield* Effect.fail(why)
      for (;;) {
        const scope = yield* Scope.fork(this.#scope)
        const tried = yield* Effect.result(Scope.provide(this.#ask(scope), scope))
        if (tried._tag === "Success") return void (this.#live = tried.success)
        yield* Scope.close(scope, Exit.void)
        this.#attempts++
        yield* this.#rest(tried.failure)
      }
    })
  }

  /** Waits before the next attempt. **Fails** with the failure of the last one where there is to be none. */
  #rest(failure: unknown): Effect.Effect<void, unknown> {
    return Effect.flatMap(Random.next, (random) => {
      const asked = this.#options.isEvents ? (this.#position.decoder as SsePosition | undefined)?.retryMs : undefined
      const policy = { maxAttempts: this.#options.maxAttempts, backoff: "exponential", baseDelayMs: 500, maxDelayMs: 10_000 } as const
      const delay = retryDelay(policy, this.#attempts, failure, random)
      if (delay === undefined || delay > this.#totalLeft) return Effect.fail(failure)
      return Effect.sleep(Math.max(delay, Math.min(asked ?? 0, 60_000)))
    })
  }

  #ask(scope: Scope.Closeable): Effect.Effect<Live, unknown, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const { connectTimeoutMs, decoder, headers, headersTimeoutMs, mostBytes, url } = this.#options
      const { network } = this.#context.services
      const asked = exchange(network, { method: "GET", url, headers, own: this.#ownHeaders, connectTimeoutMs, headersTimeoutMs })
      const left = this.#totalLeft
      const answer = yield* left === Infinity
        ? asked
        : Effect.timeoutOrElse(asked, {
            duration: Math.max(1, left),
            orElse: () => Effect.fail(this.#checkTotal() ?? timedOut(url, "read from", left))
          })
      const start = yield* attempt(() => this.#startOf(answer))
      const body = yield* Effect.acquireRelease(
        attempt(() => decodedBody(answer.body, answer.headers["content-encoding"], { mostBytes, url })),
        (made) => Effect.sync(() => made.close())
      )
      const { offset } = this.#position
      const from = this.#options.isEvents ? 0 : offset
      if (start === "from-start" && from > 0) yield* this.#skip(body, from)
      const empty = { read: () => Promise.resolve(0) }
      const length = Number(answer.headers["content-length"] ?? Number.NaN)
      const total = Number.isNaN(length) || !body.isIdentity ? undefined : start === "from-offset" ? from + length : length
      const window = new ByteWindow(start === "nothing" ? empty : body, {
        offset: from,
        expectedBytes: total === undefined ? undefined : Math.max(0, total - from)
      })
      this.#position = { ...this.#position, etag: strongTag(answer) ?? null }
      yield* Effect.forkIn(this.#watch, scope)
      return { window, decoder: decoder(this.#position.decoder), scope, total, isStarted: from > 0 }
    })
  }

  get #ownHeaders(): Readonly<Record<string, string>> {
    const { decoder, etag, offset } = this.#position
    if (this.#options.isEvents) {
      const lastId = (decoder as SsePosition | undefined)?.lastId
      const own = { "Accept-Encoding": acceptedEncodings, "Cache-Control": "no-store" }
      return lastId === null || lastId === undefined || lastId === "" ? own : { ...own, "Last-Event-ID": lastId }
    }
    // A range is one of the encoded bytes, of which another answer may have others.
    if (offset > 0 && etag !== null) return { "Accept-Encoding": "identity", Range: `bytes=${offset}-`, "If-Range": etag }
    // What may have to be gone on with is asked for as it is.
    return { "Accept-Encoding": this.#context.durable === undefined ? acceptedEncodings : "identity" }
  }

  /** Whether the answer is what was asked for, and where it starts. */
  #startOf(answer: Answer): "from-start" | "from-offset" | "nothing" {
    const { isEvents, url } = this.#options
    const { headers, status } = answer
    const { etag, offset } = this.#position
    const broken = (problem: string, fix: string) => new NetworkFailure({ url, operation: "go on reading", problem, fix, status })
    if (status === 204) return "nothing"
    if (isEvents) {
      if (status !== 200) throw this.#failureOf(answer)
      if (/^text\/event-stream\b/i.test(headers["content-type"] ?? "")) return "from-start"
      throw new NetworkFailure({
        url,
        operation: "read from",
        problem: "its answer is no text/event-stream",
        fix: "Check the URL, or read it with another :format.",
        status
      })
    }
    const isContinued = offset > 0
    const range = /^bytes (?:(\d+)-\d+|\*)\/(\d+|\*)$/.exec(headers["content-range"] ?? "")
    if (isContinued && status === 416 && Number(range?.[2]) === offset) return "nothing"
    if (status === 206 && isContinued) {
      if (Number(range?.[1]) !== offset)
        throw broken("it gave another part than the one that was asked for", "Start over without the checkpoint.")
      if (headers.etag !== undefined && headers.etag !== etag) throw changed(broken)
      return "from-offset"
    }
    if (status < 200 || status > 299 || status === 206) throw this.#failureOf(answer)
    if (isContinued && strongTag(answer) !== etag) throw changed(broken)
    return "from-start"
  }

  #failureOf({ headers, status }: Answer): NetworkFailure {
    return failureOfStatus(this.#options.url, status, headers["retry-after"], this.#clock.currentTimeMillisUnsafe())
  }

  /** Passes over what was given before, within the time that a silent peer has. */
  #skip(body: Parameters<typeof skip>[0], bytes: number): Effect.Effect<void, unknown> {
    const { idleTimeoutMs, url } = this.#options
    const step = 1024 * 1024
    return Effect.gen(function* () {
      for (let left = bytes; left > 0; left -= step) {
        const wanted = Math.min(step, left)
        const skipped = yield* Effect.timeoutOrElse(
          attemptPromise(() => skip(body, wanted)),
          {
            duration: idleTimeoutMs,
            orElse: () => Effect.fail(timedOut(url, "read from", idleTimeoutMs))
          }
        )
        if (skipped < wanted)
          return yield* Effect.fail(
            new NetworkFailure({
              url,
              operation: "go on reading",
              problem: "it is shorter than what has been read of it",
              fix: "Start over without the checkpoint."
            })
          )
      }
    })
  }

  /** Asked for each batch: an error, which notes its stack, would cost more than reading some hundred lines. */
  get #canGoOn(): boolean {
    const { decoder, etag, offset } = this.#position
    if (offset === 0) return true
    return this.#options.isEvents ? Boolean((decoder as SsePosition | undefined)?.lastId) : etag !== null
  }

  /** Why nobody can go on at the position, if so. */
  get #whyNot(): NetworkFailure | undefined {
    if (this.#canGoOn) return undefined
    return new NetworkFailure({
      url: this.#options.url,
      operation: "go on reading",
      problem: this.#options.isEvents
        ? "its events have no ids, by which it could be asked for the next one"
        : "it gives no strong ETag, so nobody can tell whether it is still the same",
      fix: "Start the stream over, with another :stream-id where it has one; or write the answer to a file first and read that."
    })
  }

  #now(): number {
    return Number(this.#clock.monotonicTimeNanosUnsafe()) / 1e6
  }

  get #totalLeft(): number {
    return this.#options.totalTimeoutMs === undefined ? Infinity : this.#options.totalTimeoutMs - (this.#now() - this.#startedAt)
  }

  #checkTotal(): NetworkFailure | undefined {
    if (this.#totalLeft > 0) return undefined
    return new NetworkFailure({
      url: this.#options.url,
      operation: "read from",
      problem: `it did not end within the :total-timeout of ${this.#options.totalTimeoutMs} ms`,
      fix: "Raise it, or leave it out for a stream without end.",
      code: "ETIMEDOUT"
    })
  }
}

const changed = (broken: (problem: string, fix: string) => NetworkFailure) =>
  broken("it has changed since, as its ETag tells", "Start over without the checkpoint.")

/** A weak one only says that two answers mean the same. */
const strongTag = ({ headers }: Answer): string | undefined => (headers.etag?.startsWith('"') === true ? headers.etag : undefined)

import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import type { AsyncSource, OpenContext, SourceBatch } from "../../actors/index.ts"
import type { StreamFunction } from "../../scheduler/index.ts"
import { callWithMeter } from "../wrapFunction.ts"
import { NetworkFailure } from "./errors.ts"
import { attempt, attemptPromise, within } from "./exchange.ts"
import { peerOf, revealedHeaders, revealedUrl } from "./requestTarget.ts"
import { SharedAttempt } from "./SharedAttempt.ts"
import { type RetryPolicy, retryDelay } from "./Retry.ts"
import { type Closing, WsConnection } from "./WsConnection.ts"

export interface WsReadingOptions {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly protocols: ReadonlyArray<string>
  readonly connectTimeoutMs: number
  readonly pingIntervalMs: number
  readonly mostMessageBytes: number
  /** How a connection that was lost is made again; without it, it is not. */
  readonly reconnect: RetryPolicy | undefined
  readonly onOpen: StreamFunction | undefined
  readonly onClose: StreamFunction | undefined
  readonly onGap: StreamFunction | undefined
}

/** The peer keeps no messages for us, so all that can be told is that some were missed. */
interface WsPosition {
  readonly messages: number
}

/** A peer that has said that it is done, and one that goes away. */
const isDone = ({ code }: Closing): boolean => code === 1000 || code === 1005

/** Reads the messages of a WebSocket, over as many connections as it may take. */
export class WsReading implements AsyncSource {
  readonly #options: WsReadingOptions
  readonly #context: OpenContext
  readonly #clock: Clock.Clock
  readonly #scope: Scope.Scope
  #messages: number
  #live: { readonly connection: WsConnection; readonly scope: Scope.Closeable } | undefined
  readonly #connecting: SharedAttempt
  /** Attempts since a message came. */
  #attempts = 0
  /** What is to be told of before the next message. */
  #gap: unknown
  #wasOpen = false
  #isToldOfClose = false
  #hasEnded = false

  constructor(options: WsReadingOptions, context: OpenContext, clock: Clock.Clock, scope: Scope.Scope) {
    this.#options = options
    this.#context = context
    this.#clock = clock
    this.#scope = scope
    this.#connecting = new SharedAttempt(
      Effect.suspend(() => this.#connect),
      this.#scope
    )
    this.#messages = (context.position as WsPosition | undefined)?.messages ?? 0
    if (context.position !== undefined) this.#gap = { code: null, reason: "the stream was restarted", attempts: 0 }
  }

  readonly read: Effect.Effect<SourceBatch | null, unknown> = Effect.suspend((): Effect.Effect<SourceBatch | null, unknown> => {
    if (this.#hasEnded) return Effect.succeed(null)
    if (this.#live === undefined) return Effect.andThen(this.#connecting.done, this.read)
    const { connection } = this.#live
    if (this.#gap !== undefined) return this.#tellGap
    const batch = connection.take()
    if (batch !== undefined) {
      this.#attempts = 0
      this.#messages += batch.items.length
      this.#context.services.progress(this.#context.address, this.#messages, undefined, "items")
      return Effect.succeed(batch)
    }
    if (connection.closing !== undefined) return Effect.andThen(this.#afterClose(connection.closing), this.read)
    return Effect.andThen(
      attemptPromise(() => connection.changed()),
      this.read
    )
  })

  readonly position = (): WsPosition => ({ messages: this.#messages })

  /** For the program, which may send as long as the stream runs. */
  async send(message: string | Uint8Array): Promise<void> {
    const live = this.#live
    if (live === undefined || live.connection.closing !== undefined) {
      throw new NetworkFailure({
        url: this.#options.url,
        operation: "send to",
        problem: "the connection is not open",
        fix: "Send after :on-open, and not after :on-close.",
        isTemporary: true
      })
    }
    await live.connection.send(message)
  }

  get isOpen(): boolean {
    return this.#live !== undefined
  }

  /** Says goodbye, for whoever ends the stream. */
  async close(): Promise<void> {
    const closing = await this.#live?.connection.close()
    if (this.#wasOpen) await this.#tellClose(closing ?? { code: 1006, reason: "", failure: undefined })
  }

  get #tellGap(): Effect.Effect<SourceBatch | null, unknown> {
    const gap = this.#gap
    this.#gap = undefined
    const { onGap } = this.#options
    if (onGap === undefined) return Effect.succeed({ items: [{ gap }] })
    return Effect.andThen(
      attemptPromise(async () => callWithMeter(onGap, gap)),
      this.read
    )
  }

  #afterClose(closing: Closing): Effect.Effect<void, unknown> {
    return Effect.suspend(() => {
      const { reconnect, url } = this.#options
      const { scope } = this.#live!
      this.#live = undefined
      const failure =
        closing.failure
        ?? new NetworkFailure({
          url,
          operation: "read from",
          problem: `the connection was closed with code ${closing.code}${closing.reason === "" ? "" : ` (${JSON.stringify(this.#context.services.network.conceal(closing.reason))})`}`,
          fix: "Give :reconnect {} to connect again, or check the peer.",
          isTemporary: true
        })
      const isOver = isDone(closing) || (closing.code === 1001 && reconnect === undefined)
      const closed = Scope.close(scope, Exit.void)
      if (!isOver && reconnect !== undefined && failure.isTemporary) {
        this.#gap = { code: closing.code, reason: closing.reason, attempts: ++this.#attempts }
        return Effect.andThen(
          closed,
          Effect.catch(this.#rest(failure), (error) =>
            Effect.andThen(
              attemptPromise(() => this.#tellClose(closing)),
              Effect.fail(error)
            )
          )
        )
      }
      const told = Effect.andThen(
        closed,
        attemptPromise(() => this.#tellClose(closing))
      )
      if (!isOver) return Effect.andThen(told, Effect.fail(failure))
      this.#hasEnded = true
      return told
    })
  }

  async #tellClose({ code, reason }: Closing): Promise<void> {
    const { onClose } = this.#options
    if (this.#isToldOfClose) return
    this.#isToldOfClose = true
    if (onClose !== undefined) await callWithMeter(onClose, code, reason)
  }

  get #connect(): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function* () {
      const { onOpen } = this.#options
      for (;;) {
        const scope = yield* Scope.fork(this.#scope)
        const tried = yield* Effect.result(Scope.provide(this.#dial, scope))
        if (tried._tag === "Success") {
          const connection = tried.success
          yield* Effect.forkIn(connection.watch(this.#options.pingIntervalMs), scope)
          this.#live = { connection, scope }
          this.#wasOpen = true
          if (onOpen !== undefined) yield* attemptPromise(async () => callWithMeter(onOpen))
          return
        }
        yield* Scope.close(scope, Exit.void)
        this.#attempts++
        yield* this.#rest(tried.failure)
      }
    })
  }

  /** Waits before the next attempt. **Fails** with the failure of the last one where there is to be none. */
  #rest(failure: unknown): Effect.Effect<void, unknown> {
    const { reconnect } = this.#options
    if (reconnect === undefined) return Effect.fail(failure)
    return Effect.flatMap(Random.next, (random) => {
      const delay = retryDelay(reconnect, this.#attempts, failure, random)
      return delay === undefined ? Effect.fail(failure) : Effect.sleep(delay)
    })
  }

  get #dial(): Effect.Effect<WsConnection, unknown, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const { connectTimeoutMs, headers, mostMessageBytes, protocols, url: shown } = this.#options
      const { network } = this.#context.services
      const url = yield* attempt(() => revealedUrl(network, shown))
      const addresses = yield* within(
        connectTimeoutMs,
        { url: shown },
        "resolve",
        attemptPromise(() => network.resolve(peerOf(url)))
      )
      const revealed = yield* attempt(() => revealedHeaders(network, shown, headers, false))
      yield* Effect.acquireRelease(
        attempt(() => network.connection()),
        (giveBack) => Effect.sync(giveBack)
      )
      const connection = yield* Effect.acquireRelease(
        attempt(
          () =>
            new WsConnection({
              url,
              shown,
              addresses,
              headers: revealed,
              protocols,
              mostMessageBytes,
              now: () => this.#clock.currentTimeMillisUnsafe()
            })
        ),
        (made) => Effect.sync(() => made.terminate())
      )
      yield* within(
        connectTimeoutMs,
        { url: shown },
        "connect to",
        attemptPromise(() => connection.opened)
      )
      return connection
    })
  }
}

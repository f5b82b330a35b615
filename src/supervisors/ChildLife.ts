import type * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { ChildSpec, Incarnation } from "./ChildSpec.ts"

/** How the start of one life went. `declined` is a normal end before it was ready, `stopped` an end on request. */
export type StartOutcome =
  | { readonly type: "ready" }
  | { readonly type: "declined" }
  | { readonly type: "stopped" }
  | { readonly type: "failed"; readonly cause: Cause.Cause<unknown> }

/** Runs an effect on a fiber of its own, with the services that the supervisor was started with. */
export type Fork = <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>

/** What a life tells its supervisor, at once and in the turn in which it happens. */
export interface LifeListener {
  readonly becameReady: (life: ChildLife) => void
  /** Without an exit it was abandoned: it ignored the kill, and may still run. */
  readonly over: (life: ChildLife, exit: Exit.Exit<unknown, unknown> | undefined) => void
}

/** One life of a child: its fiber, from `run` to its end. Decides nothing; the supervisor tells it when to end. */
export class ChildLife {
  readonly number: number
  /** Who waits for this start: a caller, who is told if it fails, or the supervisor, which then decides. */
  readonly startedFor: "caller" | "supervisor"
  /** Settled once the start is over, whichever way. */
  readonly started = Deferred.makeUnsafe<StartOutcome>()
  /** Settled once it has ended or was abandoned, after the supervisor has dealt with that. */
  readonly over = Deferred.makeUnsafe<void>()
  /** Whether it was interrupted for not ending in time, or by `brutal-kill`. */
  wasKilled = false

  readonly #fork: Fork
  readonly #listener: LifeListener
  readonly #killSwitch = Deferred.makeUnsafe<void>()
  #fiber: Fiber.Fiber<unknown, unknown> | undefined
  #request: ((within: Duration.Duration) => Effect.Effect<unknown, unknown>) | undefined
  #isInterrupted = false
  #isStopping = false

  constructor(options: {
    readonly number: number
    readonly startedFor: "caller" | "supervisor"
    readonly fork: Fork
    readonly listener: LifeListener
  }) {
    this.number = options.number
    this.startedFor = options.startedFor
    this.#fork = options.fork
    this.#listener = options.listener
  }

  begin(run: ChildSpec["run"], address: string): void {
    const incarnation: Incarnation = {
      number: this.number,
      address,
      ready: Effect.sync(() => this.#listener.becameReady(this)),
      onShutdown: (request) => Effect.sync(() => void (this.#request = request))
    }
    const fiber = this.#fork(Effect.scoped(Effect.suspend(() => run(incarnation))))
    this.#fiber = fiber
    // Its first synchronous steps may have led to its being killed, before there was a fiber to interrupt.
    if (this.#isInterrupted) fiber.interruptUnsafe()
    fiber.addObserver((exit) => this.#listener.over(this, exit))
  }

  /**
   * Makes this life end: asks, waits at most `within`, interrupts, waits at most `killGrace`, abandons. Takes effect
   * once; wait for `over`.
   *
   * @param within 0 interrupts at once, as `brutal-kill` does
   */
  stop(within: Duration.Duration, killGrace: Duration.Duration): void {
    if (this.#isStopping) return
    this.#isStopping = true
    this.#fork(this.#stopping(within, killGrace))
  }

  /** Cuts the waiting of `stop` short: the time is up. */
  kill(): void {
    Deferred.doneUnsafe(this.#killSwitch, Exit.void)
  }

  /** Lets those go on who wait for the start, if it was not over yet, and for the end. */
  settle(outcome: StartOutcome): void {
    Deferred.doneUnsafe(this.started, Exit.succeed(outcome))
    if (outcome.type !== "ready") Deferred.doneUnsafe(this.over, Exit.void)
  }

  #stopping(within: Duration.Duration, killGrace: Duration.Duration): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      if (Duration.toMillis(within) > 0) {
        const asking = this.#fork(this.#ask(within))
        const timeIsUp = Effect.raceFirst(Deferred.await(this.#killSwitch), sleepOf(within))
        yield* Effect.raceFirst(Deferred.await(this.over), timeIsUp)
        // Not awaited: a request that can't be interrupted must not keep the kill from happening.
        asking.interruptUnsafe()
      }
      if (Deferred.isDoneUnsafe(this.over)) return
      this.wasKilled = true
      this.#interrupt()
      yield* Effect.raceFirst(Deferred.await(this.over), sleepOf(killGrace))
      if (!Deferred.isDoneUnsafe(this.over)) this.#listener.over(this, undefined)
    })
  }

  #ask(within: Duration.Duration): Effect.Effect<unknown> {
    const request = this.#request
    if (request === undefined) return Effect.sync(() => this.#interrupt())
    return Effect.suspend(() => request(within)).pipe(Effect.catchCause(() => Effect.sync(() => this.#interrupt())))
  }

  #interrupt(): void {
    this.#isInterrupted = true
    this.#fiber?.interruptUnsafe()
  }
}

/** No timer where there is no limit. */
const sleepOf = (duration: Duration.Duration): Effect.Effect<void> => (Duration.isFinite(duration) ? Effect.sleep(duration) : Effect.never)

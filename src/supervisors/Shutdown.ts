import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { Child } from "./Child.ts"
import type { Fork } from "./ChildLife.ts"

/** How children are brought down: in which order, with how much time, and at the latest when. */
export class Shutdown {
  readonly #order: "reverse" | "together"
  readonly #killGrace: Duration.Duration
  readonly #fork: Fork
  readonly #now: () => number
  /** When all must be down, on the monotonic clock. */
  #deadline = Infinity
  #timer: Fiber.Fiber<void> | undefined

  constructor(options: {
    readonly order: "reverse" | "together"
    readonly killGrace: Duration.Duration
    readonly fork: Fork
    readonly now: () => number
  }) {
    this.#order = options.order
    this.#killGrace = options.killGrace
    this.#fork = options.fork
    this.#now = options.now
  }

  /** @param children in start order */
  all(children: ReadonlyArray<Child>): Effect.Effect<void> {
    const concurrency = this.#order === "together" ? "unbounded" : 1
    return Effect.forEach(children.toReversed(), (child) => this.one(child), { concurrency, discard: true })
  }

  /** Asks a child to end and returns when it has, or was abandoned. Nothing to do for one that is down. */
  one(child: Child, within = child.shutdown): Effect.Effect<void> {
    return Effect.suspend(() => {
      const life = child.life
      if (life === undefined) return Effect.void
      if (Duration.isZero(within)) life.kill()
      if (child.state !== "stopping") child.signal("stopRequested")
      const left = Duration.millis(Math.max(0, this.#deadline - this.#now()))
      // A supervisor that is killed kills its children and waits its own grace for them, at most as long as ours.
      const killGrace = Duration.times(this.#killGrace, child.type === "supervisor" ? 2 : 1)
      life.stop(Duration.min(within, left), killGrace)
      return Deferred.await(life.over)
    })
  }

  /** Interrupts a child at once, also one that has been asked to end and still has time. */
  kill(child: Child): Effect.Effect<void> {
    return this.one(child, Duration.zero)
  }

  /** Sees to it that whatever is up when this time is over is killed, all at once. Of several limits the earliest counts. */
  limit(within: Duration.Duration, children: () => Iterable<Child>): void {
    const deadline = this.#now() + Duration.toMillis(within)
    if (!(deadline < this.#deadline)) return
    this.#deadline = deadline
    this.#timer?.interruptUnsafe()
    this.#timer = this.#fork(
      Effect.gen({ self: this }, function* () {
        yield* Effect.sleep(within)
        for (const child of children()) this.#fork(this.kill(child))
      })
    )
  }

  /** All are down: no timer stays behind. */
  finish(): void {
    this.#timer?.interruptUnsafe()
  }
}

import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { AsyncSource } from "../../actors/index.ts"
import type { StreamFunction } from "../../scheduler/index.ts"
import { defineCapability } from "../Capability.ts"
import { count, duration, fn, optional, required } from "../Option.ts"
import { callWithMeter } from "../wrapFunction.ts"

export const periodic = defineCapability({
  id: "stream.periodic",
  summary: "Emits what a function gives every :interval milliseconds.",
  spec: "§2 Generated Streams",
  kind: "source",
  consuming: ["on-value"],
  short: ["interval", "generator"],
  options: {
    interval: required(duration, "the time from one tick to the next, and from the start to the first"),
    generator: required(
      fn,
      "is called at each tick and gives the value; it may take the tick's time (ms since 1970) and how many ticks before it were missed"
    ),
    "max-ticks": optional(count, "ends the stream after this many values; without it the stream goes on until it is drained or cancelled"),
    "on-value": optional(fn, "receives each value in order, and starts the stream")
  },
  order: "The order of the ticks.",
  delivery:
    "Ticks stand at the start plus 1, 2, 3 … intervals, however long the work on one takes. Those that pass while the stream is paused, blocked or not running become one, which tells how many were missed: there is never a burst.",
  backpressure: "The generator is called only when its last value has been taken.",
  notes: [
    "An asynchronous generator is awaited. A generator that fails is called again for the same tick when its actor is restarted, and ends the stream where that is not to be.",
    "A clock that is set back makes the next tick come after one interval at the latest; the ticks go on from there.",
    "A stream that goes on from a checkpoint keeps its ticks: those since then count as missed."
  ],
  example:
    '(call :stream.await (call :stream.to-collection {:source (call :stream.periodic {:interval 5 :generator (fn [time missed] "tick") :max-ticks 2})}))',
  node: ({ generator, interval, "max-ticks": maxTicks }) => ({
    kind: "async-source",
    capability: "stream.periodic",
    open: ({ position }) =>
      Effect.map(Clock.Clock, (clock) => new Ticks(clock, interval, maxTicks ?? Infinity, generator, position as TickPosition | undefined))
  })
})

interface TickPosition {
  /** The time of the last tick that was emitted, or the start. */
  readonly last: number
  readonly given: number
}

class Ticks implements AsyncSource {
  readonly #clock: Clock.Clock
  readonly #interval: number
  readonly #maxTicks: number
  readonly #generator: StreamFunction
  #last: number
  #given: number
  /** The call for a tick, which goes on when the read that began it is interrupted. */
  #underWay: { readonly tick: number; readonly value: Promise<unknown> } | undefined

  constructor(clock: Clock.Clock, interval: number, maxTicks: number, generator: StreamFunction, position: TickPosition | undefined) {
    this.#clock = clock
    this.#interval = interval
    this.#maxTicks = maxTicks
    this.#generator = generator
    this.#last = position?.last ?? clock.currentTimeMillisUnsafe()
    this.#given = position?.given ?? 0
  }

  readonly read = Effect.suspend(() => {
    if (this.#given >= this.#maxTicks) return Effect.succeed(null)
    return Effect.andThen(this.#underWay === undefined ? this.#awaitTick : Effect.void, this.#takeValue)
  })

  position(): TickPosition {
    return { last: this.#last, given: this.#given }
  }

  get #awaitTick(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const now = this.#clock.currentTimeMillisUnsafe()
      // Set back behind the last tick, the clock would show the next one's time too late, if ever.
      if (now < this.#last) this.#last = now
      const wait = this.#last + this.#interval - now
      return wait > 0 ? Effect.andThen(Effect.sleep(wait), this.#awaitTick) : Effect.void
    })
  }

  get #takeValue(): Effect.Effect<{ readonly items: ReadonlyArray<unknown> }, unknown> {
    return Effect.suspend(() => {
      const { tick, value } = (this.#underWay ??= this.#call())
      return Effect.map(
        Effect.onError(Effect.tryPromise({ try: () => value, catch: (error) => error }), () =>
          // A call that failed is made again, one that a pause interrupted is not.
          Effect.sync(() => {
            if (this.#hasFailed) this.#underWay = undefined
          })
        ),
        (item) => {
          this.#underWay = undefined
          this.#last = tick
          this.#given++
          return { items: [item ?? null] }
        }
      )
    })
  }

  #hasFailed = false

  #call(): { readonly tick: number; readonly value: Promise<unknown> } {
    const passed = Math.floor((this.#clock.currentTimeMillisUnsafe() - this.#last) / this.#interval)
    const tick = this.#last + passed * this.#interval
    this.#hasFailed = false
    const value = (async () => callWithMeter(this.#generator, tick, passed - 1))()
    // Whoever waits for it may be interrupted before it fails.
    value.catch(() => {
      this.#hasFailed = true
    })
    return { tick, value }
  }
}

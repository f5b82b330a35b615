import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { type Backoff, type ChildSpec, Supervisor, type SupervisorEvent, type SupervisorOptions } from "../../src/supervisors/index.ts"

/** What the next lives of a child do. */
export interface Script {
  readonly start?: "ready" | "fail" | "hang" | "decline"
  /** How it answers when asked to end; without a request (undefined) it is interrupted instead. */
  readonly asked?: "end" | "ignore" | "fail" | undefined
  /** Whether it closes when it is interrupted, or ignores that. */
  readonly killed?: "end" | "ignore"
}

/** Children that do what a test says, and a log of what they did: `a+` began, `a!` is up, `a?` was asked to end, `a-` ended. */
export class ScriptedChildren {
  log: Array<string> = []
  readonly events: Array<SupervisorEvent> = []
  /** How many lives of each id are running at this moment. */
  readonly alive = new Map<string, number>()
  /** The lives running at this moment, as `a#1`. */
  readonly living = new Set<string>()
  /** How many lives have begun. */
  readonly begun = new Map<string, number>()
  readonly #scripts = new Map<string, Script>()
  readonly #nextStarts = new Map<string, Array<"fail" | "decline">>()
  readonly #resume = new Map<string, (end: Effect.Effect<void, unknown>) => void>()
  readonly #makeReady = new Map<string, () => void>()

  script(id: string, script: Script): void {
    this.#scripts.set(id, script)
  }

  /** How the next starts go, before the script applies again. */
  nextStarts(id: string, starts: ReadonlyArray<"fail" | "decline">): void {
    this.#nextStarts.set(id, [...starts])
  }

  spec(id: string, options: Partial<ChildSpec> = {}, script: Script = {}): ChildSpec {
    this.script(id, script)
    return { id, run: (incarnation) => this.#run(id, incarnation), ...options }
  }

  /** Ends the present life of a child with a failure. */
  crash(id: string, error: unknown = `${id} crashed`): void {
    this.#resume.get(id)?.(Effect.fail(error))
  }

  /** Ends the present life of a child normally. */
  finish(id: string): void {
    this.#resume.get(id)?.(Effect.void)
  }

  /** Ends, whenever it is called, the life that is the present one now. */
  endOf(id: string): () => void {
    const resume = this.#resume.get(id)
    return () => resume?.(Effect.void)
  }

  /** Lets a hanging start come up. */
  makeReady(id: string): void {
    this.#makeReady.get(id)?.()
  }

  aliveOf(id: string): number {
    return this.alive.get(id) ?? 0
  }

  /** The log since the last time it was taken. */
  takeLog(): string {
    const taken = this.log.join(" ")
    this.log = []
    return taken
  }

  start(options: Partial<SupervisorOptions>) {
    return Effect.tap(Supervisor.start({ address: "/top", onEvent: (event) => this.events.push(event), ...options }), (supervisor) =>
      // What a test leaves behind may ignore everything, and nobody else moves the clock.
      Effect.addFinalizer(() => Effect.andThen(Effect.forkDetach(supervisor.stop({ within: 0 })), TestClock.adjust(10_000)))
    )
  }

  #run(id: string, { number, onShutdown, ready }: Parameters<ChildSpec["run"]>[0]): Effect.Effect<unknown, unknown, Scope.Scope> {
    const script = this.#scripts.get(id) ?? {}
    const start = this.#nextStarts.get(id)?.shift() ?? script.start
    const life = Effect.gen({ self: this }, function* () {
      this.log.push(`${id}+`)
      this.alive.set(id, this.aliveOf(id) + 1)
      this.living.add(`${id}#${number}`)
      this.begun.set(id, (this.begun.get(id) ?? 0) + 1)
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          this.log.push(`${id}-`)
          this.alive.set(id, this.aliveOf(id) - 1)
          this.living.delete(`${id}#${number}`)
        })
      )
      if (start === "fail") return yield* Effect.fail(`${id} can't start`)
      if (start === "decline") return
      if (script.asked !== undefined) {
        yield* onShutdown(() =>
          Effect.suspend(() => {
            this.log.push(`${id}?`)
            if (script.asked === "end") this.finish(id)
            return script.asked === "fail" ? Effect.fail("no") : Effect.void
          })
        )
      }
      if (start === "hang") {
        yield* Effect.callback<void, unknown>((resume) => {
          this.#resume.set(id, resume)
          this.#makeReady.set(id, () => resume(Effect.void))
        })
      }
      yield* ready
      this.log.push(`${id}!`)
      yield* Effect.callback<void, unknown>((resume) => void this.#resume.set(id, resume))
    })
    return script.killed === "ignore" ? Effect.uninterruptible(life) : life
  }
}

/** Runs on a clock that only the test moves. */
export const virtual = <A, E>(test: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  test.pipe(Effect.scoped, Effect.provide(TestClock.layer()), Effect.runPromise)

/** Lets everything happen that needs no time. */
export const settle = Effect.gen(function* () {
  for (let i = 0; i < 5; i++) yield* TestClock.adjust(0)
})

/** Lets things happen, without moving time, until the condition holds. It fails if it never does. */
export const until = (condition: () => boolean) =>
  Effect.gen(function* () {
    for (let turns = 0; !condition(); turns++) {
      if (turns === 100_000) return yield* Effect.die(new Error(`This never came to hold: ${String(condition)}`))
      yield* Effect.yieldNow
    }
  })

/** Moves time on and lets everything happen until then. */
export const after = (millis: number) => Effect.andThen(TestClock.adjust(millis), settle)

/** Restarts without waiting. */
export const atOnce: Backoff = { initial: 0, factor: 1, maximum: 0, jitter: 0, resetAfter: 60_000 }

/** Waits exactly 100 ms, 200 ms, 400 ms … */
export const exact: Backoff = { initial: 100, factor: 2, maximum: 1000, jitter: 0, resetAfter: 60_000 }

export const never = { restarts: 0, period: 1000 }
export const often = { restarts: 1000, period: 1000 }

import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { after, settle, virtual } from "../tests/supervisors/ScriptedChildren.ts"
import { ScriptedRounds, type StoreScript } from "../tests/supervisors/ScriptedRounds.ts"

const runs = { numRuns: Number(process.env["FC_RUNS"] ?? 150) }

const actors = ["a", "b", "sink 1", "sink 2"] as const
type ActorName = (typeof actors)[number]

/** What happens next. Where it can't (an actor that has ended says nothing more), nothing does. */
type Event =
  | { readonly type: "begin" }
  /** With the id of the present round, less so many. */
  | { readonly type: "answer"; readonly actor: ActorName; readonly ago: number }
  | { readonly type: "end"; readonly actor: ActorName }
  | { readonly type: "seal"; readonly actor: ActorName }
  | { readonly type: "store"; readonly script: StoreScript }
  | { readonly type: "finish" }
  | { readonly type: "pass"; readonly seconds: number }

const actor = fc.constantFrom(...actors)
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ type: "begin" as const }) },
  { weight: 8, arbitrary: fc.record({ type: fc.constant("answer" as const), actor, ago: fc.constantFrom(0, 0, 0, 0, 1) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("end" as const), actor }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("seal" as const), actor: fc.constantFrom("sink 1" as const, "sink 2" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant("store" as const), script: fc.constantFrom<StoreScript>("stores", "fails", "takes its time") })
  },
  { weight: 2, arbitrary: fc.constant({ type: "finish" as const }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("pass" as const), seconds: fc.constantFrom(1, 4, 10) }) }
)

const timeoutSeconds = 10

/** The rounds as someone who only reads the rules would keep them. */
class Model {
  readonly stored = new Map<number, Readonly<Record<string, string>>>()
  readonly outcomes: Array<string> = []
  readonly last = new Map<ActorName, string>()
  readonly sealed = new Map<ActorName, "waits" | "released">()
  id = 0
  now = 0
  script: StoreScript = "stores"
  #waiting = 0
  #round: { readonly answers: Map<string, string>; readonly until: number } | undefined
  #write: { readonly snapshots: Record<string, string>; readonly covered: ReadonlyArray<ActorName> } | undefined

  begin(): void {
    if (this.#round !== undefined || this.#write !== undefined) this.#waiting++
    else {
      this.id++
      this.#round = { answers: new Map(), until: this.now + timeoutSeconds }
      this.look()
    }
  }

  answer(actor: ActorName, id: number, text: string): void {
    if (id !== this.id || this.#round === undefined || this.#round.answers.has(actor)) return
    this.#round.answers.set(actor, text)
    this.look()
  }

  pass(seconds: number): void {
    const until = this.now + seconds
    while (this.#round !== undefined && this.#round.until <= until) {
      this.now = this.#round.until
      this.#round = undefined
      this.#over("abandoned")
    }
    this.now = until
  }

  look(): void {
    const round = this.#round
    if (round === undefined || actors.some((actor) => !round.answers.has(actor) && !this.last.has(actor))) return
    this.#round = undefined
    this.#write = {
      snapshots: Object.fromEntries(actors.map((actor) => [actor, round.answers.get(actor) ?? this.last.get(actor)!])),
      covered: [...this.sealed.keys()].filter((actor) => !round.answers.has(actor))
    }
    if (this.script !== "takes its time") this.finish()
  }

  finish(): void {
    const write = this.#write
    if (write === undefined) return
    this.#write = undefined
    if (this.script !== "fails") {
      this.stored.set(this.id, write.snapshots)
      for (const actor of write.covered) this.sealed.set(actor, "released")
    }
    this.#over(this.script === "fails" ? "failed" : "stored")
  }

  #over(outcome: string): void {
    this.outcomes.push(`${this.id} ${outcome}`)
    if (this.#waiting === 0) return
    this.#waiting--
    this.begin()
  }
}

/** A write can't be interrupted, so what the test leaves under way is finished before it ends. */
const withRounds = (use: (rounds: ScriptedRounds) => Effect.Effect<void, never, Scope.Scope>): Promise<void> =>
  virtual(
    Effect.suspend(() => {
      const rounds = new ScriptedRounds(actors, { timeout: Duration.seconds(timeoutSeconds) })
      const finish = Effect.sync(() => {
        rounds.store = "stores"
        rounds.finishWrite()
      })
      return Effect.ensuring(use(rounds), finish)
    })
  )

describe("the rounds of checkpoints", () => {
  it("CP-3, CP-6: store exactly the cuts that the rules say, whatever the order of answers, ends, seals and failures, one at a time", () =>
    fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 60, size: "max" }), (events) =>
        withRounds((rounds) =>
          Effect.gen(function* () {
            const model = new Model()
            const released = new Map<ActorName, () => boolean>()
            for (const [at, event] of events.entries()) {
              switch (event.type) {
                case "begin":
                  yield* rounds.begin
                  model.begin()
                  break
                case "answer": {
                  if (model.last.has(event.actor)) break
                  const id = model.id - event.ago
                  rounds.answer(event.actor, id, `${event.actor} at ${at}`)
                  model.answer(event.actor, id, `${event.actor} at ${at}`)
                  break
                }
                case "end":
                  // A sink that waits with its seal has not ended.
                  if (model.last.has(event.actor)) break
                  model.last.set(event.actor, `${event.actor} ended at ${at}`)
                  rounds.ended(event.actor, `${event.actor} ended at ${at}`)
                  model.look()
                  break
                case "seal":
                  if (model.last.has(event.actor)) break
                  model.last.set(event.actor, `${event.actor} sealed at ${at}`)
                  model.sealed.set(event.actor, "waits")
                  released.set(event.actor, yield* rounds.sealed(event.actor, `${event.actor} sealed at ${at}`))
                  yield* settle
                  model.look()
                  break
                case "store":
                  // What it does is settled when a write begins.
                  if (rounds.isWriting) break
                  rounds.store = model.script = event.script
                  break
                case "finish":
                  if (rounds.isWriting) rounds.finishWrite()
                  model.finish()
                  break
                case "pass":
                  yield* after(event.seconds * 1000)
                  model.pass(event.seconds)
              }
              yield* settle
              expect(rounds.outcomes.map(({ id, type }) => `${id} ${type}`)).toEqual(model.outcomes)
              expect(Object.fromEntries(rounds.stored)).toEqual(Object.fromEntries(model.stored))
              for (const [actor, isReleased] of released) expect(isReleased() ? "released" : "waits").toBe(model.sealed.get(actor))
              expect(rounds.mostWrites).toBeLessThanOrEqual(1)
            }
            const { abandoned, failed, stored } = rounds.rounds.counts
            const count = (type: string) => model.outcomes.filter((outcome) => outcome.endsWith(type)).length
            expect([stored, abandoned, failed]).toEqual([count("stored"), count("abandoned"), count("failed")])
            expect(rounds.barriers).toEqual(Array.from({ length: model.id }, (_, index) => index + 1))
          })
        )
      ),
      runs
    ))
})

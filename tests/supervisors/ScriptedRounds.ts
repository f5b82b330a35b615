import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { CheckpointRounds, type CheckpointRoundsOptions, type RoundOutcome } from "../../src/supervisors/index.ts"

/** What the store does with the next checkpoint. */
export type StoreScript = "stores" | "fails" | "takes its time"

/** Rounds whose actors and store do what a test says. */
export class ScriptedRounds {
  readonly rounds: CheckpointRounds
  /** Ids of the barriers that the sources were told to send. */
  readonly barriers: Array<number> = []
  /** What was stored, by id: the texts of the snapshots. */
  readonly stored = new Map<number, Readonly<Record<string, string>>>()
  readonly outcomes: Array<RoundOutcome> = []
  /** How many writes were under way at once, at most. */
  mostWrites = 0
  store: StoreScript = "stores"
  #writes = 0
  #finish: (() => void) | undefined

  constructor(actors: ReadonlyArray<string>, options: Partial<CheckpointRoundsOptions> = {}) {
    this.rounds = new CheckpointRounds({
      actors,
      startBarrier: (id) => void this.barriers.push(id),
      store: (id, snapshots) => this.#write(id, snapshots),
      firstId: 1,
      interval: Duration.seconds(10),
      ...options
    })
  }

  answer(actor: string, id: unknown, text = `${actor}@${String(id)}`): void {
    this.rounds.answer(actor, id, () => Buffer.from(text))
  }

  ended(actor: string, text = `${actor} ended`): void {
    this.rounds.ended(actor, Buffer.from(text))
  }

  /** @returns whether a checkpoint has it, whenever that is asked */
  sealed(actor: string, text = `${actor} sealed`): Effect.Effect<() => boolean, never, Scope.Scope> {
    return Effect.map(Effect.forkScoped(this.rounds.sealed(actor, Buffer.from(text))), (fiber) => () => {
      const exit = fiber.pollUnsafe()
      return exit !== undefined && Exit.isSuccess(exit)
    })
  }

  /** Lets the write end that takes its time. */
  finishWrite(): void {
    this.#finish?.()
  }

  get isWriting(): boolean {
    return this.#writes > 0
  }

  /** A round, whose outcome is noted. */
  get begin(): Effect.Effect<Fiber.Fiber<RoundOutcome>, never, Scope.Scope> {
    return Effect.forkScoped(Effect.tap(this.rounds.round, (outcome) => Effect.sync(() => this.outcomes.push(outcome))))
  }

  /** The loop, whose outcomes are noted. */
  get loop(): Effect.Effect<Fiber.Fiber<never>, never, Scope.Scope> {
    return Effect.forkScoped(this.rounds.loop((outcome) => Effect.sync(() => this.outcomes.push(outcome))))
  }

  #write(id: number, snapshots: ReadonlyMap<string, Uint8Array>): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function* () {
      this.mostWrites = Math.max(this.mostWrites, ++this.#writes)
      const texts = Object.fromEntries([...snapshots].map(([actor, bytes]) => [actor, Buffer.from(bytes).toString()]))
      if (this.store === "takes its time") {
        const isFinished = Deferred.makeUnsafe<void>()
        this.#finish = () => Deferred.doneUnsafe(isFinished, Exit.void)
        yield* Deferred.await(isFinished)
      }
      this.#writes--
      if (this.store === "fails") return yield* Effect.fail(new Error("the disk is full"))
      this.stored.set(id, texts)
    })
  }
}

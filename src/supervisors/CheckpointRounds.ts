import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Semaphore from "effect/Semaphore"
import { createActor } from "xstate"
import { checkpointRound } from "./checkpointRound.machine.ts"

export interface CheckpointRoundsOptions {
  /** All actors of the stream, by a name that is the same in every process. */
  readonly actors: ReadonlyArray<string>
  /** Tells the sources that have not ended to send this barrier behind what they have emitted; of the last one, nothing after it. */
  readonly startBarrier: (id: number, isLast: boolean) => void
  /** Makes a complete round durable; it counts only once this has succeeded. */
  readonly store: (id: number, snapshots: ReadonlyMap<string, Uint8Array>) => Effect.Effect<void, unknown>
  /** The round is stored, and the next has not begun. */
  readonly onStored?: (id: number) => void
  /** The id of the first round; every further one is higher. */
  readonly firstId: number
  readonly interval: Duration.Duration
  /** Also after so many items of the sources together. */
  readonly everyItems?: number | undefined
  /** Whether there is nothing to store as long as the sources have given nothing since the last round that was stored. */
  readonly onlyAfterItems?: boolean
  /** After this long a round is given up and counted; by default 10 minutes. */
  readonly timeout?: Duration.Duration
}

/** How a round ended. */
export type RoundOutcome =
  | { readonly type: "stored"; readonly id: number; readonly bytes: number }
  | { readonly type: "abandoned"; readonly id: number; /** Who has not answered. */ readonly missing: ReadonlyArray<string> }
  | { readonly type: "failed"; readonly id: number; readonly error: unknown }

export interface RoundCounts {
  readonly stored: number
  readonly abandoned: number
  readonly failed: number
}

/**
 * The checkpoints of one stream: aligned barriers, one round at a time (Chandy–Lamport, as Flink does it).
 *
 * A barrier is sent by every source behind what it has emitted. An actor answers with its snapshot when the barrier has
 * come by all its inputs, so that all snapshots together are one cut through the stream. Actors that have ended, and
 * sinks that have sealed their output, have answered for all rounds to come.
 *
 * **Bounds** one round at a time; its snapshots are held as bytes until they are stored.
 * **Stopping** a round that is interrupted has no effect, unless the store was writing: then the store decides.
 */
export class CheckpointRounds {
  readonly #options: CheckpointRoundsOptions
  readonly #machine = createActor(checkpointRound).start()
  readonly #turn = Semaphore.makeUnsafe(1)
  /** The last snapshots of actors that will not answer any more. */
  readonly #final = new Map<string, Uint8Array>()
  /** Why there is none of actors that will not answer any more either. */
  readonly #lost = new Map<string, unknown>()
  readonly #taken = new Map<string, number>()
  readonly #sealed: Array<{ readonly actor: string; readonly isStored: Deferred.Deferred<void> }> = []
  #answers = new Map<string, Uint8Array>()
  #answered: Deferred.Deferred<void, unknown> | undefined
  #id: number
  #wake: () => void = () => {}
  #isAsked = false
  #itemsAtLast = 0
  #itemsStored = 0
  readonly #counts = { stored: 0, abandoned: 0, failed: 0 }

  constructor(options: CheckpointRoundsOptions) {
    this.#options = options
    this.#id = options.firstId - 1
  }

  get counts(): RoundCounts {
    return { ...this.#counts }
  }

  /** The snapshot of an actor at a barrier. What `encode` throws fails the round, and nothing else. */
  answer(actor: string, id: unknown, encode: () => Uint8Array): void {
    if (id !== this.#id || this.#answered === undefined || this.#answers.has(actor)) return
    try {
      this.#answers.set(actor, encode())
    } catch (error) {
      Deferred.doneUnsafe(this.#answered, Exit.fail(error))
      return
    }
    this.#look()
  }

  /** An actor has ended normally, with this as its last state. */
  ended(actor: string, snapshot: Uint8Array): void {
    this.#final.set(actor, snapshot)
    this.#look()
  }

  /** An actor has ended normally, but its last state can't be told: no round can be complete any more. */
  lost(actor: string, error: unknown): void {
    this.#lost.set(actor, error)
    if (this.#answered !== undefined && !this.#answers.has(actor)) Deferred.doneUnsafe(this.#answered, Exit.fail(error))
    this.#look()
  }

  /** A sink has sealed its output. @returns what completes once a checkpoint has this snapshot */
  sealed(actor: string, snapshot: Uint8Array): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#final.set(actor, snapshot)
      const isStored = Deferred.makeUnsafe<void>()
      this.#sealed.push({ actor, isStored })
      this.#look()
      return Deferred.await(isStored)
    })
  }

  /** A source has given so many items in all. */
  taken(source: string, items: number): void {
    this.#taken.set(source, items)
    if (this.#isDue) this.#wake()
  }

  /** A round is wanted before its time. */
  ask(): void {
    this.#isAsked = true
    this.#wake()
  }

  /** Runs one round, behind the one that is under way. */
  get round(): Effect.Effect<RoundOutcome> {
    return this.#turn.withPermits(1)(Effect.suspend(() => this.#run(false)))
  }

  /** The same before the stream is stopped: sources give nothing behind this barrier. */
  get lastRound(): Effect.Effect<RoundOutcome> {
    return this.#turn.withPermits(1)(Effect.suspend(() => this.#run(true)))
  }

  /**
   * Rounds for as long as it runs: each `interval`, after `everyItems`, and at once when nothing but sealed sinks is left.
   *
   * @param told hears of each round before the next one begins; what it fails with ends the loop
   */
  loop<E>(told: (outcome: RoundOutcome) => Effect.Effect<void, E>): Effect.Effect<never, E> {
    const wait = Effect.raceFirst(
      Effect.sleep(this.#options.interval),
      Effect.callback<void>((resume) => {
        this.#wake = () => resume(Effect.void)
        // What came about during the round before has woken nobody.
        if (this.#isEnding || this.#isAsked || this.#isDue) this.#wake()
      })
    )
    const next = Effect.flatMap(this.round, (outcome) =>
      // A store that fails while everything waits for it must not be asked again in the same moment.
      outcome.type === "stored" || !this.#isEnding ? told(outcome) : Effect.andThen(told(outcome), Effect.sleep(Duration.seconds(1)))
    )
    return Effect.forever(
      Effect.andThen(
        wait,
        Effect.suspend(() => (this.#hasNothingNew ? Effect.void : next))
      )
    )
  }

  #run(isLast: boolean): Effect.Effect<RoundOutcome> {
    const id = ++this.#id
    const answered = Deferred.makeUnsafe<void, unknown>()
    this.#machine.send({ type: "begin" })
    this.#answers = new Map()
    this.#answered = answered
    this.#itemsAtLast = this.#itemsTaken
    this.#isAsked = false
    const [lost] = this.#lost.values()
    if (lost !== undefined) return this.#fail(id, lost)
    this.#look()
    this.#options.startBarrier(id, isLast)
    const { timeout = Duration.minutes(10) } = this.#options
    const aligned = Effect.timeoutOption(Deferred.await(answered), timeout)
    const round = Effect.flatMap(aligned, (isComplete) => {
      this.#answered = undefined
      if (Option.isNone(isComplete)) return this.#abandon(id)
      this.#machine.send({ type: "answered" })
      return this.#store(id)
    })
    return round.pipe(
      Effect.catch((error) => this.#fail(id, error)),
      // Also what nobody foresaw is told, and leaves the checkpoint before it standing.
      Effect.catchDefect((defect) => this.#fail(id, defect)),
      // Interrupted, it has not been: the next round may begin.
      Effect.onInterrupt(() => Effect.sync(() => this.#giveUp()))
    )
  }

  #store(id: number): Effect.Effect<RoundOutcome, unknown> {
    const snapshots = new Map([...this.#final, ...this.#answers])
    // A sink that sealed after it had answered is in this checkpoint as it was at the barrier.
    const covered = this.#sealed.filter(({ actor }) => !this.#answers.has(actor))
    this.#answers = new Map()
    const bytes = [...snapshots.values()].reduce((sum, { byteLength }) => sum + byteLength, 0)
    return Effect.uninterruptible(
      Effect.map(this.#options.store(id, snapshots), () => {
        this.#machine.send({ type: "stored" })
        this.#counts.stored++
        this.#itemsStored = this.#itemsAtLast
        for (const entry of covered) {
          this.#sealed.splice(this.#sealed.indexOf(entry), 1)
          Deferred.doneUnsafe(entry.isStored, Exit.void)
        }
        this.#options.onStored?.(id)
        return { type: "stored" as const, id, bytes }
      })
    )
  }

  #abandon(id: number): Effect.Effect<RoundOutcome> {
    const missing = this.#missing
    this.#machine.send({ type: "timedOut" })
    this.#answers = new Map()
    this.#counts.abandoned++
    return Effect.succeed({ type: "abandoned", id, missing })
  }

  #fail(id: number, error: unknown): Effect.Effect<RoundOutcome> {
    this.#giveUp()
    this.#counts.failed++
    return Effect.succeed({ type: "failed", id, error })
  }

  #giveUp(): void {
    this.#answered = undefined
    this.#answers = new Map()
    this.#machine.send({ type: "failed" })
  }

  /** Whether the round has all its answers, or the stream all its ends. */
  #look(): void {
    if (this.#answered !== undefined && this.#missing.length === 0) Deferred.doneUnsafe(this.#answered, Exit.void)
    if (this.#isEnding) this.#wake()
  }

  get #missing(): ReadonlyArray<string> {
    return this.#options.actors.filter((actor) => !this.#answers.has(actor) && !this.#final.has(actor))
  }

  /** Nothing but sinks that wait for a checkpoint is left. */
  get #isEnding(): boolean {
    return this.#sealed.length > 0 && this.#options.actors.every((actor) => this.#final.has(actor) || this.#lost.has(actor))
  }

  /** Nothing but sinks that wait for a checkpoint is left, and there can be none. */
  get isStuck(): boolean {
    return this.#isEnding && this.#lost.size > 0
  }

  get #hasNothingNew(): boolean {
    return this.#options.onlyAfterItems === true && !this.#isEnding && !this.#isAsked && this.#itemsTaken === this.#itemsStored
  }

  /** Enough items for the next round have been taken. */
  get #isDue(): boolean {
    const { everyItems } = this.#options
    return everyItems !== undefined && this.#itemsTaken - this.#itemsAtLast >= everyItems
  }

  get #itemsTaken(): number {
    let sum = 0
    for (const items of this.#taken.values()) sum += items
    return sum
  }
}

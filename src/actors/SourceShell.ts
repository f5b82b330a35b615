import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { decodeFrame, FrameEncoder, UnencodableValue } from "../serialization/index.ts"
import type { ActorDefinition } from "./Actor.ts"
import type { ActorFailure } from "./errors.ts"
import { type Held, heldItems } from "./Leftovers.ts"
import type { Applied, FailedIn } from "./ItemRecovery.ts"
import { Mode } from "./Lifecycle.ts"
import type { AsyncSource, AsyncSourceSpec, SourceBatch } from "./NodeSpec.ts"
import { isTurnOver, nextTurn } from "./Pace.ts"
import { soon } from "./Parking.ts"
import { Shell } from "./Shell.ts"
import type { Wait } from "./Waiting.ts"

/**
 * An asynchronous source as an actor: it reads when everything that it read before has been taken.
 *
 * A life opens the source at the position that the last batch left behind, so a batch is emitted once, whenever a life
 * ends: what was read and not yet taken stands in the output, which outlives the life.
 *
 * **Backpressure** no read begins while a receiver has no room: it holds one batch at most.
 * **Stopping** interrupting a read loses nothing; the scope closes what was opened.
 */
export class SourceShell extends Shell {
  private readonly spec: AsyncSourceSpec
  /** What this life has opened. */
  private source: AsyncSource | undefined
  private position: unknown
  /** Items behind the position that were given before: the first ones of a batch whose rest was not. */
  private given = 0
  /** The same before the last batch, and how many of its items are in frames; without it, no barrier goes between those. */
  private before: { readonly position: unknown; readonly given: number; readonly items: number } | undefined
  /** A batch that is not all in frames yet, and how far it is. */
  private batch: SourceBatch | undefined
  private next = 0
  /** What was in frames when the receivers had their turn. */
  private bytesLastTurn = 0
  private isDone = false
  /** Items that were given before the snapshot that it goes on from. */
  private takenBefore = 0
  private hasEnded = false
  /** Whether nothing is left to wait for once it has ended. */
  private isCovered = true
  private barriers: Array<string | number> = []
  private reading: Fiber.Fiber<void, ActorFailure> | undefined

  constructor(definition: ActorDefinition, spec: AsyncSourceSpec) {
    if (definition.stages.length > 0)
      throw new Error(`${spec.capability} at ${definition.address} is an actor of its own: its stages belong into the next one.`)
    super(definition, [spec])
    this.spec = spec
  }

  protected live(isOpen: Effect.Effect<void>): Effect.Effect<void, ActorFailure> {
    if (this.hasEnded && this.isCovered) return Effect.andThen(isOpen, this.awaitOutput)
    return Effect.scoped(
      Effect.flatMap(this.guard(Effect.suspend(() => this.spec.open({ ...this.surroundings, position: this.position }))), (source) =>
        Effect.andThen(
          isOpen,
          Effect.suspend(() => {
            this.source = source
            const trying = this.dealWithLast(this.apply)
            return trying ? Effect.andThen(trying, this.loop(source)) : this.loop(source)
          })
        )
      )
    )
  }

  private loop(source: AsyncSource): Effect.Effect<void, ActorFailure> {
    const step: Effect.Effect<void, ActorFailure> = Effect.suspend(() => {
      const wait = this.batch && this.encode(this.batch)
      if (wait) return Effect.andThen(wait, step)
      this.obey()
      if (this.storedPosition.untold !== undefined) return Effect.andThen(this.guard(this.storedPosition.tell(source.onStored)), step)
      if (!this.output.flush()) return Effect.andThen(this.awaitRoom, step)
      if (this.output.bytes - this.bytesLastTurn >= turnBytes) {
        this.bytesLastTurn = this.output.bytes
        return Effect.andThen(isTurnOver(performance.now()) ? this.waitFor("busy", nextTurn) : receiversTurn, step)
      }
      if (this.hasEnded) return this.isCovered ? Effect.void : Effect.andThen(this.awaitCover, step)
      if (this.isDone || this.lifecycle.mode === Mode.draining) return Effect.andThen(this.end(), step)
      const isPaused = this.lifecycle.mode === Mode.paused
      return Effect.andThen(this.waitFor("idle", isPaused ? this.orders.awaitControl : this.nextBatch(source)), step)
    })
    return step
  }

  /** Reads until there is a batch, or an order: a read that is interrupted loses nothing. */
  private nextBatch(source: AsyncSource): Effect.Effect<void, ActorFailure> {
    // The batch is noted in the very step in which it is there, so that no interruption comes between.
    const read = Effect.flatMap(this.guard(source.read), (batch) => this.take(batch, source))
    return Effect.flatMap(Effect.forkChild(read, { startImmediately: true }), (reading) => {
      this.reading = reading
      return Effect.flatMap(Fiber.await(reading), (exit) => {
        this.reading = undefined
        return Exit.hasInterrupts(exit) ? Effect.void : exit
      })
    })
  }

  protected override hear(): void {
    this.reading?.interruptUnsafe()
  }

  /** From now on the batch is ours: the next read goes on behind it, in this life or another. */
  private take(batch: SourceBatch | null, source: AsyncSource): Effect.Effect<void, ActorFailure> {
    if (batch === null) {
      this.isDone = true
      return Effect.void
    }
    const { given, position } = this
    const items = "block" in batch ? batch.lineEnds.length : batch.items.length
    const first = Math.min(given, items)
    // Where it can't be read again, nobody goes on inside of a batch.
    this.before = this.isSpent ? undefined : { position, given, items: items - first }
    this.position = source.position()
    this.given = given - first
    this.metrics.framesIn++
    this.metrics.itemsIn += items - first
    this.metrics.bytesIn += batch.bytes ?? 0
    this.definition.checkpointing?.onTaken?.(this.metrics.itemsIn)
    this.batch = batch
    this.next = first
    return Effect.void
  }

  /** Makes frames of the rest of the batch. @returns what to wait for where an item can't be encoded, and then it is to be called again */
  private encode(batch: SourceBatch): Wait | undefined {
    for (;;) {
      try {
        if ("block" in batch) this.output.encodeLines(batch, this.now(), this.next)
        else this.output.encodeBatch(batch, this.next, this.now())
        this.batch = undefined
        return undefined
      } catch (cause) {
        if ("block" in batch || !(cause instanceof UnencodableValue)) {
          this.tallyOf(this.spec).failed++
          return Effect.fail(this.failure({ node: this.spec, reason: "node", cause }))
        }
        // The items before it are in frames.
        this.next = cause.index
        // Frames and items do not count alike any more.
        this.before = undefined
        const wait = this.failItem(batch.items, cause)
        if (wait) return wait
      }
    }
  }

  private failItem(items: ReadonlyArray<unknown>, cause: unknown): Wait | undefined {
    const item = this.takenBefore + this.metrics.itemsIn - items.length + this.next + 1
    const node = this.failedNode(0)
    const failed: FailedIn = { at: 0, lane: "", node, place: String(item), item, value: items[this.next], cause, isHopeless: true }
    if (node.policy.then !== "fail" || node.policy.handler || this.definition.failures !== "restart" || !this.isSpent) {
      return this.dealWith(failed, this.apply)
    }
    this.tallyOf(this.spec).failed++
    return this.putAside(failed, this.recovery.tried(failed), this.apply)
  }

  private readonly apply = (verdict: Applied): void => {
    if (verdict.type === "leave-out") this.next++
    if (verdict.type !== "replace" || this.batch === undefined || "block" in this.batch) return
    this.batch = { ...this.batch, items: this.batch.items.with(this.next, verdict.value), handsOver: false, json: undefined }
  }

  private end(): Effect.Effect<void, ActorFailure> {
    const ended = Effect.sync(() => {
      this.output.signal("end", this.now())
      this.hasEnded = true
      this.isCovered = this.definition.checkpointing === undefined || this.source?.onStored === undefined
    })
    const told = this.complete(this.spec)
    return told ? Effect.andThen(told, ended) : ended
  }

  /** Everything is given; what comes of it has to be in a checkpoint before the source may be closed. */
  private get awaitCover(): Effect.Effect<void, ActorFailure> {
    const stored = Effect.suspend(() => this.definition.checkpointing!.onSealed(this.snapshot()))
    const told = Effect.suspend(() => {
      this.storedPosition.goesOnAt(this.position)
      return this.guard(this.storedPosition.tell(this.source!.onStored))
    })
    return Effect.map(Effect.andThen(this.waitFor("blocked", Effect.andThen(this.awaitOutput, stored)), told), () => {
      this.isCovered = true
    })
  }

  protected override hearsOfStored(): boolean {
    return this.source?.onStored !== undefined
  }

  private obey(): void {
    let isLast = false
    while (this.orders.controlLength > 0) {
      const order = this.orders.takeControl()
      if (order?.type === "barrier" || order?.type === "last-barrier") this.barriers.push(order.subject!)
      isLast ||= order?.type === "last-barrier"
    }
    for (const barrier of this.barriers.splice(0)) {
      const snapshot = this.snapshot()
      // Before it answers: the last answer stores the checkpoint, some stores at once.
      this.storedPosition.passed(barrier, snapshot.position ?? undefined)
      this.definition.checkpointing?.onBarrier(barrier, snapshot)
      // What nobody has taken can be read again: a barrier does not wait for a slow receiver to work a whole batch off.
      if (this.isSplit) this.output.signalAhead!("barrier", this.now(), barrier)
      else this.output.signal("barrier", this.now(), barrier)
    }
    // Behind the last barrier nothing is given, or whoever goes on from it would give it again.
    if (isLast && this.isSplit) this.metrics.itemsIn -= this.output.discardUntaken!()
  }

  /** Whether a part of the last batch has been taken by nobody, so that a barrier may go in front of it. */
  private get isSplit(): boolean {
    return (
      this.before !== undefined
      && !this.isDone
      && this.batch === undefined
      && this.output.signalAhead !== undefined
      && this.output.untaken.length > 0
    )
  }

  /** Whether no other life could go on with what this one has opened. */
  private get isSpent(): boolean {
    return this.source?.isRepeatable?.() === false
  }

  private guard<A, R>(effect: Effect.Effect<A, unknown, R>): Effect.Effect<A, ActorFailure, R> {
    return Effect.mapError(effect, (cause) => this.failure({ node: this.spec, reason: "node", cause, isFinal: this.isSpent }))
  }

  protected entered(): ReadonlyArray<number> {
    return [this.metrics.itemsIn, this.output.items]
  }

  protected override held(): ReadonlyArray<Held> {
    const { address, batch, next } = this
    if (batch === undefined) return []
    if ("items" in batch) return [heldItems(1, batch.items.slice(next))]
    const count = batch.lineEnds.length - next
    const lines = () => decodeFrame(new FrameEncoder({ stream: address }).encodeLines(batch, next, batch.lineEnds.length, 0))
    return [{ node: 1, count, values: count === 0 ? () => [] : lines }]
  }

  protected override underWay(): number {
    const { batch, next } = this
    if (batch === undefined) return 0
    return ("items" in batch ? batch.items.length : batch.lineEnds.length) - next
  }

  result(): unknown {
    return undefined
  }

  snapshot(): SourceSnapshot {
    const { before, hasEnded, isCovered, isDone } = this
    const taken = this.takenBefore + this.metrics.itemsIn
    if (before !== undefined && this.isSplit) {
      const left = this.output.untaken.reduce((sum, { count }) => sum + count, 0)
      return {
        position: before.position ?? null,
        given: before.given + before.items - left,
        isDone,
        hasEnded,
        isCovered,
        taken: taken - left
      }
    }
    return { position: this.position ?? null, given: this.given, isDone, hasEnded, isCovered, taken }
  }

  restore(snapshot: unknown): void {
    const { given, hasEnded, isCovered = true, isDone, position, taken } = snapshot as SourceSnapshot
    this.given = given
    this.takenBefore = taken
    this.position = position ?? undefined
    this.isDone = isDone
    this.hasEnded = hasEnded
    this.isCovered = isCovered
    if (position !== null && !(hasEnded && isCovered)) this.storedPosition.goesOnAt(position)
    // Its end was on its way when the checkpoint was taken, or had arrived: it is harmless twice.
    if (hasEnded) this.output.signal("end", 0)
  }
}

/** The receivers work off what is fresh, before there is so much of it that it leaves the cache: they were woken before. */
const receiversTurn: Effect.Effect<void> = Effect.callback<void>((resume) => soon(() => resume(Effect.void)))
const turnBytes = 32 * 1024

interface SourceSnapshot {
  readonly position: unknown
  readonly given: number
  readonly isDone: boolean
  readonly hasEnded: boolean
  /** Left out by earlier versions, which had no source that waits for it. */
  readonly isCovered?: boolean
  readonly taken: number
}

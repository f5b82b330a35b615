import * as Effect from "effect/Effect"
import { type Frame, signalValue, takeItems } from "../serialization/index.ts"
import type { ActorDefinition, ActorOrder } from "./Actor.ts"
import { type ActorFailure, ItemFailure } from "./errors.ts"
import type { Applied, FailedIn } from "./ItemRecovery.ts"
import { Mode } from "./Lifecycle.ts"
import { type Held, heldItems } from "./Leftovers.ts"
import type { Mailbox } from "./Mailbox.ts"
import type { AsyncSink, AsyncSinkSpec, HeldItems } from "./NodeSpec.ts"
import { Shell } from "./Shell.ts"
import type { Wait } from "./Waiting.ts"

/**
 * An asynchronous sink as an actor: it takes a frame when it is ready for one and releases it once it is written.
 *
 * A life opens the sink at the position that the last complete write left behind and writes the frame in work again
 * from the item behind that. So nothing is written twice where the sink goes back to its position; where it can't, the
 * items of one write may be.
 *
 * **Stopping** without `finish` the scope's closing discards what was written.
 */
export class SinkShell extends Shell<HeldItem> {
  private readonly spec: AsyncSinkSpec
  private readonly mailbox: Mailbox<ActorOrder>
  /** What this life has opened. */
  private sink: AsyncSink | undefined
  private position: unknown
  /** The items of the frame in work, and how many of them are done with. */
  private items: Array<unknown> | undefined
  private next = 0
  private edge = 0
  private written = 0
  /** Items that were worked off before the snapshot that it goes on from. */
  private takenBefore = 0
  private readonly ended: Array<boolean>
  private readonly aligned: Array<boolean>
  private barrier: unknown
  /** Everything is written and a checkpoint has it; only `finish` is missing. */
  private isSealed = false
  private isFinished = false
  private finished: unknown

  constructor(definition: ActorDefinition, spec: AsyncSinkSpec, input: { readonly mailbox: Mailbox<ActorOrder>; readonly edges: number }) {
    if (definition.stages.length > 0 || definition.outputs.length > 0) {
      throw new Error(`${spec.capability} at ${definition.address} is an actor of its own, without stages and outputs.`)
    }
    super(definition, [spec])
    this.spec = spec
    this.mailbox = input.mailbox
    this.ended = Array.from({ length: input.edges }, () => false)
    this.aligned = Array.from({ length: input.edges }, () => false)
  }

  protected live(isOpen: Effect.Effect<void>): Effect.Effect<void, ActorFailure> {
    if (this.isFinished) return isOpen
    const { position, surroundings } = this
    const sealed = this.definition.checkpointing === undefined && !this.isSealed ? {} : { isSealed: this.isSealed }
    return Effect.scoped(
      Effect.flatMap(this.guard(Effect.suspend(() => this.spec.open({ ...surroundings, ...sealed, position }))), (sink) =>
        Effect.andThen(
          isOpen,
          Effect.suspend(() => {
            this.sink = sink
            return this.loop(sink)
          })
        )
      )
    )
  }

  private loop(sink: AsyncSink): Effect.Effect<void, ActorFailure> {
    const trying = this.tryAgain()
    const step: Effect.Effect<void, ActorFailure> = Effect.suspend(() => {
      while (this.orders.controlLength > 0) this.orders.takeControl()
      if (this.isFinished) return Effect.void
      const { untold } = this.storedPosition
      if (untold !== undefined) return Effect.andThen(this.tellStored(sink, untold), step)
      if (sink.held?.isDue()) return Effect.andThen(this.handOver(sink, sink.held), step)
      if (this.items) return Effect.andThen(this.write(sink, this.items), step)
      if (this.isAligned) return Effect.andThen(this.passBarrier(sink), step)
      if (!this.ended.includes(false)) return Effect.andThen(this.finish(sink), step)
      if (this.lifecycle.mode === Mode.paused) return Effect.andThen(this.waitFor("idle", this.orders.awaitControl), step)
      const delivery = this.mailbox.peek()
      if (delivery === undefined) {
        const work = this.guard(this.mailbox.awaitWork)
        return Effect.andThen(this.waitFor("idle", sink.held === undefined ? work : Effect.raceFirst(work, sink.held.awaitDue)), step)
      }
      const failure = this.take(delivery.edge, delivery.frame)
      return failure ? Effect.fail(failure) : step
    })
    return trying ? Effect.andThen(trying, step) : step
  }

  private take(edge: number, frame: Frame): ActorFailure | undefined {
    switch (frame.kind) {
      case "data":
        this.items = takeItems(frame)
        this.next = 0
        this.edge = edge
        this.metrics.framesIn++
        this.metrics.itemsIn += frame.count
        this.metrics.bytesIn += frame.byteLength
        return undefined
      case "barrier":
        this.aligned[edge] = true
        this.mailbox.release(edge)
        this.mailbox.blockEdge(edge)
        this.barrier = signalValue(frame)
        return undefined
      case "end":
        this.ended[edge] = true
        this.mailbox.release(edge)
        return undefined
      case "error": {
        const cause = signalValue(frame)
        this.mailbox.release(edge)
        return this.failure({ node: this.spec, reason: "upstream", cause, isFinal: true })
      }
      default:
        this.mailbox.release(edge)
        return undefined
    }
  }

  private write(sink: AsyncSink, items: ReadonlyArray<unknown>): Effect.Effect<void, ActorFailure> {
    const rest = this.next === 0 ? items : items.slice(this.next)
    return Effect.matchEffect(this.waitFor("busy", sink.write(rest)), {
      onSuccess: () => this.noteWritten(rest.length, sink),
      onFailure: (cause) => {
        if (!(cause instanceof ItemFailure)) return Effect.fail(this.failure({ node: this.spec, reason: "node", cause }))
        return this.failItem(cause, sink) ?? Effect.void
      }
    })
  }

  /** In the same step as the end of the write. */
  private noteWritten(count: number, sink: AsyncSink): Effect.Effect<void> {
    this.next += count
    this.written += count
    this.position = sink.position()
    this.releaseIfDone()
    return Effect.void
  }

  private failItem({ cause, index }: ItemFailure, sink: AsyncSink): Wait | undefined {
    this.next += index
    this.written += index
    this.position = sink.position()
    const item = this.takenBefore + this.metrics.itemsIn - this.items!.length + this.next + 1
    const failed: FailedIn = { at: 0, lane: "", node: this.failedNode(0), place: String(item), item, value: this.items![this.next], cause }
    return this.dealWith(failed, this.apply)
  }

  /** A new life begins with the item that ended the last one, or without it when it has ended too many. */
  private tryAgain(): Wait | undefined {
    return this.dealWithLast(this.apply)
  }

  private readonly apply = (verdict: Applied, failed?: HeldItem): void => {
    if (failed?.isHeld) return this.applyHeld(verdict, this.sink!)
    if (verdict.type === "leave-out") this.leaveOut()
    if (verdict.type === "replace") this.items![this.next] = verdict.value
  }

  /** What it may hand over because of that is handed over before the telling counts as done. */
  private tellStored(sink: AsyncSink, untold: { readonly position: unknown }): Effect.Effect<void, ActorFailure> {
    return Effect.flatMap(this.guard(sink.onStored?.(untold.position) ?? Effect.void), () => {
      if (sink.held?.isDue()) return this.handOver(sink, sink.held)
      this.storedPosition.told(untold)
      return Effect.void
    })
  }

  private handOver(sink: AsyncSink, held: HeldItems): Effect.Effect<void, ActorFailure> {
    return Effect.matchEffect(this.waitFor("busy", held.handOver), {
      onSuccess: () => this.notePosition(sink),
      onFailure: (cause) => {
        this.position = sink.position()
        if (!(cause instanceof ItemFailure)) return Effect.fail(this.failure({ node: this.spec, reason: "node", cause }))
        return this.failHeld(cause, held, sink) ?? Effect.void
      }
    })
  }

  private notePosition(sink: AsyncSink): Effect.Effect<void> {
    this.position = sink.position()
    return Effect.void
  }

  private failHeld({ cause, index }: ItemFailure, held: HeldItems, sink: AsyncSink): Wait | undefined {
    const item = this.takenBefore + this.metrics.itemsIn - this.underWay() - held.values().length + index + 1
    const value = held.values()[index]
    const failed: HeldItem = { at: 0, lane: "held", node: this.failedNode(0), place: String(item), item, value, cause, isHeld: true }
    return this.dealWith(failed, (verdict) => this.applyHeld(verdict, sink))
  }

  private applyHeld(verdict: Applied, { held, position }: AsyncSink): void {
    if (verdict.type === "leave-out") held?.leaveOut()
    if (verdict.type === "replace") held?.replace(verdict.value)
    this.position = position()
  }

  private leaveOut(): void {
    this.next++
    this.releaseIfDone()
  }

  private releaseIfDone(): void {
    if (this.items === undefined || this.next < this.items.length) return
    this.items = undefined
    this.mailbox.release(this.edge)
  }

  private get isAligned(): boolean {
    return this.aligned.includes(true) && this.aligned.every((isAligned, edge) => isAligned || this.ended[edge]!)
  }

  /** The edges stay blocked until all that came before the barrier is durable; a life that ends before leaves it to the next. */
  private passBarrier(sink: AsyncSink): Effect.Effect<void, ActorFailure> {
    return Effect.map(this.guard(sink.sync ?? Effect.void), () => {
      this.position = sink.position()
      // Before it answers: the last answer stores the checkpoint, some stores at once.
      this.storedPosition.passed(this.barrier, this.position)
      this.definition.checkpointing?.onBarrier(this.barrier, this.snapshot())
      this.aligned.forEach((isAligned, edge) => {
        if (isAligned) this.mailbox.unblockEdge(edge)
      })
      this.aligned.fill(false)
    })
  }

  private finish(sink: AsyncSink): Effect.Effect<void, ActorFailure> {
    return Effect.flatMap(this.seal(sink), () => {
      // What it has been told only now to hand over, or has held until the end.
      if (this.storedPosition.untold !== undefined || sink.held?.isDue() === true) return Effect.void
      return Effect.flatMap(this.guard(sink.finish), (result) => {
        this.finished = result
        this.isFinished = true
        return this.complete(this.spec) ?? Effect.void
      })
    })
  }

  protected override hearsOfStored(): boolean {
    return this.sink?.onStored !== undefined
  }

  /**
   * What can't be taken back (a rename) waits until a checkpoint says that everything was written: whoever resumes an
   * earlier one would write it again.
   */
  private seal(sink: AsyncSink): Effect.Effect<void, ActorFailure> {
    const { checkpointing } = this.definition
    if (this.isSealed) return Effect.void
    // Without checkpoints only what it holds has to be brought to its end.
    if (checkpointing === undefined && sink.held === undefined) return Effect.void
    return Effect.flatMap(this.guard(sink.seal ?? sink.sync ?? Effect.void), () => {
      this.position = sink.position()
      this.isSealed = true
      if (checkpointing === undefined) return Effect.void
      return Effect.map(this.waitFor("blocked", checkpointing.onSealed(this.snapshot())), () => {
        if (sink.onStored !== undefined) this.storedPosition.goesOnAt(this.position)
      })
    })
  }

  private guard<A, R>(effect: Effect.Effect<A, unknown, R>): Effect.Effect<A, ActorFailure, R> {
    return Effect.mapError(effect, (cause) => this.failure({ node: this.spec, reason: "node", cause }))
  }

  protected override held(): ReadonlyArray<Held> {
    const isFinal = this.isFinished || this.sink?.isFinal?.() === true
    const takenBack = this.spec.takesBack === true && !isFinal && this.definition.checkpointing === undefined ? this.written : 0
    return [
      { node: 0, count: takenBack, values: () => [] },
      heldItems(0, this.sink?.held?.values() ?? []),
      heldItems(0, this.items?.slice(this.next) ?? [])
    ]
  }

  protected override underWay(): number {
    return this.items === undefined ? 0 : this.items.length - this.next
  }

  protected entered(): ReadonlyArray<number> {
    return [this.metrics.itemsIn, this.written]
  }

  result(): unknown {
    return this.finished
  }

  snapshot(): unknown {
    const { finished = null, isFinished, isSealed, position = null } = this
    const taken = this.takenBefore + this.metrics.itemsIn - this.underWay()
    return { position, taken, ended: [...this.ended], isSealed, isFinished, finished } satisfies SinkSnapshot
  }

  restore(snapshot: unknown): void {
    const { ended, finished, isFinished, isSealed, position, taken } = snapshot as SinkSnapshot
    this.takenBefore = taken
    this.position = position ?? undefined
    ended.forEach((value, edge) => (this.ended[edge] = value))
    this.isSealed = isSealed
    if (position !== null && !isFinished) this.storedPosition.goesOnAt(position)
    this.isFinished = isFinished
    this.finished = finished
  }
}

/** An item that it failed on, in the frame or among what the sink holds. */
interface HeldItem extends FailedIn {
  readonly isHeld?: boolean
}

interface SinkSnapshot {
  readonly position: unknown
  readonly taken: number
  readonly ended: ReadonlyArray<boolean>
  readonly isSealed: boolean
  readonly isFinished: boolean
  readonly finished: unknown
}

import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Frame } from "../serialization/index.ts"
import { ControlLane, type ControlMessage } from "./ControlLane.ts"
import { type Delivery, type EdgeDemand, EdgeQueue, type WaitingOffer } from "./EdgeQueue.ts"
import { type InvalidMailboxBounds, MailboxClosed, MailboxFull, type SpillFailure } from "./errors.ts"
import type { Levels } from "./MailboxBounds.ts"
import { levelsInMemory, type MailboxOptions } from "./MailboxOptions.ts"
import { count, type MailboxStats, statsOf } from "./MailboxStats.ts"
import { isDroppable } from "./Overflow.ts"
import { Parking, soon } from "./Parking.ts"
import { Rotation } from "./Rotation.ts"
import { Spilling } from "./Spilling.ts"

/**
 * The bounded queue in front of one actor: a ring of frames for each input edge, and a small lane for control messages,
 * which are read before any frame.
 *
 * A frame leaves only when its receiver says so (`release`), so that an actor that was restarted finds it again. There
 * is one reader; each edge may have any number of senders. The data path (`offerNow`, `peek`, `release`) is plain
 * synchronous code; only waiting involves fibers.
 *
 * **Order** of one edge: as offered, waiting senders in the order in which they began to wait. Edges take turns by
 * frames. Nothing is promised between edges.
 * **Backpressure** as `overflow` says. Barriers, ends, errors and directives are never dropped or refused: they wait.
 * **Bounds** each edge holds at most `maxFrames`, `maxItems` and `maxBytes`; or one frame that is larger than that.
 * Beside them every waiting sender keeps its one frame. Under `spill` frames and items bound what is in memory, beside
 * what is on its way to the disk, and `maxBytes` all of it (frames larger than an eighth of it count up to four times).
 * **Stopping** interrupting a waiting `offer` withdraws its frame: an interrupted offer was not accepted.
 * **Source** invariants MB-1…6, BP-6, BP-7, SP-1…3, SV-13.
 */
export class Mailbox<Control extends ControlMessage = ControlMessage> {
  readonly address: string
  private readonly options: MailboxOptions
  private readonly clock: Clock.Clock
  private readonly edges: ReadonlyArray<EdgeQueue>
  private readonly control = new ControlLane<Control>()
  private readonly rotation = new Rotation()
  private closing: string | undefined
  private readonly spilling: Spilling | undefined
  private give: (frame: Frame) => void = () => {}
  private readonly accepted = { frames: 0, items: 0 }
  private readonly dropped = { frames: 0, items: 0 }
  private readonly late = { frames: 0, items: 0 }
  private readonly forWork = new Parking(
    () => this.rotation.hasWork || this.control.length > 0 || this.isClosed || this.spilling?.readFailure !== undefined
  )
  private readonly forControl = new Parking(() => this.control.length > 0 || this.isClosed)

  private constructor(options: MailboxOptions, levels: Levels, clock: Clock.Clock) {
    this.address = options.address
    this.options = options
    this.clock = clock
    this.edges = Array.from({ length: options.edges }, (_, index) => new EdgeQueue(index, levels, (queue) => this.serve(queue), options))
    if (options.spill === undefined || options.overflow !== "spill") return
    this.spilling = new Spilling(this.edges, options.spill, options.maxBytes, {
      onRoom: (queue) => this.serveSoon(queue),
      onReturn: (queue) => this.changed(queue),
      onReadFailure: () => this.forWork.wake(),
      onSpill: options.onSpill,
      onFailure: options.onSpillFailure
    })
  }

  /**
   * Makes the mailbox of one actor.
   *
   * **Fails** with `InvalidMailboxBounds` unless 0 ≤ low < high ≤ size and every bound is at least 1; under `spill` also
   * without a directory, or with less than 1 MiB of memory.
   */
  static make<Control extends ControlMessage = ControlMessage>(
    options: MailboxOptions
  ): Effect.Effect<Mailbox<Control>, InvalidMailboxBounds> {
    return Effect.clockWith((clock) => Effect.map(levelsInMemory(options), (levels) => new Mailbox<Control>(options, levels, clock)))
  }

  /**
   * Offers a frame without waiting.
   *
   * @returns whether it is dealt with: held, or dropped as configured. `false` leaves it with the sender, which then
   * says `offer` to wait for room or to learn why there is none
   */
  offerNow(edge: number, frame: Frame): boolean {
    if (this.isClosed) return false
    const queue = this.queueOf(edge)
    return this.admit(queue, frame, queue.waiting.length === 0)
  }

  /**
   * Offers a frame and completes when it is dealt with: held, or dropped as configured.
   *
   * It always costs a turn of the event loop's microtasks: the frame is taken in the very step that resumes the sender,
   * so that an interruption finds the one or the other, never an accepted frame whose sender does not know.
   *
   * **Fails** with `MailboxFull` under `fail` only, with `MailboxClosed` after `close`.
   * **Stopping** interrupting it withdraws the frame.
   */
  offer(edge: number, frame: Frame): Effect.Effect<void, MailboxFull | MailboxClosed> {
    return Effect.callback<void, MailboxFull | MailboxClosed>((resume) => {
      const queue = this.queueOf(edge)
      if (this.isClosed) return resume(this.refuseLate(frame))
      if (queue.waiting.length > 0) {
        // Behind others there is no room, whatever the levels say: it is theirs.
        if (this.admit(queue, frame, false)) return resume(Effect.void)
        if (this.refuses(frame)) return resume(this.refuseFull(edge))
      }
      const offer: WaitingOffer = { frame, resume }
      queue.waiting.push(offer)
      // Under backpressure a full edge has nothing to serve; under the others this is where the strategy is applied.
      if (queue.waiting.length === 1 && (this.options.overflow !== "backpressure" || queue.fits(frame))) this.serveSoon(queue)
      return Effect.sync(() => {
        const place = queue.waiting.indexOf(offer)
        if (place === -1) return
        queue.waiting.splice(place, 1)
        if (place === 0 && queue.waiting.length > 0) this.serveSoon(queue)
      })
    })
  }

  /**
   * The frame to work on, which stays in the mailbox until `release`: again the same, until then. Edges take turns;
   * blocked ones are passed over.
   *
   * @returns `undefined` when there is none (see `awaitWork`), and after `close`
   */
  peek(): Delivery | undefined {
    const queue = this.isClosed ? undefined : this.rotation.next()
    if (queue === undefined) return undefined
    return this.begin(queue) ? queue.frames.first() : this.peek()
  }

  /** The same for one edge, for an actor that chooses itself where to read next (a merge by priority or by bytes). */
  peekFrom(edge: number): Frame | undefined {
    const queue = this.queueOf(edge)
    while (queue.isDeliverable && !this.isClosed) if (this.begin(queue)) return queue.frames.first()!.frame
    return undefined
  }

  /** The frame in work of an edge is worked off and leaves; the next sender that waits gets its room. */
  release(edge: number): void {
    if (this.isClosed) return
    const queue = this.queueOf(edge)
    if (!queue.isInWork) throw new Error(`Nothing of input ${edge} of ${this.address} is in work, so nothing can be released`)
    this.options.onWorkedOff?.(queue.frames.first()!.frame)
    queue.shift()
    this.rotation.endTurn(queue)
    this.afterRemoval(queue)
  }

  /** So many items of the frame in work are worked off, which counts at once where the marks are in items. */
  workedOff(edge: number, items: number): void {
    const queue = this.queueOf(edge)
    if (queue.workOff(items)) this.afterRemoval(queue)
  }

  /**
   * Holds one edge back while a barrier that came by it waits for the other edges. Its frames stay, as does the barrier,
   * which may be released now or after `unblockEdge`; its senders wait as soon as it is full, those of other edges don't.
   */
  blockEdge(edge: number): void {
    const queue = this.queueOf(edge)
    queue.isBlocked = true
    this.changed(queue)
  }

  unblockEdge(edge: number): void {
    const queue = this.queueOf(edge)
    queue.isBlocked = false
    this.changed(queue)
  }

  /**
   * For an actor that begins again after a crash: no edge is blocked. Frames in work are read again, and stay safe from
   * being dropped, since a part of their items may be worked off.
   */
  rewind(): void {
    for (const { index } of this.edges) this.unblockEdge(index)
  }

  /**
   * Hands over a control message, which overtakes the frames.
   *
   * @returns whether it was taken; `false` after `close`, and where 256 different ones are waiting
   */
  sendControl(message: Control): boolean {
    if (this.isClosed || !this.control.send(message)) return false
    this.forWork.wake()
    this.forControl.wake()
    return true
  }

  takeControl(): Control | undefined {
    return this.control.take()
  }

  /** What an edge asks for. */
  demand(edge: number): EdgeDemand {
    return this.queueOf(edge)
  }

  /** How many control messages wait. */
  get controlLength(): number {
    return this.control.length
  }

  /**
   * Waits until there is a frame to read or a control message, or until the mailbox is closed. For its one reader.
   *
   * **Fails** with `SpillFailure` under `spill` only, where the next frames can't be read back from disk. They are still
   * there: waiting again tries again.
   */
  get awaitWork(): Effect.Effect<void, SpillFailure> {
    return this.spilling?.awaitWork(this.forWork.wait, () => this.rotation.hasWork || this.control.length > 0) ?? this.forWork.wait
  }

  /** Waits until there is a control message, whatever frames there are: for an actor that is paused. */
  get awaitControl(): Effect.Effect<void> {
    return this.forControl.wait
  }

  get isClosed(): boolean {
    return this.closing !== undefined
  }

  /** Its reader gets no data frame any more that is here now and not in work: `give` does, as their turn comes. */
  giveBack(give: (frame: Frame) => void): void {
    this.give = give
    for (const queue of this.edges) queue.giveBackWaiting()
  }

  /**
   * Takes no more frames, and gives back those in memory, edge by edge in their order, with those in work unless `which` says
   * otherwise; for those on disk see `takeSpilled`. Waiting and later offers fail with `MailboxClosed` and are counted as late.
   */
  close(reason: string, which: "all" | "waiting" = "all"): ReadonlyArray<Delivery> {
    if (this.isClosed) return []
    this.closing = reason
    const undelivered: Array<Delivery> = []
    for (const queue of this.edges) {
      undelivered.push(...queue.clear(which))
      this.relieve(queue)
      for (const { frame, resume } of queue.waiting.splice(0)) {
        const refusal = this.refuseLate(frame)
        soon(() => resume(refusal))
      }
    }
    this.spilling?.close()
    this.forWork.wake()
    this.forControl.wake()
    return undelivered
  }

  /**
   * After `close`: the next of the frames that were on disk, as many as fit into the bounds, in their order; none at the end.
   * **Fails** with `SpillFailure`; asking again tries again.
   */
  get takeSpilled(): Effect.Effect<ReadonlyArray<Delivery>, SpillFailure> {
    return this.spilling?.takeNext ?? Effect.succeed([])
  }

  stats(): MailboxStats {
    const { accepted, control, dropped, edges, late } = this
    return {
      ...statsOf(edges, this.clock.currentTimeMillisUnsafe()),
      control: control.length,
      accepted: { ...accepted },
      dropped: { ...dropped },
      late: { ...late }
    }
  }

  /** Takes the next frame of an edge into work. @returns `false` where it was given back instead */
  private begin(queue: EdgeQueue): boolean {
    const isGivenBack = queue.takesGiveBack()
    queue.isInWork = true
    if (!isGivenBack) return true
    this.give(queue.frames.first()!.frame)
    this.release(queue.index)
    return false
  }

  private queueOf(edge: number): EdgeQueue {
    const queue = this.edges[edge]
    if (queue === undefined) throw new Error(`${this.address} has ${this.edges.length} inputs, so there is no input ${edge}`)
    return queue
  }

  /** @param isNext whether no other sender waits for the room that there is */
  private admit(queue: EdgeQueue, frame: Frame, isNext: boolean): boolean {
    // What came later must not overtake what went to disk before it.
    const mayHold = queue.spill === undefined || (queue.spill.length === 0 && !queue.isAtHighMark)
    if (isNext && mayHold && queue.fits(frame)) {
      this.hold(queue, frame)
      return true
    }
    const isHandled = this.overflow(queue, frame, isNext)
    if (!isHandled || queue.spill === undefined) this.press(queue)
    return isHandled
  }

  private overflow(queue: EdgeQueue, frame: Frame, isNext: boolean): boolean {
    switch (this.options.overflow) {
      case "drop-oldest": {
        const given = isNext ? queue.makeRoomFor(frame) : undefined
        if (given !== undefined) {
          this.hold(queue, frame)
          for (const old of given) this.countDrop(queue, old)
          return true
        }
        return this.dropIncoming(queue, frame)
      }
      case "drop-newest":
        return this.dropIncoming(queue, frame)
      case "spill":
        if (!isNext || !this.spilling!.append(queue, frame)) return false
        count(this.accepted, frame)
        return true
      default:
        return false
    }
  }

  private dropIncoming(queue: EdgeQueue, frame: Frame): boolean {
    if (!isDroppable(frame)) return false
    this.countDrop(queue, frame)
    return true
  }

  private countDrop(queue: EdgeQueue, frame: Frame): void {
    count(this.dropped, frame)
    this.options.onDrop?.(queue.index, frame)
  }

  private hold(queue: EdgeQueue, frame: Frame): void {
    queue.push(frame)
    count(this.accepted, frame)
    this.changed(queue)
    if (queue.spill === undefined && queue.isAtHighMark) this.press(queue)
  }

  private changed(queue: EdgeQueue): void {
    if (this.rotation.update(queue)) this.forWork.wake()
  }

  private press(queue: EdgeQueue): void {
    if (queue.isPressing) return
    queue.isPressing = true
    this.options.onBackpressure?.(queue.index)
  }

  private afterRemoval(queue: EdgeQueue): void {
    this.changed(queue)
    this.spilling?.progress(queue)
    if (queue.isAtLowMark && (queue.spill === undefined || queue.waiting.length === 0)) this.relieve(queue)
    const next = queue.waiting[0]
    if (next !== undefined && (queue.spill !== undefined || queue.fits(next.frame))) this.serveSoon(queue)
  }

  private relieve(queue: EdgeQueue): void {
    if (!queue.isPressing) return
    queue.isPressing = false
    this.options.onRelief?.(queue.index)
  }

  private serveSoon(queue: EdgeQueue): void {
    if (queue.isServing) return
    queue.isServing = true
    soon(queue.serve)
  }

  /** Lets senders in, one after the other, as long as there is room. Each one runs on while this loop stands still. */
  private serve(queue: EdgeQueue): void {
    queue.isServing = false
    for (let next = queue.waiting[0]; next !== undefined; next = queue.waiting[0]) {
      // Out of the line first: a callback of `admit` may close the mailbox, which refuses all who wait.
      queue.waiting.shift()
      if (this.admit(queue, next.frame, true)) {
        next.resume(Effect.void)
      } else if (this.refuses(next.frame)) {
        next.resume(this.refuseFull(queue.index))
      } else {
        queue.waiting.unshift(next)
        return
      }
    }
  }

  private refuses(frame: Frame): boolean {
    return this.options.overflow === "fail" && isDroppable(frame)
  }

  private refuseFull(edge: number): Effect.Effect<never, MailboxFull> {
    return Effect.fail(new MailboxFull({ ...this.options, edge }))
  }

  private refuseLate(frame: Frame): Effect.Effect<never, MailboxClosed> {
    count(this.late, frame)
    return Effect.fail(new MailboxClosed({ address: this.address, reason: this.closing ?? "" }))
  }
}

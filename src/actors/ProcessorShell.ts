import * as Effect from "effect/Effect"
import { UnencodableValue } from "../serialization/index.ts"
import type { ActorDefinition } from "./Actor.ts"
import { Chain, waiting } from "./Chain.ts"
import type { IslandSnapshot } from "./Island.ts"
import type { ActorFailure } from "./errors.ts"
import { broken, failed, spent, suspended } from "./IslandWriter.ts"
import { Mode } from "./Lifecycle.ts"
import type { IslandDriver, IslandInput } from "./IslandInput.ts"
import { inputOf } from "./inputOf.ts"
import { IslandFailures } from "./IslandFailures.ts"
import { type Held, heldIn, heldItems } from "./Leftovers.ts"
import { OffloadDecision } from "./OffloadDecision.ts"
import { isTurnOver, leastBudget, nextTurn, oldestOutputMs, Pace, progressMs } from "./Pace.ts"
import { firstOf, settled, type Wait, watched, woken } from "./Waiting.ts"
import { unencodableIn } from "./StageFailure.ts"

/**
 * An island as an actor: items in, from a mailbox or a synchronous source; through the stages; out as frames, unless
 * its last stage is a sink.
 *
 * Its life is `turn`, a plain loop that works until it has to wait and then says for what. All it knows stands in
 * fields, and nothing can interrupt plain code, so a life that is ended while it waits has lost nothing.
 *
 * A frame leaves the mailbox when its items are worked off. Output that waits for its frame to fill up, and items that
 * are under way in a window, stand in this actor's position then.
 *
 * **Fairness** slices of half a millisecond; the event loop gets its turn after 4 ms. A single call of a function that
 * takes longer can't be cut: such a function belongs into the worker pool.
 * **Bounds** beside the mailbox: the items of one frame, the output for one frame, the windows of concurrent stages.
 */
export class ProcessorShell extends IslandFailures implements IslandDriver {
  chain: Chain
  protected readonly input: IslandInput
  private readonly pace = new Pace()
  private readonly offload: OffloadDecision
  /** There may be work for the chain even though no input is loaded. */
  protected isStirred = false
  /** When the oldest output came that has no frame yet; -1 without any. */
  private pendingSince = -1
  private isEnding = false
  private isOver = false
  /** Nodes of the input that have been completed, and the stage whose end is being worked off. */
  private completed = 0
  private endingStage = -1
  private barriers: Array<string | number> = []
  private lastProgress = 0

  constructor(definition: ActorDefinition) {
    const input = inputOf(definition)
    super(definition, [...input.nodes, ...definition.stages])
    this.input = input
    this.chain = Chain.make(definition.stages, definition)
    this.offload = new OffloadDecision(definition)
  }

  protected live(isOpen: Effect.Effect<void>): Effect.Effect<void, ActorFailure> {
    return Effect.suspend(() => {
      try {
        this.input.open()
      } catch (cause) {
        return Effect.fail(this.failure({ node: this.nodes[0]!, reason: "node", cause }))
      }
      const wait = this.tryAgain()
      return Effect.andThen(isOpen, wait ? Effect.andThen(wait, this.loop) : this.loop)
    })
  }

  private readonly loop: Effect.Effect<void, ActorFailure> = Effect.suspend(() => {
    const wait = this.turn()
    return wait === undefined ? Effect.void : Effect.flatMap(wait, () => this.loop)
  })

  /** Works until it has to wait. @returns what for; undefined at the end */
  private turn(): Wait | undefined {
    this.isStirred = true
    for (;;) {
      this.obey()
      if (!this.output.flush()) return this.awaitRoom
      if (this.isOver) return this.output.isWaiting ? this.awaitRoom : undefined
      if (this.hasBarrier && this.input.isSource && !this.chain.isInsideItem && this.chain.isSettled) {
        // Between two items, wherever in the source's portion and also while paused: a round must not wait for either.
        const wait = this.passOn("barrier", this.barriers[0])
        if (wait) return wait
        this.barriers.shift()
        continue
      }
      const isPaused = this.lifecycle.mode === Mode.paused
      const now = this.now()
      if (this.chain.nextTimer() <= now && this.chain.fireDue(now)) this.isStirred = true

      // A source that is held finishes the item under way and begins no other.
      const isHeld = this.input.isSource && (isPaused || this.hasBarrier)
      if (this.isStirred || (this.chain.hasInput && !isHeld)) {
        const started = performance.now()
        if (isTurnOver(started)) return this.endTurn()
        const wait = this.slice(now, started, isHeld ? 0 : this.pace.slice)
        if (wait) return wait
        continue
      }

      const wait = this.chain.hasInput ? this.rest("order") : this.isEnding ? this.end(now) : this.bringIn(isPaused)
      if (wait) return wait
    }
  }

  /** Others come first; what is done goes out before. */
  private endTurn(): Wait {
    const framing = this.frameOutput()
    if (framing) return framing
    return this.output.flush() ? this.waitFor("busy", nextTurn) : this.awaitRoom
  }

  /** Everything that was brought in is worked off: brings in what is next. */
  private bringIn(isPaused: boolean): Wait | undefined {
    if (this.pendingSince >= 0 && performance.now() - this.pendingSince > oldestOutputMs) {
      const framing = this.frameOutput()
      if (framing) return framing
    }
    if (isPaused) return this.rest("order")
    const started = this.input.isExact === true ? performance.now() : 0
    if (started > 0 && isTurnOver(started)) return this.endTurn()
    const state = this.input.next(this)
    if (typeof state !== "string") return Effect.isEffect(state) ? state : Effect.fail(state)
    if (state === "items" && started > 0) return this.slice(this.now(), started, this.pace.slice)
    if (state === "ended") this.isEnding = true
    if (state === "nothing") return this.rest("input")
    return state === "unsettled" ? this.rest("calls") : undefined
  }

  /** Lets the chain work for one slice. @returns what to wait for, if anything */
  private slice(now: number, started: number, limit: number): Wait | undefined {
    const moved = this.offload.decide(this.chain, this.pace.msPerItem)
    if (moved) {
      // The output of the old chain stays behind otherwise.
      const framing = this.frameAll()
      if (framing) return Effect.map(framing, () => void (this.chain = moved))
      this.chain = moved
    }
    const { chain } = this
    this.isStirred = false
    const before = chain.position
    const budget = Math.max(leastBudget, limit)
    const outcome = chain.advance(limit, now, budget)
    if (this.input.isSource) this.definition.checkpointing?.onTaken?.(chain.entered()[0]!)
    const ended = performance.now()
    this.input.workedOff?.(chain.position)
    this.pace.worked(chain.position - before + (outcome === spent ? budget : 0), ended - started)

    const { output } = chain
    if (output.outCount > 0 && this.pendingSince < 0) this.pendingSince = ended
    const framing = output.outCount >= this.output.fullFrame ? this.frameAll() : undefined
    return framing ? Effect.flatMap(framing, () => this.answer(outcome) ?? Effect.void) : this.answer(outcome)
  }

  private answer(outcome: number): Wait | undefined {
    switch (outcome) {
      case suspended:
        return this.awaitCall(this.chain.stopped.cause as PromiseLike<unknown>)
      case failed:
        return this.failedOn()
      case broken:
        return this.crash()
      case waiting:
        return this.rest("calls")
      case spent:
        this.isStirred = true
    }
    return undefined
  }

  /** The call of the item that stopped is asynchronous: what is done goes out before it is awaited. */
  private awaitCall(thenable: PromiseLike<unknown>): Wait {
    const island = this.chain.stopped
    let isFailed = false
    const outcome = settled(
      watched(thenable),
      (value) => island.resumeWith(value),
      (error) => {
        island.failWith(error)
        isFailed = true
      }
    )
    // Who waits for its turn has work: that is no idleness.
    const activity = this.chain.stages[this.chain.stoppedStage]?.apply?.waits === true ? "blocked" : "idle"
    const wait = Effect.suspend(() => this.waitFor(activity, outcome))
    return Effect.flatMap(this.afterOutput(wait), () => (isFailed ? this.failedOn() : undefined) ?? Effect.void)
  }

  /** Before something that may take long everything that is done goes out. */
  protected afterOutput(wait: Wait): Wait {
    const framing = this.frameAll()
    if (framing) return Effect.andThen(framing, Effect.andThen(this.awaitOutput, wait))
    return this.output.flush() ? wait : Effect.andThen(this.awaitOutput, wait)
  }

  /** Nothing to do: everything that is done goes out, then it waits for an order or for input, and for calls and timers. */
  private rest(also: "order" | "input" | "calls"): Wait | undefined {
    const framing = this.frameOutput()
    if (framing) return framing
    this.chain.flush()
    if (!this.output.flush()) return undefined
    const waits: Array<Wait> = []
    if (also === "order" || (also === "input" && this.input.isSource)) waits.push(this.orders.awaitControl)
    if (also === "input") {
      waits.push(Effect.mapError(this.input.wait(), (cause) => this.failure({ node: this.nodes[0]!, reason: "node", cause })))
    }
    for (const { wants, window } of this.chain.awaited) {
      waits.push(woken((wake) => window.wait(wants, wake)))
    }
    if (this.output.isWaiting) waits.push(this.room)
    const timer = this.chain.nextTimer()
    if (timer < Infinity) waits.push(Effect.sleep(Math.max(0, timer - this.now())))
    if (waits.length === 0) {
      throw new Error(`${this.address} would wait for nothing (${also}): something is under way that no call, timer or input will end`)
    }
    // What went out must not be kept alive by an actor that waits.
    this.chain.output.out.length = 0
    return this.waitFor(also === "input" && this.input.isHeldOff === true ? "blocked" : "idle", firstOf(waits))
  }

  /** The input has ended: the stages end one after the other, each one after what its predecessor still emitted. */
  private end(now: number): Wait | undefined {
    while (this.completed < this.input.nodes.length) {
      const wait = this.complete(this.input.nodes[this.completed++]!)
      if (wait) return wait
    }
    if (this.endingStage >= 0) {
      const node = this.definition.stages[this.endingStage]!
      this.endingStage = -1
      const wait = this.complete(node)
      if (wait) return wait
    }
    const stage = this.chain.startEnd(now)
    if (stage === undefined) return this.rest("calls")
    this.endingStage = stage
    this.isStirred = true
    if (stage >= 0) return undefined
    const framing = this.frameOutput()
    if (framing) return framing
    this.output.signal("end", now)
    this.isOver = true
    return undefined
  }

  /** The orders that came in. Pausing and draining stand in the lifecycle already; the message only wakes. */
  private obey(): void {
    while (this.orders.controlLength > 0) {
      const order = this.orders.takeControl()
      if (order?.type === "barrier" || order?.type === "last-barrier") this.barriers.push(order.subject!)
    }
    if (this.lifecycle.mode === Mode.draining) this.input.drain(this)
  }

  // What the input asks for: see `IslandDriver`.

  get hasBarrier(): boolean {
    return this.barriers.length > 0
  }

  passOn(kind: "watermark" | "barrier" | "directive", value: unknown): Wait | undefined {
    const framing = this.frameOutput()
    if (framing) return framing
    if (kind === "barrier") this.definition.checkpointing?.onBarrier(value, this.snapshot())
    this.output.signal(kind, this.now(), value)
    return undefined
  }

  load(items: ReadonlyArray<unknown>, from: number, to: number, bytes: number): void {
    this.metrics.framesIn++
    this.metrics.itemsIn += to - from
    this.metrics.bytesIn += bytes
    this.chain.load(items, from, to)
  }

  cutShort(): number {
    const left = this.chain.cutShort()
    this.metrics.itemsIn -= left
    return left
  }

  get nextSlice(): number {
    return this.pace.slice
  }

  progress(done: number, total: number | undefined, isLast: boolean): void {
    const now = this.now()
    if (!isLast && now - this.lastProgress < progressMs) return
    this.lastProgress = now
    this.definition.services.progress(this.address, done, total, "items")
  }

  inputFailure(cause: unknown, reason: "item" | "upstream", item?: number, isFinal = false): ActorFailure {
    return this.failure({ node: this.nodes[0]!, reason, cause, isFinal, ...(item === undefined ? {} : { item }) })
  }

  /** Makes frames of the output so far. @returns what to wait for where a value can't be encoded; then it is to be called again */
  frameOutput(): Wait | undefined {
    for (let cause = this.encodeOutput(); cause !== undefined; cause = this.encodeOutput()) {
      const failing = this.asked(unencodableIn(this.chain, cause))
      const wait = this.dealWith(failing, this.apply)
      if (wait) return wait
    }
    this.pendingSince = -1
    return undefined
  }

  /** Makes frames of the output before the first value that can't be encoded. @returns what is wrong with that */
  private encodeOutput(): UnencodableValue | undefined {
    const { output } = this.chain
    if (output.outCount === 0) return undefined
    try {
      this.output.encode(output.out, 0, output.outCount, this.now())
      output.outCount = 0
      return undefined
    } catch (cause) {
      if (!(cause instanceof UnencodableValue) || cause.index < 0) throw cause
      // Those before it are in frames.
      output.dropOutput(cause.index)
      return cause
    }
  }

  /** The same, until all of it is in frames. */
  private frameAll(): Wait | undefined {
    const wait = this.frameOutput()
    return wait && Effect.flatMap(wait, () => this.frameAll() ?? Effect.void)
  }

  protected override frameRest(): void {
    // Of values that can't be encoded the first one has been reported; those behind it are lost with the actor.
    while (this.encodeOutput() !== undefined) this.chain.output.dropOutput(1)
  }

  protected entered(): ReadonlyArray<number> {
    return [...this.input.entered(), ...this.chain.entered()]
  }

  protected override held(): ReadonlyArray<Held> {
    const held = heldIn(this.chain, this.input.nodes.length)
    return this.input.held === undefined ? held : [...held, heldItems(0, this.input.held())]
  }

  protected override counters(node: number): Readonly<Record<string, number>> {
    const stage = node - this.input.nodes.length
    return this.definition.stages[stage]?.counters?.(this.chain.stateOf(stage)!) ?? {}
  }

  protected override underWay(): number {
    // What was taken in and not begun; of a mailbox it waits there.
    const notBegun = this.input.isSource ? this.input.entered()[0]! - this.chain.entered()[0]! : 0
    return this.chain.underWay + notBegun
  }

  protected override abandon(): void {
    this.chain.abandon()
  }

  result(): unknown {
    return this.chain.output.sinkResult()
  }

  snapshot(): unknown {
    return { input: this.input.snapshot(this), chain: this.chain.snapshot(), isOver: this.isOver }
  }

  restore(snapshot: unknown): void {
    const { chain, input, isOver } = snapshot as { readonly input: unknown; readonly chain: IslandSnapshot; readonly isOver: boolean }
    this.input.restore(input)
    this.chain.restore(chain)
    this.isOver = isOver
    // Its end was on its way when the checkpoint was taken, or had arrived: it is harmless twice.
    if (isOver) this.output.signal("end", 0)
  }
}

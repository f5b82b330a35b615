import { type OffloadPool, portableTask } from "../scheduler/index.ts"
import { type ChainParts, cut, windowFor } from "./ChainParts.ts"
import { type ConcurrentWindow, type Entered, TaskWindow } from "./ConcurrentWindow.ts"
import type { Island, IslandSnapshot } from "./Island.ts"
import { failed, worked } from "./IslandWriter.ts"
import type { StageSpec } from "./NodeSpec.ts"
import type { Probe } from "./OffloadDecision.ts"

/** An outcome beside those of an island: the item goes on when a call that is under way has come back. */
export const waiting = 5

/**
 * All stages of one actor: one island, or islands with a window between them for each stage that works on several items
 * at a time.
 *
 * It has the protocol of an island, for all of them together. Later islands work first, so that what is nearly out gets
 * out and a window never holds more than its bound.
 */
export class Chain {
  readonly stages: ReadonlyArray<StageSpec>
  readonly islands: ReadonlyArray<Island>
  readonly windows: ReadonlyArray<ConcurrentWindow>
  /** Of each island the stage that it begins with; it may be the second half (`then`) of a concurrent one. */
  readonly firstStage: ReadonlyArray<number>
  /** Of each window its stage, and what the island behind it works on. */
  readonly concurrent: ReadonlyArray<{ readonly stage: number; readonly inputs: Array<Entered>; readonly hasThen: boolean }>
  /** How far the output of each island but the last has gone into its window. */
  readonly offered: Array<number>
  private input: ReadonlyArray<unknown> = []
  private inputCount = 0
  /** Where the last outcome came from. */
  private stoppedIsland = 0
  private stoppedWindow: number | undefined
  private ending = 0
  private readonly hasTimers: boolean
  private readonly enteredBefore: ReadonlyArray<number> | undefined

  private constructor(stages: ReadonlyArray<StageSpec>, parts: ChainParts, enteredBefore?: ReadonlyArray<number>) {
    this.stages = stages
    this.enteredBefore = enteredBefore
    this.hasTimers = stages.some(({ timer }) => timer !== undefined)
    this.islands = parts.islands
    this.windows = parts.windows.map(({ window }) => window)
    this.firstStage = parts.firstStage
    this.concurrent = parts.windows.map(({ stage }) => ({ stage, inputs: [], hasThen: stages[stage]!.then !== undefined }))
    this.offered = parts.windows.map(() => 0)
  }

  /** @param options.pool for the stages that are to run in it always; without one they stay on this thread */
  static make(stages: ReadonlyArray<StageSpec>, options: { readonly address: string; readonly pool?: OffloadPool }): Chain {
    return new Chain(
      stages,
      cut(stages, (stage) => windowFor(stages[stage]!, options))
    )
  }

  /** The same chain, with its states, where one stage has moved to the pool. To be called between two inputs only. */
  offloaded(stage: number, options: { readonly address: string; readonly pool: OffloadPool; readonly msPerItem: number }): Chain {
    const spec = this.stages[stage]!
    const moved = cut(
      this.stages,
      (index) =>
        index === stage
          ? new TaskWindow(
              options.pool,
              portableTask(spec.apply!.fn, spec.apply!.concurrency!.operation),
              options.address,
              options.msPerItem
            )
          : this.windows[this.concurrent.findIndex((window) => window.stage === index)],
      this.stages.map((_, index) => this.stateOf(index))
    )
    const chain = new Chain(this.stages, moved, this.entered())
    chain.load(this.input, this.position, this.inputCount)
    return chain
  }

  get output(): Island {
    return this.islands[this.islands.length - 1]!
  }

  /** The island whose function stopped (`failed`, `suspended`, `broken`), for its cause; of no use if `failure` is set. */
  get stopped(): Island {
    return this.islands[this.stoppedIsland]!
  }

  /** What a window failed with, when that was the outcome. */
  get failure(): ConcurrentWindow["failure"] {
    return this.stoppedWindow === undefined ? undefined : this.windows[this.stoppedWindow]!.failure
  }

  /** The stage that stopped. */
  get stoppedStage(): number {
    return this.stoppedWindow === undefined
      ? this.firstStage[this.stoppedIsland]! + this.stopped.stage
      : this.concurrent[this.stoppedWindow]!.stage
  }

  /** The value that stopped in an island. Behind a window it comes with the result of its call, which is no part of it. */
  get stoppedValue(): unknown {
    const { stage, value } = this.stopped
    const isWithResult = stage === 0 && this.stoppedIsland > 0 && this.concurrent[this.stoppedIsland - 1]!.hasThen
    return isWithResult ? (value as { readonly value: unknown }).value : value
  }

  /** Which of the values that entered the island (or the window) it is that stopped, from 1 on. */
  get stoppedItem(): number {
    return this.stoppedWindow === undefined ? this.stopped.entered[0]! : this.windows[this.stoppedWindow]!.left + 1
  }

  /** Where it stopped: the stage, and which of the values that entered it. Another text for every other value. */
  get stoppedPlace(): string {
    const stage = this.stoppedStage
    const before = this.enteredBefore?.[stage] ?? 0
    if (this.stoppedWindow !== undefined) return `${stage} ${before + this.windows[this.stoppedWindow]!.left + 1}`
    const at = this.stopped.stage
    const isSecondHalf = at === 0 && this.stoppedIsland > 0 && this.concurrent[this.stoppedIsland - 1]!.hasThen
    return `${stage}${isSecondHalf ? "b" : ""} ${before + this.stopped.entered[at]!}`
  }

  /** Begins with an input: `items[from]` up to `items[to]`, which stay as they are until they are worked off. */
  load(items: ReadonlyArray<unknown>, from: number, to: number): void {
    this.input = items
    this.inputCount = to
    this.islands[0]!.rewind(from)
  }

  /** What is loaded and not worked off, the item under way left out. */
  inputLeft(): ReadonlyArray<unknown> {
    return this.input.slice(this.islands[0]!.index + (this.isInsideItem ? 1 : 0), this.inputCount)
  }

  get isInsideItem(): boolean {
    return this.islands[0]!.isInsideItem
  }

  /** Times the next calls of a stage's function. @returns undefined where it runs in a window */
  probe(stage: number): Probe | undefined {
    if (this.concurrent.some((window) => window.stage === stage)) return undefined
    const probe = { stage, calls: 0, ms: 0 }
    this.islands.forEach((island, part) => {
      const at = stage - this.firstStage[part]!
      if (at >= 0 && at < island.stages.length) island.probes[at] = probe
    })
    return probe
  }

  endProbes(): void {
    for (const island of this.islands) island.probes.length = 0
  }

  /** Leaves out what has not been begun. @returns how many items that were */
  cutShort(): number {
    const first = this.islands[0]!
    const kept = Math.min(this.inputCount, first.index + (first.isInsideItem ? 1 : 0))
    const left = this.inputCount - kept
    this.inputCount = kept
    return left
  }

  /** How many items of the input are worked off by the first island. */
  get position(): number {
    return this.islands[0]!.index
  }

  /** Whether the first island has something to do. */
  get hasInput(): boolean {
    const first = this.islands[0]!
    return first.index < this.inputCount || first.isUnderWay
  }

  /** Whether nothing is under way anywhere behind the input. */
  get isSettled(): boolean {
    return (
      this.islands.every((island) => !island.isUnderWay)
      && this.windows.every((window, index) => window.isEmpty && this.isOffered(index) && this.concurrent[index]!.inputs.length === 0)
    )
  }

  /**
   * Works on: at most `limit` items of the input, and whatever has come out of the windows.
   *
   * @returns an outcome; `worked` where nothing is left to do before there is more input, or before a call comes back
   */
  advance(limit: number, now: number, budget: number): number {
    this.stoppedWindow = undefined
    if (this.windows.length === 0) {
      this.stoppedIsland = 0
      const [island] = this.islands as [Island]
      return island.run(this.input, Math.min(this.inputCount, island.index + limit), now, budget)
    }
    return this.advanceAll(limit, now, budget)
  }

  /** Gives up the value that stopped. */
  skip(): void {
    if (this.stoppedWindow === undefined) this.stopped.skip()
    else this.windows[this.stoppedWindow]!.skip()
  }

  /** The function of the value that stopped is to be called again. */
  retry(): void {
    if (this.stoppedWindow !== undefined) this.windows[this.stoppedWindow]!.retry()
  }

  /** Gives up the value that stopped; another goes on in its place, as if the failing stage had emitted it. */
  replace(value: unknown): void {
    const stage = this.stopped.stage
    this.skip()
    if (this.stoppedWindow === undefined) return this.stopped.pend(stage + 1, [value], 0)
    const behind = this.stoppedWindow + 1
    this.islands[behind]!.pend(this.concurrent[this.stoppedWindow]!.hasThen ? 1 : 0, [value], 0)
  }

  /** Gives up the value that stopped; the same stage is to work on another in its place. */
  retryWith(value: unknown): void {
    this.stopped.stopAt(this.stopped.stage, value)
  }

  /** Starts the calls that were being gathered, because no more input is at hand. */
  flush(): void {
    for (const window of this.windows) window.flush()
  }

  /** Runs the end of the next stage. @returns the stage; -1 when all have ended; undefined while a window has to empty first */
  startEnd(now: number): number | undefined {
    for (; this.ending < this.islands.length; this.ending++) {
      if (this.ending > 0 && !this.isSettled) return undefined
      const stage = this.islands[this.ending]!.startEnd(now)
      if (stage >= 0) return this.firstStage[this.ending]! + stage
    }
    return -1
  }

  nextTimer(): number {
    return this.hasTimers ? Math.min(...this.islands.map((island) => island.nextTimer())) : Infinity
  }

  /** Fires a timer that is due in an island where nothing is under way. */
  fireDue(now: number): boolean {
    return this.islands.some((island) => !island.isUnderWay && island.nextTimer() <= now && island.fireDue(now))
  }

  /** The windows that have something under way, and what to wait for when there is no other work. */
  get awaited(): ReadonlyArray<{ readonly window: ConcurrentWindow; readonly wants: "outcome" | "outcome-or-room" }> {
    return this.windows.flatMap((window, index) =>
      window.isEmpty ? [] : [{ window, wants: this.isOffered(index) ? ("outcome" as const) : ("outcome-or-room" as const) }]
    )
  }

  /** How many values have entered a stage, or stand behind one, and are neither done with nor taken away. */
  get underWay(): number {
    let count = this.output.outCount
    for (const island of this.islands) if (island.isUnderWay && island.isInsideItem) count++
    this.windows.forEach((window, index) => {
      count += window.entered - window.left + this.concurrent[index]!.inputs.length
      // What stands before the first stage has not been begun.
      if (this.concurrent[index]!.stage > 0 && !this.isOffered(index)) count += this.islands[index]!.outCount - this.offered[index]!
    })
    return count
  }

  /** Values that entered each stage, and at the end of the list the output. */
  entered(): ReadonlyArray<number> {
    const counts: Array<number> = Array.from({ length: this.stages.length + 1 }, () => 0)
    this.islands.forEach((island, part) => {
      const first = this.firstStage[part]!
      const isSecondHalf = part > 0 && this.concurrent[part - 1]!.hasThen
      for (let i = isSecondHalf ? 1 : 0; i < island.entered.length; i++) counts[first + i] = island.entered[i]!
    })
    this.windows.forEach((window, index) => (counts[this.concurrent[index]!.stage] = window.entered))
    return this.enteredBefore === undefined ? counts : counts.map((count, stage) => count + this.enteredBefore![stage]!)
  }

  stateOf(stage: number): Record<string, unknown> | undefined {
    for (let part = this.islands.length - 1; part >= 0; part--) {
      const at = stage - this.firstStage[part]!
      if (at >= 0) return this.islands[part]!.states[at]
    }
    return undefined
  }

  /** The state of a stage as a plain value. */
  stateSnapshot(stage: number): unknown {
    const state = this.stateOf(stage)
    return state && (this.stages[stage]!.snapshot?.(state) ?? { ...state })
  }

  abandon(): void {
    for (const window of this.windows) window.abandon()
  }

  /**
   * States and position of all stages as if they were one island, however they are cut here: where functions run
   * concurrently, or have moved to the pool, may be another thing in the life that goes on with it.
   *
   * With windows only where `isSettled`: what is under way in them is no part of it.
   */
  snapshot(): IslandSnapshot {
    const [first] = this.islands as [Island]
    if (this.windows.length === 0) return first.snapshot()
    const { index } = first.snapshot()
    const states = this.stages.map((_, at) => this.stateSnapshot(at) ?? {})
    return { ...nothingUnderWay, states, index, entered: [...this.entered()] }
  }

  restore(snapshot: IslandSnapshot): void {
    if (this.windows.length === 0) return this.islands[0]!.restore(snapshot)
    this.islands.forEach((island, part) => {
      const first = this.firstStage[part]!
      const states = snapshot.states.slice(first, first + island.stages.length)
      const entered = snapshot.entered.slice(first, first + island.stages.length + 1)
      island.restore({ ...nothingUnderWay, states, entered, index: part === 0 ? snapshot.index : 0 })
    })
    this.windows.forEach((window, index) => window.restore(snapshot.entered[this.concurrent[index]!.stage]!))
  }

  private isOffered(index: number): boolean {
    return this.offered[index]! >= this.islands[index]!.outCount
  }

  private advanceAll(limit: number, now: number, budget: number): number {
    const last = this.islands.length - 1
    let outcome: number = worked
    for (let part = last; part > 0; part--) {
      outcome = this.advanceBehind(part, now, budget)
      if (outcome !== worked) return outcome
      this.offerTo(part - 1)
    }
    // With output that found no room in its window, the first island would only make more of it.
    if (!this.isOffered(0)) return waiting
    const first = this.islands[0]!
    this.stoppedIsland = 0
    outcome = first.run(this.input, Math.min(this.inputCount, first.index + limit), now, budget)
    this.offerTo(0)
    return outcome
  }

  /** Lets the island behind a window work off what has come out of it. */
  private advanceBehind(part: number, now: number, budget: number): number {
    const island = this.islands[part]!
    const window = this.windows[part - 1]!
    const { hasThen, inputs } = this.concurrent[part - 1]!
    for (;;) {
      if (part < this.windows.length && !this.isOffered(part)) return worked
      this.stoppedIsland = part
      const outcome = island.run(inputs, inputs.length, now, budget)
      if (outcome !== worked) return outcome
      inputs.length = 0
      island.rewind()
      if (part < this.windows.length) this.offerTo(part)
      const taken = window.take(inputs, chunk)
      if (!hasThen) for (let i = 0; i < taken; i++) (inputs as Array<unknown>)[i] = inputs[i]!.result
      if (taken > 0) continue
      if (window.failure === undefined) return worked
      this.stoppedWindow = part - 1
      return failed
    }
  }

  private offerTo(index: number): void {
    const island = this.islands[index]!
    const window = this.windows[index]!
    let next = this.offered[index]!
    while (next < island.outCount && window.offer(island.out[next])) next++
    if (next < island.outCount) {
      this.offered[index] = next
    } else {
      this.offered[index] = 0
      island.outCount = 0
    }
  }
}

const nothingUnderWay = { insideItem: false, stage: -1, value: null, result: [], pending: [], out: [], origins: [], ended: -1 } as const

/** How many results an island behind a window takes at once. */
const chunk = 64

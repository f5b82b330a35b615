import type { Meter } from "../scheduler/index.ts"
import { type Emitter, IslandCode, type Step } from "./IslandCode.ts"
import { broken, emittedEach, emittedNothing, failed, spent, suspended, worked } from "./IslandWriter.ts"
import type { StageSpec } from "./NodeSpec.ts"
import type { Probe } from "./OffloadDecision.ts"

/**
 * Stages fused into one: items go in, output gathers in `out`, and between the two nothing is stored.
 *
 * An island is pure bookkeeping: it waits for nothing, knows no mailbox and can be left at any moment, because
 * everything that could be lost is in its **position**: which item, the value and the stage that it stopped at (and
 * whether before or after the call), lists with values still to be emitted, states and output. So whoever drives it
 * may be killed between any two calls and another one goes on without losing or doubling a value.
 *
 * The protocol: call `run` (or `startEnd`, `fireDue`, `settle`) and look at the outcome.
 * - `worked`: all of it is done.
 * - `failed`: `cause` was thrown by the function of stage `stage` for `value`; no state has changed. Then `skip()`
 *   gives the value up, and simply going on calls the function again (a retry).
 * - `suspended`: `cause` is the promise that the function returned. Then `resumeWith(result)` or `failWith(error)`, and go on.
 * - `spent`: the budget is used up in the middle of a list; go on whenever you like.
 * To go on is `settle`, which works off the item under way; after that come the items from `index` on.
 *
 * **Cost** in the fused loop, that of a loop written by hand; see `benchmarks/pipeline-fused.bench.ts`.
 */
export class Island implements Emitter {
  readonly code: IslandCode
  readonly stages: ReadonlyArray<StageSpec>
  /** The variables of each stage; a fused loop has them in locals while it runs. */
  readonly states: ReadonlyArray<Record<string, unknown>>

  /** Output not yet taken away: `out[0 … outCount)`. The array is reused, so copy or encode what you take. */
  readonly out: Array<unknown> = []
  outCount = 0
  /** For each output the lower 32 bits of the number of its item; see `originOf`. In the fused loop an array of numbers would cost as much as a stage. */
  origins = new Int32Array(0)

  /** The item where the position is: the next one, or the one under way (`isUnderWay`). */
  index = 0
  /** The stage that has to go on with `value`, or -1; `hasResult`: its function has been called. */
  stage = -1
  value: unknown = undefined
  hasResult = false
  /** What was thrown, or the promise. */
  cause: unknown = undefined
  emitted: unknown = undefined

  /** Values that entered each stage, and at the end of the list the output. */
  readonly entered: Float64Array
  /** The stage whose end has been run, or -1 before the end of the input. */
  ended = -1

  /** By stage: where the calls of its function are timed for a while. Only steps do that, so no loop runs meanwhile. */
  readonly probes: Array<Probe | undefined> = []

  private result: unknown = undefined
  private insideItem = false
  readonly pending: Array<Pending> = []
  private readonly timed: ReadonlyArray<number>

  /** @param states the variables of stages that take them over from another island */
  constructor(
    stages: ReadonlyArray<StageSpec>,
    code: IslandCode = IslandCode.of(stages),
    states: ReadonlyArray<Record<string, unknown> | undefined> = []
  ) {
    this.code = code
    this.stages = stages
    this.states = stages.map((stage, index) => states[index] ?? firstState(stage))
    this.entered = new Float64Array(stages.length + 1)
    this.timed = stages.flatMap((stage, index) => (stage.timer ? [index] : []))
  }

  /** Whether an item (or an end, or a timer) is worked on but not worked off. */
  get isUnderWay(): boolean {
    return this.stage >= 0 || this.pending.length > 0
  }

  /** Whether the item at `index` has been begun. */
  get isInsideItem(): boolean {
    return this.insideItem
  }

  /** Begins with another array of items, at the item `from`. */
  rewind(from = 0): void {
    this.index = from
  }

  /**
   * Works off the item under way, then `items` from `index` up to `to`. On the way out `index` is the first item that
   * is not worked off.
   *
   * @param budget how many values of lists may be worked off, so that one item that becomes a million is no long block
   */
  run(items: ReadonlyArray<unknown>, to: number, now: number, budget: number): number {
    // At most this much comes out: what is under way may spend the budget, too.
    this.makeRoomForOrigins(this.outCount + to - this.index + 2 * Math.min(budget, mostListed))
    if (this.insideItem || this.isUnderWay) {
      const outcome = this.settle(now, budget)
      if (outcome !== worked) return outcome
      if (this.insideItem) this.index++
      this.insideItem = false
    }
    if (this.index >= to) return worked
    const loop = this.probes.length > 0 ? undefined : this.code.loopFor(to - this.index)
    const outcome = loop ? loop(this, items, this.index, to, now, budget) : this.runSteps(items, to, now, budget)
    this.insideItem = outcome !== worked
    return outcome
  }

  /** Works off what is under way: the value that stopped, then the lists, innermost first. */
  settle(now: number, budget: number): number {
    if (this.stage >= 0) {
      const outcome = this.enter(this.stage, this.value, now, this.hasResult ? called : again)
      if (outcome !== worked) return outcome
    }
    const { pending } = this
    while (pending.length > 0) {
      if (budget-- <= 0) return spent
      const list = pending[pending.length - 1]!
      const value = list.values[list.next++]
      if (list.next >= list.values.length) pending.pop()
      const outcome = this.enter(list.stage, value, now, fresh)
      if (outcome !== worked) return outcome
    }
    return worked
  }

  /** Which of the items that entered an output came from, from 1 on; of a timer or an end, the last one before it. */
  originOf(output: number): number {
    const last = this.entered[0]!
    // Output is taken away long before it is 2^32 items old.
    return last - (((last | 0) - (this.origins[output] ?? last)) >>> 0)
  }

  /** The first outputs have been taken away. */
  dropOutput(count: number): void {
    this.out.copyWithin(0, count, this.outCount)
    this.origins.copyWithin(0, count, this.outCount)
    this.outCount -= count
  }

  /** Gives up the value that failed; its neighbours and all states are untouched. */
  skip(): void {
    this.stopAt(-1, undefined)
  }

  /** The promise gave this; the stage goes on behind its call. */
  resumeWith(result: unknown): void {
    this.result = result
    this.hasResult = true
  }

  /** The promise failed: the same as if the function had thrown. */
  failWith(error: unknown): void {
    this.cause = error
  }

  /** Runs the end of the next stage that has one, for you to `settle`. @returns the stage, or -1 when all have ended */
  startEnd(now: number): number {
    const stage = this.ended + 1
    if (stage >= this.stages.length) return -1
    const { atEnd } = this.code.steps[stage]!
    if (atEnd) this.take(stage, atEnd(this.states[stage]!, now, this))
    // Not before: an end that throws is run again in the next life.
    this.ended = stage
    return stage
  }

  /** When the first timer is due, in ms of the clock; `Infinity` without one. */
  nextTimer(): number {
    let first = Infinity
    for (const stage of this.timed) {
      const at = this.states[stage]![this.stages[stage]!.timer!.at] as number
      if (at < first) first = at
    }
    return first
  }

  /** Fires one timer that is due, for you to `settle`; to be called between items only. @returns whether there was one */
  fireDue(now: number): boolean {
    for (const stage of this.timed) {
      const { at } = this.stages[stage]!.timer!
      const state = this.states[stage]!
      const due = state[at] as number
      if (due > now) continue
      // Reset first: a stage that forgets to would fire for ever.
      state[at] = Infinity
      try {
        this.take(stage, this.code.steps[stage]!.fire!(state, now, this))
      } catch (error) {
        state[at] = due
        throw error
      }
      return true
    }
    return false
  }

  /** Result of the last stage, where it is a sink. */
  sinkResult(): unknown {
    const last = this.stages.length - 1
    return this.stages[last]?.result?.(this.states[last]!)
  }

  /**
   * States and position as plain values. They share structure with the island: encode them before it runs on.
   * A promise under way is not part of it; the function would be called again.
   */
  snapshot(): IslandSnapshot {
    return {
      states: this.stages.map((stage, index) => (stage.snapshot ? stage.snapshot(this.states[index]!) : { ...this.states[index]! })),
      index: this.index,
      insideItem: this.insideItem,
      stage: this.stage,
      value: this.value,
      result: this.hasResult ? [this.result] : [],
      pending: this.pending.map(({ stage, values, next }) => ({ stage, values: values.slice(next) })),
      out: this.out.slice(0, this.outCount),
      origins: [...this.origins.subarray(0, this.outCount)],
      entered: [...this.entered],
      ended: this.ended
    }
  }

  restore(snapshot: IslandSnapshot): void {
    this.stages.forEach((stage, index) => {
      const kept = snapshot.states[index]
      Object.assign(this.states[index]!, stage.restore ? stage.restore(kept) : (kept as Record<string, unknown>))
    })
    this.index = snapshot.index
    this.insideItem = snapshot.insideItem
    this.stage = snapshot.stage
    this.value = snapshot.value
    this.hasResult = snapshot.result.length > 0
    this.result = snapshot.result[0]
    this.pending.length = 0
    for (const { stage, values } of snapshot.pending) this.pending.push({ stage, values, next: 0 })
    this.outCount = snapshot.out.length
    snapshot.out.forEach((item, index) => (this.out[index] = item))
    this.origins = Int32Array.from(snapshot.origins)
    this.entered.set(snapshot.entered)
    this.ended = snapshot.ended
  }

  /** For the fused loop: a list that was left, with the stage its values enter. Outermost first. */
  pend(stage: number, values: ReadonlyArray<unknown>, next: number): void {
    if (next < values.length) this.pending.push({ stage, values, next })
  }

  /** For the fused loop: where the value stopped. */
  stopAt(stage: number, value: unknown): void {
    this.stage = stage
    this.value = value
    this.hasResult = false
  }

  private makeRoomForOrigins(outputs: number): void {
    if (outputs <= this.origins.length) return
    const wider = new Int32Array(outputs * 2)
    wider.set(this.origins)
    this.origins = wider
  }

  private runSteps(items: ReadonlyArray<unknown>, to: number, now: number, budget: number): number {
    for (; this.index < to; this.index++) {
      let outcome = this.enter(0, items[this.index], now, fresh)
      if (outcome === worked && this.pending.length > 0) outcome = this.settle(now, budget)
      if (outcome !== worked) return outcome
    }
    return worked
  }

  /**
   * Takes one value through the stages from `stage` on, until it is output, dropped, a list in `pending`, or stops.
   *
   * @param how `again`: it has entered before and its function failed; `called`: it goes on with the awaited result
   */
  private enter(stage: number, value: unknown, now: number, how: number): number {
    const { steps } = this.code
    let calling = false
    this.stage = -1
    try {
      for (; stage < steps.length; stage++) {
        const step = steps[stage]!
        let result: unknown
        if (how === called) {
          result = this.result
        } else {
          if (how === fresh) this.entered[stage]!++
          if (step.call) {
            if (step.meter) refill(step.meter)
            calling = true
            const probe = this.probes.length > 0 ? this.probes[stage] : undefined
            result = probe ? timed(probe, step.call, value, this.states[stage]!, now) : step.call(value, this.states[stage]!, now)
            if (step.checked && isThenable(result)) {
              this.cause = result
              this.stopAt(stage, value)
              return suspended
            }
            calling = false
          }
        }
        how = fresh
        if (step.goOn) {
          const emitted = step.goOn(value, result, this.states[stage]!, now, this)
          if (emitted === emittedNothing) return worked
          if (emitted === emittedEach) {
            this.pend(stage + 1, this.emitted as ReadonlyArray<unknown>, 0)
            return worked
          }
          value = this.emitted
        } else if (step.call) {
          value = result
        }
      }
    } catch (error) {
      this.cause = error
      this.stopAt(stage, value)
      return calling ? failed : broken
    }
    // First: an island without stages counts its items nowhere else.
    this.entered[steps.length]!++
    this.origins[this.outCount] = this.entered[0]!
    this.out[this.outCount++] = value
    return worked
  }

  /** What the end or a timer of a stage emitted becomes a list under way. */
  private take(stage: number, emitted: number): void {
    if (emitted === emittedNothing) return
    this.pend(stage + 1, emitted === emittedEach ? (this.emitted as ReadonlyArray<unknown>) : [this.emitted], 0)
  }
}

/** A budget beyond this is none: where so many values come out at once, the origin of some is not noted. */
const mostListed = 65_536

/** How a value comes to a stage. */
const fresh = 0
const again = 1
const called = 2

const firstState = ({ state = {} }: StageSpec): Record<string, unknown> => {
  const first: Record<string, unknown> = {}
  for (const name in state) first[name] = state[name]!()
  return first
}

const timed = (probe: Probe, call: NonNullable<Step["call"]>, value: unknown, state: Record<string, unknown>, now: number): unknown => {
  const started = performance.now()
  const result = call(value, state, now)
  probe.ms += performance.now() - started
  probe.calls++
  return result
}

/** Every value starts with a full budget. */
export const refill = (meter: Meter): void => {
  meter.fuel = meter.slice
  meter.slices = 0
}

const isThenable = (value: unknown): boolean =>
  typeof value === "object" && value !== null && typeof (value as PromiseLike<unknown>).then === "function"

export interface IslandSnapshot {
  readonly states: ReadonlyArray<unknown>
  readonly index: number
  readonly insideItem: boolean
  readonly stage: number
  readonly value: unknown
  readonly result: ReadonlyArray<unknown>
  readonly pending: ReadonlyArray<{ readonly stage: number; readonly values: ReadonlyArray<unknown> }>
  readonly out: ReadonlyArray<unknown>
  readonly origins: ReadonlyArray<number>
  readonly entered: ReadonlyArray<number>
  readonly ended: number
}

interface Pending {
  readonly stage: number
  readonly values: ReadonlyArray<unknown>
  next: number
}

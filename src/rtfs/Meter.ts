import type { Meter } from "../scheduler/index.ts"
import { limitError, type RtfsError } from "./errors.ts"

/** What one evaluation, or one item of a stream, may use. */
export interface Limits {
  /** Evaluation steps. */
  readonly fuel: number
  /** Bytes that sized results (strings, vectors, maps, big integers) may take, as an estimate, garbage included. */
  readonly memoryBytes: number
  /** Time spent computing. Waiting for the host does not count. */
  readonly timeMs: number
  /** Calls nested in each other; one through a function such as `map` counts twice. */
  readonly depth: number
}

export const defaultLimits: Limits = { fuel: 10_000_000, memoryBytes: 64 * 1024 * 1024, timeMs: 10_000, depth: 1_500 }

/** How much of the fuel is handed out between two looks at the clock: about 100 µs of work. */
const slice = 10_000
/** What all `finally` bodies of one evaluation may use together after a limit was reached. */
const reserve = 20_000

/**
 * Counts what an evaluation uses. Generated code takes from `fuel`; everything else happens in `spend` and `allocate`.
 *
 * Whoever starts a new evaluation or item sets `fuel = slice` and `slices = 0`, two plain stores, since streams do it
 * for each item. The meter notices that afterwards: within one evaluation `fuel` only falls unless `slices` grows.
 */
export class EvaluationMeter implements Meter {
  fuel: number
  slices = 0
  readonly slice: number
  /** Calls in progress on the JavaScript stack. */
  depth = 0
  readonly maximumDepth: number
  private readonly limits: Limits
  private memory = 0
  private startedAt = 0
  private reserveLeft = 0
  /** The limit that was reached. */
  private spent: RtfsError | undefined
  /** Fuel and slices when memory was last taken. */
  private seenFuel = Infinity
  private seenSlices = 0

  constructor(limits: Limits) {
    this.limits = limits
    this.slice = Math.min(slice, Math.max(1, limits.fuel))
    this.fuel = this.slice
    this.maximumDepth = limits.depth
  }

  /** Starts a new evaluation. */
  begin(): void {
    this.fuel = this.slice
    this.slices = 0
  }

  /** Called when `fuel` has fallen below zero. **Fails** with a limit error, else refills. */
  spend(): void {
    if (this.slices === 0) {
      this.spent = undefined
      this.startedAt = performance.now()
    }
    if (this.spent !== undefined) throw this.stop(this.spent)
    const slices = Math.ceil(-this.fuel / this.slice)
    this.slices += slices
    if (this.slices * this.slice > this.limits.fuel) throw this.stop(outOfFuel(this.limits))
    this.fuel += slices * this.slice
    if (performance.now() - this.startedAt > this.limits.timeMs) throw this.stop(outOfTime(this.limits))
    this.seenSlices = this.slices
    this.seenFuel = Infinity
  }

  /** Takes `steps` for work whose size is known only now. Called before the work is done. */
  charge(steps: number): void {
    if ((this.fuel -= steps) < 0) this.spend()
  }

  /** Accounts for a result of that size. Called before it is allocated. */
  allocate(bytes: number): void {
    // One step each, so that fuel which has not fallen means a new evaluation.
    this.charge(1)
    if (this.slices < this.seenSlices || (this.slices === 0 && this.fuel >= this.seenFuel)) this.memory = 0
    this.seenFuel = this.fuel
    this.seenSlices = this.slices
    this.memory += bytes
    if (this.memory > this.limits.memoryBytes) throw this.stop(outOfMemory(this.limits))
  }

  /** Time during which the evaluation waited for the host. */
  waited(milliseconds: number): void {
    this.startedAt += milliseconds
  }

  /** Leaves the meter empty, so that whatever runs on fails at its next step. */
  private stop(limit: RtfsError): RtfsError {
    if (this.spent === undefined) this.reserveLeft = reserve
    this.spent = limit
    this.slices = Math.max(1, this.slices)
    this.fuel = -1
    return limit
  }

  /** Lets a `finally` body run after a limit was reached, out of one small reserve for the whole evaluation. */
  grantReserve(): void {
    this.fuel = this.reserveLeft
    this.reserveLeft = 0
    this.memory -= reserve
  }

  /** What is left of the reserve goes back when a `finally` body is done. */
  returnReserve(): void {
    this.reserveLeft = Math.max(0, this.fuel)
    this.fuel = -1
  }
}

const outOfFuel = ({ fuel }: Limits): RtfsError =>
  limitError(
    "fuel",
    `The evaluation took more than ${fuel} steps. Is there a loop that does not end? Otherwise do less at once, or raise the fuel limit.`
  )

const outOfTime = ({ timeMs }: Limits): RtfsError =>
  limitError("time", `The evaluation took more than ${timeMs} ms. Do less at once, or raise the time limit.`)

const outOfMemory = ({ memoryBytes }: Limits): RtfsError =>
  limitError(
    "memory",
    `The evaluation built values of more than ${memoryBytes} bytes. Use a stream instead of one large value, or raise the memory limit.`
  )

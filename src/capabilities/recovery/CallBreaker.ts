import { Postponed, type StreamTime } from "../../actors/index.ts"
import { aboutFunction, describe, type FunctionDescription, type StreamFunction } from "../../scheduler/index.ts"
import { CircuitOpen, TrialTimeout } from "../errors.ts"
import { callWithMeter, whenSettled } from "../wrapFunction.ts"
import { type BreakerOptions, CircuitBreaker, type Permit } from "./CircuitBreaker.ts"
import type { BreakerState } from "./circuitBreaker.machine.ts"

export interface CallBreakerOptions extends Omit<BreakerOptions, "onChange" | "now"> {
  readonly whenOpen: "wait" | "fail"
  /** After so long a trial that has not come back counts as failed, and its item fails. */
  readonly trialTimeoutMs: number
  /** Told once for each transition into a state. */
  readonly told: Readonly<Record<BreakerState, StreamFunction | undefined>>
}

/** One circuit breaker around the calls of several functions: those of all stages that a decorator covers. */
export class CallBreaker {
  readonly breaker: CircuitBreaker
  readonly #options: CallBreakerOptions
  #time: StreamTime = { now: () => 0, sleep: () => new Promise(() => {}) }
  /** What the program is still to be told, or is being told: transitions are told one after the other. */
  readonly #telling: Array<BreakerState> = []
  #told: PromiseLike<unknown> | undefined

  constructor(options: CallBreakerOptions) {
    this.#options = options
    this.breaker = new CircuitBreaker({ ...options, now: () => this.#time.now(), onChange: (state) => this.#telling.push(state) })
  }

  /** The clock of the run; before that nothing is called. */
  bind(time: StreamTime): void {
    this.#time = time
  }

  /**
   * A function whose calls the breaker lets through, counts, or does not let through.
   *
   * While it is closed, a call gives its value at once where the function does.
   */
  around(fn: StreamFunction): StreamFunction {
    const { maximum, meter, minimum, name, synchronous } = describe(fn)
    const about: FunctionDescription = {
      name,
      minimum,
      maximum,
      synchronous: synchronous && Object.values(this.#options.told).every((tell) => tell === undefined || describe(tell).synchronous),
      // It can't be made again in a worker: there its calls would not be counted.
      origin: { kind: "closure" },
      ...(meter === undefined ? {} : { meter })
    }
    const call = maximum === 0 ? () => this.#call(fn, []) : (...args: ReadonlyArray<unknown>) => this.#call(fn, args)
    return Object.assign(call, { [aboutFunction]: about })
  }

  #call(fn: StreamFunction, args: ReadonlyArray<unknown>): unknown {
    const permit = this.breaker.enter()
    if (permit === undefined) return this.#refuse()
    // That the breaker is half-open now is told before the first trial.
    return this.#telling.length === 0 ? this.#run(permit, fn, args) : this.#tellBefore(permit, fn, args)
  }

  #tellBefore(permit: Permit, fn: StreamFunction, args: ReadonlyArray<unknown>): unknown {
    const untried = (error: unknown): never => {
      this.breaker.ended(permit, "ignored")
      throw error
    }
    let told: unknown
    try {
      told = this.#tell()
    } catch (error) {
      return untried(error)
    }
    // The budget of the item's turn is used up, or belongs to another item by now.
    return isPromise(told) ? told.then(() => this.#run(permit, fn, args, true), untried) : this.#run(permit, fn, args, true)
  }

  #run(permit: Permit, fn: StreamFunction, args: ReadonlyArray<unknown>, isLater = false): unknown {
    let result: unknown
    try {
      result = isLater ? callWithMeter(fn, ...args) : fn(...args)
    } catch (error) {
      return this.#failed(permit, error)
    }
    if (!isPromise(result)) return this.#passed(permit, result)
    const outcome = Promise.resolve(result).then(
      (value) => this.#passed(permit, value),
      (error: unknown) => this.#failed(permit, error)
    )
    return permit.isTrial ? this.#inTime(permit, describe(fn).name, outcome) : outcome
  }

  #passed(permit: Permit, value: unknown): unknown {
    this.breaker.ended(permit, "passed")
    return this.#telling.length === 0 ? value : whenSettled(this.#tell(), () => value)
  }

  #failed(permit: Permit, error: unknown): unknown {
    this.breaker.ended(permit, saysNothing(error) ? "ignored" : "failed")
    if (this.#telling.length === 0) throw error
    return whenSettled(this.#tell(), () => {
      throw error
    })
  }

  /** The trial, or its time being up, whichever comes first: the other comes too late to count. */
  #inTime(permit: Permit, name: string, outcome: Promise<unknown>): Promise<unknown> {
    const { trialTimeoutMs } = this.#options
    const isOver = this.#time.sleep(trialTimeoutMs).then(() => this.#failed(permit, new TrialTimeout(name, trialTimeoutMs)))
    // Whichever loses has nobody who listens.
    outcome.catch(() => {})
    isOver.catch(() => {})
    return Promise.race([outcome, isOver])
  }

  #refuse(): never {
    const { breaker } = this
    if (this.#options.whenOpen === "fail") throw new CircuitOpen({ ...breaker.recent, retryInMs: breaker.retryInMs })
    throw new Postponed("the circuit breaker, which is open", {
      afterMs: () => breaker.retryInMs,
      subscribe: (wake) => breaker.wait(wake)
    })
  }

  /** Tells the program of what has changed. What it throws is thrown by the call in which it changed. */
  #tell(): unknown {
    // Whoever tells now goes on with what has come since; its errors are those of its own call.
    if (this.#told !== undefined) return this.#told.then(nothing, nothing)
    const told = this.#tellAll()
    if (!isPromise(told)) return undefined
    const settled = () => {
      this.#told = undefined
    }
    this.#told = told
    return told.then(settled, (error: unknown) => {
      settled()
      throw error
    })
  }

  #tellAll(): unknown {
    while (this.#telling.length > 0) {
      const tell = this.#options.told[this.#telling.shift()!]
      const result = tell === undefined ? undefined : callWithMeter(tell)
      if (isPromise(result)) return result.then(() => this.#tellAll())
    }
    return undefined
  }
}

const nothing = () => {}

/** Failures that say nothing of what is behind the call: it was not made, was given up, or the item is to blame. */
const saysNothing = (error: unknown): boolean => {
  if (typeof error !== "object" || error === null) return false
  const { _tag, name, type } = error as { readonly _tag?: unknown; readonly name?: unknown; readonly type?: unknown }
  return (
    error instanceof Postponed
    || type === "validation-error"
    || name === "AbortError"
    || (typeof _tag === "string" && notOfTheCall.has(_tag))
  )
}

const notOfTheCall = new Set(["CircuitOpen", "StreamCancelled", "EvaluationCancelled", "PermissionDenied", "InvalidCall", "InvalidResult"])

const isPromise = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === "object" && value !== null && typeof (value as Partial<PromiseLike<unknown>>).then === "function"

import { type CallContext, type ControlCapability, defineControl } from "../Capability.ts"
import { CircuitOpen, InvalidCall, shown } from "../errors.ts"
import { HostObject } from "../../serialization/index.ts"
import { anything, count, defaulted, duration, fn, optional, required } from "../Option.ts"
import type { StreamFunction } from "../../scheduler/index.ts"
import { callWithMeter } from "../wrapFunction.ts"
import { readOptions } from "./options.ts"

interface BreakerSettings {
  readonly failureThreshold: number
  readonly timeoutMs: number
  readonly told: Readonly<Record<"closed" | "open" | "half-open", StreamFunction | undefined>>
}

/**
 * Counts failures in a row. At the threshold it opens and refuses calls; after the timeout one call is let through, which
 * closes it or opens it again.
 */
export class ConsecutiveBreaker extends HostObject {
  readonly #settings: BreakerSettings
  readonly #now: () => number
  #state: "closed" | "open" | "half-open" = "closed"
  #failures = 0
  #calls = 0
  #openedAt = 0
  /** A call that began before the last transition says nothing of what is behind it now. */
  #generation = 0

  constructor(settings: BreakerSettings, now: () => number) {
    super()
    this.#settings = settings
    this.#now = now
  }

  /** **Fails** with `CircuitOpen` where it is open, else with what the function fails with. */
  async call(fn: StreamFunction): Promise<unknown> {
    await this.#enter()
    const generation = this.#generation
    this.#calls++
    let result: unknown
    try {
      result = await callWithMeter(fn)
    } catch (error) {
      if (generation === this.#generation) await this.#failed()
      throw error
    }
    if (generation === this.#generation) await this.#passed()
    return result
  }

  async #enter(): Promise<void> {
    if (this.#state === "closed") return
    const { timeoutMs } = this.#settings
    const left = this.#openedAt + timeoutMs - this.#now()
    if (this.#state === "half-open" || left > 0) {
      throw new CircuitOpen({ failures: this.#failures, calls: this.#calls, retryInMs: this.#state === "half-open" ? Infinity : left })
    }
    await this.#become("half-open")
  }

  async #passed(): Promise<void> {
    this.#failures = 0
    if (this.#state === "half-open") await this.#become("closed")
  }

  async #failed(): Promise<void> {
    this.#failures++
    if (this.#state === "half-open" || this.#failures >= this.#settings.failureThreshold) await this.#become("open")
  }

  async #become(state: "closed" | "open" | "half-open"): Promise<void> {
    this.#state = state
    this.#generation++
    if (state === "open") this.#openedAt = this.#now()
    if (state === "closed") this.#calls = 0
    const fn = this.#settings.told[state]
    if (fn !== undefined) await callWithMeter(fn)
  }

  get label(): string {
    return `circuit breaker, ${this.#state}`
  }

  toJSON(): unknown {
    return { circuitBreaker: this.#state }
  }
}

export const circuitBreaker: ControlCapability = defineControl({
  id: "marketplace.stream.circuit-breaker",
  summary: "Makes a circuit breaker, through which functions are called with `(breaker:call f)`.",
  spec: "beside §5; what `(stream-circuit-breaker …)` stands for",
  arguments: ["options"],
  options: {
    "failure-threshold": defaulted(count, 5, "after how many failures in a row it opens"),
    "timeout-ms": defaulted(duration, 30_000, "how long it then refuses calls, before it lets one through to try"),
    "on-open": optional(fn, "called without arguments when it opens"),
    "on-half-open": optional(fn, "called before the call that tries"),
    "on-close": optional(fn, "called when that call has passed")
  },
  notes: [
    "For streams there is `:stream.with-circuit-breaker`, which goes by the share of failures. While it is open a call fails with `:circuit-open`; while one call tries, others are refused."
  ],
  example: "(let [b (stream-circuit-breaker :failure-threshold 2 :timeout-ms 1000)] (b:call (fn [] 1)))",
  perform: ([map], context: CallContext) => {
    const options = readOptions(circuitBreaker, map)
    const told = { open: options["on-open"], "half-open": options["on-half-open"], closed: options["on-close"] }
    return new ConsecutiveBreaker({ failureThreshold: options["failure-threshold"], timeoutMs: options["timeout-ms"], told }, context.now)
  }
})

export const circuitBreakerCall: ControlCapability = defineControl({
  id: "marketplace.stream.circuit-breaker.call",
  summary: "Calls a function through a circuit breaker.",
  spec: "beside §5; what `(breaker:call f)` stands for",
  arguments: ["options"],
  options: {
    breaker: required(anything, "the breaker"),
    function: required(fn, "a function without arguments")
  },
  example:
    "(let [b (stream-circuit-breaker :failure-threshold 2)] (call :marketplace.stream.circuit-breaker.call {:breaker b :function (fn [] 1)}))",
  perform: ([map]) => {
    const options = readOptions(circuitBreakerCall, map)
    if (!(options.breaker instanceof ConsecutiveBreaker)) {
      throw new InvalidCall(
        circuitBreakerCall.id,
        `needs a circuit breaker of (stream-circuit-breaker …), but got ${shown(options.breaker)}.`,
        "breaker"
      )
    }
    return options.breaker.call(options.function)
  }
})

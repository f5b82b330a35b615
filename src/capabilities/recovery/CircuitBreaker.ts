import { afterEvent, type BreakerEvent, breakerIn, type BreakerState, closedBreaker } from "./circuitBreaker.machine.ts"

export interface BreakerOptions {
  /** The share of failures, above 0 and at most 1, at which it opens. */
  readonly failureThreshold: number
  /** Of so many last calls. */
  readonly window: number
  /** Not before so many calls have come back. */
  readonly minimumCalls: number
  readonly recoveryMs: number
  /** Calls that are let through to try it, all of which must pass. */
  readonly trials: number
  /** Told of each transition, once, in their order. */
  readonly onChange: (state: BreakerState) => void
  /** In ms, from any start, never backwards. */
  readonly now: () => number
}

/** What a call that was let through comes back with. Of one that is from an earlier state nothing counts. */
export interface Permit {
  readonly generation: number
  readonly isTrial: boolean
  /** Of a trial: it came back, or its time was up. Only the first of the two counts. */
  isEnded: boolean
}

/** How a call ended: `ignored` says nothing about what is behind it. */
export type CallOutcome = "passed" | "failed" | "ignored"

export interface BreakerSnapshot {
  readonly state: BreakerState
  readonly outcomes: ReadonlyArray<number>
  /** Of an open one: how long it stays so. */
  readonly remainingMs: number
  readonly reopened: number
}

/** Each time a trial fails the recovery timeout doubles, up to 16 times the first one. */
const mostDoublings = 4

/**
 * Counts how calls come back, and says whether the next one may go through.
 *
 * Closed it lets all through. When the share of failures among the last calls reaches the threshold it opens and lets
 * none through; after the recovery timeout a few trials decide whether it closes or stays open for twice as long.
 *
 * **Bounds** one byte for each call of the window.
 * **Cost** closed, a comparison before a call and an addition after it.
 */
export class CircuitBreaker {
  readonly counts = { calls: 0, failures: 0, ignored: 0, late: 0, refused: 0, opened: 0 }
  readonly #options: BreakerOptions
  #machine = closedBreaker
  #state: BreakerState = "closed"
  /** Of the current state; a call carries it. */
  #generation = 0
  /** Of all calls while it is closed. */
  #permit: Permit = { generation: 0, isTrial: false, isEnded: false }
  /** A ring: 1 is a failure. */
  readonly #outcomes: Uint8Array
  #next = 0
  #known = 0
  #failures = 0
  #openUntil = 0
  #reopened = 0
  #trialsBegun = 0
  #trialsPassed = 0
  readonly #waiting = new Set<() => void>()

  constructor(options: BreakerOptions) {
    this.#options = options
    this.#outcomes = new Uint8Array(options.window)
  }

  get state(): BreakerState {
    return this.#state
  }

  /** How many of the last calls failed, of how many. */
  get recent(): { readonly failures: number; readonly calls: number } {
    return { failures: this.#failures, calls: this.#known }
  }

  /** Lets a call through, or not. Whoever got a permit gives it back with `ended`. */
  enter(): Permit | undefined {
    if (this.#state === "closed") return this.#permit
    if (this.#state === "open") {
      if (this.retryInMs > 0) {
        this.counts.refused++
        return undefined
      }
      this.#change("recoveryElapsed")
    }
    if (this.#trialsBegun >= this.#options.trials) {
      this.counts.refused++
      return undefined
    }
    this.#trialsBegun++
    return { generation: this.#generation, isTrial: true, isEnded: false }
  }

  /** A call has come back. It may have come too late to say anything of the state that is now. */
  ended(permit: Permit, outcome: CallOutcome): void {
    if (permit.isEnded) return
    if (permit.isTrial) permit.isEnded = true
    if (permit.generation !== this.#generation) {
      this.counts.late++
      return
    }
    if (outcome === "ignored") this.counts.ignored++
    else this.counts.calls++
    if (outcome === "failed") this.counts.failures++
    if (permit.isTrial) this.#trialEnded(outcome)
    else if (outcome !== "ignored") this.#note(outcome === "failed" ? 1 : 0)
  }

  /** After how long one may get through; `Infinity` where trials have to come back first. */
  get retryInMs(): number {
    if (this.#state === "open") return Math.max(0, this.#openUntil - this.#options.now())
    return this.#state === "half-open" && this.#trialsBegun >= this.#options.trials ? Infinity : 0
  }

  /** Calls back once, when one who was refused may be let through. @returns withdraws that */
  wait(wake: () => void): () => void {
    this.#waiting.add(wake)
    return () => this.#waiting.delete(wake)
  }

  snapshot(): BreakerSnapshot {
    return {
      state: this.#state,
      outcomes: Array.from(
        { length: this.#known },
        (_, index) => this.#outcomes[(this.#next - this.#known + index + this.#outcomes.length) % this.#outcomes.length]!
      ),
      remainingMs: this.#state === "open" ? this.retryInMs : 0,
      reopened: this.#reopened
    }
  }

  /** Trials that were under way are begun anew. */
  restore({ outcomes, remainingMs, reopened, state }: BreakerSnapshot): void {
    this.#machine = breakerIn(state)
    this.#state = state
    this.#begin()
    this.#forget()
    for (const outcome of outcomes.slice(-this.#outcomes.length)) this.#add(outcome)
    this.#openUntil = this.#options.now() + remainingMs
    this.#reopened = reopened
  }

  #note(outcome: number): void {
    this.#add(outcome)
    const { failureThreshold, minimumCalls } = this.#options
    // Only a failure can reach the threshold, but a call that passes can be the one that makes the minimum.
    if (this.#failures > 0 && this.#known >= minimumCalls && this.#failures / this.#known >= failureThreshold) this.#open("tripped")
  }

  #trialEnded(outcome: CallOutcome): void {
    if (outcome === "failed") {
      this.#reopened++
      return this.#open("trialFailed")
    }
    if (outcome === "ignored") {
      this.#trialsBegun--
      return this.#wake()
    }
    this.#trialsPassed++
    if (this.#trialsPassed < this.#options.trials) return
    this.#reopened = 0
    this.#forget()
    this.#change("trialsPassed")
  }

  #open(type: "tripped" | "trialFailed"): void {
    this.counts.opened++
    this.#openUntil = this.#options.now() + this.#options.recoveryMs * 2 ** Math.min(this.#reopened, mostDoublings)
    this.#change(type)
  }

  #change(type: BreakerEvent["type"]): void {
    this.#machine = afterEvent(this.#machine, { type })
    this.#state = this.#machine.value as BreakerState
    this.#begin()
    // Those who wait for trials learn that there is a time to wait for, or none.
    this.#wake()
    this.#options.onChange(this.#state)
  }

  /** Another state, for which nothing counts that began before. */
  #begin(): void {
    this.#generation++
    this.#permit = { generation: this.#generation, isTrial: false, isEnded: false }
    this.#trialsBegun = 0
    this.#trialsPassed = 0
  }

  #wake(): void {
    const woken = [...this.#waiting]
    this.#waiting.clear()
    for (const wake of woken) wake()
  }

  #add(outcome: number): void {
    if (this.#known === this.#outcomes.length) this.#failures -= this.#outcomes[this.#next]!
    else this.#known++
    this.#outcomes[this.#next] = outcome
    this.#failures += outcome
    this.#next = (this.#next + 1) % this.#outcomes.length
  }

  #forget(): void {
    this.#next = 0
    this.#known = 0
    this.#failures = 0
  }
}

export interface BreakerModelOptions {
  readonly failureThreshold: number
  readonly window: number
  readonly minimumCalls: number
  readonly recoveryMs: number
  readonly trials: number
}

export interface ModelCall {
  /** The stay in a state that it was begun in. */
  readonly stay: number
  readonly isTrial: boolean
}

/** A circuit breaker as a list of everything that came back, and a number for each stay in a state. */
export class BreakerModel {
  state: "closed" | "open" | "half-open" = "closed"
  readonly changes: Array<string> = []
  #stay = 0
  #cameBack: ReadonlyArray<boolean> = []
  #openUntil = 0
  #failedTrials = 0
  #trials: Array<"under way" | "passed"> = []
  readonly #options: BreakerModelOptions

  constructor(options: BreakerModelOptions) {
    this.#options = options
  }

  enter(now: number): ModelCall | undefined {
    if (this.state === "open" && now >= this.#openUntil) this.#to("half-open")
    if (this.state === "open") return undefined
    if (this.state === "half-open") {
      if (this.#trials.length >= this.#options.trials) return undefined
      this.#trials.push("under way")
    }
    return { stay: this.#stay, isTrial: this.state === "half-open" }
  }

  ended(call: ModelCall, outcome: "passed" | "failed" | "ignored", now: number): void {
    if (call.stay !== this.#stay) return
    if (this.state === "half-open") {
      if (outcome === "failed") {
        this.#failedTrials++
        return this.#open(now)
      }
      this.#trials.splice(this.#trials.indexOf("under way"), 1)
      if (outcome === "ignored") return
      this.#trials.push("passed")
      if (this.#trials.filter((trial) => trial === "passed").length < this.#options.trials) return
      this.#failedTrials = 0
      this.#cameBack = []
      return this.#to("closed")
    }
    if (outcome === "ignored") return
    this.#cameBack = [...this.#cameBack, outcome === "failed"].slice(-this.#options.window)
    const failures = this.#cameBack.filter(Boolean).length
    const { failureThreshold, minimumCalls } = this.#options
    if (this.#cameBack.length >= minimumCalls && failures > 0 && failures / this.#cameBack.length >= failureThreshold) this.#open(now)
  }

  #open(now: number): void {
    this.#openUntil = now + this.#options.recoveryMs * 2 ** Math.min(this.#failedTrials, 4)
    this.#to("open")
  }

  #to(state: "closed" | "open" | "half-open"): void {
    this.state = state
    this.#stay++
    this.#trials = []
    this.changes.push(state)
  }
}

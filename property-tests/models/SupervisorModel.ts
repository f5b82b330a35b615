import type { Restart, RestartIntensity, RestartStrategy } from "../../src/supervisors/index.ts"

export interface ModelChild {
  readonly id: string
  readonly restart: Restart
  readonly significant: boolean
  isUp: boolean
  lives: number
  restarts: number
  /** How its next starts go; then they succeed. */
  nextStarts: Array<"fail" | "decline">
  /** When it was restarted. */
  history: Array<number>
}

/**
 * OTP's supervisor as its manual describes it, where starting, stopping and restarting take no time: so that after each
 * command everything has settled, and there is nothing but a list of children that are up or not.
 */
export class SupervisorModel {
  children: Array<ModelChild> = []
  state: "running" | "stopped" | "failed" = "running"
  now = 0
  /** What the children do, in the notation of `ScriptedChildren`. */
  log: Array<string> = []
  #history: Array<number> = []
  readonly #options: {
    readonly strategy: RestartStrategy
    readonly autoShutdown: "never" | "any-significant" | "all-significant"
    readonly intensity: RestartIntensity & { readonly period: number }
    readonly childIntensity: RestartIntensity & { readonly period: number }
  }

  constructor(options: SupervisorModel["options"]) {
    this.#options = options
  }

  get options() {
    return this.#options
  }

  add(child: ModelChild): boolean {
    this.children.push(child)
    const outcome = this.#start(child)
    if (outcome === "fail" || (outcome === "decline" && child.restart === "temporary")) this.#drop(child)
    return outcome !== "fail"
  }

  /** A child that is up ends by itself. */
  ends(child: ModelChild, how: "crash" | "normal"): void {
    this.log.push(`${child.id}-`)
    child.isUp = false
    const restarts = child.restart === "permanent" || (child.restart === "transient" && how === "crash")
    if (restarts) this.#restart(child)
    else this.#giveUp(child)
  }

  terminate(child: ModelChild): void {
    this.#stop(child)
    if (child.restart === "temporary") this.#drop(child)
  }

  restartByHand(child: ModelChild): boolean {
    return this.#start(child) !== "fail"
  }

  delete(child: ModelChild): void {
    this.#drop(child)
  }

  end(state: "stopped" | "failed"): void {
    for (const child of this.children.toReversed()) this.terminate(child)
    this.state = state
  }

  #start(child: ModelChild): "ready" | "fail" | "decline" {
    const outcome = child.nextStarts.shift() ?? "ready"
    child.lives++
    child.isUp = outcome === "ready"
    this.log.push(`${child.id}+`, child.isUp ? `${child.id}!` : `${child.id}-`)
    return outcome
  }

  #stop(child: ModelChild): void {
    if (child.isUp) this.log.push(`${child.id}-`)
    child.isUp = false
  }

  #drop(child: ModelChild): void {
    this.children = this.children.filter((other) => other !== child)
  }

  #restart(child: ModelChild): void {
    child.history.push(this.now)
    this.#history.push(this.now)
    const exceeds = (history: Array<number>, limit: { restarts: number; period: number }) =>
      history.filter((time) => time >= this.now - limit.period).length > limit.restarts
    if (exceeds(child.history, this.#options.childIntensity) || exceeds(this.#history, this.#options.intensity)) return this.end("failed")
    child.restarts++
    const from = { "one-for-one": this.children.indexOf(child), "rest-for-one": this.children.indexOf(child), "one-for-all": 0 }[
      this.#options.strategy
    ]
    const group = this.#options.strategy === "one-for-one" ? [child] : this.children.slice(from)
    for (const member of group.toReversed()) this.terminate(member)
    for (const member of group.filter((member) => this.children.includes(member))) {
      // A start that fails is one more restart, and what comes after it in this group is a part of that one.
      if (this.#start(member) === "fail") return this.#restart(member)
    }
  }

  #giveUp(child: ModelChild): void {
    if (child.restart === "temporary") this.#drop(child)
    const { autoShutdown } = this.#options
    if (!child.significant || autoShutdown === "never") return
    const isOneLeft = this.children.some((other) => other.significant && other.isUp)
    if (autoShutdown === "any-significant" || !isOneLeft) this.end("stopped")
  }
}

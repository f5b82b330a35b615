import * as Duration from "effect/Duration"
import type * as Exit from "effect/Exit"
import { afterSignal, type ChildSignal, type ChildState, newChild } from "./child.machine.ts"
import type { ChildLife } from "./ChildLife.ts"
import type { ChildSpec, Restart } from "./ChildSpec.ts"
import type { RestartPass } from "./RestartPass.ts"
import { noRestarts } from "./RestartIntensity.ts"
import type { ExitKind } from "./SupervisorEvent.ts"

/** What a supervisor knows of one child, as of now. */
export interface ChildInfo {
  readonly id: string
  readonly address: string
  readonly type: "worker" | "supervisor"
  readonly restart: Restart
  readonly significant: boolean
  readonly state: ChildState
  /** How many lives it has had. */
  readonly incarnation: number
  /** How many times it was restarted because it ended by itself. */
  readonly restarts: number
  readonly lastExit: LastExit | undefined
}

export interface LastExit {
  readonly kind: ExitKind
  /** Milliseconds since 1970. */
  readonly time: number
  readonly exit: Exit.Exit<unknown, unknown> | undefined
}

/** A child in its supervisor's table: its spec with all defaults, its state, and what restarting it has to remember. */
export class Child {
  readonly id: string
  readonly address: string
  readonly run: ChildSpec["run"]
  readonly restart: Restart
  readonly type: "worker" | "supervisor"
  readonly significant: boolean
  /** 0 is brutal-kill. */
  readonly shutdown: Duration.Duration

  /** Its present life: there is one in `starting`, `running` and `stopping`. */
  life: ChildLife | undefined
  lives = 0
  /** The restart that has yet to bring it up. */
  pass: RestartPass | undefined
  restarts = 0
  lastExit: LastExit | undefined
  /** The backoff's attempt number, and when (on the monotonic clock) its last life became ready, if it did. */
  attempt = 0
  readyAt: number | undefined
  history = noRestarts
  #snapshot = newChild

  constructor(spec: ChildSpec, supervisor: string) {
    this.id = spec.id
    this.address = supervisor === "/" ? `/${spec.id}` : `${supervisor}/${spec.id}`
    this.run = spec.run
    this.restart = spec.restart ?? "permanent"
    this.type = spec.type ?? "worker"
    this.significant = spec.significant ?? false
    this.shutdown = shutdownOf(spec)
  }

  get state(): ChildState {
    return this.#snapshot.value
  }

  signal(type: ChildSignal["type"]): void {
    this.#snapshot = afterSignal(this.#snapshot, { type })
  }

  /** Whether it has been asked for by a caller who still waits for its first readiness. */
  get isBeingAdded(): boolean {
    return this.state === "starting" && this.life?.startedFor === "caller"
  }

  info(): ChildInfo {
    const { id, address, type, restart, significant, state, restarts, lastExit } = this
    return { id, address, type, restart, significant, state, incarnation: this.lives, restarts, lastExit }
  }
}

const shutdownOf = (spec: ChildSpec): Duration.Duration => {
  switch (spec.shutdown) {
    case undefined:
      return spec.type === "supervisor" ? Duration.infinity : Duration.seconds(5)
    case "infinity":
      return Duration.infinity
    case "brutal-kill":
      return Duration.zero
    default:
      return Duration.fromInputUnsafe(spec.shutdown)
  }
}

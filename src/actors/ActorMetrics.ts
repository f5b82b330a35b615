/** What an actor does with its time: working, waiting for a receiver, or waiting for something to do. */
export type Activity = "busy" | "blocked" | "idle"

/**
 * The counts of one actor, over all its lives. Plain fields that the data path adds to once for each frame or slice.
 *
 * Times are of the process's own steady clock, not of the clock service: they measure this machine.
 */
export class ActorMetrics {
  framesIn = 0
  itemsIn = 0
  bytesIn = 0
  restarts = 0
  readonly stages: ReadonlyArray<StageTally>
  private activity: Activity | undefined
  private since = 0
  private readonly spent = { busy: 0, blocked: 0, idle: 0 }

  constructor(stages: number) {
    const tallies: Array<StageTally> = []
    for (let stage = 0; stage < stages; stage++) tallies.push({ failed: 0, skipped: 0, deadLettered: 0, retried: 0, quarantined: 0 })
    this.stages = tallies
  }

  /** From now on it does this; `undefined` while no life of it runs. */
  turnsTo(activity: Activity | undefined): void {
    const now = performance.now()
    if (this.activity !== undefined) this.spent[this.activity] += now - this.since
    this.activity = activity
    this.since = now
  }

  /** Shares of its time since it started, which add up to 1. */
  get timeShares(): Readonly<Record<Activity, number>> {
    this.turnsTo(this.activity)
    const { blocked, busy, idle } = this.spent
    const total = blocked + busy + idle
    return total === 0 ? { busy: 0, blocked: 0, idle: 0 } : { busy: busy / total, blocked: blocked / total, idle: idle / total }
  }
}

export interface StageTally {
  /** Attempts that failed. */
  failed: number
  /** Items given up on by the policy `skip`. */
  skipped: number
  /** Items that went to the dead letters as the policy says. */
  deadLettered: number
  retried: number
  /** Items given up on because they kept killing their actor. */
  quarantined: number
}

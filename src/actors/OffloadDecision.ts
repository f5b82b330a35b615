import { isOffloadable, type OffloadPool } from "../scheduler/index.ts"
import type { ActorDefinition } from "./Actor.ts"
import type { Chain } from "./Chain.ts"

/**
 * Whether a function that may move to the worker pool (`offload: "auto"`) does: decided by measuring it here first.
 *
 * When the items of an island take long, the function of each such stage is timed over a few of its calls. The slowest
 * one moves if its call takes 20 µs at least, and three times of what this thread has to do to send an item away.
 */
export class OffloadDecision {
  private readonly address: string
  private readonly pool: OffloadPool | undefined
  private candidates: ReadonlyArray<number>
  private probes: ReadonlyArray<Probe> | undefined

  constructor({ address, pool, stages }: ActorDefinition) {
    this.address = address
    this.pool = pool
    this.candidates =
      pool === undefined
        ? []
        : stages.flatMap(({ apply }, index) =>
            apply?.concurrency?.offload === "auto" && !apply.args && isOffloadable(apply.fn) ? [index] : []
          )
  }

  /** To be asked between two slices. @returns the chain to go on with, where a stage is to move */
  decide(chain: Chain, msPerItem: number): Chain | undefined {
    if (this.candidates.length === 0 || msPerItem < leastMs || !chain.isSettled || chain.isInsideItem) return undefined
    if (this.probes === undefined) {
      this.probes = this.candidates.map((stage) => chain.probe(stage)).filter((probe) => probe !== undefined)
      return undefined
    }
    if (this.probes.some(({ calls }) => calls < callsProbed)) return undefined
    const slowest = this.probes.reduce((one, other) => (other.ms / other.calls > one.ms / one.calls ? other : one))
    chain.endProbes()
    this.probes = undefined
    const stage = slowest.stage
    const pool = this.pool!
    const each = slowest.ms / slowest.calls
    const dispatchMs = pool.dispatchCostMs / Math.max(1, taskMs / each) + codecMs
    if (each < leastMs || each < 3 * dispatchMs) {
      // Something else makes the items slow, or this does by far too little: asking once is enough.
      this.candidates = []
      return undefined
    }
    this.candidates = this.candidates.filter((candidate) => candidate !== stage)
    return chain.offloaded(stage, { address: this.address, pool, msPerItem: each })
  }
}

/** Times the calls of one stage's function. */
export interface Probe {
  readonly stage: number
  calls: number
  ms: number
}

const leastMs = 0.02
const callsProbed = 8
const taskMs = 3
/** Encoding an item and decoding its result, for small records. */
const codecMs = 0.001

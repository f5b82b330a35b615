import * as Effect from "effect/Effect"
import { mayKeepWaiting } from "../scheduler/index.ts"
import type { Chain } from "./Chain.ts"
import type { IslandInput } from "./IslandInput.ts"
import type { Applied } from "./ItemRecovery.ts"
import { Postponed } from "./Postponed.ts"
import { Shell } from "./Shell.ts"
import { applyTo, type StageFailure, type Stopped, stoppedIn } from "./StageFailure.ts"
import { firstOf, type Wait, woken } from "./Waiting.ts"

/** What the actor of an island does about items that its stages fail on. */
export abstract class IslandFailures extends Shell<StageFailure> {
  abstract chain: Chain
  protected abstract readonly input: IslandInput
  /** There may be work for the chain even though no input is loaded. */
  protected abstract isStirred: boolean
  /** Before something that may take long everything that is done goes out. */
  protected abstract afterOutput(wait: Wait): Wait

  /** A function failed on an item. @returns what to wait for, as the policy says */
  protected failedOn(): Wait | undefined {
    const { failure, stoppedStage } = this.chain
    if (failure?.isOfItem === false) {
      return Effect.fail(this.failure({ node: this.definition.stages[stoppedStage]!, reason: "node", cause: failure.cause }))
    }
    const { cause } = failure ?? this.chain.stopped
    if (cause instanceof Postponed) return this.afterOutput(Effect.suspend(() => this.postponed(cause)))
    const failing = this.asked(stoppedIn(this.chain))
    const deal = () => this.dealWith(failing, this.apply)
    return mayKeepWaiting(failing.node.policy) ? this.afterOutput(Effect.suspend(() => deal() ?? Effect.void)) : deal()
  }

  /** The item is as it was; its function is called again when that may be of use. */
  private postponed(cause: Postponed): Wait {
    // Asked now: since it was thrown, items before it may have been dealt with.
    const afterMs = cause.afterMs()
    const waits = [woken((wake) => cause.subscribe(wake))]
    if (afterMs < Infinity) waits.push(Effect.sleep(afterMs))
    this.recovery.waitsFor = cause.message
    return Effect.ensuring(
      Effect.map(this.waitFor("idle", firstOf(waits)), () => {
        this.isStirred = true
        this.chain.retry()
      }),
      Effect.sync(() => {
        this.recovery.waitsFor = undefined
      })
    )
  }

  /** Code of ours threw: no policy is asked, the supervisor decides. But an item that ends life after life is put aside, whoever is to blame. */
  protected crash(): Wait {
    const failing = this.asked(stoppedIn(this.chain))
    this.tallyOf(this.nodes[failing.at]!).failed++
    this.recovery.tried(failing)
    this.recovery.endLife(failing)
    return Effect.die(failing.cause)
  }

  /** A new life begins where the last one failed: with the item again, or without it when it has ended too many. */
  protected tryAgain(): Wait | undefined {
    if (this.recovery.endedLast === undefined) this.chain.retry()
    return this.dealWithLast(this.apply)
  }

  /** With the node that it is of; before the first stage (-1) it is the one that the items come from. */
  protected asked({ stage, ...failed }: Stopped): StageFailure {
    const at = Math.max(0, this.input.nodes.length + stage)
    return { ...failed, at, lane: `${failed.kind} ${stage}`, node: this.failedNode(at) }
  }

  protected readonly apply = (verdict: Applied, failing: StageFailure): void => {
    this.isStirred = true
    const isSink = this.definition.outputs.length === 0 && failing.at === this.nodes.length - 1
    applyTo(this.chain, verdict, failing, isSink)
  }

  protected override stateOf({ at }: StageFailure): unknown {
    return this.chain.stateSnapshot(at - this.input.nodes.length)
  }
}

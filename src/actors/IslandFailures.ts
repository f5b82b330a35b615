import * as Effect from "effect/Effect"
import type { Chain } from "./Chain.ts"
import type { ActorFailure } from "./errors.ts"
import type { IslandInput } from "./IslandInput.ts"
import { LastFailure, type StageFailure } from "./LastFailure.ts"
import { type ActorNode, Shell } from "./Shell.ts"
import type { Wait } from "./Waiting.ts"

/** What the actor of an island does about items that its stages fail on. */
export abstract class IslandFailures extends Shell {
  abstract chain: Chain
  protected abstract readonly input: IslandInput
  /** There may be work for the chain even though no input is loaded. */
  protected abstract isStirred: boolean
  private readonly lastFailure = new LastFailure<StageFailure>()

  /** A function failed on an item. @returns the end of this life, unless the policy says to go on */
  protected failedOn(): ActorFailure | undefined {
    const { chain } = this
    const stage = chain.stoppedStage
    const { failure } = chain
    if (failure?.isOfItem === false) {
      return this.failure({ node: this.definition.stages[stage]!, reason: "node", cause: failure.cause })
    }
    const { cause, value } = failure ?? chain.stopped
    return this.failItem({ kind: "stage", stage, value, cause })
  }

  /** Code of ours threw: no policy is asked, the supervisor decides. But an item that ends life after life is put aside, whoever is to blame. */
  protected crash(): Wait {
    const { stopped, stoppedItem: item, stoppedPlace, stoppedStage: stage, stoppedValue: value } = this.chain
    this.tallyOf(this.nodeOf(stage)).failed++
    this.lastFailure.note(stoppedPlace, { kind: "stage", stage, item, value, cause: stopped.cause })
    return Effect.die(stopped.cause)
  }

  protected failItem(failed: Omit<StageFailure, "item">): ActorFailure | undefined {
    const { cause, kind, stage } = failed
    const node = this.nodeOf(stage)
    const tally = this.tallyOf(node)
    tally.failed++
    if (this.definition.policies[stage] === "skip") {
      tally.skipped++
      this.leaveOut(kind)
      return undefined
    }
    const { output, stoppedItem, stoppedPlace } = this.chain
    // Where nothing has moved since the last failure it is the same item again.
    const place = kind === "stage" ? stoppedPlace : `output ${output.entered.at(-1)! - output.outCount}`
    const item = kind === "stage" ? stoppedItem : output.originOf(0)
    const attempts = this.lastFailure.note(place, { ...failed, item })
    return this.failure({ node, reason: "item", item, attempts, cause })
  }

  /** A new life begins where the last one failed: with the item again, or without it when it has ended too many. */
  protected tryAgain(): void {
    const answer = this.lastFailure.answer()
    if (answer?.isGivenUp === true) {
      this.putAside(this.nodeOf(answer.failed.stage), answer.failed, answer.attempts)
      this.leaveOut(answer.failed.kind)
      return
    }
    if (answer) this.tallyOf(this.nodeOf(answer.failed.stage)).retried++
    this.chain.retry()
  }

  protected leaveOut(kind: StageFailure["kind"]): void {
    if (kind === "stage") {
      this.chain.skip()
      this.isStirred = true
    } else {
      this.chain.output.dropOutput(1)
    }
  }

  /** The node of a stage; before the first stage (-1) it is the one that the items come from. */
  protected nodeOf(stage: number): ActorNode {
    return this.nodes[Math.max(0, this.input.nodes.length + stage)]!
  }
}

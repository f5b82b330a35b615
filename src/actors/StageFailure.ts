import type { Chain } from "./Chain.ts"
import type { Applied, FailedIn } from "./ItemRecovery.ts"

/** An item that an island failed on. */
export interface StageFailure extends FailedIn {
  /** In a function of a stage, or because its output can't be encoded. */
  readonly kind: "stage" | "output"
}

/** The same, before it is known of which node the stage is; -1 is before the first one. */
export type Stopped = Omit<StageFailure, "at" | "node" | "lane"> & { readonly stage: number }

/** The value that a chain stopped at, which is the one that entered the failing stage. */
export const stoppedIn = (chain: Chain): Stopped => {
  const { cause, value } = chain.failure ?? { cause: chain.stopped.cause, value: chain.stoppedValue }
  return { kind: "stage", stage: chain.stoppedStage, item: chain.stoppedItem, place: chain.stoppedPlace, value, cause }
}

/** The first value of the output, which can't be encoded: another try would end in the same way. */
export const unencodableIn = ({ output, stages }: Chain, cause: unknown): Stopped => ({
  kind: "output",
  stage: stages.length - 1,
  item: output.originOf(0),
  place: `output ${output.entered.at(-1)! - output.outCount}`,
  value: output.out[0],
  cause,
  isHopeless: true
})

/** Does with it what was decided. A sink emits nothing, so what is to take an item's place is written by it. */
export const applyTo = (chain: Chain, verdict: Applied, { kind }: StageFailure, isSink: boolean): void => {
  if (kind === "output") {
    if (verdict.type === "leave-out") chain.output.dropOutput(1)
    if (verdict.type === "replace") chain.output.out[0] = verdict.value
    return
  }
  if (verdict.type === "retry") return chain.retry()
  if (verdict.type === "leave-out") return chain.skip()
  if (isSink) chain.retryWith(verdict.value)
  else chain.replace(verdict.value)
}

import { describe, isOffloadable, type OffloadPool, portableTask, type StreamFunction } from "../scheduler/index.ts"
import { CallWindow, type ConcurrentWindow, TaskWindow } from "./ConcurrentWindow.ts"
import { Island, refill } from "./Island.ts"
import type { StageSpec } from "./NodeSpec.ts"

/** The islands of a chain, and the windows between them. */
export interface ChainParts {
  readonly islands: ReadonlyArray<Island>
  readonly windows: ReadonlyArray<{ readonly stage: number; readonly window: ConcurrentWindow }>
  readonly firstStage: ReadonlyArray<number>
}

/** Cuts the stages at those that have a window. */
export const cut = (
  stages: ReadonlyArray<StageSpec>,
  windowOf: (stage: number) => ConcurrentWindow | undefined,
  states: ReadonlyArray<Record<string, unknown> | undefined> = []
): ChainParts => {
  const islands: Array<Island> = []
  const windows: Array<{ stage: number; window: ConcurrentWindow }> = []
  const firstStage: Array<number> = []
  let own: Array<StageSpec> = []
  let first = 0
  const close = () => {
    islands.push(new Island(own, undefined, states.slice(first, first + own.length)))
    firstStage.push(first)
  }
  stages.forEach((stage, index) => {
    const window = windowOf(index)
    if (!window) return own.push(stage)
    close()
    windows.push({ stage: index, window })
    own = stage.then ? [secondHalf(stage)] : []
    first = stage.then ? index : index + 1
    return undefined
  })
  close()
  return { islands, windows, firstStage }
}

/** What a concurrent stage does with the result of its function, as a stage over values with their results. */
const secondHalf = (stage: StageSpec): StageSpec => {
  let half = halves.get(stage)
  if (!half) {
    const { apply: _, then, ...rest } = stage
    half = { ...rest, then: (names) => then!({ ...names, value: `${names.value}.value`, result: `${names.value}.result` }) }
    halves.set(stage, half)
  }
  return half
}
const halves = new WeakMap<StageSpec, StageSpec>()

const callOf = (fn: StreamFunction): ((value: unknown) => unknown) => {
  const { maximum, meter } = describe(fn)
  return (value) => {
    if (meter) refill(meter)
    return maximum === 0 ? fn() : fn(value)
  }
}

export const windowFor = (
  stage: StageSpec,
  options: { readonly address: string; readonly pool?: OffloadPool }
): ConcurrentWindow | undefined => {
  const { apply } = stage
  if (!apply?.concurrency) return undefined
  const { offload, operation, parallelism } = apply.concurrency
  const moves = offload === "always" && options.pool !== undefined && isOffloadable(apply.fn)
  if (!moves && parallelism <= 1) return undefined
  if (apply.args)
    throw new Error(
      `${stage.capability} is concurrent, so its function can take the item only: its other arguments would be read at the wrong time.`
    )
  return moves
    ? new TaskWindow(options.pool!, portableTask(apply.fn, operation), options.address)
    : new CallWindow(callOf(apply.fn), parallelism)
}

import * as Effect from "effect/Effect"
import { decodeFrame, type Frame } from "../serialization/index.ts"
import type { ActorDefinition } from "./Actor.ts"
import type { Chain } from "./Chain.ts"
import type { StageSpec } from "./NodeSpec.ts"

/** Items that an actor had taken in, or made, when it ended, and that went nowhere. */
export interface Leftover {
  /** Which node of the actor they would have entered next, as in `inspect().stages`; behind the last one, what has left it. */
  readonly node: number
  readonly count: number
  /** Of the frame that they are in, where they are in one. */
  readonly sequence?: number
  /** Decoded when asked for. Empty where the values themselves are gone, such as lines of a file that was taken back. */
  readonly values: () => ReadonlyArray<unknown>
}

/** What an actor holds beside its mailbox and its output: each time the node that comes next, and values. */
export type Held = Pick<Leftover, "node" | "values" | "count">

export const heldItems = (node: number, values: ReadonlyArray<unknown>): Held => ({ node, count: values.length, values: () => values })

/** A frame of items that nobody will read. */
export const leftFrame = (node: number, frame: Frame): ReadonlyArray<Leftover> =>
  frame.kind === "data" ? [{ node, count: frame.count, sequence: frame.sequence, values: () => decodeFrame(frame) }] : []

/**
 * What an actor that has ended still holds, in the order in which it would have come out last to first: output, what is
 * under way, then its mailbox. The mailbox is closed.
 *
 * @param options.values whether the values are wanted too: of what lies on disk there are only counts otherwise
 */
export const takeLeftovers = (
  { input }: ActorDefinition,
  held: ReadonlyArray<Held>,
  options: { readonly values: boolean },
  take: (left: Leftover) => void
): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (const left of held) if (left.count > 0) take(left)
    if (!("mailbox" in input)) return
    const { mailbox } = input
    const give = (frame: Frame) => leftFrame(0, frame).forEach(take)
    for (const { frame } of mailbox.close("its stream has ended", "waiting")) give(frame)
    const spilled = () => mailbox.stats().items
    while (options.values && spilled() > 0) {
      const next = yield* Effect.orElseSucceed(mailbox.takeSpilled, () => [])
      if (next.length === 0) break
      for (const { frame } of next) give(frame)
    }
    // What the disk did not give back, or nobody wants to see.
    if (spilled() > 0) take({ node: 0, count: spilled(), values: () => [] })
  })

/** What the stages of an actor hold: gathered, under way, or made and not yet in a frame. */
export const heldIn = (chain: Chain, nodesBefore: number): ReadonlyArray<Held> => {
  const held: Array<Held> = []
  const add = (stage: number, values: ReadonlyArray<unknown>) => held.push(heldItems(nodesBefore + stage, values))
  chain.islands.forEach((island, part) => {
    const first = chain.firstStage[part]!
    // What comes out of a window for a stage that goes on behind its call is the value, with the result.
    const before = chain.concurrent[part - 1]
    const plain = (value: unknown) => (before?.hasThen === true ? (value as { readonly value: unknown }).value : value)
    if (island.stage >= 0) add(first + island.stage, [island.stage === 0 ? plain(island.value) : island.value])
    for (const { next, stage, values } of island.pending) add(first + stage, values.slice(next))
    if (before !== undefined) add(first, before.inputs.slice(island.index + (island.isInsideItem ? 1 : 0)).map(plain))
    const window = chain.concurrent[part]
    if (window === undefined) return add(chain.stages.length, island.out.slice(0, island.outCount))
    add(window.stage, island.out.slice(chain.offered[part], island.outCount))
    return add(window.stage, chain.windows[part]!.entries())
  })
  chain.stages.forEach((stage: StageSpec, index) => {
    if (stage.gathered) add(index, stage.gathered(chain.stateOf(index)!))
  })
  add(0, chain.inputLeft())
  return held
}

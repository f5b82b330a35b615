import { type NodeSpec, type StageSpec } from "../../src/actors/index.ts"
import { Island } from "../../src/actors/Island.ts"
import { IslandCode } from "../../src/actors/IslandCode.ts"
import { failed, worked } from "../../src/actors/IslandWriter.ts"
import type { Capability, StreamCapability } from "../../src/capabilities/index.ts"
import { asStream, decodeCall } from "../../src/capabilities/index.ts"
import { decodeValue, encodeValue } from "../../src/serialization/index.ts"

/** Items that come together, at a time of the clock. */
export interface Arrival {
  readonly at: number
  readonly items: ReadonlyArray<unknown>
  /** The actor looks at its timers only now, as one does that was blocked until then. */
  readonly blocked?: boolean
}

export interface Emitted {
  readonly at: number
  readonly value: any
}

/** The stages of a capability, as a call with these options makes them. */
export const stagesOf = (capability: Capability, options: Record<string, unknown>): ReadonlyArray<StageSpec> => {
  const { value } = decodeCall(capability as StreamCapability, [[], options], asStream)
  return value.capability.node(value.options, { single: false }).filter((spec: NodeSpec): spec is StageSpec => spec.kind === "stage")
}

/**
 * Runs stages over arrivals as an actor does: timers fire when they are due, and then at the end of the input.
 *
 * @param options.saves after which arrivals another island goes on, from what the first one's snapshot is as msgpack
 * @param options.onFailure what to do with an item that failed: nothing said, it is tried again
 */
export const runTimed = (
  stages: ReadonlyArray<StageSpec>,
  arrivals: ReadonlyArray<Arrival>,
  options: { readonly saves?: ReadonlyArray<number>; readonly fuseAfter?: number; readonly ends?: boolean } = {}
): ReadonlyArray<Emitted> => {
  const make = () => new Island(stages, IslandCode.fusedAfter(stages, options.fuseAfter ?? Infinity))
  const emitted: Array<Emitted> = []
  let island = make()
  let now = arrivals[0]?.at ?? 0
  const finish = (outcome: number, again: () => number): void => {
    for (; outcome !== worked; outcome = again()) if (outcome !== failed) throw island.cause
    for (let i = 0; i < island.outCount; i++) emitted.push({ at: now, value: island.out[i] })
    island.outCount = 0
  }
  const settle = () => finish(island.settle(now, 1000), () => island.settle(now, 1000))
  const fire = (until: number) => {
    while (island.nextTimer() <= until) {
      now = Math.max(now, island.nextTimer())
      if (!island.fireDue(now)) throw new Error("a timer that is due does not fire")
      settle()
    }
  }
  arrivals.forEach(({ at, blocked = false, items }, index) => {
    if (!blocked) fire(at)
    now = at
    fire(at)
    const run = () => island.run(items, items.length, now, 1000)
    island.rewind()
    finish(run(), run)
    if (options.saves?.includes(index) === true) {
      const bytes = encodeValue(island.snapshot())
      island = make()
      island.restore(decodeValue(bytes) as ReturnType<Island["snapshot"]>)
    }
  })
  if (options.ends !== false) while (island.startEnd(now) >= 0) settle()
  return emitted
}

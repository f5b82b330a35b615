import { setImmediate } from "node:timers/promises"
import type { Flow, StreamHost } from "rtfs-streams"
import { expect } from "vitest"
import { buildGraph } from "../../src/capabilities/index.ts"
import { flowValue } from "../../src/host/flowValue.ts"
import { makePlan } from "../../src/scheduler/index.ts"
import type { Timing, World } from "./GraphStep.ts"

/** @param called before each call of a function of the graph; what it gives is waited for */
export const worldOf = (cuts: ReadonlyArray<number>, called: () => void | Promise<void>): World => {
  let node = 0
  return {
    cut: () => {
      const bufferSize = cuts[node++ % cuts.length]!
      return bufferSize === 0 ? {} : { bufferSize }
    },
    call: <Value>(timing: Timing, body: () => Value): Value | Promise<Value> => {
      const held = called()
      if (held !== undefined) return held.then(body)
      if (timing === "now") return body()
      return timing === "promise" ? Promise.resolve().then(body) : setImmediate().then(body)
    }
  }
}

interface Inspected {
  readonly actors: ReadonlyArray<{ readonly address: string; readonly mailbox?: Level }>
}

interface Level {
  readonly frames: number
  readonly items: number
  readonly bytes: number
}

/** What the mailboxes of a flow's actors may hold, by their names, as the planner has it. */
export const boundsOf = (flow: Flow<unknown>, mailboxBytes: number): ReadonlyMap<string, Level> => {
  const { graph, traitsOf } = buildGraph(flowValue(flow)!)
  const levels = new Map<string, Level>()
  for (const { bounds, to } of makePlan("flow", graph, traitsOf, { mailboxBytes }).edges) {
    const { bytes, frames, items } = levels.get(nameOf(to)) ?? { frames: 0, items: 0, bytes: 0 }
    levels.set(nameOf(to), { frames: frames + bounds.maxFrames, items: items + bounds.maxItems, bytes: bytes + bounds.maxBytes })
  }
  return levels
}

const nameOf = (address: string) => address.slice(address.lastIndexOf("/") + 1)

/** @returns how many items wait in all mailboxes */
export const expectWithin = (bounds: ReadonlyMap<string, Level>, host: StreamHost): number => {
  let waiting = 0
  for (const { actors } of (host.inspect() as { readonly streams: ReadonlyArray<Inspected> }).streams) {
    for (const { address, mailbox } of actors) {
      const most = bounds.get(nameOf(address))
      if (mailbox === undefined || most === undefined) continue
      waiting += mailbox.items
      const { bytes, frames, items } = mailbox
      expect(
        frames <= most.frames && items <= most.items && bytes <= most.bytes,
        `${address}: ${JSON.stringify({ frames, items, bytes, most })}`
      ).toBe(true)
    }
  }
  return waiting
}

import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { stateful } from "../src/capabilities/state/stateful.ts"
import { runTimed, stagesOf } from "./models/TimedStages.ts"

const runs = { numRuns: Number(process.env["FC_RUNS"] ?? 200) }

interface State {
  readonly sum: number
  readonly seen: ReadonlyArray<number>
}

/** Emits the sum so far for odd items, nothing for even ones. */
const step = ({ seen, sum }: State, item: number): readonly [State] | readonly [State, number] => {
  const next = { sum: sum + item, seen: [...seen, item] }
  return item % 2 === 0 ? [next] : [next, next.sum]
}

describe("stream.stateful", () => {
  it("OP-1, CP-1: gives what the processor gives over a list; a call that fails changes neither state nor output", () =>
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.nat(20), { maxLength: 4 }), { maxLength: 15 }),
        fc.array(fc.boolean(), { maxLength: 60 }),
        fc.array(fc.nat(15), { maxLength: 3 }),
        fc.constantFrom(0, Infinity),
        (frames, faults, saves, fuseAfter) => {
          let calls = 0
          const processor = (state: State, item: number) => {
            if (faults[calls++] === true) throw new Error("passing")
            return step(state, item)
          }
          const initial: State = { sum: 0, seen: [] }
          const arrivals = frames.map((items) => ({ at: 0, items }))
          const expected: Array<number> = []
          let state = initial
          for (const item of frames.flat()) {
            const [next, ...out] = step(state, item)
            state = next
            expected.push(...out)
          }
          const run = (options: Record<string, unknown>) => {
            calls = 0
            return runTimed(stagesOf(stateful, { "initial-state": initial, processor, ...options }), arrivals, { saves, fuseAfter }).map(
              ({ value }) => value
            )
          }
          expect(run({})).toEqual(expected)
        }
      ),
      runs
    ))
})

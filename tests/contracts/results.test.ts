import * as Effect from "effect/Effect"
import { afterEach, describe, expect, it } from "vitest"
import { builtins } from "../../src/capabilities/index.ts"
import { Contract, ended, onHost } from "./contractHost.ts"
import { outside, rows } from "./rows.ts"

const items = [1, 2, 3, 4, 5, 6, 7, 8, 9]
const observed = ":on-complete (fn [_] (completed)) :on-error (fn [_] (failed))"

let contract: Contract | undefined
afterEach(() => {
  contract?.remove()
  contract = undefined
})

it("there is a row for every capability that is a part of streams", () => {
  const streams = builtins.filter(({ kind }) => kind !== "control").map(({ id }) => id)
  const known = [...Object.keys(rows), ...Object.keys(outside)]
  expect(streams.filter((id) => !known.includes(id))).toEqual([])
  expect(Object.keys(rows).filter((id) => !streams.includes(id))).toEqual([])
})

describe.each(Object.entries(rows))(":%s", (id, row) => {
  const inputs = row.role === "source" ? [items] : [[], [1], items]

  it.each(inputs.map((given) => [given.length, given] as const))(
    "gives what it promises of %i items, and tells its end once",
    (_, given) => {
      const made = (contract = new Contract(row, given))
      return onHost(made, (host) =>
        Effect.gen(function* () {
          const report = yield* yield* ended(yield* Effect.forkScoped(host.run(made.program(observed))), 1)
          expect(made.outcome(report.value)).toEqual(row.gives(given))
          expect(made.told).toEqual(["completed"])
          expect(report).toMatchObject({ undrained: 0, dropped: 0, deadLettered: 0, skipped: 0, retried: 0 })
        })
      )
    }
  )

  if (row.role === "source") return
  it("gives the same with a mailbox of one item in front of everything", () => {
    const made = (contract = new Contract(row, items))
    return onHost(made, (host) =>
      Effect.gen(function* () {
        const buffered = "(call :stream.map items {:transform seen :buffer-size 1})"
        const program = made
          .program(id === "stream.consumer" ? observed : `${observed} :buffer-size 1`)
          .replace("(call :stream.map items {:transform seen})", buffered)
        const report = yield* yield* ended(yield* Effect.forkScoped(host.run(program)), 1)
        expect(made.outcome(report.value)).toEqual(row.gives(items))
        expect(made.told).toEqual(["completed"])
      })
    )
  })
})

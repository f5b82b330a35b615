import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { afterEach, describe, expect, it } from "vitest"
import { Contract, ended, onHost, until } from "./contractHost.ts"
import { type Row, rows } from "./rows.ts"

const items = [1, 2, 3, 4, 5, 6, 7, 8, 9]

const made: Array<Contract> = []
afterEach(() => made.splice(0).forEach((contract) => contract.remove()))

let ordinal = 0
let resumed = 0

const turn = () => new Promise((resolve) => setImmediate(resolve))

/** Runs in one process until the n-th item is seen, and then in another one. @returns what came out there */
const through = async (row: Row, last: number, change = (program: string) => program): Promise<unknown> => {
  const store = `memory:contract-${++ordinal}`
  const first = new Contract(row, items)
  const second = new Contract(row, items, first.root)
  made.push(first)
  first.onSeen = async () => {
    // Checkpoints get their turn.
    for (let turns = 0; turns < 4; turns++) await turn()
    if (first.seen.length === last) await new Promise(() => {})
  }
  await onHost(
    first,
    (host) =>
      Effect.gen(function* () {
        const running = yield* Effect.forkScoped(host.run(change(first.checkpointed())))
        yield* until(() => first.seen.length === last || running.pollUnsafe() !== undefined, 1)
        if (first.seen.length < last) yield* yield* ended(running)
        yield* Effect.promise(turn)
        yield* Fiber.interrupt(running)
      }),
    { store }
  )
  return onHost(
    second,
    (host) =>
      Effect.gen(function* () {
        const { value } = yield* yield* ended(yield* Effect.forkScoped(host.run(change(second.checkpointed()))), 1)
        // Nothing is left out: it goes on where the first one was, or before.
        expect(second.seen[0]).toBeLessThanOrEqual(first.seen.at(-1)!)
        if (second.seen[0]! > 1) resumed++
        return value
      }),
    { store }
  )
}

const goOn = Object.entries(rows).filter(([, { differs }]) => differs?.checkpoints === undefined)

describe.each(goOn)(":%s", (_, row) => {
  it.each([1, 2, 5, 9])("CP-1, CP-2: goes on in another process, from item %i, and gives what it would have given", async (last) => {
    const value = await through(row, last)
    const shown = row.shown ?? ((each: unknown) => each)
    const wanted = row.gives(items)
    expect(row.role === "sink" ? wanted : (wanted as ReadonlyArray<unknown>)).toEqual(
      row.role === "sink" ? (value === null ? null : shown(value)) : (value as ReadonlyArray<unknown>).map(shown)
    )
  })
})

const refused = Object.entries(rows).filter(([, { differs }]) => differs?.checkpoints !== undefined)

describe.each(refused)(":%s", (_, row) => {
  it("CP-7: does not go on in another process, and says why", () =>
    expect(through(row, 200, (program) => program.replace("(iterable)", "(endless-iterable)"))).rejects.toThrow(row.differs!.checkpoints))
})

it("has gone on behind the first item often enough for that to say something", () => {
  expect(resumed).toBeGreaterThan(20)
})

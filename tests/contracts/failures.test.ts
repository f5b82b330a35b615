import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { afterEach, describe, expect, it } from "vitest"
import { Contract, ended, onHost } from "./contractHost.ts"
import { type Row, rows } from "./rows.ts"

const items = [1, 2, 3, 4, 5, 6, 7, 8, 9]
const observed = ":on-complete (fn [_] (completed)) :on-error (fn [_] (failed))"

let contract: Contract
afterEach(() => contract?.remove())

/** Fails in the function of the capability, or where it has none, in the one before it. */
const failing = (row: Row, fails: (item: unknown) => boolean): Contract => {
  contract = new Contract(row, items)
  const fail = (item: unknown) => {
    if (fails(item)) throw new Error(`no ${String(item)}`)
  }
  if (row.work === undefined) contract.onSeen = fail
  else contract.onWork = fail
  return contract
}

/** What has come out of the items before the one that failed: all of it, or the beginning where it was on its way between actors. */
const expectBeginning = (out: ReadonlyArray<unknown>, all: ReadonlyArray<unknown>) => expect(out).toEqual(all.slice(0, out.length))

describe.each(Object.entries(rows).filter(([, { role }]) => role !== "source"))(":%s", (id, row) => {
  it.each([1, 5, 9])("OP-3: a failure at item %i ends the stream with its error, once; what came before is as it was", (last) => {
    failing(row, (item) => item === last)
    return onHost(contract, (host) =>
      Effect.gen(function* () {
        const exit = yield* ended(yield* Effect.forkScoped(host.run(contract.program(observed))), 1)
        if (row.differs?.survives !== undefined) {
          expect(contract.outcome((yield* exit).value)).toEqual(row.gives(items.filter((item) => item !== last)))
          return expect(contract.told).toEqual(["completed"])
        }
        expect(Exit.isFailure(exit) && String(exit)).toContain(`no ${last}`)
        expect(contract.told).toEqual(["failed"])
        const before = items.slice(0, last - 1)
        if (row.role === "operator") expectBeginning(contract.out, row.givesOpen?.(before) ?? (row.gives(before) as ReadonlyArray<unknown>))
        expect(contract.seen.slice(0, last - 1)).toEqual(before)
      })
    )
  })

  it.each([1, 5, 9])("OP-3: with :on-failure :skip item %i is left out, and nothing else", (left) => {
    failing(row, (item) => item === left)
    return onHost(contract, (host) =>
      Effect.gen(function* () {
        const own = row.work === undefined ? observed : `${observed} :on-failure :skip`
        const before = row.work === undefined ? ":transform seen :on-failure :skip" : ":transform seen"
        const program = contract.program(own).replace(":transform seen", before)
        const exit = yield* ended(yield* Effect.forkScoped(host.run(program)), 1)
        const report = yield* exit
        const rest = items.filter((item) => item !== left)
        // A branch leaves it out of itself alone.
        const wanted = row.gives(rest)
        const outcome = contract.outcome(report.value)
        if (id === "stream.branch") expect(outcome).toEqual({ ...(row.gives(items) as object), each: rest.length })
        else expect(outcome).toEqual(wanted)
        expect(report).toMatchObject({ skipped: id === "stream.schema-evolution" ? 0 : 1, undrained: 0 })
        expect(contract.told).toEqual(["completed"])
      })
    )
  })
})

/** Those whose failing items are a reason to begin another life. */
const serviced = Object.entries(rows).filter(([, { differs }]) => differs?.survives === undefined)

describe.each(serviced)(":%s in a service", (id, row) => {
  it.each([1, 5, 9])("OP-1: goes on where it was when its actor has failed once, at item %i", (at) => {
    let isDone = false
    failing(row, (item) => !isDone && (id === "stream.periodic" ? contract.worked.length === at : item === at) && (isDone = true))
    return onHost(contract, (host) =>
      Effect.gen(function* () {
        const spawned = Effect.flatMap(host.spawn(contract.program(observed), { name: "service", restart: "temporary" }), (service) =>
          Effect.promise(() => service.result)
        )
        const value = yield* yield* ended(yield* Effect.forkScoped(spawned), 20)
        expect(contract.outcome(value)).toEqual(row.gives(items))
        expect(contract.told).toEqual(["completed"])
        expect(isDone).toBe(row.role !== "source" || row.work !== undefined)
      })
    )
  })
})

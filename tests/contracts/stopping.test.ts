import { readdirSync } from "node:fs"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { afterEach, describe, expect, it, vi } from "vitest"
import { Contract, ended, onHost, settle, until } from "./contractHost.ts"
import { rows } from "./rows.ts"

let contract: Contract
afterEach(() => contract?.remove())

const never = () => new Promise<never>(() => {})
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
const files = () => readdirSync("/proc/self/fd").length
const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length

const canBeHeldUp = Object.entries(rows).filter(
  ([, { endless, role, work }]) => role === "operator" || (role === "sink" ? work : endless) !== undefined
)

describe.each(canBeHeldUp)(":%s", (id, row) => {
  it("BP-8: is held up by what takes from it: an endless source is asked for no more", () => {
    contract = new Contract(row, [])
    contract.isEndless = row.endless !== undefined
    if (row.role === "sink") contract.onWork = never
    else contract.onOut = never
    return onHost(contract, (host) =>
      Effect.gen(function* () {
        const running = yield* Effect.forkScoped(host.run(contract.program("", "endless")))
        const asked = () => (row.role === "source" ? contract.worked.length : contract.source.given)
        yield* until(() => asked() > 0)
        yield* settle
        yield* settle
        const before = asked()
        yield* TestClock.adjust(100)
        yield* settle
        if (row.differs?.gathers === undefined) expect(asked()).toBe(before)
        else expect(asked()).toBeGreaterThan(before)
        expect(id === "stream.producer" ? before : 0).toBeLessThanOrEqual(4)
        yield* Fiber.interrupt(running)
      })
    )
  })
})

/** Where the stream stands when it is cancelled. */
const moments: ReadonlyArray<readonly [string, (contract: Contract) => () => boolean]> = [
  ["at once", () => () => true],
  ["once its first item has come", (contract) => () => contract.seen.length + contract.worked.length >= 1],
  ["after some items", (contract) => () => contract.seen.length + contract.worked.length >= 5],
  [
    "while the function before it is under way",
    (contract) => {
      contract.onSeen = (item) => (item >= 3 ? never() : turn())
      return () => contract.seen.length >= 3
    }
  ],
  [
    "while its own function is under way",
    (contract) => {
      contract.onWork = () => (contract.worked.length >= 3 ? never() : turn())
      return () => contract.worked.length >= 3
    }
  ],
  [
    "while what takes from it is under way",
    (contract) => {
      contract.onOut = never
      return () => contract.out.length >= 1
    }
  ]
]

describe.each(Object.entries(rows))(":%s", (id, row) => {
  const isPossible = (when: string) => {
    if (when === "at once") return true
    if (when.includes("its own")) return row.work !== undefined
    if (when.includes("takes from it"))
      return row.role !== "sink" && (row.differs?.gathers === undefined || id === "stream.memory-efficient")
    return row.role !== "source" || (row.work !== undefined && !when.includes("before it"))
  }

  it.each(moments.filter(([when]) => isPossible(when)))("BP-9: releases everything when it is cancelled %s", (_, prepare) => {
    contract = new Contract(row, [1, 2, 3, 4, 5, 6, 7, 8, 9])
    if (row.endless !== undefined) contract.isEndless = true
    contract.onOut = turn
    const isReached = prepare(contract)
    const [filesBefore, timersBefore] = [files(), timers()]
    return onHost(contract, (host) =>
      Effect.gen(function* () {
        const observed = ":on-complete (fn [_] (completed)) :on-error (fn [_] (failed))"
        const running = yield* Effect.forkScoped(Effect.exit(host.run(contract.program(observed, "endless"))))
        yield* until(isReached, id === "stream.periodic" ? 1 : 0)
        yield* ended(yield* Effect.forkScoped(Fiber.interrupt(running)), 100)
        yield* settle
        expect(contract.source.closed).toBe(contract.source.opened)
        expect(contract.told).toEqual([])
        expect(yield* host.inspect).toMatchObject({ pipelines: [], services: [], streams: [] })
        expect(timers()).toBeLessThanOrEqual(timersBefore)
        expect(readdirSync(contract.root).filter((name) => name !== "items.ndjson")).toEqual([])
        const given = contract.source.given + contract.worked.length + contract.seen.length
        yield* TestClock.adjust(3_600_000)
        yield* settle
        expect(contract.source.given + contract.worked.length + contract.seen.length).toBe(given)
      })
    ).then(() => vi.waitFor(() => expect(files()).toBeLessThanOrEqual(filesBefore)))
  })
})

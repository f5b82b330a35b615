import assert from "node:assert/strict"
import * as fc from "fast-check"
import { it } from "vitest"
import { makeOrderedWindow, type OrderedWindow } from "../src/scheduler/index.ts"

const numRuns = Number(process.env["FC_RUNS"] ?? 200)

/** A list of entries with their outcomes, and what the owner was told. */
interface Model {
  readonly running: number
  readonly held: number
  next: number
  entries: Array<{ readonly entry: number; outcome: string | undefined }>
  waits: "outcome" | "outcome-or-room" | undefined
}

interface Real {
  readonly window: OrderedWindow<number, string>
  readonly calls: Map<number, PromiseWithResolvers<string>>
  wakes: number
}

const underWay = (model: Model) => model.entries.filter(({ outcome }) => outcome === undefined)
const hasRoom = (model: Model) => underWay(model).length < model.running && model.entries.length < model.held
const isDue = (model: Model) =>
  model.waits !== undefined && (model.entries[0]?.outcome !== undefined || (model.waits === "outcome-or-room" && hasRoom(model)))

/** After each step: the counts agree, and the owner was woken exactly if what it waits for is there. */
const agree = async (model: Model, real: Real) => {
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(real.window.size, model.entries.length)
  assert.equal(real.window.running, underWay(model).length)
  assert.equal(real.window.hasRoom, hasRoom(model))
  assert.deepEqual(
    real.window.entries(),
    model.entries.map(({ entry }) => entry)
  )
  assert.equal(real.wakes, isDue(model) ? 1 : 0)
  if (isDue(model)) model.waits = undefined
  real.wakes = 0
}

const command = (name: string, run: (model: Model, real: Real) => void | Promise<void>, check: (model: Model) => boolean = () => true) => ({
  check,
  run: async (model: Model, real: Real) => {
    await run(model, real)
    await agree(model, real)
  },
  toString: () => name
})

const start = (kind: "later" | "now" | "throws") =>
  command(
    `start(${kind})`,
    (model, real) => {
      const entry = model.next++
      const outcome = kind === "later" ? undefined : kind === "now" ? `ok ${entry}` : `failed ${entry}`
      model.entries.push({ entry, outcome })
      real.window.start(entry, () => {
        if (kind === "throws") throw `failed ${entry}`
        if (kind === "now") return `ok ${entry}`
        const call = Promise.withResolvers<string>()
        real.calls.set(entry, call)
        return call.promise
      })
    },
    hasRoom
  )

const settle = (which: number, succeeds: boolean) =>
  command(
    `settle(${which}, ${succeeds})`,
    (model, real) => {
      const pending = underWay(model)
      const slot = pending[which % pending.length]!
      slot.outcome = `${succeeds ? "ok" : "failed"} ${slot.entry}`
      const call = real.calls.get(slot.entry)!
      if (succeeds) call.resolve(slot.outcome)
      else call.reject(slot.outcome)
    },
    (model) => underWay(model).length > 0
  )

const take = command("take", (model, real) => {
  const taken = real.window.take()
  if (model.entries[0]?.outcome === undefined) return assert.equal(taken, undefined)
  const { entry, outcome } = model.entries.shift()!
  assert.equal(taken?.entry, entry)
  assert.equal(taken?.ok === true ? taken.value : taken?.error, outcome)
})

const wait = (wants: "outcome" | "outcome-or-room") =>
  command(
    `wait(${wants})`,
    (model, real) => {
      model.waits = wants
      real.window.wait(wants, () => real.wakes++)
      assert.equal(real.wakes, 0)
    },
    (model) => model.waits === undefined
  )

const abandon = command("abandon", (model, real) => {
  model.entries = []
  real.window.abandon()
  // Late settlements of abandoned calls must change nothing.
  for (const call of real.calls.values()) call.resolve("too late")
})

it("PA-3 an ordered window is a queue: outcomes in the order of the starts, bounds kept, its owner woken once and in time", () =>
  fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 0, max: 4 }),
      fc.commands(
        [
          fc.constantFrom("later" as const, "later" as const, "now" as const, "throws" as const).map(start),
          fc.tuple(fc.nat(3), fc.boolean()).map(([which, succeeds]) => settle(which, succeeds)),
          fc.constant(take),
          fc.constant(wait("outcome")),
          fc.constant(wait("outcome-or-room")),
          fc.constant(abandon)
        ],
        { maxCommands: 40 }
      ),
      (running, more, commands) =>
        fc.asyncModelRun(
          () => ({
            model: { running, held: running + more, next: 0, entries: [], waits: undefined } satisfies Model as Model,
            real: {
              window: makeOrderedWindow<number, string>({ running, held: running + more }),
              calls: new Map(),
              wakes: 0
            } satisfies Real as Real
          }),
          commands
        )
    ),
    { numRuns }
  ))

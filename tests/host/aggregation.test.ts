import { afterEach, describe, expect, it } from "vitest"
import { StreamHost } from "rtfs-streams"

const hosts: Array<StreamHost> = []
afterEach(async () => {
  await Promise.all(hosts.splice(0).map((host) => host.stop({ timeout: 1000 })))
})

const run = async (source: string, bindings: Readonly<Record<string, unknown>> = {}, fuel = 1_000_000) => {
  const notes: Array<unknown> = []
  const host = await StreamHost.start({ bindings: { ...bindings, note: (value: unknown) => void notes.push(value) }, limits: { fuel } })
  hosts.push(host)
  const report = await host.run(source).catch((error: Error) => error)
  return { notes, report }
}

/** A value that code of ours can't take apart: it holds itself. */
const circular: { id: number; self?: unknown } = { id: 2 }
circular.self = circular

describe("an item that a stage itself can't deal with", () => {
  const items = [{ id: 1 }, circular, { id: 3 }]
  const ids = "(fn [batch] (note (map (fn [x] (:id x)) batch)))"

  it("that can't be weighed by stream.batch is an item failure, which :skip covers", async () => {
    const call = (policy: string) => `(call :stream.batch items {:size 10 :max-bytes "1MB" :on-failure ${policy} :on-batch ${ids}})`
    const failed = await run(call(":fail"), { items })
    expect(failed.report).toMatchObject({ _tag: "ActorFailure", reason: "item", item: 2, capability: "stream.batch" })
    const skipped = await run(call(":skip"), { items })
    expect(skipped.report).toMatchObject({ accepted: 3, skipped: 1 })
    expect(skipped.notes).toEqual([[1, 3]])
  })

  it("that can't be a key of stream.distinct is an item failure, with :key-fn and without", async () => {
    for (const keyFn of ["", ":key-fn (fn [x] (:self x))", ":key-fn same", ":key-fn later"]) {
      const bindings = { items, same: (x: unknown) => x, later: async (x: unknown) => x }
      const call = (policy: string) => `(call :stream.distinct items {${keyFn} :on-failure ${policy} :on-chunk (fn [x] (note (:id x)))})`
      const failed = await run(call(":fail"), bindings)
      expect(failed.report, keyFn).toMatchObject({ _tag: "ActorFailure", reason: "item", item: 2, capability: "stream.distinct" })
      const skipped = await run(call(":skip"), bindings)
      expect(skipped.report).toMatchObject({ accepted: 3, skipped: 1 })
      // Without a key of its own the third item has the first one's: nil.
      expect(skipped.notes).toEqual(keyFn.includes(":self") ? [1] : [1, 3])
    }
  })
})

describe("a function that a stage calls for each item", () => {
  it("may spend its fuel on every one of them", async () => {
    const spins = "(loop [i 0] (if (< i 200) (recur (inc i)) x))"
    const many = "(call :stream.generate {:generator (fn [n] (if (< n 3000) [n (inc n)] :done)) :initial-state 0})"
    for (const call of [
      `(call :stream.group-by ${many} {:key-fn (fn [x] (mod ${spins} 2)) :on-groups (fn [groups] (note (count groups)))})`,
      `(call :stream.distinct ${many} {:key-fn (fn [x] (mod ${spins} 2)) :on-chunk (fn [x] (note x))})`,
      `(call :stream.reduce ${many} {:reducer (fn [sum x] (+ (* 0 sum) ${spins})) :on-result note})`
    ]) {
      const { notes, report } = await run(call, {}, 100_000)
      expect(report).toMatchObject({ accepted: 3000, processed: 3000 })
      expect(notes.length).toBeGreaterThan(0)
    }
  })
})

import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as fc from "fast-check"
import { TestClock } from "effect/testing"
import { describe, expect } from "vitest"
import { StreamHost } from "rtfs-streams"
import { StreamHost as EffectHost } from "rtfs-streams/effect"
import { isSampled } from "../../src/capabilities/observability/debug.ts"
import { settle } from "./steps.ts"

const run = async (program: string, bindings: Record<string, unknown> = {}, log: Array<string> = []) => {
  await using host = await StreamHost.start({ bindings, log: (line) => log.push(line) })
  return { report: await host.run(program), explanation: await host.explain(program), inspected: host.inspect() }
}

describe(":stream.debug", () => {
  it("shows a sample that is the same for the same seed", async () => {
    const shown = async (seed: number) => {
      const events: Array<any> = []
      await run(
        `(call :stream.for-each (call :stream.debug (range 2000) {:sample-rate 0.1 :seed ${seed} :log-level :info :log-fn (fn [e] (note e))}) {:callback inc})`,
        { note: (event: unknown) => void events.push(event) }
      )
      return events
    }
    const [first, again, other] = [await shown(7), await shown(7), await shown(8)]
    expect(first.map(({ sequence }) => sequence)).toEqual(again.map(({ sequence }) => sequence))
    expect(first.map(({ sequence }) => sequence)).not.toEqual(other.map(({ sequence }) => sequence))
    expect(first.length).toBeGreaterThan(140)
    expect(first.length).toBeLessThan(260)
    expect(first[0]).toMatchObject({ item: first[0].sequence - 1, node: "debug", level: { name: "info" } })
  })

  it("takes for any rate about that share of any stretch, and more of it for a higher rate", () => {
    fc.assert(
      fc.property(fc.integer(), fc.nat(2 ** 40), fc.double({ min: 0, max: 1, noNaN: true }), (seed, from, rate) => {
        let count = 0
        for (let n = from; n < from + 2000; n++) {
          const isShown = isSampled(n, seed, rate)
          if (isShown) count++
          if (isShown && !isSampled(n, seed, Math.min(1, rate * 1.1))) throw new Error(`${n} is left out at a higher rate`)
        }
        expect(Math.abs(count / 2000 - rate)).toBeLessThan(0.08)
      }),
      { numRuns: 200 }
    )
  })

  it("P14: redacts before anything is handed out, by keys wherever they stand or by a function", async () => {
    const log: Array<string> = []
    const items = '[{:user {:name "a" :token "SECRET"} :list [{"token" "SECRET"}]} "SECRET"]'
    await run(`(call :stream.for-each (call :stream.debug ${items} {:redact [:token]}) {:callback (fn [x] x)})`, {}, log)
    expect(log[0]).toContain("[redacted]")
    expect(log[0]).toContain("name: 'a'")
    expect(log[0]).not.toContain("SECRET")
    const events: Array<any> = []
    await run(
      `(call :stream.for-each (call :stream.debug ${items} {:redact (fn [x] (if (string? x) (throw "SECRET") (:list x))) :log-fn (fn [e] (note e))}) {:callback (fn [x] x)})`,
      { note: (event: unknown) => void events.push(event) },
      log
    )
    expect(events.map(({ item }) => item)).toEqual([[{ token: "SECRET" }], "[redaction failed]"])
    expect(log.slice(2).join()).not.toContain("SECRET")
  })

  it("is not there at :off", async () => {
    const { explanation } = await run("(call :stream.for-each (call :stream.debug [1] {:log-level :off}) {:callback inc})")
    expect(explanation.pipelines[0]!.actors.flatMap(({ nodes }) => nodes.map(({ id }) => id))).toEqual(["from-collection", "for-each"])
  })

  it.effect("drops what is too much, says so once a second, and never makes the stream wait", () => {
    const log: Array<string> = []
    let seen = 0
    return Effect.gen(function* () {
      const host = yield* EffectHost
      const fiber = yield* Effect.forkChild(
        host.run(
          "(call :stream.for-each (call :stream.debug (range 5000) {:max-per-second 10 :log-fn (fn [e] (hang))}) {:callback (fn [x] (saw))})"
        )
      )
      yield* Effect.promise(settle)
      expect(seen).toBe(5000)
      yield* TestClock.adjust(750)
      expect(yield* Fiber.join(fiber)).toMatchObject({ processed: 5000 })
      expect(log).toEqual([
        expect.stringContaining(":stream.debug at debug dropped 4990 events"),
        expect.stringContaining("dropped 9 events")
      ])
    }).pipe(
      Effect.provide(
        EffectHost.layer({ log: (line) => log.push(line), bindings: { hang: () => new Promise(() => {}), saw: () => void seen++ } })
      )
    )
  })

  it("goes on when its function fails, and says so once", async () => {
    const log: Array<string> = []
    const { report } = await run(
      '(call :stream.for-each (call :stream.debug [1 2 3] {:log-fn (fn [e] (throw "no"))}) {:callback inc})',
      {},
      log
    )
    expect(report.processed).toBe(3)
    expect(log).toEqual([expect.stringMatching(/:log-fn failed: .*no/)])
  })

  it.each([
    ["{:sample-rate 2}", "sample-rate"],
    ["{:log-level :loud}", "log-level"],
    ["{:redact 5}", "redact"]
  ])("refuses %s", async (options, name) => {
    await expect(run(`(call :stream.debug [1] ${options})`)).rejects.toThrow(`:${name}`)
  })
})

describe("what only looks on", () => {
  it("leaves a single result a single result", async () => {
    const wrapped =
      "(call :stream.debug (call :stream.with-metrics (call :stream.reduce [1 2 3] {:initial 0 :reducer +}) {}) {:log-fn (fn [e] e)})"
    await using host = await StreamHost.start()
    expect(await host.eval(`(call :stream.await (call :stream.pipeline {:pipeline ${wrapped} :on-result (fn [sum] sum)}))`)).toBe(6)
  })
})

import { describe, expect, it } from "vitest"
import { StreamHost } from "rtfs-streams"

// A process that ends in the middle, and another one that goes on from the last checkpoint: the output must be that of a run that
// nothing happened to. The items carry their times, so that it does not matter when they come.

const items = "(map (fn [n] {:id n :user (mod n 3) :at (+ (* 7 n) (mod (* n n) 40))}) (range 0 80))"

const operators: ReadonlyArray<readonly [name: string, call: (source: string) => string]> = [
  ["window", (source) => `(call :stream.window ${source} {:duration 50 :timestamp-fn :at :max-delay 10 :allowed-lateness 100})`],
  ["sliding-window, counted", (source) => `(call :stream.sliding-window ${source} {:size 7 :slide 3 :emit-partial true})`],
  ["sliding-window, by time", (source) => `(call :stream.sliding-window ${source} {:duration 60 :slide-duration 25 :timestamp-fn :at :max-delay 40})`],
  [
    "session-window",
    (source) => `(call :stream.session-window ${source} {:session-key :user :timeout 24 :timestamp-fn :at :allowed-lateness 60 :processor (fn [s] [(:key s) (map :id (:items s))])})`
  ],
  ["stateful", (source) => `(call :stream.stateful ${source} {:initial-state {:n 0} :processor (fn [state x] [{:n (+ (:n state) (:at x))} (:n state)])})`],
  ["rate-limit", (source) => `(call :stream.rate-limit ${source} {:rate 2000 :burst 1})`]
]

let ordinal = 0

describe("CP-1: an operator that goes on from a checkpoint", () => {
  it.each(operators)("gives what it would have given without the crash: %s", async (_, operator) => {
    const checkpointed = (source: string) => `(call :stream.with-checkpointing ${source} {:stream-id "crashing" :every-n-items 1 :checkpoint-interval 5})`
    const program = (source: string) => `
      (call :stream.await
        (call :stream.reduce ${operator(`(call :stream.map ${source} {:transform (fn [x] (seen x))})`)}
          {:initial [] :reducer (fn [all x] (conj all x)) :on-result (fn [all] all)}))`
    const run = async (store: string, source: string, seen: (x: { readonly id: number }) => unknown) => {
      await using host = await StreamHost.start({ store, bindings: { seen }, log: () => {} })
      return await host.eval(program(source))
    }
    const expected = await run("memory:", items, (x) => x)
    expect((expected as ReadonlyArray<unknown>).length).toBeGreaterThan(9)

    const store = `memory:crashes-${++ordinal}`
    const last = 47
    const first: Array<number> = []
    let crash = () => {}
    const crashed = new Promise<void>((resolve) => (crash = resolve))
    const host = await StreamHost.start({
      store,
      log: () => {},
      bindings: {
        seen: async (x: { readonly id: number }) => {
          first.push(x.id)
          if (x.id === last) {
            crash()
            await new Promise(() => {})
          }
          await new Promise((resolve) => setTimeout(resolve, 1))
          return x
        }
      }
    })
    const running = host.eval(program(checkpointed(items))).catch(() => {})
    await crashed
    await host.stop({ timeout: 0 })
    await running

    const second: Array<number> = []
    expect(await run(store, checkpointed(items), (x) => (second.push(x.id), x))).toEqual(expected)
    expect(second[0]).toBeGreaterThan(0)
    expect(second[0]).toBeLessThanOrEqual(last)
  })
})

import { afterEach, describe, expect, it } from "vitest"
import { StreamHost } from "rtfs-streams"
import { Pushed } from "../../capabilities/timedHost.ts"
import { gate, settle } from "../steps.ts"

let host: StreamHost | undefined
afterEach(() => host?.stop({ timeout: 0 }))

const events =
  ':on-start (fn [] (see "start")) :on-pause (fn [] (see "pause")) :on-resume (fn [] (see "resume")) :on-cancel (fn [] (see "cancel")) :on-complete (fn [] (see "complete")) :on-error (fn [e] (see "error")) :on-backpressure (fn [] (see "backpressure"))'

describe("the events of a registration", () => {
  it("tell of pausing, going on and cancelling, and cancelling is the end", async () => {
    const seen: Array<unknown> = []
    const source = new Pushed<number>()
    host = await StreamHost.start({ bindings: { see: (x: unknown) => void seen.push(x) } })
    host.marketplace.register({ id: "a:b", type: "source", open: () => source })
    const session = host.session()
    await session.eval(
      `(do (def h (stream-source "a:b")) (def r (stream-callbacks :stream-handle h :events {:on-item (fn [x] (see x)) ${events}})))`
    )
    source.push(1)
    await settle()
    await session.eval("(call :stream.pause h)")
    await settle()
    await session.eval("(call :stream.resume h)")
    source.push(2)
    await settle()
    await session.eval("(call :stream.cancel h)")
    await session.eval("(call :stream.await r)")
    expect(seen).toEqual(["start", 1, "pause", "resume", 2, "cancel"])
    await session.close()
  })

  it("tell of waiting for consumers once, until half of the buffer was free", async () => {
    const seen: Array<unknown> = []
    const step = gate()
    host = await StreamHost.start({ bindings: { see: (x: unknown) => void seen.push(x), work: () => step.wait() } })
    host.marketplace.register({ id: "a:b", type: "source", open: () => [1, 2, 3, 4, 5, 6] })
    const run = host.run(`
      (let [h (call :marketplace.stream.start {:id "a:b" :buffer-size 2})]
        (stream-consume h {:on-item (fn [x] (work) (see x)) :on-complete (fn [] (see "complete"))}
          {:backpressure {:strategy :block :on-backpressure (fn [] (see "backpressure"))}}))`)
    await settle()
    expect(seen).toEqual(["backpressure"])
    step.open()
    await run
    expect(seen.filter((event) => typeof event === "number")).toEqual([1, 2, 3, 4, 5, 6])
    expect(seen.at(-1)).toBe("complete")
  })

  it("with :drop-oldest a slow callback holds nothing up, and what is dropped is counted", async () => {
    const seen: Array<unknown> = []
    const step = gate()
    host = await StreamHost.start({ bindings: { see: (x: unknown) => void seen.push(x), work: () => step.wait() } })
    host.marketplace.register({ id: "a:b", type: "source", open: () => Array.from({ length: 50 }, (_, n) => n) })
    const run = host.run(`
      (stream-consume (call :marketplace.stream.start {:id "a:b" :buffer-size 4}) {:on-item (fn [x] (work) (see x))}
        {:backpressure {:strategy :drop-oldest :buffer-size 4}})`)
    await settle()
    step.open()
    const report = await run
    expect(seen.at(-1)).toBe(49)
    expect(seen.length + report.dropped).toBe(50)
    expect(report.dropped).toBeGreaterThan(0)
  })
})

import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Flow, StreamHost } from "rtfs-streams"

let host: StreamHost
beforeAll(async () => void (host = await StreamHost.start()))
afterAll(() => host.stop({ timeout: 1000 }))

describe("stream.stateful", () => {
  it("emits what comes beside the state, nil too, and nothing for a state alone", async () => {
    const { value } = await host.run(`(call :stream.stateful [1 2 3 4]
      {:initial-state 0 :processor (fn [sum x] (cond (= x 2) [(+ sum x)] (= x 3) [(+ sum x) nil] :else [(+ sum x) (+ sum x)]))})`)
    expect(value).toEqual([1, null, 10])
  })

  it("hands the last state to :on-result once, also of an empty stream, and that is the handle's result", async () => {
    const run = async (items: string) =>
      (
        await host.run(`(call :stream.await (call :stream.stateful ${items}
        {:initial-state 0 :processor (fn [n x] [(inc n) x]) :on-result (fn [n] n)}))`)
      ).value
    expect(await run("[7 8 9]")).toBe(3)
    expect(await run("[]")).toBe(0)
  })

  it("takes anything but a vector of one or two for a failure of the item, whose neighbours see nothing of it", async () => {
    const call = (policy: string) =>
      `(call :stream.stateful [1 2 3] {:initial-state 0 :on-failure ${policy} :processor (fn [sum x] (if (= x 2) x [(+ sum x) (+ sum x)]))})`
    await expect(host.run(call(":fail"))).rejects.toThrow(
      /expects :processor to give \[state output\], or \[state\] to emit nothing, but it gave 2/
    )
    expect(await host.run(call(":skip"))).toMatchObject({ value: [1, 4], skipped: 1 })
  })

  it("awaits an asynchronous processor item by item", async () => {
    const flow = Flow.from([1, 2, 3]).stateful(0, async (sum: number, x) => [sum + x, sum + x] as const)
    expect((await host.runFlow(flow)).value).toEqual([1, 3, 6])
  })
})

import { afterEach, describe, expect, it } from "vitest"
import { StreamHost } from "rtfs-streams"
import { gate, settle } from "./steps.ts"

let host: StreamHost | undefined
afterEach(() => host?.stop({ timeout: 0 }))

describe(":stream.producer", () => {
  it("BP-6: pauses its generator at the high mark, calls it again at the low one, and tells each crossing once", async () => {
    const events: Array<string> = []
    const step = gate()
    let made = 0
    let done = 0
    host = await StreamHost.start({
      bindings: {
        next: (n: unknown) => {
          made++
          return (n as number) < 300 ? [n, (n as number) + 1] : null
        },
        work: async () => {
          await step.wait()
          done++
        },
        paused: () => void events.push(`paused at ${made}`),
        resumed: () => void events.push(`resumed after ${done}`)
      }
    })
    const run = host.run(
      `(call :stream.producer {:generator (fn [n] (or (next n) :done)) :initial-state 0
                               :on-backpressure (fn [] (paused)) :on-resumed (fn [] (resumed)) :on-value (fn [n] (work n))})`
    )
    await settle()
    // 80 in the buffer, the first of them in work: not one more is made.
    expect([made, done, events]).toEqual([80, 0, ["paused at 80"]])
    for (let n = 0; n < 59; n++) await step.pass()
    expect([made, done, events]).toEqual([80, 59, ["paused at 80"]])
    // With the 60th done 20 are left.
    await step.pass()
    expect([made, done]).toEqual([140, 60])
    expect(events).toEqual(["paused at 80", "resumed after 60", "paused at 140"])
    step.open()
    const report = await run
    expect(report).toMatchObject({ accepted: 300, processed: 300, undrained: 0 })
    expect(events.length).toBeGreaterThanOrEqual(6)
    expect(events.map((event) => event.split(" ")[0])).toEqual(events.map((_, index) => (index % 2 === 0 ? "paused" : "resumed")))
  })

  it("counts bytes as it counts items", async () => {
    const step = gate()
    let made = 0
    host = await StreamHost.start({
      bindings: { next: (n: unknown) => ((made = (n as number) + 1), ["x".repeat(1000), made]), work: () => step.wait() }
    })
    const run = host.run(
      '(call :stream.producer {:generator next :initial-state 0 :max-bytes "10KB" :high-water-mark 80 :low-water-mark 20 :on-value (fn [x] (work x))})'
    )
    run.catch(() => {})
    await settle()
    // Four fifths of 10 KB are reached with the ninth item at the latest.
    expect(made).toBeGreaterThanOrEqual(8)
    expect(made).toBeLessThanOrEqual(10)
  })

  it("fails with what an observer throws", async () => {
    host = await StreamHost.start()
    const run = host.run(
      `(call :stream.producer {:generator (fn [n] [n (inc n)]) :initial-state 0 :on-backpressure (fn [] (throw "no")) :on-value (fn [n] n)})`
    )
    await expect(run).rejects.toThrow("no")
  })

  it("ends a drain while it is paused: what is in the buffer is worked off, nothing more is made", async () => {
    const step = gate()
    let made = 0
    host = await StreamHost.start({ bindings: { next: (n: unknown) => ((made = (n as number) + 1), [n, made]), work: () => step.wait() } })
    const run = host.run("(call :stream.producer {:generator next :initial-state 0 :on-value (fn [x] (work x))})")
    await settle()
    const drained = host.drain()
    await settle()
    // The generator's actor has ended, though its buffer is as full as before.
    const [generator, buffer] = (host.inspect() as { streams: ReadonlyArray<{ actors: ReadonlyArray<{ mode: string; mailbox?: { items: number } }> }> }).streams[0]!.actors
    expect([generator!.mode, buffer!.mailbox!.items]).toEqual(["stopped", 80])
    step.open()
    await drained
    expect(await run).toMatchObject({ accepted: 80, processed: 80, undrained: 0 })
    expect(made).toBe(80)
  })

  it.each([
    ["{:low-water-mark 80}", ":low-water-mark 80, which is not below its :high-water-mark 80"],
    ["{:buffer-size 50}", ":high-water-mark 80, more than its :buffer-size 50"],
    ["{:low-water-mark -1}", "expects :low-water-mark"],
    ["{:high-water-mark 0}", "expects :high-water-mark"]
  ])("BP-7: refuses %s and says what is wrong", async (options, message) => {
    host = await StreamHost.start()
    await expect(host.eval(`(call :stream.producer (merge {:generator (fn [n] :done)} ${options}))`)).rejects.toThrow(message)
  })
})

describe(":stream.consumer", () => {
  it("BP-6: holds its buffer at most, asks again at half, and says once each time that it is full", async () => {
    const events: Array<string> = []
    const step = gate()
    let made = 0
    let done = 0
    host = await StreamHost.start({
      bindings: {
        next: (n: unknown) => ((made = (n as number) + 1), n === 400 ? null : [n, made]),
        work: async () => {
          await step.wait()
          done++
        },
        full: () => void events.push(`full after ${done}`)
      }
    })
    const run = host.run(
      `(call :stream.await (call :stream.consumer {:source (call :stream.generate {:generator (fn [n] (or (next n) :done)) :initial-state 0})
                                                   :processor work :on-buffer-full (fn [] (full))}))`
    )
    await settle()
    const mailbox = () =>
      (host!.inspect() as { streams: ReadonlyArray<{ actors: ReadonlyArray<{ mailbox?: { items: number } }> }> }).streams[0]!.actors.find(
        (actor) => actor.mailbox !== undefined
      )!.mailbox!.items
    expect([mailbox(), done]).toEqual([50, 0])
    expect(events).toEqual(["full after 0"])
    for (let n = 0; n < 24; n++) await step.pass()
    expect([mailbox(), done]).toEqual([26, 24])
    await step.pass()
    expect([mailbox(), done]).toEqual([50, 25])
    for (let n = 0; n < 25; n++) await step.pass()
    expect(events).toEqual(["full after 0", "full after 26"])
    step.open()
    expect(await run).toMatchObject({ value: 400, processed: 400 })
  })

  it("takes a failing on-buffer-full for a failure of the next item", async () => {
    host = await StreamHost.start()
    await expect(
      host.run('(call :stream.consumer {:source (range 100) :processor (fn [x] x) :on-buffer-full (fn [] (throw "too much"))})')
    ).rejects.toThrow("too much")
  })

  it("gives how many it has processed", async () => {
    host = await StreamHost.start()
    expect(await host.eval("(call :stream.await (call :stream.consumer {:source [] :processor (fn [x] x)}))")).toBe(0)
    expect(
      await host.eval("(call :stream.await (call :stream.consumer {:source [1 0 2] :processor (fn [x] (/ 1 x)) :on-failure :skip}))")
    ).toBe(2)
  })
})

describe("a checkpoint", () => {
  it("keeps where the generator stood, what the consumer has counted, and which items debug has seen", async () => {
    const store = `memory:producer-${process.pid}`
    const shown: Array<number> = []
    const seen: Array<number> = []
    const step = gate()
    let made = 0
    const bindings = {
      next: (n: unknown) => ((made = Math.max(made, (n as number) + 1)), (n as number) < 300 ? [n, (n as number) + 1] : null),
      work: (n: unknown) => {
        seen.push(n as number)
        return n === 130 ? step.wait() : undefined
      },
      note: (sequence: unknown) => void shown.push(sequence as number)
    }
    const program = `(call :stream.await (call :stream.consumer
      {:source (call :stream.with-checkpointing
                 (call :stream.debug (call :stream.producer {:generator (fn [n] (or (next n) :done)) :initial-state 0})
                   {:sample-rate 0.2 :seed 3 :log-fn (fn [e] (note (:sequence e)))})
                 {:stream-id "produced" :checkpoint-interval 60000})
       :processor work :buffer-size 20}))`
    host = await StreamHost.start({ store, bindings })
    const first = host.run(program)
    first.catch(() => {})
    await settle()
    expect(seen.at(-1)).toBe(130)
    expect(made).toBeLessThan(300)
    const drained = host.drain()
    await settle()
    step.open()
    await drained
    await first.catch(() => {})
    await host.stop()
    const before = seen.length
    expect(before).toBeLessThan(300)
    host = await StreamHost.start({ store, bindings })
    expect((await host.run(program)).value).toBe(300)
    expect(seen).toEqual(Array.from({ length: 300 }, (_, n) => n))
    // Each shown once, in both runs together as in one.
    expect(new Set(shown).size).toBe(shown.length)
    expect(shown.length).toBeGreaterThan(35)
    expect(shown.length).toBeLessThan(85)
  })
})

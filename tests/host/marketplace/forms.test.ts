import { afterEach, describe, expect, it } from "vitest"
import { keyword, type ProviderWriter, StreamHost } from "rtfs-streams"

let host: StreamHost | undefined
afterEach(() => host?.stop({ timeout: 0 }))

const collecting = (written: Array<unknown>): ProviderWriter => ({
  write: (item) => void written.push(item),
  close: () => void written.push("closed")
})

const withSink = async (bindings: Record<string, unknown> = {}) => {
  const written: Array<unknown> = []
  host = await StreamHost.start({ bindings })
  host.marketplace.register({ id: "a:out", type: "sink", open: () => collecting(written) })
  return { host, written }
}

describe("stream-transform", () => {
  it("sends results into a sink, tells of each, and closes the sink where asked to", async () => {
    const seen: Array<unknown> = []
    const { host, written } = await withSink({ see: (...args: ReadonlyArray<unknown>) => void seen.push(args) })
    const report = await host.run(`
      (stream-transform :input-stream [1 2 3] :output-stream (stream-sink "a:out") :transform-fn (fn [x] (if (= x 2) (/ x 0) (* x 10)))
        :on-failure :skip :close-output true
        :config {:on-transform-success (fn [in out] (see in out)) :on-transform-error (fn [in err] (see in :failed))})`)
    expect(written).toEqual([10, 30, "closed"])
    expect(seen).toEqual([
      [1, 10],
      [2, keyword("failed")],
      [3, 30]
    ])
    expect(report.streams.map(({ skipped }) => skipped)).toContain(1)
  })

  it("applies a transform that was registered, and checks both sides", async () => {
    host = await StreamHost.start()
    host.marketplace.register({
      id: "a:v1:scale",
      type: "transform",
      input: "int",
      output: "int",
      open:
        async ({ by }) =>
        (item: number) =>
          item * by
    })
    const scaled = (items: string, by: string) =>
      host!.eval(`(call :stream.await (stream-transform :input-stream ${items} :transform-fn "a:scale" :config {:by ${by}}))`)
    expect(await scaled("[1 2]", "3")).toEqual([3, 6])
    await expect(scaled('["x"]', "3")).rejects.toThrow("does not satisfy the input schema of a:v1:scale")
    await expect(scaled("[1]", "0.5")).rejects.toThrow("does not satisfy the output schema of a:v1:scale")
  })

  it("leaves out what does not satisfy a schema where asked to", async () => {
    host = await StreamHost.start()
    const value = await host.eval(
      '(call :stream.await (stream-transform :input-stream [1 "x" 3] :transform-fn inc :type-constraints {:input :int} :on-schema-error :skip))'
    )
    expect(value).toEqual([2, 4])
  })
})

/** What comes in goes out again, in capitals. */
const echo = () => {
  const items: Array<string> = []
  let wake = () => {}
  let isEnded = false
  return {
    write: (item: string) => {
      items.push(item.toUpperCase())
      wake()
    },
    close: () => {
      isEnded = true
      wake()
    },
    receive: (async function* () {
      for (;;) {
        while (items.length > 0) yield items.shift()!
        if (isEnded) return
        await new Promise<void>((resolve) => (wake = resolve))
      }
    })()
  }
}

describe("streams in both directions", () => {
  it("take and give items under one handle", async () => {
    host = await StreamHost.start()
    let opened = 0
    host.marketplace.register({ id: "a:echo", type: "bidirectional", input: "string", open: () => (opened++, echo()) })
    const value = await host.run(`
      (with-resource [h Stream (stream-bidirectional "a:echo")]
        (stream-produce h "one") (stream-produce h "two")
        [(:item (call :marketplace.stream.next {:handle h})) (:item (call :marketplace.stream.next {:handle h}))
         (:status (stream-produce h 3))])`)
    expect(value.value).toEqual(["ONE", "TWO", keyword("error")])
    expect(opened).toBe(1)
  })

  it("of a source and a sink, each with its config", async () => {
    const { host, written } = await withSink()
    host.marketplace.register({ id: "a:in", type: "source", open: ({ items }) => items })
    const value = await host.run(`
      (let [h (stream-duplex :input-capability "a:in" :output-capability "a:out" :config {:input {:items [1 2]}})]
        (stream-produce h 5)
        (let [x (:item (call :marketplace.stream.next {:handle h}))] (stream-close h) x))`)
    expect(value.value).toBe(1)
    expect(written).toEqual([5, "closed"])
  })

  it("stream-interact sends and calls back", async () => {
    const seen: Array<unknown> = []
    host = await StreamHost.start({ bindings: { see: (x: unknown) => void seen.push(x) } })
    host.marketplace.register({ id: "a:echo", type: "bidirectional", open: echo })
    await host.run(`
      (let [h (stream-bidirectional "a:echo")]
        (stream-interact h :send "hello" :config {:on-send (fn [m] (see m)) :on-receive (fn [r] (see r) (stream-close h)) :on-error (fn [e] (see e))}))`)
    expect(seen.toSorted()).toEqual(["HELLO", "hello"])
  })
})

describe("routing", () => {
  it("stream-multiplex makes one stream of several", async () => {
    host = await StreamHost.start()
    const report = await host.run("(call :stream.to-collection {:source (stream-multiplex [[1 2 3] [10 20 30]] {:strategy :round-robin})})")
    expect(report.streams.at(-1)).toMatchObject({ status: "completed" })
    expect(await host.eval("(call :stream.await (call :stream.to-collection {:source (stream-multiplex [[1 2 3] [10 20 30]])}))")).toEqual([
      1, 10, 2, 20, 3, 30
    ])
  })

  it("stream-demultiplex gives each item to its sink, and counts what has none", async () => {
    const written: Record<string, Array<unknown>> = { odd: [], three: [] }
    host = await StreamHost.start()
    host.marketplace.register({ id: "a:out", type: "sink", open: ({ to }) => collecting(written[to]!) })
    const value = await host.eval(`
      (let [odd (stream-sink "a:out" {:config {:to "odd"}}) three (stream-sink "a:out" {:config {:to "three"}})
            h (stream-demultiplex [1 2 3 4 5 6] {:criteria (fn [x] (cond (= (mod x 3) 0) "three" (odd? x) :odd :else :none)) :outputs {:odd odd :three three}})]
        (call :stream.await h) (stream-close odd) (stream-close three)
        (:skipped (call :stream.status h)))`)
    expect(written).toEqual({ odd: [1, 5, "closed"], three: [3, 6, "closed"] })
    expect(value).toBe(2)
  })
})

describe("stream-execute", () => {
  it("runs the stages, tells start and end, and gives the items", async () => {
    const seen: Array<unknown> = []
    host = await StreamHost.start({ bindings: { see: (x: unknown) => void seen.push(x) } })
    const value = await host.eval(`
      (call :stream.await (stream-execute (stream-pipeline [[1 2 3 4] {:stage :filter :fn even?} (stream-transform :fn inc)])
        {:on-pipeline-start (fn [] (see :start)) :on-pipeline-complete (fn [] (see :end))}))`)
    expect(value).toEqual([3, 5])
    expect(seen).toEqual([keyword("start"), keyword("end")])
  })

  it("tells which stage failed, and sends into a sink", async () => {
    const seen: Array<unknown> = []
    const { host, written } = await withSink({ see: (x: unknown) => void seen.push(x) })
    await host.eval(
      '(let [s (stream-sink "a:out")] (call :stream.await (stream-execute (stream-pipeline [[1 2] inc s]))) (stream-close s))'
    )
    expect(written).toEqual([2, 3, "closed"])
    await expect(
      host.run("(stream-execute (stream-pipeline [[1] inc (fn [x] (/ x 0))]) {:on-stage-error (fn [stage err] (see stage))})")
    ).rejects.toThrow("Division by zero")
    expect(seen).toEqual([2])
  })
})

describe("stream-circuit-breaker", () => {
  it("opens after failures in a row and refuses, each transition told once", async () => {
    const seen: Array<unknown> = []
    let calls = 0
    host = await StreamHost.start({
      bindings: {
        see: (x: unknown) => void seen.push(x),
        work: () => {
          calls++
          throw new Error("no")
        }
      }
    })
    const value = await host.eval(`
      (let [b (stream-circuit-breaker :failure-threshold 2 :timeout_ms 100000 :on-open (fn [] (see :open)))
            attempt (fn [] (try (b:call (fn [] (work))) (catch e (:type e))))]
        (attempt) (attempt) (attempt))`)
    expect(value).toEqual(keyword("circuit-open"))
    expect(calls).toBe(2)
    expect(seen).toEqual([keyword("open")])
  })
})

describe("stream-profile", () => {
  it("measures what it is asked for", async () => {
    host = await StreamHost.start()
    const value = await host.eval(`
      (let [h (stream-multiplex [["abcd" "efgh"]])]
        (call :marketplace.stream.next {:handle h}) (call :marketplace.stream.next {:handle h}) (call :marketplace.stream.next {:handle h})
        (stream-profile h {:metrics [:buffer :item-size] :sampling-rate 0.5}))`)
    expect(value).toEqual({ buffer: { kept: 2, waiting: 0, missed: 0 }, "item-size": { mean: 20, most: 20, items: 1 } })
    await expect(host.eval("(stream-profile (call :stream.create [1]) {:metrics [:speed]})")).rejects.toThrow("knows no metric :speed")
  })
})

import { afterEach, describe, expect, it } from "vitest"
import { keyword, StreamHost } from "rtfs-streams"
import { gate, settle } from "../steps.ts"

let host: StreamHost | undefined
afterEach(() => host?.stop({ timeout: 0 }))

const numbers = (count: number) =>
  async function* () {
    for (let n = 1; n <= count; n++) yield n
  }

describe("providers", () => {
  it("are opened by the newest version that the id leaves open", async () => {
    host = await StreamHost.start()
    for (const version of ["v1.0", "v1.10", "v1.9", "v2.0-rc1"]) {
      host.marketplace.register({ id: `com.example:${version}:feed`, type: "source", open: () => [version] })
    }
    const first = (id: string) => host!.eval(`(:item (call :marketplace.stream.next {:handle (stream-source "${id}")}))`)
    expect(await first("com.example:v1.0:feed")).toBe("v1.0")
    expect(await first("com.example:v1:feed")).toBe("v1.10")
    expect(await first("com.example:feed")).toBe("v2.0-rc1")
    await expect(first("com.example:v3:feed")).rejects.toThrow("There is no capability :com.example:v3:feed")
  })

  it("are found by pattern, type, schema and effects, the newest first", async () => {
    const market = (host = await StreamHost.start()).marketplace
    const output = { type: "map", required: ["n"] }
    host.marketplace.register({ id: "com.example:v1:feed", type: "source", output, open: () => [] })
    host.marketplace.register({ id: "com.example:v2:feed", type: "source", effects: [":network"], output, open: () => [] })
    host.marketplace.register({ id: "org.other:out", type: "sink", open: () => ({ write: () => {} }) })
    const ids = (query: Parameters<typeof market.find>[0]) => market.find(query).map(({ id }) => id)
    expect(ids({})).toEqual(["com.example:v2:feed", "com.example:v1:feed", "org.other:out"])
    expect(ids({ id: "org.*" })).toEqual(["org.other:out"])
    expect(ids({ type: "sink" })).toEqual(["org.other:out"])
    expect(ids({ schema: output })).toEqual(["com.example:v2:feed", "com.example:v1:feed"])
    expect(ids({ effects: [], type: "source" })).toEqual(["com.example:v1:feed"])
    expect(await host.eval('(map :id (call :marketplace.discover {:id "com.*" :type :stream-source :effects [:network]}))')).toEqual([
      "com.example:v2:feed",
      "com.example:v1:feed"
    ])
  })

  it("are refused where the policy does not grant their effects, and that is on record", async () => {
    const told: Array<string> = []
    host = await StreamHost.start({
      onProviderUse: ({ call, outcome, program, subject }) => told.push(`${program} ${call} ${subject} ${outcome}`)
    })
    let opened = 0
    host.marketplace.register({ id: "com.example:v1:net", type: "source", effects: [":network"], open: () => (opened++, []) })
    await expect(host.run('(stream-source "com.example:net")')).rejects.toThrow("Not permitted: :com.example:v1:net needs :network")
    expect(opened).toBe(0)
    expect(told).toEqual(["host register com.example:v1:net allowed", "program-1 marketplace.stream.start com.example:v1:net denied"])
    expect(host.marketplace.uses().map(({ outcome }) => outcome)).toEqual(["allowed", "denied"])
  })

  it("are checked when they are registered", async () => {
    host = await StreamHost.start()
    const register = (provider: object) => () =>
      host!.marketplace.register({ id: "a:b", type: "source", open: () => [], ...provider } as never)
    expect(register({ id: "a b" })).toThrow('can\'t use the id "a b"')
    expect(register({ type: "spring" })).toThrow('knows no type "spring"')
    expect(register({ effects: [":teleport"] })).toThrow('knows no effect ":teleport"')
    expect(register({ output: { type: "mapp" } })).toThrow("can't read the output schema of a:b")
    register({})()
    expect(register({})).toThrow("there is one already")
    await expect(host.eval('(register-stream-capability :capability-id "c:d" :type :stream-source)')).rejects.toThrow("needs :open for c:d")
    await expect(host.eval('(register-stream-capability :capability-id "a:b" :type :stream-source :open (fn [c] []))')).rejects.toThrow(
      "there is one already"
    )
  })

  it("of a program are gone with it", async () => {
    host = await StreamHost.start()
    const text =
      '(do (register-stream-capability :capability-id "a:b" :type :stream-source :open (fn [c] [(:x c)])) (:item (call :marketplace.stream.next {:handle (stream-source "a:b" {:config {:x 7}})})))'
    expect(await host.eval(text)).toBe(7)
    expect(await host.eval(text)).toBe(7)
    expect(host.marketplace.find()).toEqual([])
  })

  it("get a config that satisfies their schema, and give items that satisfy theirs", async () => {
    host = await StreamHost.start()
    host.marketplace.register({
      id: "a:b",
      type: "source",
      config: { type: "map", required: ["items"] },
      output: "int",
      open: ({ items }) => items
    })
    await expect(host.eval('(stream-source "a:b")')).rejects.toThrow("can't open a:b with this :config")
    const all = (options: string) =>
      host!.run(`(call :stream.to-collection {:source (stream-source "a:b" {:config {:items [1 "x" 3]} ${options}})})`)
    await expect(all("")).rejects.toThrow("An item of a:b does not satisfy its schema")
    const report = await all(":strict-validation false")
    expect(report.streams.map(({ skipped }) => skipped)).toContain(1)
  })
})

describe("next", () => {
  it("gives items in their order, acknowledges, times out, and ends", async () => {
    const source = gate()
    host = await StreamHost.start()
    host.marketplace.register({
      id: "a:b",
      type: "source",
      open: async function* () {
        yield 1
        yield 2
        await source.wait()
        yield 3
      }
    })
    const session = host.session()
    await session.eval('(def h (stream-source "a:b"))')
    const next = async (options = "") => (await session.eval(`(call :marketplace.stream.next {:handle h ${options}})`)).value
    expect(await next()).toEqual({ status: keyword("item"), item: 1, cursor: 1 })
    expect(await next(":max_items 10")).toEqual({ status: keyword("items"), items: [2], cursor: 2 })
    expect(await next(":timeout_ms 0")).toEqual({ status: keyword("timeout"), cursor: 2 })
    source.open()
    expect(await next()).toEqual({ status: keyword("item"), item: 3, cursor: 3 })
    expect(await next()).toEqual({ status: keyword("end"), cursor: 3 })
    expect(await next(":cursor 1 :max-items 9")).toEqual({ status: keyword("items"), items: [2, 3], cursor: 3 })
    await expect(next(":cursor 4")).rejects.toThrow("can't go on behind item 4")
    await session.close()
  })

  it("gives the error of a stream that failed, and the program goes on", async () => {
    host = await StreamHost.start()
    host.marketplace.register({
      id: "a:b",
      type: "source",
      open: async function* () {
        yield 1
        throw new Error("broken pipe")
      }
    })
    const report = await host.run('(let [h (stream-source "a:b")] (try (stream-consume h {x => x}) (catch e (:message e))))')
    expect(report.value).toContain("broken pipe")
  })

  it("is what stream-consume loops over", async () => {
    const seen: Array<unknown> = []
    host = await StreamHost.start({ bindings: { see: (x: unknown) => void seen.push(x) } })
    host.marketplace.register({ id: "a:b", type: "source", open: numbers(1000) })
    await host.run('(stream-consume (stream-source "a:b") {x => (see x)})')
    expect(seen).toEqual(Array.from({ length: 1000 }, (_, n) => n + 1))
  })
})

describe("callbacks", () => {
  it("get every item and then the end, once", async () => {
    const seen: Array<unknown> = []
    host = await StreamHost.start({ bindings: { see: (x: unknown) => void seen.push(x) } })
    host.marketplace.register({ id: "a:b", type: "source", open: numbers(700) })
    await host.run(
      '(stream-consume (stream-source "a:b") {:on-item (fn [x] (see x)) :on-start (fn [] (see :start)) :on-complete (fn [] (see :end)) :on-error (fn [e] (see e))})'
    )
    expect(seen).toEqual([keyword("start"), ...Array.from({ length: 700 }, (_, n) => n + 1), keyword("end")])
  })

  it("get the error behind the last item, once", async () => {
    const seen: Array<unknown> = []
    host = await StreamHost.start({ bindings: { see: (x: unknown) => void seen.push(x) } })
    host.marketplace.register({
      id: "a:b",
      type: "source",
      open: async function* () {
        yield 1
        yield 2
        throw new Error("broken pipe")
      }
    })
    await host.run(
      '(stream-consume (stream-source "a:b") {:on-item (fn [x] (see x)) :on-complete (fn [] (see :end)) :on-error (fn [e] (see (:message e)))})'
    )
    expect(seen).toEqual([1, 2, expect.stringContaining("broken pipe")])
  })

  it("can be unregistered inside of a callback: no other follows, and the group keeps its place", async () => {
    const seen: Array<unknown> = []
    let kept: unknown
    host = await StreamHost.start({
      bindings: { see: (x: unknown) => void seen.push(x), keep: (x: unknown) => void (kept = x), kept: () => kept }
    })
    host.marketplace.register({ id: "a:b", type: "source", open: numbers(5) })
    const report = await host.run(`
      (do
        (let [h (stream-source "a:b")
              r (stream-consume h {:on-item (fn [x] (see x) (if (= x 2) (call :marketplace.stream.unregister (kept)) nil)) :on-complete (fn [] (see :end))} {:group "g"})]
          (keep r)
          (call :stream.await r)
          (stream-consume h {:on-item (fn [x] (see x))} {:group "g"})))`)
    expect(report.streams.every(({ status }) => status === "completed")).toBe(true)
    expect(seen).toEqual([1, 2, 3, 4, 5])
  })

  it("can't be mixed with next in one group", async () => {
    host = await StreamHost.start()
    host.marketplace.register({ id: "a:b", type: "source", open: numbers(5) })
    await expect(
      host.eval(
        '(let [h (stream-source "a:b")] (call :marketplace.stream.next {:handle h}) (stream-consume h {:on-item (fn [x] x)} {:group "default"}))'
      )
    ).rejects.toThrow("takes its items by next, so it can't have callbacks")
    await expect(
      host.eval(
        '(let [h (stream-source "a:b")] (stream-consume h {:on-item (fn [x] x)} {:group "g"}) (call :marketplace.stream.next {:handle h :group "g"}))'
      )
    ).rejects.toThrow("takes its items by callbacks, so it can't take them by next")
  })

  it("retry, and put aside what they fail on or give :nack for", async () => {
    const seen: Array<unknown> = []
    host = await StreamHost.start({ bindings: { see: (x: unknown) => void seen.push(x) } })
    host.marketplace.register({ id: "a:b", type: "source", open: numbers(3) })
    const report = await host.run(
      '(stream-consume (stream-source "a:b") {:on-item (fn [x] (see x) (if (= x 2) :nack :ack))} {:error-handling {:on-processing-error :skip :retry-attempts 1 :retry-delay-ms 0}})'
    )
    expect(seen).toEqual([1, 2, 2, 3])
    expect(report.streams.map(({ skipped }) => skipped)).toContain(1)
  })
})

describe("sinks", () => {
  const collecting = () => {
    const written: Array<unknown> = []
    return {
      written,
      writer: {
        write: (item: unknown) => void written.push(item),
        close: () => void written.push("closed"),
        abort: () => void written.push("aborted")
      }
    }
  }

  it("write what was sent, in its order, and are closed once", async () => {
    const { writer, written } = collecting()
    host = await StreamHost.start()
    host.marketplace.register({ id: "a:out", type: "sink", open: () => writer })
    const value = await host.eval(
      '(let [s (stream-sink "a:out")] (stream-produce s 1) (stream-produce s :items [2 3]) (stream-close s) (stream-close s) (stream-produce s 4))'
    )
    expect(value).toEqual({ status: keyword("closed"), accepted: 0 })
    expect(written).toEqual([1, 2, 3, "closed"])
  })

  it("let senders wait, time out, and be told when an item is written", async () => {
    const step = gate()
    const written: Array<unknown> = []
    host = await StreamHost.start()
    host.marketplace.register({
      id: "a:out",
      type: "sink",
      open: () => ({ write: async (item) => (await step.wait(), void written.push(item)) })
    })
    const session = host.session()
    await session.eval('(def s (call :marketplace.stream.open-sink {:id "a:out" :buffer-size 2}))')
    const send = async (options: string) => (await session.eval(`(call :marketplace.stream.send {:handle s ${options}})`)).value
    expect(await send(":items [1 2]")).toEqual({ status: keyword("queued"), sequence: 2 })
    expect(await send(":item 3 :timeout_ms 0")).toEqual({ status: keyword("timeout"), accepted: 0 })
    const acked = send(":item 4 :mode :acked")
    await settle()
    step.open()
    expect(await acked).toEqual({ status: keyword("acked"), sequence: 3 })
    expect(written).toEqual([1, 2, 4])
    await session.close()
  })

  it("refuse items that do not satisfy their schema, before anything is sent", async () => {
    const { writer, written } = collecting()
    host = await StreamHost.start()
    host.marketplace.register({ id: "a:out", type: "sink", input: "int", open: () => writer })
    const value = (await host.eval(
      '(let [s (stream-sink "a:out") r (stream-produce s :items [1 "x"])] (stream-close s) [(:status r) (:accepted r) (:message (:error r))])'
    )) as Array<unknown>
    expect(value.slice(0, 2)).toEqual([keyword("error"), 0])
    expect(value[2]).toContain("Item 2 of 2 does not satisfy the input schema of a:out")
    expect(written).toEqual(["closed"])
  })

  it("that are aborted give up what was not written", async () => {
    const { writer, written } = collecting()
    host = await StreamHost.start()
    host.marketplace.register({ id: "a:out", type: "sink", open: () => writer })
    const value = await host.eval(
      '(let [s (stream-sink "a:out")] (stream-produce s 1 {:mode :acked}) (call :marketplace.stream.abort {:handle s}) (:status (stream-produce s 2)))'
    )
    expect(value).toEqual(keyword("error"))
    expect(written).toEqual([1, "aborted"])
  })

  it("tell a sender that waits for the writing why it failed", async () => {
    host = await StreamHost.start()
    host.marketplace.register({ id: "a:out", type: "sink", open: () => ({ write: () => Promise.reject(new Error("disk full")) }) })
    const value = await host.run('(let [s (stream-sink "a:out")] (:message (:error (stream-produce s 1 {:mode :acked}))))')
    expect(value.value).toContain("disk full")
  })
})

import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach, describe, expect, it } from "vitest"
import { StreamHost } from "rtfs-streams"

const root = mkdtempSync(join(tmpdir(), "rtfs-streams-branching-"))
afterAll(() => rmSync(root, { recursive: true }))
const hosts: Array<StreamHost> = []
afterEach(async () => {
  await Promise.all(hosts.splice(0).map((host) => host.stop({ timeout: 1000 })))
})

const start = async (bindings: Readonly<Record<string, unknown>> = {}) => {
  const host = await StreamHost.start({ bindings, policy: { all: true, fsRoot: root } })
  hosts.push(host)
  return host
}

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)
const branch = (branches: string, options = "", of = "items") =>
  `(call :stream.await (call :stream.branch ${of} {:branches [${branches}] ${options}}))`

describe("stream.branch", () => {
  it("gives every branch every item in order, and says what each came to", async () => {
    const seen: Record<string, Array<unknown>> = { a: [], b: [] }
    const host = await start({
      items: numbers(3000),
      a: (x: unknown) => void seen["a"]!.push(x),
      b: async (x: unknown) => void seen["b"]!.push(x)
    })
    const report = await host.run(branch("{:name :a :processor a} {:name :b :processor b}"))
    expect(seen["a"]).toEqual(numbers(3000))
    expect(seen["b"]).toEqual(numbers(3000))
    expect(report.value).toEqual({ a: 3000, b: 3000 })
    expect(report).toMatchObject({ accepted: 3000, processed: 3000, undrained: 0 })
  })

  it("lets a branch be a stream: its one item, its items, or what its sink says", async () => {
    const host = await start({ items: numbers(100) })
    const { value } = await host.run(
      branch(`{:name :sum :pipeline (fn [s] (stream.reduce s + 0))}
              {:name "even" :pipeline (fn [s] (-> s (stream.filter even?) (stream.map inc)))}
              {:name :file :pipeline (fn [s] (call :stream.file.write "out.txt" {:data-source (call :stream.map s {:transform (fn [x] (str x "\\n"))})}))}
              {:name :all :pipeline (fn [s] s)}`)
    )
    expect(value).toMatchObject({ sum: 4950, even: numbers(50).map((n) => 2 * n + 1), all: numbers(100) })
    expect(readFileSync(join(root, "out.txt"), "utf8").trim().split("\n").map(Number)).toEqual(numbers(100))
  })

  it("tells :on-complete once, after all branches have ended", async () => {
    const told: Array<unknown> = []
    let slow = 0
    const host = await start({
      items: numbers(5),
      quick: () => {},
      slow: () => new Promise<void>((resolve) => setImmediate(() => (slow++, resolve()))),
      done: (result: unknown) => void told.push([slow, result])
    })
    await host.run(branch("{:name :quick :processor quick} {:name :slow :processor slow}", ":on-complete (fn [r] (done r))"))
    expect(told).toEqual([[5, { quick: 5, slow: 5 }]])
  })

  it("fails as a whole with its first failing branch", async () => {
    const seen: Array<number> = []
    const fails = (x: number) => {
      if (x === 3) throw new Error("not three")
    }
    const host = await start({ items: numbers(10), fails, notes: (x: number) => void seen.push(x) })
    await expect(host.run(branch("{:name :bad :processor fails} {:name :good :processor notes}"))).rejects.toThrow("not three")
    expect(seen).toEqual(numbers(seen.length))
  })

  it("ends a failing branch alone with :isolate, and says so in the report", async () => {
    const seen: Array<number> = []
    const fails = (x: number) => {
      if (x === 3) throw new Error("not three")
    }
    const host = await start({ items: numbers(20_000), fails, notes: (x: number) => void seen.push(x) })
    const report = await host.run(branch("{:name :bad :processor fails} {:name :good :processor notes}", ":isolate true"))
    expect(seen).toEqual(numbers(20_000))
    expect(report.value).toEqual({ bad: null, good: 20_000 })
    expect(report.streams[0]!.failedParts).toEqual([
      { part: "branch bad", error: expect.stringContaining("not three"), missed: expect.any(Number) }
    ])
    // All but the three that it took: the one that it failed on, those in the frame with it, and those that it was not given.
    expect(report.streams[0]!.failedParts![0]!.missed).toBe(19_997)
    expect(report).toMatchObject({ accepted: 20_000, undrained: 0 })
  })

  it("ends all actors of an isolated branch, also where its stream is cut", async () => {
    const host = await start({
      items: numbers(5000),
      later: async (x: number) => {
        if (x === 100) throw new Error("not a hundred")
        return x
      }
    })
    const report = await host.run(
      branch(
        `{:name :cut :pipeline (fn [s] (-> s (stream.map inc {:buffer-size 10}) (stream.map later {:buffer-size 10 :parallelism 4}) (stream.map inc {:buffer-size 10})))}
         {:name :sum :pipeline (fn [s] (stream.reduce s + 0))}`,
        ":isolate true"
      )
    )
    expect(report.value).toEqual({ cut: null, sum: (5000 * 4999) / 2 })
    expect(report.streams[0]!.failedParts).toMatchObject([{ part: "branch cut" }])
  })

  it("gives up a branch that falls behind by its buffer, with :overflow :detach", async () => {
    let release = () => {}
    const stuck = new Promise<void>((resolve) => (release = resolve))
    const seen: Array<number> = []
    const host = await start({ items: numbers(5000), stuck: () => stuck, notes: (x: number) => void seen.push(x) })
    const report = await host.run(
      branch("{:name :slow :processor stuck :buffer-size 100 :overflow :detach} {:name :quick :processor notes}")
    )
    release()
    expect(seen).toEqual(numbers(5000))
    expect(report.value).toEqual({ slow: null, quick: 5000 })
    expect(report.streams[0]!.failedParts).toMatchObject([{ part: "branch slow", error: expect.stringContaining("100 items") }])
    expect(report.streams[0]!.failedParts![0]!.missed).toBeGreaterThan(4000)
  })

  it("drops what a full buffer of a branch does not take, and counts it", async () => {
    let release = () => {}
    const stuck = new Promise<void>((resolve) => (release = resolve))
    const quick = (x: number) => void (x === 4999 && release())
    const host = await start({ items: numbers(5000), stuck: () => stuck, quick })
    const report = await host.run(
      branch("{:name :slow :processor stuck :buffer-size 50 :overflow :drop-newest} {:name :quick :processor quick}")
    )
    const { slow } = report.value as { slow: number }
    expect(report.dropped).toBe(5000 - slow)
    expect(report.dropped).toBeGreaterThan(4000)
  })

  it("restarts a branch of a service on its own, and detaches an isolated one whose restarts are spent", async () => {
    const seen: Array<number> = []
    const host = await start({
      items: numbers(50),
      fails: () => {
        throw new Error("always")
      },
      notes: (x: number) => void seen.push(x)
    })
    const source = "(call :stream.branch items {:isolate true :branches [{:name :bad :processor fails} {:name :good :processor notes}]})"
    const handle = await host.spawn(source, { name: "s", restart: "temporary" })
    await handle.result
    expect(seen).toEqual(numbers(50))
    const { streams } = handle.inspect() as { streams: ReadonlyArray<{ failedParts: unknown }> }
    expect(streams[0]!.failedParts).toMatchObject([{ part: "branch bad" }])
  })

  it.each([
    ["[]", "1 to 64 branches"],
    ["[{:name :a :processor inc} {:name :a :processor inc}]", "two branches with the name a"],
    ["[{:name :a}]", "either :processor (takes an item) or :pipeline"],
    ["[{:processor inc}]", "needs :name"],
    ["[{:name :a :procesor inc}]", "did you mean :processor"],
    ["[7]", "branch 1 is 7"],
    ["[{:name :a :pipeline (fn [s] 7)}]", "expects :pipeline to give a stream made from the one that it receives, but it gave 7"],
    ["[{:name :a :pipeline (fn [s] (call :stream.map [1] {:transform inc}))}]", "does not use that"],
    ["[{:name :a :processor inc :overflow :detach}]", ":overflow but no :buffer-size"]
  ])("refuses %s", async (branches, problem) => {
    const host = await start()
    await expect(host.run(`(call :stream.branch [1] {:branches ${branches}})`)).rejects.toThrow(problem)
  })

  it("is told of by explain: one fan-out, one actor for each branch", async () => {
    const host = await start({ items: [1] })
    const { pipelines } = await host.explain(
      "(call :stream.branch items {:branches [{:name :a :processor inc} {:name :b :processor inc :buffer-size 7 :overflow :detach}]})"
    )
    expect(pipelines[0]!.actors.map(({ address, kind, nodes }) => [address, kind, nodes.map(({ id }) => id)])).toEqual([
      ["/pipelines/program-1/from-collection", "source", ["from-collection", "branch"]],
      ["/pipelines/program-1/branch-a", "sink", ["branch-a"]],
      ["/pipelines/program-1/branch-b", "sink", ["branch-b"]]
    ])
    expect(pipelines[0]!.boundaries.map(({ maxItems, overflow, reason }) => [maxItems, overflow, reason])).toEqual([
      [4096, "backpressure", "several streams take from branch"],
      [7, "detach", "several streams take from branch"]
    ])
  })
})

import { afterEach, describe, expect, it } from "vitest"
import { StreamHost } from "rtfs-streams"

const hosts: Array<StreamHost> = []
afterEach(async () => {
  await Promise.all(hosts.splice(0).map((host) => host.stop({ timeout: 1000 })))
})

const start = async (bindings: Readonly<Record<string, unknown>> = {}) => {
  const host = await StreamHost.start({ bindings })
  hosts.push(host)
  return host
}

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)
const tagged = (tag: string, count: number) => numbers(count).map((n) => `${tag}${n}`)
const of = (items: ReadonlyArray<string>, tag: string) => items.filter((item) => item.startsWith(tag))
const merge = (options: string) => `(call :stream.await (call :stream.merge {:streams [a b c] ${options}}))`
const merged = async (options: string, bindings: Readonly<Record<string, unknown>>) => (await (await start(bindings)).run(merge(options))).value as ReadonlyArray<string>

describe("stream.merge", () => {
  it.each([":strategy :round-robin", ":strategy :priority", ":strategy :fair", ":strategy :priority :aging :never", ':strategy :fair :quantum "1B" :weights [3 1 0.5]', ""])(
    "ME-1: gives every item of every stream, each in its order: %s",
    async (options) => {
      const [a, b, c] = [tagged("a", 3000), tagged("b", 10), tagged("c", 700)]
      const all = await merged(options, { a, b, c })
      expect(all).toHaveLength(3710)
      expect([of(all, "a"), of(all, "b"), of(all, "c")]).toEqual([a, b, c])
    }
  )

  it("takes one item of each in turn, however they come in frames", async () => {
    const all = await merged("", { a: tagged("a", 5), b: tagged("b", 3), c: tagged("c", 4) })
    expect(all.join(" ")).toBe("a0 b0 c0 a1 b1 c1 a2 b2 c2 a3 c3 a4")
  })

  it("takes the most urgent first, and one of the others after so many", async () => {
    const all = await merged(":strategy :priority :aging 3", { a: tagged("a", 8), b: tagged("b", 4), c: tagged("c", 3) })
    expect(all.join(" ")).toBe("a0 a1 a2 b0 c0 a3 a4 a5 b1 c1 a6 a7 b2 c2 b3")
    const strict = await merged(":strategy :priority :priorities [2 1 2] :aging :never", { a: tagged("a", 3), b: tagged("b", 3), c: tagged("c", 3) })
    expect(strict.join(" ")).toBe("b0 b1 b2 a0 a1 a2 c0 c1 c2")
  })

  it("shares the bytes by weight", async () => {
    // Items of 100 and of 10 bytes, and a little more: with equal weights some eight of the small ones for each large one.
    const large = numbers(200).map((n) => `a${n}`.padEnd(100, "."))
    const small = numbers(2000).map((n) => `b${n}`.padEnd(10, "."))
    const all = await merged(':strategy :fair :quantum "1KB"', { a: large, b: small, c: [] })
    const lastLarge = all.findLastIndex((item) => item.startsWith("a"))
    const smallBefore = of(all.slice(0, lastLarge), "b").length
    expect(smallBefore / 2000).toBeGreaterThan(0.6)
    expect(smallBefore / 2000).toBeLessThan(0.9)
  })

  it("ME-5: waits for no silent stream", async () => {
    let release = () => {}
    const silent = new Promise<void>((resolve) => (release = resolve))
    async function* slow() {
      await silent
      yield "b0"
    }
    const seen: Array<string> = []
    const note = (item: string) => {
      seen.push(item)
      if (seen.length === 2000) release()
    }
    const host = await start({ a: tagged("a", 1000), b: slow(), c: tagged("c", 1000), note })
    await host.run("(call :stream.merge {:streams [a b c] :on-merged note})")
    expect(seen).toHaveLength(2001)
    expect(seen.at(-1)).toBe("b0")
  })

  it("ends with the first stream under :eager, and stops the others", async () => {
    let closed = 0
    async function* endless() {
      try {
        for (let n = 0; ; n++) yield `b${n}`
      } finally {
        closed++
      }
    }
    const host = await start({ a: tagged("a", 50), b: endless() })
    const report = await host.run("(call :stream.await (call :stream.merge {:streams [a b] :eager true}))")
    const all = report.value as ReadonlyArray<string>
    expect(of(all, "a")).toEqual(tagged("a", 50))
    expect(of(all, "b")).toEqual(tagged("b", of(all, "b").length))
    expect(closed).toBe(1)
    expect(report.accepted).toBe(report.processed + report.undrained)
  })

  it("fails with a stream that fails, and with :isolate goes on without it", async () => {
    const bad = (x: number) => {
      if (x === 5) throw new Error("not five")
      return `b${x}`
    }
    const bindings = { a: tagged("a", 500), b: numbers(10), bad }
    const source = (options: string) => `(call :stream.await (call :stream.merge {:streams [a (stream.map b bad)] ${options}}))`
    await expect((await start(bindings)).run(source(""))).rejects.toThrow("not five")
    const report = await (await start(bindings)).run(source(":isolate true"))
    const all = report.value as ReadonlyArray<string>
    expect(of(all, "a")).toEqual(tagged("a", 500))
    expect(of(all, "b")).toEqual(tagged("b", 5))
    expect(report.streams[0]!.failedParts).toEqual([{ part: "merge input 2", error: expect.stringContaining("not five"), missed: 0 }])
    expect(report.accepted).toBe(report.processed + report.undrained)
  })

  it("merges what was merged, and what one stream is twice", async () => {
    const host = await start({ a: ["a0", "a1"], b: ["b0"] })
    const { value } = await host.run("(let [s (stream.map a identity)] (call :stream.await (stream.merge [s (stream.merge [s b])])))")
    expect((value as ReadonlyArray<string>).toSorted()).toEqual(["a0", "a0", "a1", "a1", "b0"])
  })

  it.each([
    [":streams []", "1 to 256 streams"],
    [":streams [[1] 7]", "number 2 is 7"],
    [":streams [[1]] :aging 3", ":aging, which only :strategy :priority uses"],
    [":streams [[1]] :weights [1]", ":weights, which only :strategy :fair uses"],
    [":streams [[1] [2]] :strategy :fair :weights [1]", "one number for each of its 2 streams"],
    [":streams [[1]] :strategy :priority :aging 0", "expects :aging to be a count of at least 1, or :never"],
    [":streams [[1]] :strategy :fair :weights [0]", "expects :weights to be a vector of numbers above 0"]
  ])("refuses {%s}", async (options, problem) => {
    const host = await start()
    await expect(host.run(`(call :stream.await (call :stream.merge {${options}}))`)).rejects.toThrow(problem)
  })

  it("is told of by explain, with what may starve", async () => {
    const host = await start({ a: [1], b: [2] })
    const { pipelines } = await host.explain("(call :stream.merge {:streams [a b] :strategy :priority :aging :never :on-merged identity})")
    expect(pipelines[0]!.boundaries.map(({ reason }) => reason)).toEqual([
      "merge takes from several streams (:priority)",
      "merge takes from several streams (:priority)",
      "merge takes from several streams (:priority)"
    ])
    expect(pipelines[0]!.actors.flatMap(({ nodes }) => nodes.flatMap(({ notes }) => notes))).toContain("less urgent inputs may starve (:aging :never)")
  })
})

import { afterEach, describe, expect, it } from "vitest"
import { Flow, StreamHost } from "rtfs-streams"

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
const parallel = (options: string) => `(call :stream.await (call :stream.parallel items {${options}}))`
const run = async (options: string, bindings: Readonly<Record<string, unknown>> = {}) => (await start({ items: numbers(1000), ...bindings })).run(parallel(options))
const value = async (options: string, bindings: Readonly<Record<string, unknown>> = {}) => (await run(options, bindings)).value

describe("stream.parallel", () => {
  it("gives the combiner what each partition came to, in the order of partitions", async () => {
    const sums = await value(":parallelism 4 :partition-fn (fn [x] (mod x 4)) :processor (fn [s] (stream.reduce s + 0)) :combiner (fn [results] results)")
    expect(sums).toEqual([[0, 1, 2, 3].map((rest) => numbers(1000).filter((n) => n % 4 === rest).reduce((sum, n) => sum + n, 0))])
    const lists = await value(
      ":parallelism 3 :partition-fn (fn [x] (mod x 2)) :processor (fn [s] (call :stream.map s {:transform inc})) :combiner (fn [results] (map count results))"
    )
    expect(lists).toEqual([[500, 500, 0]])
  })

  it("takes each item through one partition, in the order of its key", async () => {
    const out = (await value(':parallelism 5 :key-fn (fn [x] (str "key " (mod x 7))) :processor (fn [s] (stream.map s (fn [x] [x (* x x)])))')) as ReadonlyArray<
      readonly [number, number]
    >
    expect(out.map(([x]) => x).toSorted((a, b) => a - b)).toEqual(numbers(1000))
    for (let key = 0; key < 7; key++) {
      const ofKey = out.map(([x]) => x).filter((x) => x % 7 === key)
      expect(ofKey).toEqual(ofKey.toSorted((a, b) => a - b))
    }
  })

  it.each([":processor (fn [s] s)", ":processor (fn [s] (stream.map s identity))", ":processor (fn [s] (-> s (stream.map later) (stream.map identity {:buffer-size 3})))"])(
    "keeps the order of the stream with :ordered: %s",
    async (processor) => {
      const later = (x: number) => new Promise((resolve) => (x % 3 === 0 ? setImmediate(() => resolve(x)) : resolve(x)))
      expect(await value(`:parallelism 4 :ordered true :key-fn identity ${processor}`, { later })).toEqual(numbers(1000))
      // Nearly all go to one partition.
      expect(await value(`:parallelism 4 :ordered true :partition-fn (fn [x] (if (= 0 (mod x 100)) 1 3)) ${processor}`, { later })).toEqual(numbers(1000))
    }
  )

  it("refuses :ordered where a partition may give more or fewer items", async () => {
    await expect(run(":parallelism 2 :ordered true :key-fn identity :processor (fn [s] (stream.filter s even?))")).rejects.toThrow("stream.filter may give more or fewer")
    await expect(run(":parallelism 2 :ordered true :key-fn identity :processor (fn [s] (stream.map s inc {:on-failure :skip}))")).rejects.toThrow(":on-failure :skip")
  })

  it("fails with :ordered where an item would be left out in the end", async () => {
    const host = await start({
      items: numbers(20),
      bad: (x: number) => {
        if (x === 7) throw new Error("not seven")
        return x
      }
    })
    const source = "(call :stream.to-collection {:source (call :stream.parallel items {:parallelism 3 :ordered true :key-fn identity :processor (fn [s] (stream.map s bad))})})"
    const handle = await host.spawn(source, { name: "strict", restart: "temporary" })
    await expect(handle.result).rejects.toThrow("not seven")
    await expect(
      host.run(`(call :stream.await (call :stream.with-dead-letter ${source.slice(37, -2)} {}))`)
    ).rejects.toThrow("stands in a :stream.parallel that is :ordered")
  })

  it.each(["nil", "-1", "4", "1.5", '"1"'])("fails an item whose partition is %s, as its policy says", async (partition) => {
    const options = `:parallelism 4 :partition-fn (fn [x] (if (= x 500) ${partition} 0)) :processor (fn [s] s)`
    await expect(run(options)).rejects.toThrow("a whole number from 0 to 3")
    expect(await run(`${options} :on-failure :skip`)).toMatchObject({ accepted: 1000, skipped: 1, value: numbers(1000).filter((n) => n !== 500) })
  })

  it("lets a hot key stand without holding up the others", async () => {
    let release = () => {}
    const stuck = new Promise<void>((resolve) => (release = resolve))
    let others = 0
    const work = async (x: number) => {
      if (x % 2 === 0) await stuck
      else if (++others === 3000) release()
      return x
    }
    // The partition of even numbers stands: 3,000 are more than its mailbox holds (128), and others go on past them.
    const out = (await value(":parallelism 2 :partition-fn (fn [x] (mod x 2)) :processor (fn [s] (stream.map s work))", {
      items: [...numbers(2000), ...numbers(4000).filter((n) => n % 2 === 1)],
      work
    })) as ReadonlyArray<number>
    expect(out).toHaveLength(4000)
  })

  it("goes on where a partition's actor is restarted, and counts every item", async () => {
    let failures = 0
    const flaky = (x: number) => {
      if (x % 100 === 7 && failures++ % 2 === 0) throw new Error("once")
      return x
    }
    const host = await start({ items: numbers(300), flaky })
    const handle = await host.spawn("(call :stream.to-collection {:source (call :stream.parallel items {:parallelism 3 :key-fn identity :processor (fn [s] (stream.map s flaky))})})", {
      name: "flaky",
      restart: "temporary"
    })
    await handle.result
    expect(handle.inspect()).toMatchObject({ streams: [{ accepted: 300, processed: 300, undrained: 0, deadLettered: 0 }] })
  })

  it("calls the processor once, and each partition has states of its own", async () => {
    let calls = 0
    const host = await start({ items: [...numbers(10), ...numbers(10)], called: () => calls++ })
    const { value: out } = await host.run(
      "(call :stream.await (call :stream.parallel items {:parallelism 3 :key-fn identity :processor (fn [s] (do (called) (call :stream.distinct s {})))}))"
    )
    expect((out as ReadonlyArray<number>).toSorted((a, b) => a - b)).toEqual(numbers(10))
    expect(calls).toBe(1)
  })

  it("can be nested, in branches and in itself", async () => {
    const host = await start({ items: numbers(100) })
    const { value: out } = await host.run(`
      (call :stream.await (call :stream.branch items {:branches [
        {:name :sums :pipeline (fn [s] (call :stream.parallel s {:parallelism 2 :partition-fn (fn [x] (mod x 2))
           :processor (fn [p] (call :stream.parallel p {:parallelism 2 :key-fn identity :processor (fn [q] (stream.reduce q + 0)) :combiner (fn [r] (apply + r))}))
           :combiner (fn [r] r)}))}
        {:name :merged :pipeline (fn [s] (stream.reduce (stream.merge [s [1000]]) + 0))}]}))`)
    expect(out).toEqual({ sums: [2450, 2500], merged: 5950 })
  })

  it.each([
    [":parallelism 2 :processor (fn [s] s)", "either :partition-fn (gives a number) or :key-fn"],
    [":parallelism 2 :key-fn inc :partition-fn inc :processor (fn [s] s)", "either :partition-fn (gives a number) or :key-fn"],
    [":parallelism 300 :key-fn inc :processor (fn [s] s)", "at most 256"],
    [":parallelism 2 :key-fn inc :processor (fn [s] 7)", "it gave 7"],
    [":parallelism 2 :key-fn inc :processor (fn [s] (call :stream.to-collection {:source s}))", "stream.to-collection ends it"],
    [":parallelism 2 :key-fn inc :processor (fn [s] (stream.merge [s s]))", "use the stream that it receives once"],
    [":parallelism 2 :key-fn inc :ordered true :combiner inc :processor (fn [s] s)", ":ordered and :combiner"]
  ])("refuses {%s}", async (options, problem) => {
    await expect(run(options)).rejects.toThrow(problem)
  })

  it("is told of by explain", async () => {
    const host = await start({ items: [1] })
    const { pipelines } = await host.explain("(call :stream.parallel items {:parallelism 2 :key-fn identity :ordered true :processor (fn [s] (stream.map s inc))})")
    expect(pipelines[0]!.actors.map(({ nodes }) => nodes.map(({ id }) => id))).toEqual([["from-collection", "parallel"], ["map"], ["map-2"], ["parallel-gather"]])
    expect(pipelines[0]!.boundaries.map(({ from, reason, to }) => [from.split("/").at(-1), to.split("/").at(-1), reason])).toEqual([
      ["from-collection", "map", "several streams take from parallel"],
      ["from-collection", "map-2", "several streams take from parallel"],
      ["map", "parallel-gather", "parallel-gather puts the partitions in order"],
      ["map-2", "parallel-gather", "parallel-gather puts the partitions in order"],
      ["from-collection", "parallel-gather", "parallel-gather puts the partitions in order"]
    ])
  })
})

describe("the same in TypeScript", () => {
  it("merges, branches and partitions flows", async () => {
    const host = await start()
    const merged = Flow.merge([Flow.from([1, 2]), Flow.from([10])], { strategy: "priority", aging: "never", priorities: [2, 1] })
    expect((await host.runFlow(merged)).value).toEqual([10, 1, 2])
    const sums = Flow.from(numbers(10)).parallel({
      parallelism: 2,
      partition: (n) => n % 2,
      processor: (part) => part.reduce(0, (sum, n) => sum + n),
      combiner: (results) => results
    })
    expect((await host.runFlow(sums)).value).toEqual([[20, 25]])
    const ordered = Flow.from(numbers(100)).parallel({ parallelism: 3, key: (n) => n, ordered: true, processor: (part) => part.map((n) => n + 1) })
    expect((await host.runFlow(ordered)).value).toEqual(numbers(100).map((n) => n + 1))
    const branched = Flow.from(numbers(4)).branch({ each: { processor: () => {} }, even: { pipeline: (s) => s.filter((n) => n % 2 === 0), bufferSize: 2 } })
    expect((await host.runFlow(branched)).value).toEqual({ each: 4, even: [0, 2] })
    expect(() => Flow.of(7)).toThrow("A stream of a program is expected")
  })
})

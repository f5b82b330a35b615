import { afterAll, describe, expect, it } from "vitest"
import { createEvaluator, defaultLimits } from "../../src/rtfs/index.ts"
import { makeWorkerPool, portableTask, type StreamFunction } from "../../src/scheduler/index.ts"
import { decodeFrame, type ErrorValue, FrameEncoder, keyword } from "../../src/serialization/index.ts"

const pool = makeWorkerPool({
  workerFile: new URL("../../src/host/worker.ts", import.meta.url),
  workers: 1,
  limits: { ...defaultLimits, fuel: 50_000 }
})
afterAll(() => pool.close())

/** Runs the function that a program gives over items, in a worker. */
const runInWorker = async (program: string, ...items: ReadonlyArray<unknown>) => {
  const evaluator = createEvaluator({ globals: new Map(), call: () => expect.unreachable() })
  const fn = (await evaluator.evaluate(program)) as StreamFunction
  const result = await pool.submit(portableTask(fn, "map"), new FrameEncoder({ stream: "test" }).encode(items, 0, items.length, 0))
  return { values: decodeFrame(result.frame), errors: result.errors.map(({ error, index }) => [index, (error as ErrorValue).message]) }
}

describe("the host's worker", () => {
  it("runs RTFS functions with what they captured", async () => {
    const { errors, values } = await runInWorker(
      `(def factor 10)
       (defn scale [n] (* n factor))
       (let [tag :scaled] (fn [item] {:id (:id item) :value (scale (:value item)) :tag tag}))`,
      { id: 1, value: 2 },
      { id: 2, value: 3 }
    )
    expect(errors).toEqual([])
    expect(values).toEqual([
      { id: 1, value: 20, tag: keyword("scaled") },
      { id: 2, value: 30, tag: keyword("scaled") }
    ])
  })

  it("runs recursive functions", async () => {
    const program = `(defn odd-steps? [n] (if (= n 0) false (even-steps? (- n 1))))
      (defn even-steps? [n] (if (= n 0) true (odd-steps? (- n 1))))
      even-steps?`
    expect((await runInWorker(program, 4, 7)).values).toEqual([true, false])
  })

  it("fails the item that spends its fuel, and refills for the next", async () => {
    const program = `(fn [n] (loop [i 0] (if (< i n) (recur (+ i 1)) i)))`
    const { errors, values } = await runInWorker(program, 1000, 200_000, 1000, 2000)
    expect(values).toEqual([1000, 1000, 2000])
    expect(errors).toEqual([[1, expect.stringMatching(/fuel/i)]])
  })

  it("reports an error of the program as that item's", async () => {
    const { errors, values } = await runInWorker(`(fn [n] (/ 6 n))`, 2, 0, 3)
    expect(values).toEqual([3, 2])
    expect(errors).toEqual([[1, expect.stringMatching(/zero/i)]])
  })
})

import { describe, expect, it } from "vitest"
import { createEvaluator, RtfsError } from "../../src/rtfs/index.ts"
import { aboutFunction, type StreamFunction } from "../../src/scheduler/index.ts"
import { failureOf, recordingHost, value } from "./evaluation.ts"

const refill = (fn: StreamFunction): void => {
  const meter = fn[aboutFunction]?.meter
  if (meter === undefined) return
  meter.fuel = meter.slice
  meter.slices = 0
}

describe("Limits", () => {
  it.each([
    "(loop [] (recur))",
    "((fn [] (recur)))",
    "(let [f (fn [n] (+ 1 (f n)))] (loop [] (try (f 1) (catch e 1)) (recur)))",
    "(reduce (fn [a x] (reduce + (range 1000))) 0 (range 1000000))",
    "(map (fn [x] (sort (range 10000))) (range 10000))",
    '(loop [s "aaaaaaaaaa"] (recur (str s s)))',
    "(loop [v [1 2]] (recur (concat v v)))",
    "(loop [m {} i 0] (recur (assoc m (str i) i) (inc i)))",
    "(loop [m {:a 1} i 0] (recur (assoc m :b (hash-map :x m :y m)) (inc i)))",
    "(range 1000000000)",
    "(loop [n 1] (recur (factorial 1000)))",
    '(loop [] (re-find "(a|b|ab)*c" "abababababababababababababab") (recur))',
    '(let [big (str (range 2000))] (loop [] (re-find "(x+x+)+y" big) (recur)))',
    '(loop [s "x"] (recur (join s [s s s])))',
    "(loop [] (json/stringify (range 1000)) (recur))",
    "(let [a (range 10000) b (range 10000)] (loop [] (= a b) (recur)))",
    "(let [a (range 10000)] (loop [] (contains? a -1) (recur)))",
    "(for [a (range 1000) b (range 1000) c (range 1000)] 1)",
    "(dotimes [i 1000000000] i)",
    "(doseq [x (range 10000) y (range 10000)] x)",
    "(loop [v []] (recur (conj v v)))",
    "(let [f (fn [n] (if (= n 0) 1 (+ (f (dec n)) (f (dec n)))))] (f 100))"
  ])("%s ends with an error, soon, whatever it catches", async (source) => {
    const start = process.cpuUsage()
    const error = await failureOf(`(try ${source} (catch e :caught))`, {}, { fuel: 2_000_000 })
    const { user } = process.cpuUsage(start)
    expect([error.kind, error.type]).toEqual(["limit", "budget-exhausted"])
    expect(user / 1000).toBeLessThan(10_000)
  })

  it.each([
    ["(count (loop [i 0 acc []] (if (< i 100000) (recur (inc i) (conj acc i)) acc)))", "100000"],
    ["(count (reduce (fn [acc x] (conj acc (* x x))) [] (range 100000)))", "100000"],
    ["(count (reduce (fn [acc x] (if (even? x) (conj acc x) acc)) [] (range 100000)))", "50000"],
    [
      '(let [m (reduce (fn [m x] (assoc m (str "k" x) x)) {} (range 20000))] [(count m) (:k7 m) (count (assoc m :new 1))])',
      "[20000 7 20001]"
    ],
    ['(let [m (reduce (fn [m x] (assoc m (str "k" (mod x 10)) x)) {} (range 50000))] (:k7 m))', "49997"],
    ["(count (reduce (fn [v x] (assoc v (mod x 3) x)) [0 0 0] (range 100000)))", "3"]
  ])("lets a loop collect many items: %s", async (source, expected) => {
    expect(await value(source)).toBe(expected)
  })

  it("bounds single integers, which a program may catch", async () => {
    expect(await value("(try (loop [n 3] (recur (* n n))) (catch e (:type e)))")).toBe(":invalid-argument")
  })

  it("runs finally after a limit, out of a small reserve", async () => {
    const { host, calls } = recordingHost()
    const evaluator = createEvaluator(host, { fuel: 100_000 })
    await expect(evaluator.evaluate("(try (loop [] (recur)) (finally (call :closed (reduce + (range 100)))))")).rejects.toMatchObject({
      kind: "limit"
    })
    expect(calls).toEqual(["closed 4950"])
    calls.length = 0
    await expect(
      evaluator.evaluate("(try (try (loop [] (recur)) (finally (loop [] (recur)))) (finally (call :closed)))")
    ).rejects.toMatchObject({ kind: "limit" })
    const nested = "(try ".repeat(50) + "(loop [] (recur))" + " (finally (loop [] (recur))))".repeat(50)
    await expect(evaluator.evaluate(nested)).rejects.toMatchObject({ kind: "limit" })
  })

  it("limits wall time, but not the time spent waiting", async () => {
    expect(await failureOf("(loop [] (recur))", {}, { timeMs: 50, fuel: 1e12 })).toMatchObject({ kind: "limit", data: { limit: "time" } })
    const wait = () => new Promise((resolve) => setTimeout(resolve, 1_300))
    expect(await value("(do (reduce + (range 20000)) (wait) (reduce + (range 200000)))", { wait }, { timeMs: 1_000 })).toBe("19999900000")
  })

  it("holds for one evaluation or item, never over the life of an evaluator", async () => {
    const evaluator = createEvaluator(recordingHost().host, { fuel: 100_000, memoryBytes: 1_000_000 })
    for (let round = 0; round < 50; round++)
      expect(await evaluator.evaluate('(count (reduce (fn [a x] (str a x)) "" (range 200)))')).toBe(490)
    const f = evaluator.evaluateNow("(fn [n] (reduce + (map inc (range n))))") as StreamFunction
    for (let round = 0; round < 500; round++) {
      refill(f)
      expect(f(1000)).toBe(500500)
    }
    refill(f)
    expect(() => f(1_000_000)).toThrow(RtfsError)
    refill(f)
    expect(f(10)).toBe(55)
  })

  it("pays for big integers in small functions, each call by itself", () => {
    const evaluator = createEvaluator(recordingHost().host, { fuel: 20_000 })
    const f = evaluator.evaluateNow("(fn [n] (* n n))") as StreamFunction
    for (let round = 0; round < 20_000; round++) expect(f(12345678901234567890n)).toBe(12345678901234567890n ** 2n)
  })

  it("leaves depth as it was after failures", () => {
    const evaluator = createEvaluator(recordingHost().host)
    const f = evaluator.evaluateNow("(defn g [n] (if (= n 0) (throw 1) (inc (g (dec n))))) (fn [n] (g n))") as StreamFunction
    for (let round = 0; round < 100; round++) expect(() => f(500)).toThrow(/Uncaught 1/)
    expect(evaluator.meter.depth).toBe(0)
  })

  it("never lets a stack overflow of JavaScript out", async () => {
    const wide = Array.from({ length: 200 }, (_, index) => `a${index} (+ n ${index})`).join(" ")
    for (const source of [
      `(defn f [n] (let [${wide}] (+ a1 (f (inc n)) a199))) (f 0)`,
      "(defn f [n] (apply f [(inc n)])) (f 0)",
      "(defn f [n] (sort-by f [n n])) (f 0)",
      "(defn f [n] (update {:a n} :a f)) (f 0)",
      "(defn f [n] (every? f [n])) (f 0)"
    ]) {
      expect((await failureOf(source, {}, { depth: 1_000_000 })).type, source).toBe("stack-overflow")
      expect((await failureOf(source)).type, source).toBe("stack-overflow")
    }
  })

  it("is not confused by values nested deeper than it can walk", async () => {
    const deep = "(reduce (fn [a x] [a]) [] (range 100000))"
    for (const source of [
      `(str ${deep})`,
      `(= ${deep} ${deep})`,
      `(sort [${deep} ${deep}])`,
      `(json/stringify ${deep})`,
      `(distinct [${deep} ${deep}])`
    ]) {
      expect((await failureOf(source)).type, source).toBe("invalid-argument")
    }
    expect((await failureOf(`(json/parse "${"[".repeat(100000)}")`)).type).toBe("json-error")
  })

  it("refuses programs nested deeper than it can walk", async () => {
    const arrows = `(-> 1 ${"(inc) ".repeat(5000)})`
    expect((await failureOf(arrows)).kind).toBe("syntax")
    expect(await value(`(-> 1 ${"(inc) ".repeat(300)})`)).toBe("301")
    const lets = "(let [x 1] ".repeat(2000) + "x" + ")".repeat(2000)
    expect((await failureOf(lets)).kind).toBe("read")
    const conds = `(cond ${"false 1 ".repeat(3000)} :else 2)`
    expect(await value(conds)).toBe("2")
  })
})

import { describe, expect, it } from "vitest"
import { createEvaluator, print, pureBuilder, RtfsError, type RtfsHost, toText } from "../../src/rtfs/index.ts"
import { aboutFunction, describe as describeFunction, type StreamFunction } from "../../src/scheduler/index.ts"
import { recordingHost, value } from "./evaluation.ts"

/** Host functions that count, some of them asynchronous. */
const counting = () => {
  const seen: Array<string> = []
  const note = (name: string, result: unknown) => (x: unknown) => {
    seen.push(`${name} ${print(x)}`)
    return typeof result === "function" ? result(x) : result
  }
  const globals = {
    tick: note("tick", (x: number) => x + 1),
    later: note("later", async (x: number) => x * 10),
    refuse: note("refuse", () => {
      throw new Error("refused")
    }),
    "refuse-later": note("refuse-later", () => Promise.reject(new Error("refused later")))
  }
  return { seen, globals }
}

describe("synchronous and asynchronous form", () => {
  it.each([
    ["(map (fn [x] (later (tick x))) [1 2 3])", "[20 30 40]", ["tick 1", "later 2", "tick 2", "later 3", "tick 3", "later 4"]],
    ["(do (tick 1) (tick 2) (later 3))", "30", ["tick 1", "tick 2", "later 3"]],
    ["(let [f (fn [x] (+ (tick x) (later x) (tick 5)))] (f 1))", "18", ["tick 1", "later 1", "tick 5"]],
    ["(reduce (fn [a x] (later (+ a x))) 0 [1 2])", "120", ["later 1", "later 12"]],
    ["(loop [i 0 acc []] (if (< i 3) (recur (inc i) (conj acc (later i))) acc))", "[0 10 20]", ["later 0", "later 1", "later 2"]],
    ["(try (do (tick 1) (refuse 2)) (catch HostError e (later 3)))", "30", ["tick 1", "refuse 2", "later 3"]],
    ["(try (do (tick 1) (refuse-later 2)) (catch HostError e (:message e)))", '"refused later"', ["tick 1", "refuse-later 2"]],
    ["(try (later 1) (finally (tick 7)))", "10", ["later 1", "tick 7"]],
    ["(try (do (later 1) (tick 2)) (finally (tick 7)))", "3", ["later 1", "tick 2", "tick 7"]],
    ["((fn [] (try (do (later 1) (tick 2)) (catch e (tick 9)) (finally (tick 7)))))", "3", ["later 1", "tick 2", "tick 7"]],
    ["(sort-by later [3 1 2])", "[1 2 3]", ["later 3", "later 1", "later 2"]],
    ["(filter (fn [x] (> (later x) 10)) [1 2])", "[2]", ["later 1", "later 2"]],
    ["(every? later [1 2])", "true", ["later 1", "later 2"]],
    ["(apply later [4])", "40", ["later 4"]],
    ["(update {:a 1} :a later)", "{:a 10}", ["later 1"]],
    ["(group-by later [1 1])", "{10 [1 1]}", ["later 1", "later 1"]],
    ["(map-indexed (fn [i x] (+ i (later x))) [1])", "[10]", ["later 1"]],
    ["(for [x [1 2]] (later x))", "[10 20]", ["later 1", "later 2"]],
    ["(match (later 1) 10 (tick 1) _ 0)", "2", ["later 1", "tick 1"]],
    ["(cond (= (later 1) 10) (tick 5) :else 0)", "6", ["later 1", "tick 5"]],
    ["(and (later 1) (later 2))", "20", ["later 1", "later 2"]],
    [
      "(defn outer [x] (inner (tick x))) (defn inner [x] (later x)) (+ (outer 1) (outer 2))",
      "50",
      ["tick 1", "later 2", "tick 2", "later 3"]
    ],
    ["(let [[a b] (map later [1 2])] {:a a :b b})", "{:a 10, :b 20}", ["later 1", "later 2"]],
    ["((fn [f] (f 1)) later)", "10", ["later 1"]],
    ["((fn [n] (if (= n 0) (later 1) (recur (dec n)))) 5)", "10", ["later 1"]],
    ["(let [ev (fn [n] (if (= n 0) (later 1) (od (dec n)))) od (fn [n] (ev n))] (ev 2))", "10", ["later 1"]]
  ])("%s performs each effect once, in order", async (source, expected, effects) => {
    const { seen, globals } = counting()
    expect(await value(source, globals)).toBe(expected)
    expect(seen).toEqual(effects)
  })

  it("gives a value where nothing is asynchronous, and a promise where something is", () => {
    const { globals } = counting()
    const evaluator = createEvaluator(recordingHost(globals).host)
    const [sync, maybe] = evaluator.evaluateNow("[(fn [x] (inc x)) (fn [x] (if (> x 5) (later x) (tick x)))]") as [
      StreamFunction,
      StreamFunction
    ]
    expect(sync(1)).toBe(2)
    expect(maybe(1)).toBe(2)
    expect(maybe(6)).toBeInstanceOf(Promise)
    expect(describeFunction(sync).synchronous).toBe(true)
    expect(describeFunction(maybe).synchronous).toBe(false)
  })

  it("keeps two calls that wait at the same time apart", async () => {
    const waiting: Array<() => void> = []
    const seen: Array<unknown> = []
    const evaluator = createEvaluator(
      recordingHost({
        note: (x: unknown) => void seen.push(x),
        wait: (x: unknown) => new Promise((resolve) => waiting.push(() => resolve(x)))
      }).host
    )
    const f = evaluator.evaluateNow("(fn [x] (note [x 1]) (let [y (wait x)] (note [y 2]) (+ x y)))") as StreamFunction
    const results = [f(1), f(2)]
    waiting.reverse().forEach((resume) => resume())
    expect(await Promise.all(results)).toEqual([2, 4])
    expect(seen).toEqual([
      [1, 1],
      [2, 1],
      [2, 2],
      [1, 2]
    ])
  })

  it("lets a host function call back into the program", async () => {
    const { seen, globals } = counting()
    const twice = async (f: StreamFunction, x: unknown) => (await f(await f(x))) as unknown
    expect(await value("(+ (tick 1) (twice (fn [x] (later (tick x))) 1))", { ...globals, twice })).toBe("212")
    expect(seen).toEqual(["tick 1", "tick 1", "later 2", "tick 20", "later 21"])
  })

  it("calls each foreign function that the host handed over once", async () => {
    let calls = 0
    const make = () => async () => ++calls
    expect(await value("(let [f (make)] (f) (f))", { make })).toBe("2")
    expect(calls).toBe(2)
  })

  it("counts nested asynchronous calls, and stops them", async () => {
    const { globals } = counting()
    expect(await value("(defn deep [n] (if (= n 0) (later 0) (+ 1 (deep (dec n))))) (deep 500)", globals)).toBe("500")
    expect(await value("(defn deep [n] (+ (later 1) (deep n))) (try (deep 1) (catch e (:type e)))", globals)).toBe(":stack-overflow")
  })

  it("goes straight to the asynchronous form after some attempts in vain", async () => {
    const { globals } = counting()
    const evaluator = createEvaluator(recordingHost(globals).host)
    const f = evaluator.evaluateNow("(fn [x] (+ 1 (later x)))") as StreamFunction
    for (let round = 0; round < 600; round++) expect(await f(round)).toBe(round * 10 + 1)
  })

  it("treats pure builders as plain functions", () => {
    let built = 0
    const box = pureBuilder("box", (x: unknown) => (built++, { x }), { minimum: 1, maximum: 1 })
    const evaluator = createEvaluator(recordingHost({ box }).host)
    const f = evaluator.evaluateNow("(fn [x] (box x))") as StreamFunction
    expect(describeFunction(f).synchronous).toBe(true)
    expect(f(1)).toEqual({ x: 1 })
    expect(built).toBe(1)
    expect(() => evaluator.evaluateNow("(box)")).toThrow(/Arity mismatch in box/)
  })
})

describe("calls of the host", () => {
  it("normalises ids, and takes keywords and strings", async () => {
    const { host, calls } = recordingHost()
    await createEvaluator(host).evaluate(
      '(call :ccos.io/println 1) (call "a.b" 2 :k) (call (keyword-of 1))'.replace("(call (keyword-of 1))", "(call (:id {:id :x.y}))")
    )
    expect(calls).toEqual(["ccos.io.println 1", "a.b 2 :k", "x.y"])
    await expect(createEvaluator(host).evaluate("(call 5)")).rejects.toMatchObject({ type: "type-error" })
  })

  it("hands over runtime hints of the metadata around a call", async () => {
    const { host, calls } = recordingHost()
    await createEvaluator(host).evaluate(
      '^{:runtime.timeout 500 :doc "x"} (do (call :a) ^{:runtime.retry 2} (call :b)) (call :c) (def f ^{:runtime.timeout 9} (fn [] (call :d))) (f) (call :e)'
    )
    expect(calls).toEqual(['a {"timeout":500}', 'b {"timeout":500,"retry":2}', "c", 'd {"timeout":9}', "e"])
  })

  it("keeps hints across waiting", async () => {
    const { host, calls } = recordingHost()
    await createEvaluator(host).evaluate("^{:runtime.timeout 1} (do (call :async.a 1) (call :async.b 2)) (call :async.c 3)")
    expect(calls).toEqual(['async.a 1 {"timeout":1}', 'async.b 2 {"timeout":1}', "async.c 3"])
  })

  it("turns the prelude into calls, also as values, unless it is defined otherwise", async () => {
    const { host, calls } = recordingHost()
    const evaluator = createEvaluator(host)
    await evaluator.evaluate('(println 1 "a") (map println [2]) (log :x) (current-time-millis) (kv/assoc! :k 1)')
    expect(calls).toEqual([
      'ccos.io.println 1 "a"',
      "ccos.io.println 2",
      "ccos.io.log :x",
      "ccos.system.current-timestamp-ms",
      "ccos.state.kv.assoc :k 1"
    ])
    calls.length = 0
    await evaluator.evaluate("(defn println [x] x) (println 5)")
    expect(calls).toEqual([])
  })

  it("resolves references, and steps notify the host once", async () => {
    const seen: Array<string> = []
    const host: RtfsHost = {
      call: (_, args) => Promise.resolve(args[0]),
      globals: new Map(),
      reference: (name) => (name === "known" ? 7 : undefined),
      step: (name, phase) => void seen.push(`${name} ${phase}`)
    }
    const evaluator = createEvaluator(host)
    expect(await evaluator.evaluate('[@known @other @:key (resource:ref "known")]')).toEqual([7, "@other", "@:key", 7])
    expect(await evaluator.evaluate('(defn f [x] (step "one" (call :a x))) (try (step "two" (f 1) (/ 1 0)) (catch e 5))')).toBe(5)
    expect(seen).toEqual(["two start", "one start", "one end", "two failed"])
  })

  it("gives errors of the host their type, and leaves limits and interruption alone", async () => {
    const tagged = Object.assign(new Error("no such thing"), { _tag: "UnknownCapability" })
    const host = (error: unknown): RtfsHost => ({
      call: () => {
        throw error
      },
      globals: new Map()
    })
    expect(await createEvaluator(host(tagged)).evaluate("(try (call :x) (catch HostError e [(:type e) (:message e)]))").then(toText)).toBe(
      '[:unknown-capability "no such thing"]'
    )
    const abort = Object.assign(new Error("stopped"), { name: "AbortError" })
    await expect(createEvaluator(host(abort)).evaluate("(try (call :x) (catch e 1))")).rejects.toBe(abort)
    const limit = new RtfsError("budget-exhausted", "quota", { kind: "limit" })
    await expect(createEvaluator(host(limit)).evaluate("(try (call :x) (catch e 1))")).rejects.toBe(limit)
    await expect(createEvaluator(host(tagged)).evaluate("(call :x)")).rejects.toMatchObject({
      kind: "runtime",
      host: true,
      cause: tagged,
      at: { line: 1, column: 1 }
    })
  })

  it("keeps definitions of earlier programs, and functions keep what they were compiled against", async () => {
    const evaluator = createEvaluator(recordingHost().host)
    await evaluator.evaluate("(def x 1) (defn f [] x) (defn g [] (h))")
    await expect(evaluator.evaluate("(g)")).rejects.toMatchObject({ type: "undefined-symbol" })
    expect(await evaluator.evaluate("(defn h [] :late) (def x (+ x 1)) [(g) (f) x]").then(toText)).toBe("[:late 1 2]")
    expect(await evaluator.evaluate("(defmacro m [v] v) 1")).toBe(1)
    expect(await evaluator.evaluate("(m 5)")).toBe(5)
  })
})

describe("descriptions", () => {
  const fn = (source: string): StreamFunction => createEvaluator(recordingHost().host).evaluateNow(source) as StreamFunction

  it("tells name and arity", () => {
    expect(fn("(defn valid? [x y & more] x) valid?")[aboutFunction]).toMatchObject({ name: "valid?", minimum: 2, maximum: Infinity })
    expect(fn("(fn [] 1)")[aboutFunction]).toMatchObject({ name: "fn", minimum: 0, maximum: 0 })
    expect(fn("(let [double (fn [x] (* 2 x))] double)")[aboutFunction]).toMatchObject({ name: "double" })
    expect(fn("inc")[aboutFunction]).toMatchObject({ name: "inc", minimum: 1, maximum: 1, synchronous: true })
    expect(fn("map")[aboutFunction]).toMatchObject({ name: "map", synchronous: false })
  })

  it("gives inline text of which several closures can stand in one function", () => {
    const [a, b, c] = createEvaluator(recordingHost().host).evaluateNow(
      "(defn scale [n] (fn [x] (* n x))) (defn twice [x] (+ x x)) [(scale 2) (scale 3) (fn [x] (twice (reduce + [x 1])))]"
    ) as [StreamFunction, StreamFunction, StreamFunction]
    const inlines = [a, b, c].map((one) => one[aboutFunction]!.inline!)
    const free = Object.assign({}, ...inlines.map((one) => one.free)) as Record<string, unknown>
    const run = new Function(
      ...Object.keys(free),
      `"use strict"; const [a, b, c] = [${inlines.map((one) => one.source).join(",\n")}]; return (x) => c(b(a(x)))`
    )(...Object.values(free)) as (x: number) => number
    expect(run(5)).toBe(62)
    expect(() => run("x" as unknown as number)).toThrow(/Type error in \*/)
  })

  it("has no inline text for what may wait or takes any number of arguments", () => {
    expect(fn("(fn [f x] (f x))")[aboutFunction]!.inline).toBeUndefined()
    expect(fn("(fn [& xs] xs)")[aboutFunction]!.inline).toBeUndefined()
  })
})

import { describe, expect, it } from "vitest"
import { compileFunction, createEvaluator } from "../../src/rtfs/index.ts"
import { aboutFunction, type FunctionOrigin, type StreamFunction } from "../../src/scheduler/index.ts"
import { recordingHost } from "./evaluation.ts"

const globals = { double: (x: number) => x * 2, later: async (x: number) => x + 1 }

type RtfsOrigin = Extract<FunctionOrigin, { kind: "rtfs" }>

const originOf = (fn: unknown): RtfsOrigin => {
  const origin = (fn as StreamFunction)[aboutFunction]!.origin
  expect(origin.kind).toBe("rtfs")
  return origin as RtfsOrigin
}

/** Makes the function again from its text; captured functions too, as a worker or a resumed stream does. */
const remade = (fn: unknown): StreamFunction => {
  const origin = originOf(fn)
  const captured = Object.fromEntries(
    Object.entries(origin.captured).map(([name, value]) => {
      const about = typeof value === "function" ? (value as StreamFunction)[aboutFunction] : undefined
      if (about === undefined) return [name, value]
      return [name, about.origin.kind === "rtfs" ? remade(value) : globals[(about.origin as { name: "double" | "later" }).name]]
    })
  )
  return compileFunction({ ...origin, captured }, recordingHost(globals).host)
}

const make = (source: string): StreamFunction => createEvaluator(recordingHost(globals).host).evaluateNow(source) as StreamFunction

describe("origin", () => {
  it.each([
    ["(fn [x] (+ x 1))", [1], 2],
    ["(let [n 5] (fn [x] (+ x n)))", [1], 6],
    ["(defn helper [x] (* x 3)) (fn [x] (helper x))", [2], 6],
    ["(def config {:n 4}) (fn [x] (+ x (:n config)))", [1], 5],
    ["(defn ev [n] (if (= n 0) true (od (dec n)))) (defn od [n] (if (= n 0) false (ev (dec n)))) ev", [4], true],
    ["(defn fact [n] (if (= n 0) 1 (* n (fact (dec n))))) fact", [5], 120],
    ["(let [fact (fn [n] (if (= n 0) 1 (* n (fact (dec n)))))] fact)", [5], 120],
    ["(let [add (fn [a] (fn [b] (+ a b))) three (add 3)] (fn [x] (three x)))", [1], 4],
    ["(def x 100) (defn helper [y] (+ x y)) (let [x 1] (fn [z] (+ z x (helper 10))))", [1000], 1111],
    ["(fn [{:keys [a b] :as m} [c & r]] [a b c r (count m)])", [{ a: 1, b: 2 }, [3, 4]], [1, 2, 3, [4], 2]],
    ["(fn [x:int & more] :int (reduce + x more))", [1, 2, 3], 6],
    ['(fn [s] (match s {:n n} when (> n 1) (str "a\\n" n) _ \'none))', [{ n: 2 }], "a\n2"],
    ["(fn [x] (double x))", [2], 4],
    ["#(+ % %2)", [1, 2], 3],
    ["(defmacro inc2 [x] `(+ 2 ~x)) (fn [x] (-> x inc2))", [1], 3],
    ["(defstruct P :x Int) P", [{ x: 1 }], { x: 1 }],
    ["(fn [xs] (for [x xs] (loop [i x] (if (< i 10) (recur (inc i)) i))))", [[1, 12]], [10, 12]],
    ["inc", [1], 2],
    ["(defn helper [x] (* x 3)) (fn [xs] (map (fn [x] (helper x)) xs))", [[1, 2]], [3, 6]],
    ["(let [ev (fn [n] (if (= n 0) true (od (dec n)))) od (fn [n] (if (= n 0) false (ev (dec n))))] od)", [3], true],
    ["(let [n 2] (let [down (fn [x] (if (< x n) x (down (- x n))))] down))", [7], 1],
    ["(fn loop-down [n] (if (= n 0) :end (loop-down (dec n))))".replace(":end", '"end"'), [3], "end"],
    ["(def op inc) (fn [x] (op x))", [1], 2]
  ])("%s can be made again elsewhere", (source, args, expected) => {
    const fn = make(source)
    expect(fn(...args)).toEqual(expected)
    const again = remade(fn)
    expect(again(...args)).toEqual(expected)
    expect(again[aboutFunction]).toMatchObject({ minimum: fn[aboutFunction]!.minimum, maximum: fn[aboutFunction]!.maximum })
    expect(remade(again)(...args)).toEqual(expected)
  })

  it("stays asynchronous or synchronous when it is made again", async () => {
    const fn = remade(make("(fn [x] (later x))"))
    expect(await fn(1)).toBe(2)
    expect(remade(make("(defn h [x] (inc x)) (fn [x] (h x))"))[aboutFunction]!.synchronous).toBe(true)
  })

  it("refuses text that gives no function", () => {
    expect(() => compileFunction({ kind: "rtfs", source: "5", captured: {} }, recordingHost().host)).toThrow(/does not give a function/)
    expect(() => compileFunction({ kind: "rtfs", source: "(fn [x", captured: {} }, recordingHost().host)).toThrow(/never closed/)
  })
})

import { describe, expect, it } from "vitest"
import { evaluatePure } from "../../src/cli/evaluatePure.ts"

const evaluate = (source: string) => evaluatePure(source, "expression")

describe("evaluatePure", () => {
  it("gives the value of what needs no host", async () => {
    expect(await evaluate("(map inc [1 2])")).toEqual({ value: [2, 3] })
    expect(await evaluate("(defn f [n] (if (= n 0) 0 (f (dec n)))) (f 100)")).toEqual({ value: 0 })
    expect(await evaluate("(try (/ 1 0) (catch e (:type e)))")).toMatchObject({ value: { name: "division-by-zero" } })
    expect(await evaluate("nil")).toEqual({ value: null })
  })

  it.each([
    ["a call", "(call :stream.from-collection [1])"],
    ["a call whose failure is caught", "(try (call :ccos.io.println 1) (catch e 2))"],
    ["a wrapper of a call", '(do (println "x") 1)'],
    ["a call in a callback", "(map (fn [n] (call :ccos.io.println n)) [1])"],
    ["a builder of streams", "(stream.map [1 2] inc)"],
    ["a builder whose absence is caught", "(try (stream.map [1 2] inc) (catch e 2))"],
    ["a failure", "(/ 1 0)"],
    ["text that can't be read", "(+ 1"]
  ])("leaves %s to a host", async (_, source) => expect(await evaluate(source)).toBeUndefined())
})

import { describe, expect, it } from "vitest"
import { compileSchema, createEvaluator, print } from "../../src/rtfs/index.ts"
import { recordingHost } from "./evaluation.ts"

const evaluate = (source: string): unknown => createEvaluator(recordingHost().host).evaluateNow(source)

/** The messages of all errors of a value, both written in RTFS. */
const errors = (schema: string, value: string): ReadonlyArray<string> =>
  compileSchema(evaluate(schema))(evaluate(value)).map(({ message }) => message)

describe("schemas", () => {
  it.each([
    // type expression, values that fit, values that do not
    [":int", ["1", "-5", "9007199254740993", "2.0"], ["1.5", '"1"', "nil"]],
    [":float", ["1", "1.5"], ['"1"']],
    [":string", ['""'], ["1", ":a", "nil"]],
    [":bool", ["true"], ["nil", "0"]],
    [":nil", ["nil"], ["false"]],
    [":keyword", [":a"], ['"a"']],
    [":symbol", ["'a"], [":a", '"a"', '{:name "a"}']],
    [":any", ["nil", "1", "[]"], []],
    [":never", [], ["nil", "1"]],
    [":Int", ["1"], ["1.5"]],
    [":int?", ["1", "nil"], ["1.5"]],
    [":timestamp", ['"2024-05-06T07:08:09Z"'], ['"yesterday"', "5"]],
    ["[:vector :int]", ["[]", "[1 2]"], ["[1 nil]", "{}", "nil"]],
    ["[:tuple :int :string]", ['[1 "a"]'], ["[1]", '[1 "a" 2]', '["a" 1]']],
    ["[:map [:a :int] [:b :string :?]]".replace(":?]", "'?]"), ["{:a 1}", '{:a 1 :b "x" :c 2}'], ["{}", "{:a 1 :b 2}", "[]"]],
    ["[:map {:a :int}]", ["{:a 1}"], ["{}"]],
    ["[:map [:a :int] [:* :string]]".replace(":*", "'*"), ['{:a 1 :z "x"}'], ["{:a 1 :z 2}"]],
    ["[:record [:a :int]]", ["{:a 1}"], ["{:a nil}"]],
    ["[:map-of :keyword :int]", ["{}", "{:a 1}", '{"b" 2}'], ["{:a :b}", "{1 2}"]],
    ["[:dict :int :int]", ["{1 2}"], ["{:a 1}"]],
    ["[:union :int :string]", ["1", '"a"'], [":a"]],
    ['[:enum :a 1 "x"]', [":a", "1", '"x"'], [":b", "2", '"a"']],
    ["[:val 5]", ["5"], ["6"]],
    ["[:and :int [:> 3] [:< 10]]", ["4"], ["3", "10", '"5"']],
    ["[:array :int [2]]", ["[1 2]"], ["[1]", "[1 2 3]"]],
    ["[:array :int ['?]]", ["[]", "[1]"], ['["a"]']],
    ["[:fn [:int] :int]", ["inc", "(fn [x] x)"], ["5"]],
    ["[:=> [:int] :int]", ["inc"], [":k"]],
    ["[:>= 2]", ["2"], ["1"]],
    ["[:<= 2]", ["2"], ["3"]],
    ["[:!= 2]", ["3"], ["2"]],
    ["[:and :string [:min-length 2] [:max-length 3]]", ['"ab"', '"😀😀"'], ['"a"', '"abcd"']],
    ["[:length 2]", ['"ab"'], ['"abc"']],
    ['[:matches-regex "^[a-z]+$"]', ['"abc"'], ['"a1"', "5"]],
    ["[:in-range 1 3]", ["1", "3"], ["0", "4"]],
    ["[:and [:vector :any] [:min-count 1] [:max-count 2]]", ["[1]"], ["[]", "[1 2 3]"]],
    ["[:count 1]", ["[1]", "{:a 1}"], ["[]"]],
    ["[:non-empty]", ["[1]", '"a"'], ["[]", '""', "5"]],
    ["[:has-key :a]", ["{:a nil}"], ["{}", "5"]],
    ["[:required-keys [:a :b]]", ["{:a 1 :b 2}"], ["{:a 1}"]]
  ])("%s", (schema, good, bad) => {
    for (const value of good) expect(errors(schema, value), value).toEqual([])
    for (const value of bad) expect(errors(schema, value), value).not.toEqual([])
  })

  it("gives all errors of the form that the specification uses, with path, expected, actual and message", () => {
    const schema =
      "{:type :map :required [:id :name] :properties {:id {:type :integer} :name {:type :string} :tags {:type :vector :items {:type :keyword}} :kind {:enum [:a :b]}}}"
    expect(errors(schema, '{:id 1 :name "x" :other true}')).toEqual([])
    const found = compileSchema(evaluate(schema))(evaluate("{:id 1.5 :tags [:a 2 nil] :kind :c}"))
    expect(print(found.map(({ path, expected, actual }) => [path, expected, actual]))).toBe(
      '[[[:id] :integer :float] [[:name] :string :nil] [[:tags 1] :keyword :integer] [[:tags 2] :keyword :nil] [[:kind] "one of [:a :b]" :keyword]]'
    )
    expect(found.map(({ message }) => message)).toEqual([
      "id: expected integer, got float",
      "name: expected string, got nothing: the key is missing",
      "tags.1: expected keyword, got integer",
      "tags.2: expected keyword, got nil",
      "kind: expected one of [:a :b], got :c"
    ])
    expect(errors(schema, "5")).toEqual(["expected map, got integer"])
  })

  it("checks a listed property only when it is present, and accepts keys from JSON", () => {
    const schema = "{:type :map :properties {:n {:type :number}}}"
    expect(errors(schema, "{}")).toEqual([])
    expect(errors(schema, '(json/parse "{\\"n\\": \\"x\\"}")')).toEqual(["n: expected number, got string"])
  })

  it.each([
    ["[:nope]", /Unknown type: \[:nope\]/],
    [":integr", /Unknown type: integr/],
    ["[:constructor]", /Unknown type/],
    ["[:vector]", /needs exactly one part/],
    ["[:> :a]", /needs a number/],
    ['[:matches-regex "("]', /Invalid pattern/],
    ["{:type :map :propertys {}}", /Unknown key in a schema: :propertys. Did you mean :properties/],
    ["{:required :a}", /:required needs a vector/],
    ["5", /5 is no type/]
  ])("refuses %s", (schema, message) => {
    expect(() => compileSchema(evaluate(schema))).toThrow(message)
  })

  it("is bounded: in depth, and in the number of errors", () => {
    expect(() => compileSchema(evaluate("(reduce (fn [t _] [:vector t]) :int (range 200))"))).toThrow(/nested more than 100/)
    expect(errors("[:vector :int]", "(map str (range 5000))")).toHaveLength(1000)
  })
})

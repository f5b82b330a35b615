import { describe, expect, it } from "vitest"
import { check, createEvaluator, expand, readForms, RtfsError } from "../../src/rtfs/index.ts"
import { recordingHost } from "./evaluation.ts"

/** The expanded program on one line. */
const lowered = (source: string): string =>
  expand(source)
    .replace(/\s+/g, " ")
    .replace(/([[({]) /g, "$1")

describe("stream forms", () => {
  it.each([
    ['(mcp-stream "weather" process)', '(call :mcp.stream.start {:endpoint "weather" :processor "process" :initial-state {}})'],
    ['(mcp-stream weather "process")', '(call :mcp.stream.start {:endpoint "weather" :processor "process" :initial-state {}})'],
    ['(mcp-stream "w" \'process {:count 0})', '(call :mcp.stream.start {:endpoint "w" :processor "process" :initial-state {:count 0}})'],
    [
      '(mcp-stream "w" {:retry 3} process)',
      '(call :mcp.stream.start {:endpoint "w" :config {:retry 3} :processor "process" :initial-state {}})'
    ],
    [
      '(mcp-stream "w" {:retry 3} process {:n 1})',
      '(call :mcp.stream.start {:endpoint "w" :config {:retry 3} :processor "process" :initial-state {:n 1}})'
    ],
    ['(mcp-stream "w" (fn [s c m] s))', '(call :mcp.stream.start {:endpoint "w" :processor (fn [s c m] s) :initial-state {}})'],
    [
      '(let [p (fn [s c m] s) ep "w"] (mcp-stream ep p))',
      '(let [p (fn [s c m] s) ep "w"] (call :mcp.stream.start {:endpoint ep :processor p :initial-state {}}))'
    ],
    [
      "(stream-source :a/b {:config {:x 1} :schema s :strict-validation true})",
      "(call :marketplace.stream.start {:id :a/b :config {:x 1} :schema s :strict-validation true})"
    ],
    ["(stream-source :a)", "(call :marketplace.stream.start {:id :a})"],
    [
      "(stream-source :a opts)",
      "(let [options--1 opts] (call :marketplace.stream.start {:id :a :config (:config options--1) :schema (:schema options--1) :strict-validation (:strict-validation options--1)}))"
    ],
    [
      "(stream-consume h {:on-item f :on-error 'g :on-complete {:fn 'h} :enable-callbacks true})",
      "(call :marketplace.stream.register-callbacks {:handle h :on-item f :on-error g :on-complete h})"
    ],
    [
      "(stream-consume h {:on-item f} {:backpressure {:strategy :drop-oldest}})",
      "(call :marketplace.stream.register-callbacks {:handle h :on-item f :options {:backpressure {:strategy :drop-oldest}}})"
    ],
    ["(stream-consume h spec)", "(call :marketplace.stream.register-callbacks {:handle h :callbacks spec})"],
    [
      "(stream-consume h {item => (f item)})",
      "(loop [] (let [next--1 (call :marketplace.stream.next {:handle h :timeout_ms 1000})] (case (:status next--1) :item (do (let [item (:item next--1)] (f item)) (recur)) :items (do (doseq [item (:items next--1)] (f item)) (recur)) :timeout (recur) :end nil :error (throw (:error next--1)))))"
    ],
    ["(stream-sink :a.b)", "(call :marketplace.stream.open-sink {:id :a.b})"],
    ["(stream-produce h 5)", "(call :marketplace.stream.send {:handle h :item 5})"],
    ["(stream-produce h 5 {:on-success f})", "(call :marketplace.stream.send {:handle h :item 5 :options {:on-success f}})"],
    ["(stream-produce h :items [1 2] :options o)", "(call :marketplace.stream.send {:handle h :items [1 2] :options o})"],
    [
      "(stream-transform :input-stream i :output-stream o :transform-fn f :config {:on-transform-error {:fn 'g}})",
      "(call :marketplace.stream.transform {:input-stream i :output-stream o :transform-fn f :config {:on-transform-error g}})"
    ],
    ["(stream-pipeline [(stream-transform :fn f)])", "{:type :stream-pipeline :stages [{:stage :transform :fn f}]}"],
    ["(stream-execute p {:on-pipeline-start f})", "(call :marketplace.stream.execute {:pipeline p :on-pipeline-start f})"],
    ["(stream-bidirectional :a)", "(call :marketplace.stream.open-bidirectional {:id :a})"],
    [
      "(stream-duplex :input-capability :a :output-capability :b :config c)",
      "(call :marketplace.stream.open-duplex {:input-capability :a :output-capability :b :config c})"
    ],
    [
      "(stream-interact h :send m :config {:on-receive f})",
      "(call :marketplace.stream.interact {:handle h :send m :config {:on-receive f}})"
    ],
    ["(stream-multiplex [a b] {:strategy :round-robin})", "(call :marketplace.stream.multiplex {:streams [a b] :strategy :round-robin})"],
    [
      "(stream-demultiplex h {:criteria f :outputs {:a s}})",
      "(call :marketplace.stream.demultiplex {:handle h :criteria f :outputs {:a s}})"
    ],
    [
      "(stream-callbacks :stream-handle h :events {:on-item f :on-pause 'g})",
      "(call :marketplace.stream.register-callbacks {:handle h :on-item f :on-pause g})"
    ],
    [
      "(register-stream-capability :capability-id :a :type :stream-source)",
      "(call :marketplace.stream.register {:capability-id :a :type :stream-source})"
    ],
    [
      "(stream-circuit-breaker :failure-threshold 3 :on-open f)",
      "(call :marketplace.stream.circuit-breaker {:failure-threshold 3 :on-open f})"
    ],
    ["(let [b 1] (b:call f))", "(let [b 1] (call :marketplace.stream.circuit-breaker.call {:breaker b :function f}))"],
    ["(stream-profile h {:sampling-rate 0.1})", "(call :marketplace.stream.profile {:handle h :sampling-rate 0.1})"],
    ["(stream-close h)", "(call :marketplace.stream.close {:handle h})"],
    [
      "(with-resource [s Stream (stream-source :a)] (f s) 1)",
      "(let [s (call :marketplace.stream.start {:id :a})] (try (f s) 1 (finally (call :marketplace.stream.close {:handle s}))))"
    ],
    ["(step-parallel (f) (g))", "(call :ccos.concurrent.parallel [(fn [] (f)) (fn [] (g))])"],
    ["(parallel [a (f)] [b (g)])", "(let [[a--1 b--2] (call :ccos.concurrent.parallel [(fn [] (f)) (fn [] (g))])] {:a a--1 :b b--2})"],
    ["(-> s (stream.map f) (stream.batch 50))", "(stream.batch (stream.map s f) 50)"]
  ])("%s", (source, expected) => {
    expect(lowered(source)).toBe(expected)
  })

  it("interact sends, then receives from the same handle", () => {
    expect(lowered("(stream-interact (open) :send m :receive {r => (f r)})")).toMatch(
      /^\(let \[handle--1 \(open\)\] \(call :marketplace\.stream\.send \{:handle handle--1 :item m\}\) \(loop \[\] .*\{:handle handle--1 :timeout_ms 1000\}/
    )
  })

  it("leaves a head alone that the program has given another meaning", () => {
    expect(lowered("(defn stream-close [x] x) (stream-close 1)")).toBe("(defn stream-close [x] x) (stream-close 1)")
    expect(lowered("(fn [stream-sink] (stream-sink 1))")).toBe("(fn [stream-sink] (stream-sink 1))")
    expect(lowered("(let [[a {:keys [stream-close]}] x] (stream-close 1))")).toBe("(let [[a {:keys [stream-close]}] x] (stream-close 1))")
    expect(lowered("(match x stream-close (stream-close 1) _ (stream-close 2))")).toBe(
      "(match x stream-close (stream-close 1) _ (call :marketplace.stream.close {:handle 2}))"
    )
    expect(lowered("(try 1 (catch stream-close (stream-close 1)))")).toBe("(try 1 (catch stream-close (stream-close 1)))")
    expect(lowered("'(stream-close 1)")).toBe("'(stream-close 1)")
  })

  it("uses no name that the program uses", () => {
    expect(lowered("(let [next--1 5] (stream-consume h {x => (f x next--1)}))")).toMatch(/\[next--2 \(call/)
  })

  it("lowers inside macros and their results", () => {
    expect(lowered("(defmacro close-all [& hs] `(do ~@(map (fn [h] `(stream-close ~h)) hs))) (close-all a b)")).toBe(
      "(do (call :marketplace.stream.close {:handle a}) (call :marketplace.stream.close {:handle b}))"
    )
  })

  it.each([
    "(stream-sink)",
    "(stream-consume h)",
    "(stream-transform 5)",
    "(stream-interact)",
    "(with-resource [a])",
    "(parallel a b)",
    '(mcp-stream "w")',
    "(->)",
    "(stream-callbacks :events {})"
  ])("refuses %s", (source) => {
    expect(() => expand(source)).toThrow(RtfsError)
  })

  it("prints a program that reads back and expands to itself", () => {
    const source =
      '(defn f [x] ; c\n (-> x (stream.map {:a "b\\n" 3 [1.5 -0.0 ##Inf :k/l nil true]})))\n(stream-consume h {[a b] => (f a) (f b)})\n`(a ~b ~@c)'
    const once = expand(source)
    expect(expand(once)).toBe(once)
  })

  it("consumes what next gives until the end, and closes resources whatever happens", async () => {
    const replies = [{ status: "item", item: 1 }, { status: "timeout" }, { status: "items", items: [2, false] }, { status: "end" }]
    const { keyword } = await import("../../src/serialization/index.ts")
    const seen: Array<unknown> = []
    const evaluator = createEvaluator({
      call: async (id) => {
        if (id.endsWith(".next")) {
          const reply = replies.shift()!
          return { ...reply, status: keyword(reply.status) }
        }
        if (id.endsWith(".close")) seen.push("closed")
        return null
      },
      globals: new Map([["see", (x: unknown) => void seen.push(x)]])
    })
    expect(await evaluator.evaluate("(stream-consume 1 {x => (see x)})")).toBe(null)
    expect(seen).toEqual([1, 2, false])
    await expect(evaluator.evaluate("(with-resource [s Any 1] (see s) (throw {:type :broken}))")).rejects.toMatchObject({ type: "broken" })
    expect(seen.slice(3)).toEqual([1, "closed"])
  })
})

describe("check", () => {
  const found = (source: string, options: Parameters<typeof check>[1] = {}) =>
    check(source, options).map(
      ({ at, message, severity, suggestion }) =>
        `${severity} ${at.line}:${at.column} ${message}${suggestion === undefined ? "" : ` (${suggestion})`}`
    )

  it("finds everything at once, in order", () => {
    expect(
      found('(defn add [a b] (+ a b))\n(add 1)\n(mpa inc [1])\n(if)\n(call :stream.fliter s)\n(let [x] x)\n(count)\n"\\q"', {
        capabilityIds: ["stream.filter", "stream.map"],
        globals: new Map([["s", 1]])
      })
    ).toEqual([
      "error 2:1 Arity mismatch in add: expected 2, got 1",
      "error 3:2 Undefined symbol: mpa (map)",
      "error 4:1 if takes a test and one or two branches",
      "warning 5:1 Unknown capability: stream.fliter (stream.filter)",
      "error 6:7 let needs a value for each name",
      "error 7:1 Arity mismatch in count: expected 1, got 0",
      "error 8:2 Unknown escape \\q in a string"
    ])
  })

  it("finds nothing in a good program, forward references and macros included", () => {
    expect(found("(defmacro twice [x] `(do ~x ~x)) (defn a [] (b 1)) (defn b [x] (twice (println x))) (a)")).toEqual([])
  })

  it("evaluates nothing", () => {
    expect(found("(loop [] (recur)) (call :x)")).toEqual([])
  })

  it("knows names and arities of the host", () => {
    expect(found("(process-chunk 1) (proces-chunk 1)", { globals: new Map([["process-chunk", () => 1]]) })).toEqual([
      "error 1:20 Undefined symbol: proces-chunk (process-chunk)"
    ])
  })
})

describe("reading expanded forms", () => {
  it("gives forms for tools", () => {
    expect(readForms("(call :a {:b 1})")[0]).toMatchObject({
      kind: "list",
      items: [{ name: "call" }, { kind: "keyword", name: "a" }, { kind: "brace" }]
    })
  })

  it("evaluates what expand prints as it evaluates the source", async () => {
    const source = "(defmacro add [& xs] `(+ ~@xs)) (defn f [x] (-> x (add 1 2) (* 2))) (map f [1 2 3])"
    const host = recordingHost().host
    expect(await createEvaluator(host).evaluate(expand(source))).toEqual(await createEvaluator(host).evaluate(source))
  })
})

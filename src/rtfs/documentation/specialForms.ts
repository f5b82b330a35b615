import { entries, type Entry } from "./Entry.ts"

const kind = "special form"

export const specialFormEntries: ReadonlyArray<Entry> = [
  ...entries(kind, "Definitions", [
    [
      "def",
      "(def name value)",
      "Gives a name a value. At the top level the whole program sees it, inside a body only the rest of that body.",
      "`:syntax-error` unless it has exactly a symbol and a value.",
      "(def answer 42) (+ answer 1) ⇒ 43",
      "(let [x 1] (def y 2) (+ x y)) ⇒ 3"
    ],
    [
      "defn",
      "(defn name [parameter…] body…)",
      "Defines a function. Functions of the top level can call each other in any order; `& more` takes the remaining arguments as a list.",
      "`:arity-error` when it is called with too few or too many arguments.",
      "(defn area [w h] (* w h)) (area 3 4) ⇒ 12",
      "(defn average [& numbers] (/ (reduce + numbers) (count numbers))) (average 1 2 3 6) ⇒ 3",
      "(defn f [x] x) (f 1 2) ⇒ !arity-error"
    ],
    [
      "defstruct",
      "(defstruct Name :field Type …)",
      "Defines a constructor that takes one map, checks its fields against their types, and gives the map.",
      "`:validation-error` for a map that does not fit.",
      "(defstruct Point :x Int :y Int) (Point {:x 1 :y 2}) ⇒ {:x 1, :y 2}",
      '(defstruct Point :x Int :y Int) (Point {:x 1 :y "2"}) ⇒ !validation-error'
    ],
    [
      "defmacro",
      "(defmacro name [parameter…] template)",
      "Defines a macro: its parameters are bound to the unevaluated forms of a call, and what its body gives is compiled in place of the call. It can't call the host.",
      "`:macro-error` for a wrong number of forms, a failing body, or an expansion without end.",
      "(defmacro unless [test & body] `(if ~test nil (do ~@body))) (unless false 1 2) ⇒ 2",
      "(defmacro m [x] x) (m) ⇒ !macro-error"
    ],
    [
      "fn",
      "(fn [parameter…] body…)",
      "Makes a function that sees the variables around it. `λ` is another name for it, and `#(+ % 1)` is short for `(fn [%1] (+ %1 1))`.",
      "`:arity-error` when it is called with too few or too many arguments.",
      "(map (fn [x] (* x x)) [1 2 3]) ⇒ [1 4 9]",
      "(map #(* % %) [1 2 3]) ⇒ [1 4 9]",
      "((fn [[a b] {:keys [c]}] [a b c]) [1 2] {:c 3}) ⇒ [1 2 3]",
      "((fn [x] x)) ⇒ !arity-error"
    ],
    [
      "let",
      "(let [name value …] body…)",
      "Binds names one after the other and gives the value of the last body form. Vectors and maps can be taken apart: `[a b & more :as all]`, `{:keys [a b] :c pattern & rest :as all}`; what is missing is nil.",
      "`:type-error` when a vector pattern meets no vector, or a map pattern no map.",
      "(let [x 1 y (+ x 1)] [x y]) ⇒ [1 2]",
      "(let [[a b & more] [1 2 3 4]] [a b more]) ⇒ [1 2 [3 4]]",
      "(let [{:keys [id name]} {:id 7}] [id name]) ⇒ [7 nil]",
      "(let [[a] 5] a) ⇒ !type-error"
    ]
  ]),
  ...entries(kind, "Choices", [
    [
      "if",
      "(if test then else?)",
      "Evaluates one of two branches; without `else` the other one is nil. Only nil and false count as false.",
      "",
      "(if (> 2 1) :yes :no) ⇒ :yes",
      '[(if 0 1 2) (if "" 1 2) (if nil 1 2)] ⇒ [1 1 2]',
      "(if false 1) ⇒ nil"
    ],
    [
      "when",
      "(when test body…)",
      "Evaluates its body if the test holds; else it is nil.",
      "",
      "(when (> 2 1) 1 2) ⇒ 2",
      "(when nil 1) ⇒ nil"
    ],
    ["when-not", "(when-not test body…)", "Evaluates its body if the test does not hold; else it is nil.", "", "(when-not false 1) ⇒ 1"],
    [
      "cond",
      "(cond test value …)",
      "The value after the first test that holds, nil if none does. `:else` holds always.",
      "",
      "(cond (< 5 1) :small (< 5 10) :medium :else :large) ⇒ :medium",
      "(cond false 1) ⇒ nil"
    ],
    [
      "case",
      "(case value constant result … default?)",
      "The result after the constant that is equal to the value. The constants are not evaluated.",
      "`:match-error` when no constant is equal and there is no default.",
      "(case :b :a 1 :b 2) ⇒ 2",
      "(case 9 1 :one :many) ⇒ :many",
      "(case 9 1 :one) ⇒ !match-error"
    ],
    [
      "match",
      "(match value pattern body …)",
      "The body after the first pattern that fits. Patterns are constants, names, `_`, vectors (of exactly this length, or with `& rest`) and maps (with exactly these keys, or `& rest`); `pattern when test body` adds a condition.",
      "`:match-error` when nothing fits.",
      "(match [1 [2 3]] [a [b c]] (+ a b c)) ⇒ 6",
      "(match {:type :circle :r 2} {:type :square :side s} (* s s) {:type :circle :r r} (* 3 r r)) ⇒ 12",
      "(match 5 n when (> n 10) :large _ :small) ⇒ :small",
      "(match 5 6 1) ⇒ !match-error"
    ],
    [
      "if-let",
      "(if-let [name value] then else?)",
      "Binds a name and evaluates `then` if the value is neither nil nor false, else `else`.",
      "",
      "(if-let [x (:a {:a 1})] (inc x) :none) ⇒ 2",
      "(if-let [x (:b {:a 1})] (inc x) :none) ⇒ :none"
    ],
    [
      "when-let",
      "(when-let [name value] body…)",
      "Binds a name and evaluates its body if the value is neither nil nor false.",
      "",
      "(when-let [x (first [3 4])] (* x x)) ⇒ 9"
    ],
    [
      "and",
      "(and form…)",
      "Evaluates from the left up to the first value that is nil or false, and gives that; else the last one.",
      "",
      "(and 1 2) ⇒ 2",
      "[(and) (and 1 nil 2)] ⇒ [true nil]"
    ],
    [
      "or",
      "(or form…)",
      "Evaluates from the left up to the first value that is neither nil nor false, and gives that; else the last one.",
      "",
      "(or nil 2 3) ⇒ 2",
      "(or) ⇒ false"
    ]
  ]),
  ...entries(kind, "Sequence and repetition", [
    ["do", "(do form…)", "Evaluates forms in order and gives the last value.", "", "(do 1 2 3) ⇒ 3", "(do) ⇒ nil"],
    [
      "loop",
      "(loop [name value …] body…)",
      "Binds names as `let` does; `recur` in its body starts it again with other values. Takes no stack.",
      "",
      "(loop [i 0 sum 0] (if (> i 10) sum (recur (inc i) (+ sum i)))) ⇒ 55"
    ],
    [
      "recur",
      "(recur value…)",
      "Starts the nearest `loop` or function again, with all values computed before. Only in tail position.",
      "`:syntax-error` outside of a tail position or with another number of values.",
      "(defn countdown [n] (if (= n 0) :done (recur (dec n)))) (countdown 100000) ⇒ :done",
      "(loop [i 0] (+ 1 (recur i))) ⇒ !syntax-error"
    ],
    [
      "for",
      "(for [name collection …] body…)",
      "A vector of the values of its body for each element; with several collections the rightmost goes fastest.",
      "`:type-error` for what is no vector.",
      "(for [x [1 2] y [:a :b]] [x y]) ⇒ [[1 :a] [1 :b] [2 :a] [2 :b]]",
      "(for [x 5] x) ⇒ !type-error"
    ],
    [
      "doseq",
      "(doseq [name collection …] body…)",
      "Evaluates its body for each element, for its effects, and gives nil.",
      "`:type-error` for what is no vector.",
      "(doseq [x [1 2]] (println x)) ⇒ nil"
    ],
    [
      "dotimes",
      "(dotimes [name count] body…)",
      "Evaluates its body that many times, with the name bound to 0, 1, 2 …, and gives nil.",
      "`:type-error` for a count that is no integer.",
      "(dotimes [i 3] (println i)) ⇒ nil"
    ],
    [
      "->",
      "(-> value step …)",
      "Puts the value into the first step as its first argument, the result into the next one, and so on. A name alone is a call.",
      "",
      "(-> 5 (- 3) inc) ⇒ 3",
      "(-> x (f a) g) ⇝ (g (f x a))"
    ],
    [
      "->>",
      "(->> value step …)",
      "As `->`, with the value as the last argument.",
      "",
      "(->> [1 2 3 4] (filter even?) (map inc)) ⇒ [3 5]",
      "(->> x (f a) g) ⇝ (g (f a x))"
    ]
  ]),
  ...entries(kind, "Failures", [
    [
      "try",
      "(try body… (catch name handler…) … (finally cleanup…)?)",
      "Evaluates its body; when that fails, the first `catch` that takes the failure. `finally` runs in any case. Limits (fuel, memory, time) can't be caught.",
      "",
      "(try (/ 1 0) (catch e (:type e))) ⇒ :division-by-zero",
      '(try (+ 1 2) (catch e 0) (finally (println "always"))) ⇒ 3'
    ],
    [
      "catch",
      "(catch name handler…) (catch Class name handler…) (catch :type name handler…)",
      "A clause of `try`. `RuntimeError`, `HostError` and `ValidationError` take failures of that class, a keyword those of that `:type`, any other class all. The failure answers `(:type e)`, `(:message e)`, `(:data e)` and `(getMessage e)`; what `throw` threw is bound as it is.",
      "`:syntax-error` outside of `try`.",
      "(try (+ 1 nil) (catch :division-by-zero e 1) (catch :type-error e 2)) ⇒ 2",
      "(try (throw {:type :full :level 9}) (catch :full e (:level e))) ⇒ 9"
    ],
    [
      "finally",
      "(finally cleanup…)",
      "The last clause of `try`: runs whatever happens; its value is dropped.",
      "`:syntax-error` outside of `try`.",
      "(try 1 (finally 2)) ⇒ 1"
    ],
    [
      "throw",
      "(throw value)",
      "Fails with any value. A map with `:type` can be caught by that type.",
      "Always: that is what it is for.",
      "(try (throw :stop) (catch e e)) ⇒ :stop",
      "(throw {:type :out-of-stock}) ⇒ !out-of-stock"
    ]
  ]),
  ...entries(kind, "Code as data", [
    [
      "quote",
      "(quote form) 'form",
      "The form itself, unevaluated: symbols as symbols, lists as vectors.",
      "",
      "'(a 1 :b) ⇒ [a 1 :b]",
      "(quote x) ⇒ x"
    ],
    [
      "quasiquote",
      "(quasiquote form) `form",
      "The form with what is unquoted in it evaluated: for the templates of macros.",
      "",
      "(let [x 2] `(a ~x ~@[3 4])) ⇒ [a 2 3 4]"
    ],
    [
      "unquote",
      "(unquote form) ~form",
      "Inside a quasiquote: the value of the form.",
      "`:read-error` (`~`) or `:syntax-error` outside of a quasiquote.",
      "(let [x 2] `[~x ~(inc x)]) ⇒ [2 3]",
      "~x ⇒ !read-error"
    ],
    [
      "unquote-splicing",
      "(unquote-splicing form) ~@form",
      "Inside a quasiquote: the elements of a vector, in place.",
      "`:read-error` (`~@`) or `:syntax-error` outside of a quasiquote.",
      "`[0 ~@(map inc [1 2])] ⇒ [0 2 3]"
    ]
  ]),
  ...entries(kind, "The host", [
    [
      "call",
      "(call id argument…)",
      "Asks the host for a capability: the only way to an effect. The id is a keyword or string; `/` and `.` are the same in it. `rtfs-streams capabilities` lists what there is.",
      "`:unknown-capability`, `:capability-denied` where the policy does not grant it, or what the capability fails with.",
      "(call :stream.await (call :stream.to-collection {:source [1 2 3]})) ⇒ [1 2 3]",
      "(call :no.such.thing) ⇒ !unknown-capability",
      '(call :stream.file.read "/etc/passwd" {}) ⇒ !capability-denied'
    ],
    [
      "resource:ref",
      '@name (resource:ref "name")',
      'A value of the host\'s by name; the text "@name" where the host has none.',
      "`:syntax-error` unless it has exactly one string.",
      '@threshold ⇒ "@threshold"'
    ],
    [
      "step",
      '(step "name" body…)',
      "As `do`, and tells the host when it starts and ends.",
      "`:type-error` for a name that is no string or keyword.",
      '(step "load" (+ 1 2)) ⇒ 3'
    ],
    ["step-if", "(step-if test then else?)", "As `if`, as a step.", "", "(step-if true 1 2) ⇒ 1"],
    [
      "step-loop",
      "(step-loop test body…)",
      "Evaluates its body as long as the test holds, as one step, and gives nil.",
      "",
      "(step-loop false 1) ⇒ nil"
    ]
  ]),
  ...entries(kind, "What RTFS has not", [
    [
      "set!",
      "(set! name value)",
      "Does not exist: values never change. Use `loop` and `recur`, `reduce`, or the state of a stream.",
      "`:syntax-error`, always.",
      "(set! x 1) ⇒ !syntax-error"
    ],
    ["deref", "(deref atom)", "Does not exist: there are no atoms.", "`:syntax-error`, always.", "(deref x) ⇒ !syntax-error"]
  ])
]

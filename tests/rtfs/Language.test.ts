import { describe, expect, it } from "vitest"
import { failureOf, outcome, rows, value } from "./evaluation.ts"

const table = (title: string, text: string): void => {
  describe(title, () => {
    it.each(rows(text))("%s", async (source, expected) => {
      expect(await outcome(source)).toBe(expected)
    })
  })
}

table(
  "values, equality and truth",
  String.raw`
  [(if 0 1 2) (if "" 1 2) (if [] 1 2) (if {} 1 2) (if nil 1 2) (if false 1 2)] ⇒ [1 1 1 1 2 2]
  (= 1 1.0) ⇒ true
  [(int? 1.0) (float? 1.5) (float? 1.0) (int? 1.5)] ⇒ [true true false false]
  (= {:a [1 {:b 2}] :c nil} {:c nil :a [1 {:b 2}]}) ⇒ true
  (= "a" :a) ⇒ false
  (= 'a "a") ⇒ false
  (= 'a 'a) ⇒ true
  (= {:a 1} {"a" 1}) ⇒ true
  (:id {"id" 7}) ⇒ 7
  (get {:id 7} "id") ⇒ 7
  (= ##NaN ##NaN) ⇒ false
  (= [1 2] '(1 2)) ⇒ true
  (= [1] [1 2]) ⇒ false
  (= {:a 1} {:a 1 :b 2}) ⇒ false
  (= 1 1 1) ⇒ true
  (= 1 1 2) ⇒ false
  (!= 1 2) ⇒ true
  ([1 2] 0) ⇒ !not-callable
  ({:a 1} :a) ⇒ !not-callable
  ("a" 1) ⇒ !not-callable
  (:k {:k 1}) ⇒ 1
  (:k {:k nil} 5) ⇒ nil
  (:k {} 5) ⇒ 5
  [(:k nil) (:k nil 5)] ⇒ [nil 5]
  (:k 5) ⇒ !type-error
  (:k [1]) ⇒ !type-error
  (:k "s") ⇒ !type-error
  {:a 1 :a 2} ⇒ {:a 2}
  {0 "a" "0" "b"} ⇒ {0 "a", "0" "b"}
  {nil 1} ⇒ !syntax-error
  {:a} ⇒ !syntax-error
  {a 1} ⇒ !syntax-error
  (str 1.0 " " 2.5 nil :k true ["a" {:k "v"}]) ⇒ "1 2.5nil:ktrue[\"a\" {:k \"v\"}]"
  (str (fn [x] x)) ⇒ "#<function>"
  (str inc) ⇒ "#<function>"
  (str (try (/ 1 0) (catch e e))) ⇒ "#<error: Division by zero>"
  () ⇒ []
  (sort [[1] "b" :k nil 2 'x true {:a 1} "a" 1 false]) ⇒ [nil false true 1 2 "a" "b" :k x [1] {:a 1}]
  [(< "a" "b") (< 1 2.5) (>= 2 2)] ⇒ [true true true]
  (< 1 "a") ⇒ !type-error
  [(< "￮" "😀") (sort ["😀" "￮" "a"])] ⇒ [true ["a" "￮" "😀"]]
  (< nil 1) ⇒ !type-error
  (< :a :b) ⇒ !type-error
  (< 1 2 3) ⇒ !arity-error
  (< "\ud83d\ude00" "x") ⇒ !read-error
`
)

table(
  "special forms",
  String.raw`
  (def x 1) (def y (+ x 1)) [x y] ⇒ [1 2]
  (def x) ⇒ !syntax-error
  (def x 1 2) ⇒ !syntax-error
  (def "x" 1) ⇒ !syntax-error
  (fn [x]) ⇒ !syntax-error
  (defn f []) ⇒ !syntax-error
  ((λ [x] (inc x)) 1) ⇒ 2
  ((fn [x] 1 x) 2) ⇒ 2
  (do (def a 1) (+ a 1)) ⇒ 2
  (let [x 1] (def y 2) (+ x y)) ⇒ 3
  (let [x 1] (defn g [a] (if (> a 3) a (g (+ a x)))) (g 1)) ⇒ 4
  (let [x 1] (def y 2) 3) y ⇒ !undefined-symbol
  (let [] 1) ⇒ 1
  (let [x 1]) ⇒ !syntax-error
  (let [x] 1) ⇒ !syntax-error
  (let [x 1 y (+ x 1) x 10] [x y]) ⇒ [10 2]
  (if) ⇒ !syntax-error
  (if true) ⇒ !syntax-error
  (if true 1 2 3) ⇒ !syntax-error
  (if nil 1) ⇒ nil
  (do) ⇒ nil
  (for [x [1 2] y [10 20]] (+ x y)) ⇒ [11 21 12 22]
  (for [x 5] x) ⇒ !type-error
  (for [[a b] [[1 2] [3 4]]] (+ a b)) ⇒ [3 7]
  (let [r (dotimes [i 3] i)] r) ⇒ nil
  (dotimes [i -1] (/ 1 0)) ⇒ nil
  (dotimes [i 2.5] i) ⇒ !type-error
  (defstruct Pt :x Int :y Int) (Pt {:x 1 :y 2 :z 3}) ⇒ {:x 1, :y 2, :z 3}
  (defstruct Pt :x Int :y Int) (Pt {:x 1 :y "2"}) ⇒ !validation-error
  (defstruct Pt :x Int :y Int) (Pt {:x 1}) ⇒ !validation-error
  (defstruct Pt :x Int :y Int) (Pt 5) ⇒ !type-error
  [(and) (or) (and 1 2) (and nil (/ 1 0)) (or nil 3) (or 1 (/ 1 0)) (and 1 false) (or nil false)] ⇒ [true false 2 nil 3 1 false false]
  (not nil) ⇒ true
  [(when true 1 2) (when false 1) (when-not false 3)] ⇒ [2 nil 3]
  [(cond) (cond false 1) (cond false 1 :else 2)] ⇒ [nil nil 2]
  (cond 1) ⇒ !syntax-error
  [(case 2 1 :a 2 :b) (case 9 1 :a :d) (case :k :k 1) (case "s" "s" 1)] ⇒ [:b :d 1 1]
  (case 9 1 :a) ⇒ !match-error
  [(if-let [x 1] (+ x 1) 0) (if-let [x nil] 1 0) (when-let [x false] 1) (when-let [x 2] 1 x)] ⇒ [2 0 nil 2]
  (loop [i 0 acc []] (if (= i 3) acc (recur (inc i) (conj acc i)))) ⇒ [0 1 2]
  (loop [a 1 b 2 n 0] (if (= n 1) [a b] (recur b a (inc n)))) ⇒ [2 1]
  (loop [i 0] (if (< i 100000) (recur (inc i)) i)) ⇒ 100000
  (defn down [n] (if (= n 0) :done (recur (dec n)))) (down 100000) ⇒ :done
  ((fn [n & more] (if (= n 0) more (recur (dec n) (conj more n)))) 3) ⇒ [3 2 1]
  (loop [i 0] (cond (> i 10) i :else (let [j (inc i)] (when true (do (recur j)))))) ⇒ 11
  (loop [i 0] (match i 5 :five _ (recur (inc i)))) ⇒ :five
  (loop [i 0] (if-let [x (< i 3)] (recur (inc i)) i)) ⇒ 3
  (loop [i 0] (case i 3 :three (recur (inc i)))) ⇒ :three
  (loop [i 0] (or (> i 5) (recur (inc i)))) ⇒ true
  (loop [i 0] (and (< i 5) (recur (inc i)))) ⇒ false
  (recur 1) ⇒ !syntax-error
  (loop [i 0] (+ 1 (recur i))) ⇒ !syntax-error
  (loop [i 0] (recur)) ⇒ !syntax-error
  (loop [i 0] (do (recur 1) 2)) ⇒ !syntax-error
  (loop [i 0] (try (recur 1) (catch e 1))) ⇒ !syntax-error
  (map (fn [f] (f)) (loop [i 0 fs []] (if (= i 3) fs (recur (inc i) (conj fs (fn [] i)))))) ⇒ [0 1 2]
  (map (fn [f] (f)) (for [x [1 2 3]] (fn [] (* x x)))) ⇒ [1 4 9]
  (map (fn [f] (f)) (loop [i 0 fs []] (if (= i 3) fs (let [j (* i 10)] (recur (inc i) (conj fs (fn [] j))))))) ⇒ [0 10 20]
  ((fn [n fs] (if (= n 0) (map (fn [f] (f)) fs) (recur (dec n) (conj fs (fn [] n))))) 3 []) ⇒ [3 2 1]
  (-> 1 (- 3) (* 2)) ⇒ -4
  (-> {:a {:b 5}} :a :b inc) ⇒ 6
  (->> [1 2 3] (map inc) (reduce +)) ⇒ 9
  (doseq [x [1 2]] x) ⇒ nil
  (step "name" 1 2) ⇒ 2
  (step-if true 1 2) ⇒ 1
  (set! x 1) ⇒ !syntax-error
  (deref x) ⇒ !syntax-error
  (atom 1) ⇒ !undefined-symbol
  (import "fs") ⇒ !undefined-symbol
  (let [if 1] (if false 2 if)) ⇒ 1
  (let [recur 1] (recur)) ⇒ !syntax-error
  (defn f [count] (+ count 1)) (f 2) ⇒ 3
  (let [map 5] (+ map 1)) ⇒ 6
  (defn count [x] :mine) (count [1 2]) ⇒ :mine
  (unknown-thing) ⇒ !undefined-symbol
  (try (unknown-thing) (catch e (:type e))) ⇒ :undefined-symbol
  (.inc 1) ⇒ 2
  (.x {:x 1}) ⇒ !undefined-symbol
`
)

table(
  "what a loop collects is seen by nobody else",
  String.raw`
  (let [v [1]] [(loop [a v i 0] (if (< i 2) (recur (conj a i) (inc i)) a)) v]) ⇒ [[1 0 1] [1]]
  (let [m {:a 1}] [(loop [a m i 0] (if (< i 2) (recur (assoc a :b i) (inc i)) a)) m]) ⇒ [{:a 1, :b 1} {:a 1}]
  (loop [a [] all [] i 0] (if (< i 3) (recur (conj a i) (conj all a) (inc i)) all)) ⇒ [[] [0] [0 1]]
  (loop [a [] n [] i 0] (if (< i 3) (recur (conj a i) (conj n (count a)) (inc i)) [a n])) ⇒ [[0 1 2] [0 1 2]]
  (loop [a [] b [] i 0] (if (< i 2) (recur (conj a (count b)) (conj b (count a)) (inc i)) [a b])) ⇒ [[0 1] [0 1]]
  (loop [a [] i 0] (if (< i 3) (recur (conj a a) (inc i)) a)) ⇒ [[] [[]] [[] [[]]]]
  (loop [a [] fs [] i 0] (if (< i 2) (recur (conj a i) (conj fs (fn [] a)) (inc i)) (map (fn [f] (f)) fs))) ⇒ [[] [0]]
  (loop [a [] i 0] (if (< i 3) (recur (conj a (count a)) (inc i)) a)) ⇒ [0 1 2]
  (loop [a [] i 0] (if (< i 3) (let [b a] (recur (conj a (count b)) (inc i))) a)) ⇒ [0 1 2]
  (loop [a [0] i 0] (if (< i 3) (recur (if (even? i) (conj a i) a) (inc i)) a)) ⇒ [0 0 2]
  (reduce (fn [acc x] (conj acc x acc)) [] [1 2]) ⇒ [1 [] 2 [1 []]]
  (reduce (fn [acc x] [acc x]) [] [1 2]) ⇒ [[[] 1] 2]
  (reduce (fn [acc x] (assoc acc :seen (conj (:seen acc) x))) {:seen []} [1 2]) ⇒ {:seen [1 2]}
  (let [start {:n 0}] [(reduce (fn [m x] (assoc m :n (+ x (:n m)))) start [1 2 3]) start]) ⇒ [{:n 6} {:n 0}]
  (reduce (fn [acc x] (assoc acc x 1)) {} [1 "a" :b "1"]) ⇒ {1 1, :a 1, :b 1, "1" 1}
  (reduce (fn [acc x] (conj acc x)) nil [1]) ⇒ !type-error
  (reduce (fn [acc x] (conj acc x)) [] nil) ⇒ !type-error
  (reduce (fn [_ x] x) 0 [1 2]) ⇒ 2
  (reduce (fn [x y] (let [x (* x 2)] (+ x y))) 1 [1 2]) ⇒ 8
  (reduce (fn [acc x] (+ acc (reduce (fn [a y] (+ a (* x y))) 0 [1 2]))) 0 [1 2]) ⇒ 9
  (map (fn [f] (f)) (reduce (fn [acc x] (conj acc (fn [] (* x 10)))) [] [1 2 3])) ⇒ [10 20 30]
  (reduce (fn [acc x] (def y (+ x 1)) (+ acc y)) 0 [1 2]) ⇒ 5
  (loop [a [1] b [2] i 0] (if (< i 3) (recur (conj b i) (conj a i) (inc i)) [a b])) ⇒ [[2 0 1 2] [1 0 1 2]]
`
)

table(
  "destructuring",
  String.raw`
  (let [[a [b c] & more :as all] [1 [2 3] 4 5]] [a b c more all]) ⇒ [1 2 3 [4 5] [1 [2 3] 4 5]]
  (let [[a b] [1]] [a b]) ⇒ [1 nil]
  (let [[a & more] [1]] more) ⇒ []
  (let [[a _ _] [1 2 3]] a) ⇒ 1
  (let [[a] 5] a) ⇒ !type-error
  (let [[a] nil] a) ⇒ !type-error
  (let [{:keys [a user-id] b :b} {}] 1) ⇒ !syntax-error
  (let [{:keys [a user-id] :b b "s" s 3 three :z {:keys [q]} & rest :as all} {:a 1 :user-id 2 :b 3 "s" 4 3 5 :x 6}] [a user-id b s three q rest (count all)]) ⇒ [1 2 3 4 5 nil {:x 6} 6]
  (let [{:keys [a]} nil] a) ⇒ !type-error
  (let [{:keys [a]} [1]] a) ⇒ !type-error
  ((fn [{:keys [x y]} [a b]] [x y a b]) {:x 1 :y 2} [3 4]) ⇒ [1 2 3 4]
  (let [[a & [b]] [1 2]] b) ⇒ !syntax-error
  (let [f (fn [& r] r)] [(f) (f 1 2)]) ⇒ [[] [1 2]]
`
)

table(
  "match",
  String.raw`
  (match 1 2 :two 1 :one) ⇒ :one
  (match 1 "1" :s 1.0 :n) ⇒ :n
  (match :k :k 1) ⇒ 1
  (match nil nil :nil) ⇒ :nil
  (match 5 x (+ x 1)) ⇒ 6
  (match [1 2 3] [a b] :two [a b c] [c b a]) ⇒ [3 2 1]
  (match [1 2 3] [a & r] r) ⇒ [2 3]
  (match {:a 1 :b 2} {:a 1} :closed {:a x :b y} [x y]) ⇒ [1 2]
  (match {:a 1 :b 2} {:a x & rest} rest) ⇒ {:b 2}
  (match {:a nil} {:a x} [x]) ⇒ [nil]
  (match {:b 1} {:a x} 1 _ 2) ⇒ 2
  (match {:type :err :info {:code 5}} {:type :err :info {:code c}} when (> c 3) c _ 0) ⇒ 5
  (match 5 x when (> x 9) :big x when (> x 3) :mid _ :small) ⇒ :mid
  (match 5 6 1) ⇒ !match-error
  (match 5 6) ⇒ !syntax-error
  (match [1 [2 {:a 3}]] [x [y {:a z}]] (+ x y z)) ⇒ 6
`
)

table(
  "functions and scope",
  String.raw`
  (defn adder [n] (fn [x] (+ x n))) [((adder 1) 1) ((adder 2) 1)] ⇒ [2 3]
  (defn a [] (b)) (defn b [] 7) (a) ⇒ 7
  ((fn [x] x)) ⇒ !arity-error
  ((fn [x] x) 1 2) ⇒ !arity-error
  (defn f [x] x) (f) ⇒ !arity-error
  (defn f [x & r] x) (f) ⇒ !arity-error
  (let [f (fn [n] (if (= n 0) 0 (f (dec n))))] (f 5)) ⇒ 0
  (let [ev (fn [n] (if (= n 0) true (od (dec n)))) od (fn [n] (if (= n 0) false (ev (dec n))))] (ev 11)) ⇒ false
  (defn deep [n] (if (= n 0) 0 (+ 1 (deep (dec n))))) (deep 1000) ⇒ 1000
  (defn deep [n] (+ 1 (deep (inc n)))) (deep 0) ⇒ !stack-overflow
  (defn deep [n] (+ 1 (deep (inc n)))) (try (deep 0) (catch e (:type e))) ⇒ :stack-overflow
  (defn deep [n] (+ 1 (deep (inc n)))) (try (deep 0) (catch e 1)) (defn d [n] (if (= n 0) 0 (+ 1 (d (dec n))))) (d 1000) ⇒ 1000
  (defn deep [n] (map deep [n])) (deep 1) ⇒ !stack-overflow
  (#(+ % 1) 2) ⇒ 3
  (#(vector %2 %1) 1 2) ⇒ [2 1]
  (map #(* % %) [1 2 3]) ⇒ [1 4 9]
  ^{:doc "x"} (+ 1 2) ⇒ 3
  (defn ^:pure f [x] x) (f 1) ⇒ 1
  (fn f [n] n) ⇒ #<function>
  ((fn f [n] (if (= n 0) :end (f (dec n)))) 3) ⇒ :end
  (def f (fn [n] (if (= n 0) :end (f (dec n))))) (f 3) ⇒ :end
`
)

table(
  "macros",
  String.raw`
  (defmacro swap [a b] (list b a)) (swap 1 inc) ⇒ 2
  (defmacro m [& forms] (cons 'do forms)) (m 1 2 3) ⇒ 3
  (defmacro v [x] [x x]) (v (+ 1 2)) ⇒ [3 3]
  (do (defmacro k [x] x) (k 5)) ⇒ 5
  (defmacro m [x] (call :a.b)) (m 1) ⇒ !macro-error
  (defmacro m [x] x) (m) ⇒ !macro-error
  (defmacro m [] (fn [] 1)) (m) ⇒ !macro-error
  (defmacro if [x] x) ⇒ !syntax-error
  (defmacro m [x] x) (let [m inc] (m 1)) ⇒ 2
  (defmacro a [] '(b)) (defmacro b [] 7) (a) ⇒ 7
`
)

describe("macros with templates", () => {
  it.each([
    ["(defmacro unless [c & body] `(if ~c nil (do ~@body))) (unless false 1 2)", "2"],
    ["(defmacro d [name v] `(def ~name ~v)) (d x 5) x", "5"],
    ["(defmacro both [a b] `(do (def x ~a) (def y ~b))) (both 1 2) [x y]", "[1 2]"],
    ["(defmacro m [k] `{:a ~k :b [~k ~@[1 2]]}) (m 9)", "{:a 9, :b [9 1 2]}"],
    ["(defmacro m [x] `(quote ~x)) (m (a b))", "[a b]"],
    ["(let [x 5] `(a ~x ~@[1 2] [b ~x]))", "[a 5 1 2 [b 5]]"],
    ["`(a `(b ~(c ~(+ 1 2))))", "[a [quasiquote [b [unquote [c 3]]]]]"],
    ["(defmacro inner [x] `(+ 1 ~x)) (defmacro outer [x] `(inner (inner ~x))) (outer 1)", "3"],
    ["(defn helper [x] (* x 2)) (defmacro m [x] (helper x)) (m 4)", "8"],
    ["`~@x", "!syntax-error"]
  ])("%s", async (source, expected) => {
    expect(await outcome(source)).toBe(expected)
  })

  it("stops a macro that never ends expanding", async () => {
    const error = await failureOf("(defmacro m [] '(m)) (m)")
    expect(error.message).toMatch(/nested more than|expansions/)
    const wide = await failureOf("(defmacro m [] '(do (m) (m))) (m)")
    expect(wide.message).toMatch(/nested more than|expansions/)
  })

  it("charges what runs while expanding", async () => {
    expect((await failureOf("(defmacro m [] (loop [] (recur))) (m)")).kind).toBe("limit")
  })
})

table(
  "types",
  String.raw`
  (let [x:int 5] x) ⇒ 5
  (let [x : int 5] x) ⇒ 5
  (let [x : int 5.5] x) ⇒ !validation-error
  (let [mode :fast n 3] [mode n]) ⇒ [:fast 3]
  ((fn [x :int] x) 1) ⇒ 1
  ((fn [x :int] x) "a") ⇒ !validation-error
  ((fn [x:float] x) 1) ⇒ 1
  ((fn [] :none)) ⇒ :none
  ((fn [x] :int x) 1) ⇒ 1
  ((fn [x] :string x) 1) ⇒ !validation-error
  ((fn [x] : string x) "a") ⇒ "a"
  ((fn [x:int?] x) nil) ⇒ nil
  ((fn [x : [:vector int]] x) [1 2]) ⇒ [1 2]
  ((fn [x : [:vector int]] x) [1 "2"]) ⇒ !validation-error
  ((fn [x : [:map [:a int] [:b string ?]]] (:a x)) {:a 1 :c 2}) ⇒ 1
  ((fn [x : [:union int string]] x) :k) ⇒ !validation-error
  ((fn [x : [:and int [:> 3]]] x) 2) ⇒ !validation-error
  ((fn [x : [:enum :a :b]] x) :b) ⇒ :b
  ((fn [x : [:tuple int string]] x) [1]) ⇒ !validation-error
  ((fn [x : Nope] x) 1) ⇒ !syntax-error
  (try ((fn [x:int] x) "a") (catch ValidationError e (:type e))) ⇒ :validation-error
  (try ((fn [x:int] x) "a") (catch e (:path (first (:data e))))) ⇒ []
`
)

table(
  "errors",
  String.raw`
  (try (/ 1 0) (catch e [(:type e) (:message e) (getMessage e)])) ⇒ [:division-by-zero "Division by zero" "Division by zero"]
  (try (foo) (catch e (getMessage e))) ⇒ "Undefined symbol: foo"
  (try (+ 1 "a") (catch e (getMessage e))) ⇒ "Type error in +: expected number, got string"
  (try ((fn f [a b] a) 1) (catch e (getMessage e))) ⇒ "Arity mismatch in f: expected 2, got 1"
  (try (throw {:type :x :n 1}) (catch e e)) ⇒ {:type :x, :n 1}
  (try (throw 5) (catch e (+ e 1))) ⇒ 6
  (throw {:type :my-error :message "m"}) ⇒ !my-error
  (throw 5) ⇒ !thrown
  (try (throw {:type :b}) (catch :a e 1) (catch :b e 2)) ⇒ 2
  (try (/ 1 0) (catch :division-by-zero e :z)) ⇒ :z
  (try (throw 1) (catch :a e 1)) ⇒ !thrown
  (try (/ 1 0) (catch HostError e 1) (catch RuntimeError e 2)) ⇒ 2
  (try (call :fail) (catch RuntimeError e 1) (catch HostError e (:message e))) ⇒ "the capability failed"
  (try (call :async.fail) (catch HostError e (:message e))) ⇒ "the capability failed later"
  (try (throw 1) (catch Exception e e)) ⇒ 1
  (try (throw 1) (catch SomethingElse e e)) ⇒ 1
  (try 1 (finally (/ 1 1))) ⇒ 1
  (try (throw 1) (finally 2)) ⇒ !thrown
  (try (throw 1) (catch e (throw 2)) (finally (throw {:type :last}))) ⇒ !last
  (try (try (throw 1) (finally 5)) (catch e [e])) ⇒ [1]
  (try (try (throw {:type :a}) (catch :b e 1)) (catch e (:type e))) ⇒ :a
  (try 1) ⇒ !syntax-error
  (try (/ 1 0) (catch e (throw e))) ⇒ !division-by-zero
  (+ 1 (try (throw 1) (catch e 5))) ⇒ 6
  (map (fn [x] (try (/ 10 x) (catch e 0))) [1 0 5]) ⇒ [10 0 2]
  (let [r (try (throw 1) (catch e (fn [] e)))] (r)) ⇒ 1
`
)

describe("errors for the host", () => {
  it("carries an uncaught thrown value as payload", async () => {
    expect(await failureOf("(throw {:type :lost :id 7})")).toMatchObject({ type: "lost", payload: { id: 7 }, kind: "runtime" })
  })

  it("shows place, caret, call stack and the nearest name", async () => {
    const source = "(defn total [xs]\n  (reduce + 0 (mpa :price xs)))\n(defn main [] (total []))\n(main)"
    const error = await failureOf(source)
    expect(error.render(source)).toBe(
      "Error: Undefined symbol: mpa\n  at program:2:15\n  2 |   (reduce + 0 (mpa :price xs)))\n                    ^\n  did you mean map?\n"
        + "  in total at program:2:15\n  in main at program:3:15"
    )
  })

  it("never shows JavaScript frames", async () => {
    const error = await failureOf("(defn f [] (/ 1 0)) (f)")
    expect(error.stack).not.toMatch(/\.ts|node:|at /)
  })

  it("keeps what the first failure said when it is thrown on", async () => {
    const error = await failureOf("(try\n (/ 1 0)\n (catch e (throw e)))")
    expect(error.at).toMatchObject({ line: 2 })
  })
})

table(
  "numbers",
  String.raw`
  [(+ 1) (+ 1 2 3) (- 5) (- 5 1 1) (* 2 3 4) (/ 9 3) (/ 9.0 3) (/ 1 4)] ⇒ [1 6 -5 3 24 3 3 0.25]
  (+) ⇒ !arity-error
  (+ 1 nil) ⇒ !type-error
  (+ 1 "a") ⇒ !type-error
  (/ 1.0 0) ⇒ !division-by-zero
  [(mod -8 3) (mod 8 -3) (mod 7.5 2)] ⇒ [-2 2 1.5]
  (mod 1 0) ⇒ !division-by-zero
  (mod 1) ⇒ !arity-error
  [(max 1 3 2) (min 1 3 2) (abs -3) (sqrt 16) (pow 2 10) (pow 2 -1) (factorial 5)] ⇒ [3 1 3 4 1024 0.5 120]
  (sqrt -1) ⇒ !invalid-argument
  (factorial -1) ⇒ !invalid-argument
  [(even? 2) (odd? 2) (odd? -3) (zero? 0) (pos? 1) (neg? 1)] ⇒ [true false true true true false]
  (even? 2.5) ⇒ !type-error
  (+ 9007199254740991 1) ⇒ 9007199254740992
  (- (+ 9007199254740991 1) 1) ⇒ 9007199254740991
  (= (- (+ 9007199254740991 1) 1) 9007199254740991) ⇒ true
  (* 9007199254740993 3) ⇒ 27021597764222979
  (- 9007199254740993 9007199254740992) ⇒ 1
  (/ 18014398509481984 2) ⇒ 9007199254740992
  (/ 18014398509481984 4) ⇒ 4503599627370496
  (mod 9007199254740993 2) ⇒ 1
  (pow 3 40) ⇒ 12157665459056928801
  (factorial 20) ⇒ 2432902008176640000
  (int? 9007199254740993) ⇒ true
  [(* 0 -5) (- 0) (mod -4 2)] ⇒ [0 0 0]
  (pow 2 1000000000) ⇒ !invalid-argument
  (factorial 1000000000) ⇒ !invalid-argument
  [(parse-int " 42 ") (parse-int "4.2") (parse-float "4.2") (parse-float "x") (parse-float "4")] ⇒ [42 nil 4.2 nil 4]
  (parse-int 5) ⇒ !type-error
  [(int 4.7) (int -4.7) (int "12") (int "x") (int true) (int nil) (float "2.5") (float 1)] ⇒ [4 -4 12 0 1 0 2.5 1]
  (* 1.0e308 10) ⇒ ##Inf
  (map + [1 2]) ⇒ [1 2]
  (apply + 1 [2 3]) ⇒ 6
  (reduce max [3 9 2]) ⇒ 9
`
)

table(
  "strings",
  String.raw`
  [(substring "hello" 1 3) (substring "hello" 2)] ⇒ ["el" "llo"]
  (substring "abc" 2 9) ⇒ !index-out-of-bounds
  (substring "abc" 2 1) ⇒ !index-out-of-bounds
  [(string-length "a😀") (count "😀") (substring "a😀b" 1 2) (reverse "a😀") (first "😀x") (map str "a😀")] ⇒ [2 1 "😀" "😀a" "😀" ["a" "😀"]]
  [(string-contains "abc" "b") (string-contains? "abc" "z") (starts-with? "abc" "a") (starts-with? nil "a")] ⇒ [true false true false]
  (starts-with? 5 "a") ⇒ !type-error
  [(split "a,b,,c," ",") (split "abc" "") (split "a.b" ".")] ⇒ [["a" "b" "" "c" ""] ["a" "b" "c"] ["a" "b"]]
  [(join "-" [1 nil :k "s"]) (string-join "" ["a" "b"])] ⇒ ["1-nil-:k-s" "ab"]
  (join ["a"] "-") ⇒ !type-error
  [(string-upper "aé") (string-lower "AÉ") (string-trim " a ") (string/upper-case "x") (string/lower-case "X") (string/trim " y ")] ⇒ ["AÉ" "aé" "a" "X" "x" "y"]
  (string/upper-case 5) ⇒ !type-error
  [(re-find "[0-9]+" "ab12c3") (re-find "z" "abc") (re-seq "[0-9]" "a1b2") (re-matches "a+" "aaa") (re-matches "a+" "aab")] ⇒ ["12" nil ["1" "2"] "aaa" nil]
  (re-find "(?i)HELLO" "say hello") ⇒ "hello"
  [(re-find "\\bb" "ab bc") (re-find "c$" "abc") (re-seq "\\b[a-z]" "ab cd") (re-seq "" "ab") (re-find "a|ab" "ab") (re-matches "a|ab" "ab") (re-find "x*?y" "xxy")] ⇒ ["b" "c" ["a" "c"] ["" "" ""] "a" "ab" "xxy"]
  (re-find "(a+)+$" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab") ⇒ nil
  (re-find "(?=a)" "a") ⇒ !invalid-argument
  (re-find "(a)\\1" "aa") ⇒ !invalid-argument
  (re-find "[" "a") ⇒ !invalid-argument
  (re-find "a{1,5000}" "a") ⇒ !invalid-argument
`
)

table(
  "sequences",
  String.raw`
  [(vector 1 2) (list 1 2) (first []) (last [1 2]) (rest [1 2]) (rest []) (first [1])] ⇒ [[1 2] [1 2] nil 2 [2] [] 1]
  [(nth [1 2] 1) (nth [1 2] 5 :d) (get [1 2] 0) (get [1 2] 9) (get [1] 9 :d)] ⇒ [2 :d 1 nil :d]
  (nth [1] 1) ⇒ !index-out-of-bounds
  (nth [1] -1) ⇒ !index-out-of-bounds
  (get "abc" 0) ⇒ !type-error
  (get nil :a) ⇒ !type-error
  (get [1] :a) ⇒ !type-error
  [(conj [1] 2 3) (cons 0 [1]) (concat [1] [2] []) (reverse [1 2]) (take 2 [1 2 3]) (drop 2 [1 2 3]) (take 9 [1]) (take -1 [1])] ⇒ [[1 2 3] [0 1] [1 2] [2 1] [1 2] [3] [1] []]
  [(count "ab") (count [1]) (count {:a 1})] ⇒ [2 1 1]
  (count nil) ⇒ !type-error
  (count 5) ⇒ !type-error
  (distinct [1 2 1 [1] [1] 1.0 "1"]) ⇒ [1 2 [1] "1"]
  (partition 2 [1 2 3 4 5]) ⇒ [[1 2] [3 4] [5]]
  (partition 0 [1]) ⇒ !invalid-argument
  [(subvec [1 2 3] 1) (subvec [1 2 3] 0 2)] ⇒ [[2 3] [1 2]]
  (subvec [1] 0 5) ⇒ !index-out-of-bounds
  [(range 3) (range 1 4) (range 3 1) (range 0 10 3) (range 3 0 -1) (numbers 1 3)] ⇒ [[0 1 2] [1 2 3] [] [0 3 6 9] [3 2 1] [1 2 3]]
  (range 0 10 0) ⇒ !invalid-argument
  [(sort [3 1 2]) (sort ["b" "a"]) (sort-by :n [{:n 2} {:n 1}]) (sort-by (fn [x] (- x)) [1 3 2])] ⇒ [[1 2 3] ["a" "b"] [{:n 1} {:n 2}] [3 2 1]]
  [(contains? [1 2] 2) (contains? [1 2] 0) (contains? {:a nil} :a) (contains? {:a 1} :b) (contains? "abc" "bc")] ⇒ [true false true false true]
  [(empty? nil) (empty? []) (empty? "") (empty? {}) (empty? 5) (empty? [1])] ⇒ [true true true true false false]
  (first nil) ⇒ !type-error
  (map inc nil) ⇒ !type-error
`
)

table(
  "maps",
  String.raw`
  (hash-map :a 1 "b" 2) ⇒ {:a 1, :b 2}
  (hash-map :a) ⇒ !arity-error
  [(get {:a 1} :a) (get {:a 1} :b) (get {:a nil} :a 5) (get-in {:a {:b [1 2]}} [:a :b 1]) (get-in {:a 1} [:a :b :c] :d) (get-in nil [:a])] ⇒ [1 nil nil 2 :d nil]
  [(assoc {:a 1} :b 2 :a 3) (assoc [1 2] 0 9)] ⇒ [{:a 3, :b 2} [9 2]]
  (assoc [1] 1 2) ⇒ !index-out-of-bounds
  (assoc nil :a 1) ⇒ !type-error
  (assoc {:a 1} :b) ⇒ !arity-error
  [(dissoc {:a 1 :b 2} :a) (merge {:a 1 :b 1} {:b 2}) (update {:a 1} :a + 5) (update {:a 1} :b (fn [x] x)) (keys {:a 1 :b 2}) (vals {:a 1 :b 2}) (find {:a 1} :a) (find {:a 1} :b)] ⇒ [{:b 2} {:a 1, :b 2} {:a 6} {:a 1, :b nil} [:a :b] [1 2] [:a 1] nil]
  (merge {:a 1} nil) ⇒ !type-error
  (keys nil) ⇒ !type-error
  (update [1 2] 0 inc) ⇒ [2 2]
  (let [m (assoc {:b 1} 0 2)] [(get m 0) (get m "0") (get m :b) (dissoc m 0)]) ⇒ [2 nil 1 {:b 1}]
  (assoc {} "__proto__" 1) ⇒ {:__proto__ 1}
  (get (assoc {} "constructor" 1) :constructor) ⇒ 1
  (get {} :constructor) ⇒ nil
  (:toString {}) ⇒ nil
  (get-in {} [:constructor :name]) ⇒ nil
  (contains? {} "hasOwnProperty") ⇒ false
  (get (hash-map [1 2] :v) [1 2]) ⇒ :v
  (= (hash-map [1] {:a 1}) (hash-map [1] {:a 1})) ⇒ true
`
)

table(
  "higher-order functions",
  String.raw`
  [(map :id [{:id 1} {:id 2}]) (map-indexed (fn [i x] [i x]) ["a"]) (filter even? [1 2 3 4]) (remove even? [1 2 3]) (reduce + [1 2 3]) (reduce + 10 []) (every? pos? [1 2]) (some? pos? [-1]) (group-by :k [{:k 1} {:k 2} {:k 1}]) (frequencies ["a" "b" "a"])] ⇒ [[1 2] [[0 "a"]] [2 4] [1 3] 6 10 true false {1 [{:k 1} {:k 1}], 2 [{:k 2}]} {:a 2, :b 1}]
  (reduce + []) ⇒ !invalid-argument
  (map (fn [a b] a) [1]) ⇒ !arity-error
  (map 5 [1]) ⇒ !not-callable
  (filter :on [{:on true} {:on false}]) ⇒ [{:on true}]
  (apply max [1 5 2]) ⇒ 5
  (group-by (fn [x] [(mod x 2)]) [1 2 3]) ⇒ {[1] [1 3], [0] [2]}
  (map first [[1] [2]]) ⇒ [1 2]
  (every? (fn [x] x) []) ⇒ true
`
)

table(
  "JSON",
  String.raw`
  (parse-json "{\"a\": [1, 2.5, null, true, \"x\"]}") ⇒ {:a [1 2.5 nil true "x"]}
  (:id (json/parse "{\"id\": 7}")) ⇒ 7
  (json/parse "{bad") ⇒ !json-error
  (json/parse 5) ⇒ !type-error
  (json/parse "12345678901234567890") ⇒ 12345678901234567890
  (get (json/parse "{\"__proto__\": {\"x\": 1}, \"0\": 2}") "__proto__") ⇒ {:x 1}
  [(json/stringify {:a [1 nil "x"] "b" true}) (serialize-json 5) (tool/serialize-json [1])] ⇒ ["{\"a\":[1,null,\"x\"],\"b\":true}" "5" "[1]"]
  (serialize-json :k) ⇒ !json-error
  (serialize-json inc) ⇒ !json-error
  (serialize-json {:a :k}) ⇒ !json-error
  (serialize-json ##NaN) ⇒ !json-error
  (json/stringify (json/parse "9007199254740993")) ⇒ "9007199254740993"
`
)

table(
  "type names",
  String.raw`
  (map type-name [1 1.5 "s" true :k 'a [1] {} inc nil]) ⇒ ["integer" "float" "string" "boolean" "keyword" "symbol" "vector" "map" "function" "nil"]
  [(nil? nil) (bool? true) (string? "a") (keyword? :a) (symbol? 'a) (vector? []) (map? {}) (fn? inc) (number? 1)] ⇒ [true true true true true true true true true]
  (map? (try (/ 1 0) (catch e e))) ⇒ false
`
)

describe("what the language does not have", () => {
  it.each([
    "read-file",
    "slurp",
    "rand",
    "random",
    "now",
    "eval",
    "require",
    "process",
    "globalThis",
    "Function",
    "constructor",
    "this",
    "console",
    "fetch"
  ])("%s is undefined", async (name) => {
    expect(await outcome(name)).toBe("!undefined-symbol")
    expect(await outcome(`(${name} 1)`)).toBe("!undefined-symbol")
  })

  it("keeps definitions between programs of one evaluator", async () => {
    expect(await value("(defn f [] 1) (f)")).toBe("1")
  })
})

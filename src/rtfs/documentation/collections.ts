import { entries, type Entry } from "./Entry.ts"

const notVector = "`:type-error` for what is no vector."
const notSequence = "`:type-error` for what is no vector or string."
const notMap = "`:type-error` for what is no map."
const called = "`:type-error` for what is no vector or string, and whatever the function fails with."

export const collectionEntries: ReadonlyArray<Entry> = [
  ...entries("function", "Vectors", [
    ["vector", "(vector value…)", "A vector of its arguments.", "", "(vector 1 2 3) ⇒ [1 2 3]"],
    ["list", "(list value…)", "A list of its arguments: a vector, and code where a macro gives it.", "", "(list 1 2) ⇒ [1 2]"],
    [
      "first",
      "(first items)",
      "The first element or character; nil if there is none.",
      notSequence,
      '[(first [1 2]) (first []) (first "ab")] ⇒ [1 nil "a"]'
    ],
    ["last", "(last items)", "The last element or character; nil if there is none.", notSequence, "(last [1 2 3]) ⇒ 3"],
    ["rest", "(rest items)", "All elements but the first.", notSequence, "[(rest [1 2 3]) (rest [])] ⇒ [[2 3] []]"],
    [
      "nth",
      "(nth items index default?)",
      "The element at an index.",
      "`:index-out-of-bounds` where there is none and no default is given.",
      "(nth [:a :b] 1) ⇒ :b",
      "(nth [] 0 :none) ⇒ :none",
      "(nth [] 0) ⇒ !index-out-of-bounds"
    ],
    ["conj", "(conj items value…)", "The vector with values at its end.", notVector, "(conj [1] 2 3) ⇒ [1 2 3]"],
    ["cons", "(cons value items)", "The vector with a value at its front.", notVector, "(cons 0 [1 2]) ⇒ [0 1 2]"],
    ["concat", "(concat items…)", "One vector after the other, as one.", notVector, "(concat [1] [2 3] []) ⇒ [1 2 3]"],
    [
      "count",
      "(count collection)",
      "How many elements, entries or characters.",
      "`:type-error` for what is no vector, map or string; also for nil.",
      '[(count [1 2]) (count {:a 1}) (count "abc")] ⇒ [2 1 3]',
      "(count nil) ⇒ !type-error"
    ],
    [
      "reverse",
      "(reverse items)",
      "From the last to the first; of a string a string.",
      notSequence,
      "(reverse [1 2 3]) ⇒ [3 2 1]",
      '(reverse "abc") ⇒ "cba"'
    ],
    ["take", "(take n items)", "The first n elements, or as many as there are.", notSequence, "(take 2 [1 2 3]) ⇒ [1 2]"],
    ["drop", "(drop n items)", "All but the first n elements.", notSequence, "(drop 2 [1 2 3]) ⇒ [3]"],
    [
      "distinct",
      "(distinct items)",
      "Without repetitions; the first of equal ones stays.",
      notVector,
      "(distinct [1 2 1 [3] [3]]) ⇒ [1 2 [3]]"
    ],
    [
      "partition",
      "(partition n items)",
      "Groups of n elements; the last may be shorter.",
      "`:invalid-argument` for groups of less than one.",
      "(partition 2 [1 2 3]) ⇒ [[1 2] [3]]",
      "(partition 0 [1]) ⇒ !invalid-argument"
    ],
    [
      "subvec",
      "(subvec items from to?)",
      "The elements from one index up to another, without that.",
      "`:index-out-of-bounds`.",
      "(subvec [1 2 3 4] 1 3) ⇒ [2 3]"
    ],
    [
      "range",
      "(range end) (range start end step?)",
      "Numbers from start (0) up to end, without that.",
      "`:invalid-argument` for a step of zero.",
      "(range 3) ⇒ [0 1 2]",
      "(range 10 0 -4) ⇒ [10 6 2]",
      "(range 0 1 0) ⇒ !invalid-argument"
    ],
    [
      "numbers",
      "(numbers first last)",
      "Whole numbers from the first to the last, with both.",
      "`:type-error` for what is no number.",
      "(numbers 1 4) ⇒ [1 2 3 4]"
    ],
    [
      "sort",
      "(sort items)",
      "In order: nil, booleans, numbers, strings, keywords, symbols, vectors, maps. Equal ones keep their places.",
      notVector,
      "(sort [3 1 2]) ⇒ [1 2 3]",
      '(sort [:b "a" 1 nil]) ⇒ [nil 1 "a" :b]'
    ],
    [
      "contains?",
      "(contains? collection value)",
      "Whether a vector has the value, a map the key, a string the part.",
      "`:type-error` for anything else.",
      '[(contains? [5 6] 6) (contains? {:a 1} :a) (contains? "abc" "bc")] ⇒ [true true true]'
    ],
    [
      "into",
      "(into target items)",
      "The items added to a vector, or `[key value]` pairs to a map.",
      "`:type-error` for another target.",
      "(into [1] [2 3]) ⇒ [1 2 3]",
      "(into {:a 1} [[:b 2]]) ⇒ {:a 1, :b 2}"
    ],
    ["identity", "(identity value)", "The value.", "", "(filter identity [1 nil 2]) ⇒ [1 2]"]
  ]),
  ...entries("function", "Maps", [
    [
      "hash-map",
      "(hash-map key value …)",
      "A map of its arguments.",
      "`:arity-error` for a key without a value.",
      "(hash-map :a 1 :b 2) ⇒ {:a 1, :b 2}",
      "(hash-map :a) ⇒ !arity-error"
    ],
    [
      "get",
      "(get collection key default?)",
      'The value at a key of a map or an index of a vector; nil or the default if there is none. `:a` and `"a"` are the same key.',
      "`:type-error` for what is no map or vector.",
      "(get {:a 1} :a) ⇒ 1",
      "(get [10 20] 5 :none) ⇒ :none",
      "(get nil :a) ⇒ !type-error"
    ],
    [
      "get-in",
      "(get-in collection path default?)",
      "The value at the end of a path of keys; nil or the default if there is none on the way.",
      "`:type-error` for a path that is no vector.",
      "(get-in {:a [{:b 7}]} [:a 0 :b]) ⇒ 7",
      "(get-in {} [:a :b] :none) ⇒ :none"
    ],
    [
      "assoc",
      "(assoc collection key value …)",
      "The map or vector with values at keys.",
      "`:index-out-of-bounds` beyond the end of a vector; `:arity-error` for a key without a value.",
      "(assoc {:a 1} :b 2) ⇒ {:a 1, :b 2}",
      "(assoc [1 2] 0 9) ⇒ [9 2]"
    ],
    [
      "assoc-in",
      "(assoc-in collection path value)",
      "With a value at the end of a path; maps that are missing on the way are made.",
      "`:type-error` where the path goes through something else.",
      "(assoc-in {} [:a :b] 1) ⇒ {:a {:b 1}}"
    ],
    ["dissoc", "(dissoc map key…)", "The map without keys.", notMap, "(dissoc {:a 1 :b 2} :a) ⇒ {:b 2}"],
    [
      "merge",
      "(merge map…)",
      "All entries; where maps have the same key, the later one wins.",
      notMap,
      "(merge {:a 1 :b 1} {:b 2}) ⇒ {:a 1, :b 2}"
    ],
    ["keys", "(keys map)", "The keys, in the order of the map.", notMap, "(keys {:a 1 :b 2}) ⇒ [:a :b]"],
    ["vals", "(vals map)", "The values, in the order of the map.", notMap, "(vals {:a 1 :b 2}) ⇒ [1 2]"],
    ["entries", "(entries map)", "`[key value]` pairs, in the order of the map.", notMap, "(entries {:a 1 :b 2}) ⇒ [[:a 1] [:b 2]]"],
    ["find", "(find map key)", "The `[key value]` pair, or nil.", notMap, "(find {:a nil} :a) ⇒ [:a nil]", "(find {} :a) ⇒ nil"],
    ["select-keys", "(select-keys map keys)", "Only these entries.", notMap, "(select-keys {:a 1 :b 2} [:b :c]) ⇒ {:b 2}"],
    [
      "update",
      "(update collection key function argument…)",
      "With the value at a key replaced by what the function makes of it (nil if there is none) and the arguments.",
      "`:type-error` for what is no map or vector, and whatever the function fails with.",
      "(update {:a 1} :a + 10) ⇒ {:a 11}",
      "(update {} :n (fn [n] (inc (or n 0)))) ⇒ {:n 1}"
    ],
    [
      "update-in",
      "(update-in collection path function argument…)",
      "As `update`, at the end of a path.",
      "As `update`.",
      "(update-in {:a {:b 1}} [:a :b] inc) ⇒ {:a {:b 2}}"
    ]
  ]),
  ...entries("function", "Functions over collections", [
    [
      "map",
      "(map function items)",
      "What the function makes of each element. Wherever a function is expected, a keyword is one too.",
      called,
      "(map inc [1 2 3]) ⇒ [2 3 4]",
      "(map :id [{:id 1} {:id 2}]) ⇒ [1 2]"
    ],
    ["mapv", "(mapv function items)", "Another name of `map`.", called, '(mapv str [1 :a]) ⇒ ["1" ":a"]'],
    [
      "map-indexed",
      "(map-indexed function items)",
      "What the function makes of each index and element.",
      called,
      "(map-indexed vector [:a :b]) ⇒ [[0 :a] [1 :b]]"
    ],
    [
      "filter",
      "(filter predicate items)",
      "The elements for which the predicate holds.",
      called,
      "(filter (fn [x] (> x 1)) [1 2 3]) ⇒ [2 3]"
    ],
    ["remove", "(remove predicate items)", "The elements for which the predicate does not hold.", called, "(remove even? [1 2 3]) ⇒ [1 3]"],
    [
      "reduce",
      "(reduce function initial? items)",
      "Folds the elements from the left: `(function so-far element)`. Without an initial value it starts with the first element.",
      "`:invalid-argument` for no elements and no initial value; whatever the function fails with.",
      "(reduce + 0 [1 2 3]) ⇒ 6",
      "(reduce max [3 9 4]) ⇒ 9",
      "(reduce + []) ⇒ !invalid-argument"
    ],
    [
      "apply",
      "(apply function argument… items)",
      "Calls a function with the elements as its last arguments.",
      notVector,
      "(apply + 1 [2 3]) ⇒ 6"
    ],
    ["every?", "(every? predicate items)", "Whether the predicate holds for all elements.", called, "(every? pos? [1 2]) ⇒ true"],
    [
      "some?",
      "(some? predicate items)",
      "Whether the predicate holds for an element. (Not a test for nil.)",
      called,
      "(some? neg? [1 -2]) ⇒ true"
    ],
    [
      "some",
      "(some function items)",
      "The first result that is neither nil nor false; nil if there is none.",
      called,
      "(some :a [{:b 1} {:a 2}]) ⇒ 2"
    ],
    [
      "sort-by",
      "(sort-by function items)",
      "In the order of what the function makes of the elements.",
      notVector,
      "(sort-by :n [{:n 2} {:n 1}]) ⇒ [{:n 1} {:n 2}]"
    ],
    [
      "group-by",
      "(group-by function items)",
      "A map from what the function makes of the elements to vectors of those.",
      notVector,
      "(group-by even? [1 2 3]) ⇒ {false [1 3], true [2]}",
      "(group-by :kind [{:kind :a :n 1} {:kind :a :n 2}]) ⇒ {:a [{:kind :a, :n 1} {:kind :a, :n 2}]}"
    ],
    [
      "frequencies",
      "(frequencies items)",
      "A map from each element to how often it occurs.",
      notSequence,
      "(frequencies [:a :b :a]) ⇒ {:a 2, :b 1}"
    ]
  ])
]

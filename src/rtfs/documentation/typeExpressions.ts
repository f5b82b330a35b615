import { entries, type Entry } from "./Entry.ts"

const fails = "`:validation-error` for a value that does not fit."

/** Types stand behind a colon where a name is bound, in schemas of capabilities, and in `defstruct`. */
export const typeEntries: ReadonlyArray<Entry> = entries("type", "Types", [
  ["int", "int integer Int :int", "Whole numbers.", fails, "(let [x : int 1] x) ⇒ 1", "(let [x : int 1.5] x) ⇒ !validation-error"],
  ["float", "float number", "Numbers, whole ones too.", fails, "(let [x:float 2] x) ⇒ 2"],
  ["string", "string", "Strings.", fails, '(defn f [s : string] s) (f "a") ⇒ "a"', "(defn f [s :string] s) (f 1) ⇒ !validation-error"],
  ["bool", "bool boolean", "true and false.", fails, "(let [x : bool true] x) ⇒ true"],
  ["nil", "nil", "Only nil.", fails, "(let [x : nil nil] x) ⇒ nil"],
  ["keyword", "keyword", "Keywords.", fails, "(let [x : keyword :a] x) ⇒ :a"],
  ["symbol", "symbol", "Symbols.", fails, "(let [x : symbol 'a] x) ⇒ a"],
  ["any", "any", "Every value.", "", "(let [x : any nil] x) ⇒ nil"],
  ["never", "never", "No value.", fails, "(let [x : never 1] x) ⇒ !validation-error"],
  [
    "map",
    "map [:map [:key T] [:key T ?] {:key T …} [:* T]] [:record …]",
    "Maps; with these keys, which must be there unless followed by `?`. Other keys are allowed, of the type behind `:*` if there is one.",
    fails,
    "(let [x : [:map [:id int] [:name string ?]] {:id 1 :more 2}] x) ⇒ {:id 1, :more 2}",
    "(let [x : [:map [:id int]] {}] x) ⇒ !validation-error"
  ],
  [
    "map-of",
    "[:map-of K V] [:dict K V]",
    "Maps with keys and values of these types.",
    fails,
    "(let [x : [:map-of string int] {:a 1}] x) ⇒ {:a 1}"
  ],
  [
    "vector",
    "vector list [:vector T] [:list T]",
    "Vectors, with elements of a type.",
    fails,
    "(let [x : [:vector int] [1 2]] x) ⇒ [1 2]",
    '(let [x : [:vector int] [1 "2"]] x) ⇒ !validation-error'
  ],
  ["tuple", "[:tuple T…]", "Vectors of exactly these elements.", fails, '(let [x : [:tuple int string] [1 "a"]] x) ⇒ [1 "a"]'],
  [
    "array",
    "[:array T n?]",
    "Vectors of a type, of exactly n elements; `?` for any number.",
    fails,
    "(let [x : [:array int 2] [1 2]] x) ⇒ [1 2]"
  ],
  [
    "fn",
    "fn function [:fn [T…] R] [:=> [T…] R]",
    "Functions. Arguments and results are not checked.",
    fails,
    "((let [x : [:fn [int] int] inc] x) 1) ⇒ 2"
  ],
  [
    "stream",
    "stream resource [:stream T] [:stream-bi …] [:stream-duplex …] [:resource Name]",
    "Streams, handles and other things of the host.",
    fails,
    "(let [x : stream 1] x) ⇒ !validation-error"
  ],
  [
    "timestamp",
    "timestamp",
    "Points in time, also as ISO texts.",
    fails,
    '(let [x : timestamp "2024-05-06T07:08:09Z"] x) ⇒ "2024-05-06T07:08:09Z"'
  ],
  ["maybe", "T? [:maybe T]", "The type or nil.", fails, "(let [x : int? nil] x) ⇒ nil"],
  ["union", "[:union T…] [:or T…]", "One of the types.", fails, '(let [x : [:union int string] "a"] x) ⇒ "a"'],
  ["enum", "[:enum value…]", "One of the values.", fails, "(let [x : [:enum :a :b] :c] x) ⇒ !validation-error"],
  ["val", "[:val value]", "Exactly this value.", fails, "(let [x : [:val 1] 1] x) ⇒ 1"],
  [
    "and",
    "[:and T predicate…]",
    'The type, with all predicates: `[:> n] [:>= n] [:< n] [:<= n] [:= v] [:!= v] [:in-range low high]` for numbers, `[:min-length n] [:max-length n] [:length n] [:matches-regex "p"]` for strings, `[:min-count n] [:max-count n] [:count n] [:non-empty]` for collections, `[:has-key :k] [:required-keys [:k …]]` for maps.',
    fails,
    "(let [x : [:and int [:> 0] [:<= 10]] 7] x) ⇒ 7",
    '(let [x : [:and string [:min-length 3]] "ab"] x) ⇒ !validation-error'
  ]
])

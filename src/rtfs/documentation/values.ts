import { entries, type Entry } from "./Entry.ts"

const notString = "`:type-error` for what is no string."

export const valueEntries: ReadonlyArray<Entry> = [
  ...entries("function", "Kinds of values", [
    ["nil?", "(nil? value)", "Whether it is nil.", "", "(nil? nil) ⇒ true"],
    ["bool?", "(bool? value)", "Whether it is true or false.", "", "(bool? false) ⇒ true"],
    ["boolean?", "(boolean? value)", "Another name of `bool?`.", "", "(boolean? 0) ⇒ false"],
    ["int?", "(int? value)", "Whether it is a whole number.", "", "[(int? 1) (int? 1.0) (int? 1.5)] ⇒ [true true false]"],
    ["integer?", "(integer? value)", "Another name of `int?`.", "", "(integer? 1) ⇒ true"],
    ["float?", "(float? value)", "Whether it is a number that is not whole.", "", "[(float? 1.5) (float? 1.0)] ⇒ [true false]"],
    ["number?", "(number? value)", "Whether it is a number.", "", '(number? "1") ⇒ false'],
    ["string?", "(string? value)", "Whether it is a string.", "", '(string? "a") ⇒ true'],
    ["keyword?", "(keyword? value)", "Whether it is a keyword.", "", "(keyword? :a) ⇒ true"],
    ["symbol?", "(symbol? value)", "Whether it is a symbol.", "", "(symbol? 'a) ⇒ true"],
    ["vector?", "(vector? value)", "Whether it is a vector. Lists are vectors.", "", "(vector? [1 2]) ⇒ true"],
    ["list?", "(list? value)", "Another name of `vector?`: lists and vectors are one kind of value.", "", "(list? '(1 2)) ⇒ true"],
    ["map?", "(map? value)", "Whether it is a map.", "", "(map? {:a 1}) ⇒ true"],
    ["fn?", "(fn? value)", "Whether it is a function.", "", "(fn? inc) ⇒ true", "(fn? :a) ⇒ false"],
    [
      "empty?",
      "(empty? value)",
      "Whether it is nil, or a string, vector or map with nothing in it.",
      "",
      '[(empty? nil) (empty? []) (empty? "a") (empty? 0)] ⇒ [true true false false]'
    ],
    [
      "type-name",
      "(type-name value)",
      "The name of its type, as messages have it.",
      "",
      '(map type-name [1 1.5 "a" :k nil {} []]) ⇒ ["integer" "float" "string" "keyword" "nil" "map" "vector"]'
    ]
  ]),
  ...entries("function", "Strings", [
    [
      "str",
      "(str value…)",
      "All values as one text: strings as they are, nil as `nil`, everything else as it is written.",
      "",
      '(str "a" 1 :k nil ["b"]) ⇒ "a1:knil[\\"b\\"]"',
      '(str) ⇒ ""'
    ],
    [
      "pr-str",
      "(pr-str value…)",
      "Values as text that reads back as them, with blanks between.",
      "",
      '(pr-str "a" [1 "b"]) ⇒ "\\"a\\" [1 \\"b\\"]"'
    ],
    [
      "substring",
      "(substring text from to?)",
      "The characters from one index up to another, without that; to the end by default.",
      "`:index-out-of-bounds`; `:type-error` for what is no string.",
      '(substring "streams" 1 4) ⇒ "tre"',
      '(substring "ab" 5) ⇒ !index-out-of-bounds'
    ],
    [
      "string-length",
      "(string-length text)",
      "How many characters it has. Characters are code points.",
      notString,
      '(string-length "😀!") ⇒ 2'
    ],
    [
      "string-contains",
      "(string-contains text part)",
      "Whether the part occurs in the text.",
      notString,
      '(string-contains "streams" "ream") ⇒ true'
    ],
    [
      "string-contains?",
      "(string-contains? text part)",
      "Another name of `string-contains`.",
      notString,
      '(string-contains? "streams" "x") ⇒ false'
    ],
    [
      "starts-with?",
      "(starts-with? text part)",
      "Whether the text begins with the part; false for nil.",
      notString,
      '(starts-with? "streams" "str") ⇒ true',
      '(starts-with? nil "a") ⇒ false'
    ],
    ["ends-with?", "(ends-with? text part)", "Whether the text ends with the part.", notString, '(ends-with? "streams" "ms") ⇒ true'],
    [
      "split",
      "(split text separator)",
      "The pieces between separators, empty ones included; with an empty separator the characters.",
      notString,
      '(split "a,b,,c" ",") ⇒ ["a" "b" "" "c"]',
      '(split "ab" "") ⇒ ["a" "b"]'
    ],
    [
      "join",
      "(join separator values)",
      "The values as one text, with the separator between them.",
      "`:type-error` unless it gets a string and a vector.",
      '(join ", " [1 "a" :k]) ⇒ "1, a, :k"'
    ],
    [
      "string-join",
      "(string-join separator values)",
      "Another name of `join`.",
      "`:type-error` unless it gets a string and a vector.",
      '(string-join "-" [1 2]) ⇒ "1-2"'
    ],
    [
      "string-replace",
      "(string-replace text part replacement)",
      "The text with every occurrence of the part replaced.",
      "`:invalid-argument` for an empty part; `:type-error` for what is no string.",
      '(string-replace "a.b.c" "." "/") ⇒ "a/b/c"'
    ],
    ["string-upper", "(string-upper text)", "In capital letters.", notString, '(string-upper "abc") ⇒ "ABC"'],
    ["string-lower", "(string-lower text)", "In small letters.", notString, '(string-lower "ABC") ⇒ "abc"'],
    ["string-trim", "(string-trim text)", "Without blanks at its ends.", notString, '(string-trim "  a b ") ⇒ "a b"'],
    ["string/upper-case", "(string/upper-case text)", "Another name of `string-upper`.", notString, '(string/upper-case "abc") ⇒ "ABC"'],
    ["string/lower-case", "(string/lower-case text)", "Another name of `string-lower`.", notString, '(string/lower-case "ABC") ⇒ "abc"'],
    ["string/trim", "(string/trim text)", "Another name of `string-trim`.", notString, '(string/trim " a ") ⇒ "a"'],
    [
      "re-find",
      "(re-find pattern text)",
      "The first part of a text that fits a regular expression, or nil. Runs in time linear in the text.",
      "`:invalid-argument` for a pattern that is none; `:type-error` for what is no string.",
      '(re-find "[0-9]+" "ab12c345") ⇒ "12"',
      '(re-find "[" "a") ⇒ !invalid-argument'
    ],
    [
      "re-seq",
      "(re-seq pattern text)",
      "All parts of a text that fit a regular expression.",
      "As `re-find`.",
      '(re-seq "[0-9]+" "ab12c345") ⇒ ["12" "345"]'
    ],
    [
      "re-matches",
      "(re-matches pattern text)",
      "The text if the whole of it fits a regular expression, else nil.",
      "As `re-find`.",
      '[(re-matches "[0-9]+" "12") (re-matches "[0-9]+" "a12")] ⇒ ["12" nil]'
    ]
  ]),
  ...entries("function", "JSON and errors", [
    [
      "parse-json",
      "(parse-json text)",
      "The value that a JSON text says. Keys answer to keywords and strings alike.",
      "`:json-error` for a text that is no JSON.",
      '(:id (parse-json "{\\"id\\": 7}")) ⇒ 7',
      '(parse-json "{") ⇒ !json-error'
    ],
    [
      "json/parse",
      "(json/parse text)",
      "Another name of `parse-json`.",
      "`:json-error` for a text that is no JSON.",
      '(json/parse "[1, null]") ⇒ [1 nil]'
    ],
    [
      "tool/parse-json",
      "(tool/parse-json text)",
      "Another name of `parse-json`.",
      "`:json-error` for a text that is no JSON.",
      '(tool/parse-json "true") ⇒ true'
    ],
    [
      "serialize-json",
      "(serialize-json value)",
      "A value as JSON; keyword keys go without their colon.",
      "`:json-error` for functions, keywords as values, and other things that JSON has not.",
      '(serialize-json {:a [1 nil "b"]}) ⇒ "{\\"a\\":[1,null,\\"b\\"]}"',
      "(serialize-json inc) ⇒ !json-error"
    ],
    [
      "json/stringify",
      "(json/stringify value)",
      "Another name of `serialize-json`.",
      "As `serialize-json`.",
      '(json/stringify [1 2]) ⇒ "[1,2]"'
    ],
    [
      "tool/serialize-json",
      "(tool/serialize-json value)",
      "Another name of `serialize-json`.",
      "As `serialize-json`.",
      '(tool/serialize-json {}) ⇒ "{}"'
    ],
    [
      "getMessage",
      "(getMessage error)",
      "The message of a caught failure, or of a thrown map with `:message`.",
      "`:type-error` for what has no message.",
      '(try (/ 1 0) (catch e (getMessage e))) ⇒ "Division by zero"'
    ]
  ])
]

import { entries, type Entry } from "./Entry.ts"

const notNumber = "`:type-error` for what is no number."

export const numberEntries: ReadonlyArray<Entry> = [
  ...entries("function", "Arithmetic", [
    [
      "+",
      "(+ number…)",
      "The sum. Integers beyond ±2^53 stay exact.",
      notNumber,
      "(+ 1 2 3) ⇒ 6",
      "(+ 9007199254740992 1) ⇒ 9007199254740993",
      "(+ 1 nil) ⇒ !type-error"
    ],
    ["-", "(- number…)", "The first number minus the others; of one number its negative.", notNumber, "(- 10 1 2) ⇒ 7", "(- 5) ⇒ -5"],
    ["*", "(* number…)", "The product.", notNumber, "(* 2 3 4) ⇒ 24"],
    [
      "/",
      "(/ number…)",
      "The first number divided by the others; of one number its reciprocal. An integer where the quotient is whole.",
      "`:division-by-zero`; `:type-error` for what is no number.",
      "(/ 9 3) ⇒ 3",
      "(/ 1 4) ⇒ 0.25",
      "(/ 1 0) ⇒ !division-by-zero"
    ],
    ["inc", "(inc number)", "One more.", notNumber, "(inc 41) ⇒ 42"],
    ["dec", "(dec number)", "One less.", notNumber, "(dec 43) ⇒ 42"],
    [
      "mod",
      "(mod number divisor)",
      "The remainder of truncated division: it has the sign of the number.",
      "`:division-by-zero`; `:type-error` for what is no number.",
      "(mod 7 3) ⇒ 1",
      "(mod -8 3) ⇒ -2",
      "(mod 1 0) ⇒ !division-by-zero"
    ],
    ["max", "(max number…)", "The largest.", notNumber, "(max 3 9 4) ⇒ 9"],
    ["min", "(min number…)", "The smallest.", notNumber, "(min 3 9 4) ⇒ 3"],
    ["abs", "(abs number)", "The distance from zero.", notNumber, "(abs -5) ⇒ 5"],
    [
      "sqrt",
      "(sqrt number)",
      "The square root.",
      "`:invalid-argument` for a negative number.",
      "(sqrt 16) ⇒ 4",
      "(sqrt -1) ⇒ !invalid-argument"
    ],
    [
      "pow",
      "(pow base exponent)",
      "The power; exact for integers with an exponent that is not negative.",
      notNumber,
      "(pow 2 10) ⇒ 1024",
      "(pow 2 -1) ⇒ 0.5"
    ],
    [
      "factorial",
      "(factorial n)",
      "The product of 1 to n.",
      "`:invalid-argument` for a negative number.",
      "(factorial 5) ⇒ 120",
      "(factorial -1) ⇒ !invalid-argument"
    ]
  ]),
  ...entries("function", "Comparison", [
    [
      "=",
      "(= value…)",
      "Whether all are equal: by structure, vectors element by element, maps whatever their order.",
      "",
      "(= {:a [1 2]} {:a [1 2]}) ⇒ true",
      "(= 1 1.0 2) ⇒ false",
      '(= "a" :a) ⇒ false'
    ],
    ["!=", "(!= a b)", "Whether they are not equal.", "", "(!= 1 2) ⇒ true"],
    ["not=", "(not= a b)", "Another name of `!=`.", "", "(not= 1 1) ⇒ false"],
    [
      "<",
      "(< a b)",
      "Whether the first comes before the second: two numbers or two strings.",
      "`:type-error` for anything else.",
      "(< 1 2) ⇒ true",
      '(< "a" "b") ⇒ true',
      '(< 1 "a") ⇒ !type-error'
    ],
    [
      ">",
      "(> a b)",
      "Whether the first comes after the second: two numbers or two strings.",
      "`:type-error` for anything else.",
      "(> 1 2) ⇒ false"
    ],
    [
      "<=",
      "(<= a b)",
      "Whether the first does not come after the second: two numbers or two strings.",
      "`:type-error` for anything else.",
      "(<= 2 2) ⇒ true"
    ],
    [
      ">=",
      "(>= a b)",
      "Whether the first does not come before the second: two numbers or two strings.",
      "`:type-error` for anything else.",
      "(>= 1 2) ⇒ false"
    ],
    ["not", "(not value)", "True for nil and false, false for everything else.", "", "[(not nil) (not 0)] ⇒ [true false]"],
    [
      "even?",
      "(even? integer)",
      "Whether it is a multiple of two.",
      "`:type-error` for what is no integer.",
      "(filter even? [1 2 3 4]) ⇒ [2 4]"
    ],
    [
      "odd?",
      "(odd? integer)",
      "Whether it is no multiple of two.",
      "`:type-error` for what is no integer.",
      "(odd? 3) ⇒ true",
      "(odd? 1.5) ⇒ !type-error"
    ],
    ["zero?", "(zero? number)", "Whether it is zero.", notNumber, "(zero? 0) ⇒ true"],
    ["pos?", "(pos? number)", "Whether it is greater than zero.", notNumber, "(pos? 0) ⇒ false"],
    ["neg?", "(neg? number)", "Whether it is less than zero.", notNumber, "(neg? -1) ⇒ true"]
  ]),
  ...entries("function", "Conversion", [
    [
      "parse-int",
      "(parse-int text)",
      "The integer that a text says, blanks around it ignored; nil if it says none.",
      "`:type-error` for what is no string.",
      '(parse-int " 42 ") ⇒ 42',
      '(parse-int "4.2") ⇒ nil'
    ],
    [
      "parse-float",
      "(parse-float text)",
      "The number that a text says, blanks around it ignored; nil if it says none.",
      "`:type-error` for what is no string.",
      '(parse-float "2.5e3") ⇒ 2500',
      '(parse-float "many") ⇒ nil'
    ],
    [
      "int",
      "(int value)",
      "A number without its fraction, also of a text; true is 1, and what is no number is 0.",
      "",
      "(int 7.9) ⇒ 7",
      '[(int "12") (int true) (int "x")] ⇒ [12 1 0]'
    ],
    ["float", "(float value)", "A number, also of a text; true is 1, and what is no number is 0.", "", '(float "2.5") ⇒ 2.5']
  ])
]

import fc from "fast-check"

/** Blanks and comments as people and machines leave them; never nothing. */
const gap = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(" ", "  ", "\n", "\n  ") },
  fc.constantFrom(
    "\n\n\n",
    "\t",
    ", ",
    "\r\n",
    "   ",
    " ; told\n",
    "\n;; own line\n",
    "\n\n; apart \n\n",
    " #| in |# ",
    "\n#| over\n  lines |#\n",
    ";;;tight\r\n"
  )
)
const maybeGap = fc.oneof({ weight: 5, arbitrary: fc.constant("") }, gap)

const heads = fc.constantFrom(
  "def",
  "defn",
  "fn",
  "let",
  "if",
  "when",
  "cond",
  "case",
  "match",
  "loop",
  "do",
  "try",
  "catch",
  "for",
  "call",
  "->",
  "and",
  "f",
  "str",
  ":key",
  "defthing",
  "with-thing",
  "stream-produce",
  "stream-callbacks",
  "defstruct",
  "step-parallel"
)

const tokens = fc.oneof(
  fc.constantFrom(
    "x",
    "flights",
    "&",
    "_",
    "=>",
    "(let [x : int 1  yy 2] x)",
    "x:int",
    ":k",
    ":stream.map",
    "1",
    "-2.5e3",
    "##Inf",
    "true",
    "nil",
    '""',
    '"a \\" ; b"',
    '"two\n lines"',
    "when",
    "@ref",
    "λ",
    "%"
  ),
  fc.integer({ min: 20, max: 70 }).map((length) => "long-name".padEnd(length, "-"))
)

const delimited = (open: string, close: string, items: fc.Arbitrary<ReadonlyArray<string>>): fc.Arbitrary<string> =>
  fc
    .tuple(maybeGap, items, fc.array(gap, { minLength: 12, maxLength: 12 }), maybeGap)
    .map(
      ([before, all, gaps, after]) =>
        open + before + all.map((item, index) => (index === 0 ? item : gaps[index % gaps.length]! + item)).join("") + after + close
    )

const { form } = fc.letrec<{ form: string; list: string; pairs: string; unquoting: string }>((tie) => ({
  form: fc.oneof(
    { maxDepth: 5, depthIdentifier: "program" },
    tokens,
    { weight: 3, arbitrary: tie("list") },
    tie("pairs"),
    delimited("[", "]", fc.array(tie("form"), { maxLength: 6, depthIdentifier: "program" })),
    fc.tuple(fc.constantFrom("'", "' "), maybeGap, tie("form")).map((parts) => parts.join("")),
    fc.tuple(fc.constant("`("), tie("unquoting"), fc.constant(")")).map((parts) => parts.join("")),
    fc.tuple(fc.constantFrom("^{:a 1}", "^:flag", "^ :flag"), gap, tie("form")).map((parts) => parts.join(""))
  ),
  list: delimited(
    "(",
    ")",
    fc.tuple(heads, fc.array(tie("form"), { maxLength: 6, depthIdentifier: "program" })).map(([head, rest]) => [head, ...rest])
  ),
  pairs: delimited(
    "{",
    "}",
    fc.array(
      fc
        .tuple(fc.constantFrom(":a", ":bcd", ":long-keyword"), fc.constantFrom(" ", "   ", "\n"), tie("form"))
        .map((parts) => parts.join("")),
      { maxLength: 5, depthIdentifier: "program" }
    )
  ),
  unquoting: fc.tuple(fc.constantFrom("~x", "~@xs", "~ @ref", "~(f a)", "~ x"), gap, tie("form")).map((parts) => parts.join(""))
}))

/** The text of a program that can be read: any forms, blanks and comments, whatever it would mean. */
export const programText: fc.Arbitrary<string> = fc
  .tuple(maybeGap, fc.array(fc.tuple(form, gap), { maxLength: 4 }), maybeGap)
  .map(([before, forms, after]) => before + forms.flat().join("") + after)

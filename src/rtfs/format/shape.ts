import { type Collection, type Element, isForm } from "./SyntaxTree.ts"

/** What a collection is for the form around it. */
export type Role = "code" | "bindings" | "data"

/** How the items of a collection are laid out when they don't fit on one line. */
export interface Shape {
  /** Where lines after the first begin: below the first argument, or so far from the opening bracket. */
  readonly indent: "first-argument" | number
  /** For each item whether it begins a row: a pair of a map, a form of a body. Rows are what lines are broken between. */
  readonly rows: ReadonlyArray<boolean>
  /** As many rows on a line as fit, rather than one. */
  readonly fill: boolean
  /** Whether rows are a name and its value, which can be aligned. */
  readonly paired: boolean
}

export const shapeOf = (node: Collection, role: Role): Shape => {
  const forms = node.items.filter(isForm)
  switch (node.open) {
    case "{":
      return isChannel(forms) ? shape(node, 2, from(2)) : shape(node, 1, pairsFrom(0), { paired: forms.length % 2 === 0 })
    case "[":
      return role === "bindings"
        ? shape(node, 1, bindingRows(forms), { paired: true })
        : shape(node, 1, () => true, { fill: forms.every(isToken) })
    default:
      return role === "data" ? shape(node, 1, () => true, { fill: forms.every(isToken) }) : listShape(node, forms)
  }
}

/** What an item is inside its collection. */
export const roleOf = (node: Collection, item: Element): Role =>
  node.open === "("
  && item.kind === "collection"
  && item.open === "["
  && bindingForms.has(headOf(node.items.filter(isForm)) ?? "")
  && node.items.filter(isForm)[1] === item
    ? "bindings"
    : "code"

/** Whether a form's ordinal begins a row. */
type Rows = (ordinal: number, forms: ReadonlyArray<Element>) => boolean

const shape = (
  node: Collection,
  indent: Shape["indent"],
  rows: Rows,
  { fill = false, paired = false }: Partial<Pick<Shape, "fill" | "paired">> = {}
): Shape => {
  const forms = node.items.filter(isForm)
  let ordinal = -1
  return { indent, rows: node.items.map((item) => isForm(item) && rows(++ordinal, forms)), fill, paired }
}

const from =
  (start: number): Rows =>
  (ordinal) =>
    ordinal >= start
const pairsFrom =
  (start: number): Rows =>
  (ordinal) =>
    ordinal >= start && (ordinal - start) % 2 === 0

const listShape = (node: Collection, forms: ReadonlyArray<Element>): Shape => {
  const head = headOf(forms)
  if (head === undefined) return shape(node, 1, () => true)
  const body = bodyStart(head, forms)
  if (body === undefined) {
    const named = keywordForms.has(head)
    return shape(node, "first-argument", (ordinal) => ordinal >= 2 && !(named && isKeyword(forms[ordinal - 1]!)))
  }
  if (head === "match") return shape(node, 2, matchRows(forms))
  return pairedForms.has(head) ? shape(node, 2, pairsFrom(body), { paired: true }) : shape(node, 2, from(body))
}

const isToken = (element: Element | undefined): boolean => element?.kind === "token"

const isKeyword = (element: Element): boolean => element.kind === "token" && element.text.startsWith(":")

/** What a list calls, where that is a name. */
const headOf = (forms: ReadonlyArray<Element>): string | undefined => {
  const head = forms[0]
  return head?.kind === "token" && !/^["\d]|^[+-]\d/.test(head.text) ? head.text : undefined
}

const isChannel = (forms: ReadonlyArray<Element>): boolean => forms[1]?.kind === "token" && forms[1].text === "=>"

/** `[name value …]` where a name may have a type behind a colon of its own: `[x : int 1]`. */
const bindingRows = (forms: ReadonlyArray<Element>): Rows => {
  const starts = new Set<number>()
  for (let ordinal = 0; ordinal < forms.length;) {
    starts.add(ordinal)
    const next = forms[ordinal + 1]
    ordinal += next?.kind === "token" && next.text === ":" ? 4 : 2
  }
  return (ordinal) => starts.has(ordinal)
}

/** `pattern body` or `pattern when guard body`. */
const matchRows = (forms: ReadonlyArray<Element>): Rows => {
  const starts = new Set<number>()
  for (let ordinal = 2; ordinal < forms.length;) {
    starts.add(ordinal)
    const next = forms[ordinal + 1]
    ordinal += next?.kind === "token" && next.text === "when" ? 4 : 2
  }
  return (ordinal) => starts.has(ordinal)
}

const bindingForms = new Set(["let", "loop", "for", "doseq", "dotimes", "if-let", "when-let"])

/** Forms whose body is indented by two, with how many forms stay on the first line. */
const bodies: Readonly<Record<string, number>> = {
  def: 2,
  defstruct: 2,
  let: 2,
  loop: 2,
  for: 2,
  doseq: 2,
  dotimes: 2,
  if: 2,
  when: 2,
  "when-not": 2,
  "if-let": 2,
  "when-let": 2,
  case: 2,
  match: 2,
  step: 2,
  "step-if": 2,
  "step-loop": 2,
  "with-resource": 2,
  "stream-consume": 2,
  do: 1,
  cond: 1,
  try: 1,
  finally: 1,
  parallel: 1,
  "step-parallel": 1
}

const pairedForms = new Set(["cond", "case", "defstruct"])

/** Forms with `:name value` arguments. */
const keywordForms = new Set([
  "stream-transform",
  "stream-produce",
  "stream-interact",
  "stream-duplex",
  "stream-callbacks",
  "stream-circuit-breaker",
  "register-stream-capability"
])

/** With which form the body begins, or undefined for a call, whose arguments are aligned. */
const bodyStart = (head: string, forms: ReadonlyArray<Element>): number | undefined => {
  if (Object.hasOwn(bodies, head)) return bodies[head]
  switch (head) {
    case "fn":
    case "λ":
    case "defn":
    case "defmacro":
      return afterParameters(forms)
    case "call":
    case "catch":
      return leadingTokens(forms)
    default:
      // As editors do for macros of these names.
      return /^(def|with-)/.test(head) ? 2 : undefined
  }
}

/** Behind the parameters, and behind the type that a function gives. */
const afterParameters = (forms: ReadonlyArray<Element>): number => {
  const parameters = forms.findIndex((form) => {
    const inner = form.kind === "prefixed" ? form.items.at(-1)! : form
    return inner.kind === "collection" && inner.open === "["
  })
  if (parameters < 0) return 2
  return parameters + (isKeyword(forms[parameters + 1] ?? forms[0]!) && parameters + 2 < forms.length ? 2 : 1)
}

/** The id of a capability and plain arguments, the class and name of an error. */
const leadingTokens = (forms: ReadonlyArray<Element>): number => {
  const other = forms.findIndex((form) => !isToken(form))
  return Math.max(2, other < 0 ? forms.length : other)
}

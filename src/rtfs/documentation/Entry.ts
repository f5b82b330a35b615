/** What there is to say of one name of the language. */
export interface Entry {
  readonly name: string
  readonly kind: "special form" | "function" | "call of the host" | "stream form" | "type"
  /** The heading under which the reference has it. */
  readonly section: string
  readonly signature: string
  /** One or two sentences. */
  readonly summary: string
  /** With what it fails, as a sentence; undefined for what cannot fail. */
  readonly errors: string | undefined
  readonly examples: ReadonlyArray<Example>
}

/** A program, and what a test holds it to: its value, its error, what it expands to, or what it asks of the host. */
export type Example = { readonly source: string } & (
  | { readonly value: string }
  /** The error's type, as `(:type e)` gives it. */
  | { readonly error: string }
  | { readonly expansion: string }
  | { readonly call: string }
)

/** An entry in short: errors may be empty; examples are `source ⇒ value`, `source ⇒ !error`, `source ⇝ expansion` or `source ⇢ call`. */
export type Row = readonly [name: string, signature: string, summary: string, errors: string, ...examples: ReadonlyArray<string>]

export const entries = (kind: Entry["kind"], section: string, rows: ReadonlyArray<Row>): ReadonlyArray<Entry> =>
  rows.map(([name, signature, summary, errors, ...examples]) => ({
    name,
    kind,
    section,
    signature,
    summary,
    errors: errors === "" ? undefined : errors,
    examples: examples.map(readExample)
  }))

const readExample = (text: string): Example => {
  const at = text.search(/ [⇒⇝⇢] /)
  if (at < 0) throw new Error(`An example needs a result: ${text}`)
  const source = text.slice(0, at)
  const result = text.slice(at + 3)
  switch (text[at + 1]) {
    case "⇝":
      return { source, expansion: result }
    case "⇢":
      return { source, call: result }
    default:
      return result.startsWith("!") ? { source, error: result.slice(1) } : { source, value: result }
  }
}

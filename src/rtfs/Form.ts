import type { Position } from "./Position.ts"

/**
 * What the reader makes of text: the program as data, each piece with its place.
 *
 * The contents of braces stay a plain row of forms until analysis, because `{item => body}` is no map.
 */
export type Form = ListForm | VectorForm | BraceForm | SymbolForm | KeywordForm | LiteralForm | ColonForm | MetaForm

export interface ListForm {
  readonly kind: "list"
  readonly items: ReadonlyArray<Form>
  readonly at: Position
}
export interface VectorForm {
  readonly kind: "vector"
  readonly items: ReadonlyArray<Form>
  readonly at: Position
}
export interface BraceForm {
  readonly kind: "brace"
  readonly items: ReadonlyArray<Form>
  readonly at: Position
}
export interface SymbolForm {
  readonly kind: "symbol"
  readonly name: string
  readonly at: Position
}
export interface KeywordForm {
  readonly kind: "keyword"
  readonly name: string
  readonly at: Position
}
export interface LiteralForm {
  readonly kind: "literal"
  readonly value: null | boolean | number | bigint | string
  readonly at: Position
}
/** The lone `:` of a type annotation such as `x : int`. */
export interface ColonForm {
  readonly kind: "colon"
  readonly at: Position
}
/** `^{:runtime.timeout 500} form`; `^:flag form` stands for `^{:flag true} form`. */
export interface MetaForm {
  readonly kind: "meta"
  readonly entries: BraceForm
  readonly form: Form
  readonly at: Position
}

export const list = (items: ReadonlyArray<Form>, at: Position): ListForm => ({ kind: "list", items, at })
export const vector = (items: ReadonlyArray<Form>, at: Position): VectorForm => ({ kind: "vector", items, at })
export const brace = (items: ReadonlyArray<Form>, at: Position): BraceForm => ({ kind: "brace", items, at })
export const symbol = (name: string, at: Position): SymbolForm => ({ kind: "symbol", name, at })
export const keywordForm = (name: string, at: Position): KeywordForm => ({ kind: "keyword", name, at })
export const literal = (value: LiteralForm["value"], at: Position): LiteralForm => ({ kind: "literal", value, at })

/** Whether a form is the symbol of that name. */
export const isSymbol = (form: Form | undefined, name?: string): form is SymbolForm =>
  form !== undefined && form.kind === "symbol" && (name === undefined || form.name === name)

/** The name of the symbol at the head of a list, if there is one. */
export const headName = (form: Form | undefined): string | undefined => {
  if (form?.kind !== "list") return undefined
  const head = form.items[0]
  return head?.kind === "symbol" ? head.name : undefined
}

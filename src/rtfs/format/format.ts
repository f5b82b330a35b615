import type { Form } from "../Form.ts"
import { readForms } from "../Reader.ts"
import { roleOf, type Role, type Shape, shapeOf } from "./shape.ts"
import { type Collection, type Element, isForm, parse, type Prefixed, separation } from "./SyntaxTree.ts"

export interface FormatOptions {
  /** The name of the text in messages. */
  readonly file?: string
  /** What lines are kept within, where there is a place to break them; 120 characters by default. */
  readonly width?: number
}

/**
 * A program in the house style: indented by its brackets, one blank between forms, at most one blank line, lines of up to
 * 120 characters. Comments stay where they are, and line breaks of the author are kept; further ones come in only where a
 * line is too long. Values that the author aligned stay aligned.
 *
 * Formatting again changes nothing, and the result reads as the same program.
 *
 * **Fails** with `RtfsError` for a text that cannot be read.
 */
export const format = (source: string, { width = 120, ...options }: FormatOptions = {}): string => {
  const forms = readForms(source, options)
  const text = new Layout(width).program(parse(source))
  // As other formatters of programs do: rather fail than write a file that means something else.
  if (!sameForms(forms, readForms(text, options)))
    throw new Error("The formatted program would not mean the same. Please report this program.")
  return text
}

class Layout {
  private readonly maximumWidth: number
  private text = ""
  private column = 0

  constructor(maximumWidth: number) {
    this.maximumWidth = maximumWidth
  }

  program(elements: ReadonlyArray<Element>): string {
    for (const [index, element] of elements.entries()) {
      const previous = elements[index - 1]
      if (previous !== undefined) {
        const sameLine = !element.breakBefore && (!isForm(element) || !isForm(previous))
        if (sameLine) this.blank(element)
        else this.newline(0, element.blankBefore)
      }
      this.element(element, "code", 0)
    }
    return this.text === "" ? "" : `${this.text}\n`
  }

  private write(text: string): void {
    this.text += text
    const line = Math.max(text.lastIndexOf("\n"), text.lastIndexOf("\r"))
    this.column = line < 0 ? this.column + text.length : text.length - line - 1
  }

  private newline(indent: number, blank: boolean): void {
    this.write(`${blank ? "\n\n" : "\n"}${" ".repeat(indent)}`)
  }

  /** What separates an element from the one before it on its line: comments keep their distance. */
  private blank(element: Element): void {
    this.write(element.kind === "comment" && element.isLine ? " ".repeat(Math.max(1, element.gap)) : " ")
  }

  /** @param after how many brackets close directly behind the element */
  private element(element: Element, role: Role, after: number): void {
    if (this.column + element.width + after <= this.maximumWidth) this.write(flat(element))
    else if (element.kind === "collection") this.collection(element, role, after)
    else if (element.kind === "prefixed") this.prefixed(element, after)
    else this.write(element.text)
  }

  private prefixed({ items, prefix }: Prefixed, after: number): void {
    const start = this.column
    this.write(prefix + separation(prefix, items[0]!))
    const indent = prefix === "^" ? start : this.column
    for (const [index, item] of items.entries()) {
      if (index > 0) {
        if (item.breakBefore) this.newline(indent, false)
        else this.blank(item)
      }
      this.element(item, prefix === "'" ? "data" : "code", index === items.length - 1 ? after : 0)
    }
  }

  private collection(node: Collection, role: Role, after: number): void {
    const { close, items, open } = node
    const shape = shapeOf(node, role)
    // The author broke no line, so all rows get one of their own.
    const spread = node.width !== Infinity
    const padding = paddingOf(node, shape, spread)
    this.write(open)
    const bracket = this.column - 1
    let indent = bracket + (shape.indent === "first-argument" ? 1 : shape.indent)
    const closing = endsWithLine(items) ? 0 : after + 1
    for (const [index, item] of items.entries()) {
      if (index > 0) {
        if (this.breaksBefore(node, shape, index, spread, closing)) this.newline(indent, item.blankBefore)
        else if (padding?.has(index) === true) this.write(" ".repeat(padding.get(index)!))
        else this.blank(item)
        if (index === 1 && shape.indent === "first-argument" && !item.breakBefore && isForm(item)) indent = this.column
      }
      this.element(item, roleOf(node, item), index === items.length - 1 ? closing : 0)
    }
    if (endsWithLine(items)) this.newline(indent, false)
    this.write(close)
  }

  private breaksBefore({ items }: Collection, shape: Shape, index: number, spread: boolean, closing: number): boolean {
    if (items[index]!.breakBefore) return true
    if (shape.rows[index] !== true) return false
    if (spread && !shape.fill) return true
    const { last, width } = rowAt(items, shape, index)
    // A row that has lines of its own anyway stays where the author began it.
    return width !== Infinity && this.column + 1 + width + (last ? closing : 0) > this.maximumWidth
  }
}

/** The width of the row that begins there, on one line. */
const rowAt = (items: ReadonlyArray<Element>, shape: Shape, index: number): { readonly width: number; readonly last: boolean } => {
  let width = items[index]!.width
  let next = index + 1
  while (next < items.length && shape.rows[next] !== true && !items[next]!.breakBefore) {
    const item = items[next]!
    // A comment at the end of a line may reach beyond.
    if (item.kind === "comment" && item.isLine) return { width, last: false }
    width += 1 + item.width
    next++
  }
  return { width, last: next === items.length }
}

const endsWithLine = (items: ReadonlyArray<Element>): boolean => {
  const last = items.at(-1)
  return last?.kind === "comment" && last.isLine
}

/**
 * The blanks before each value of aligned rows; undefined where they are not aligned.
 *
 * Only its author knows whether a map is a table, so this goes by what was written: where one value stood apart from its
 * name, all are aligned.
 */
const paddingOf = ({ items }: Collection, shape: Shape, spread: boolean): ReadonlyMap<number, number> | undefined => {
  if (!shape.paired) return undefined
  const starts = items.flatMap((_, index) => (shape.rows[index] === true ? [index] : []))
  const onOwnLines = starts.every((start, row) => row === 0 || spread || items[start]!.breakBefore)
  const isPair = (start: number): boolean => {
    const value = items[start + 1]
    const next = items.findIndex((item, index) => index > start + 1 && isForm(item))
    const isWhole = value !== undefined && isForm(value) && !value.breakBefore && shape.rows[start + 1] !== true
    return isWhole && items[start]!.width !== Infinity && (next < 0 || shape.rows[next] === true)
  }
  if (!onOwnLines || !starts.every(isPair) || !starts.some((start) => items[start + 1]!.gap > 1)) return undefined
  const widest = Math.max(...starts.map((start) => items[start]!.width))
  return new Map(starts.map((start) => [start + 1, widest - items[start]!.width + 1]))
}

const flat = (element: Element): string => {
  switch (element.kind) {
    case "collection":
      return element.open + element.items.map(flat).join(" ") + element.close
    case "prefixed":
      return element.prefix + separation(element.prefix, element.items[0]!) + element.items.map(flat).join(" ")
    default:
      return element.text
  }
}

/** Whether two programs are the same but for positions. */
const sameForms = (left: ReadonlyArray<Form>, right: ReadonlyArray<Form>): boolean =>
  left.length === right.length && left.every((form, index) => sameForm(form, right[index]!))

const sameForm = (left: Form, right: Form): boolean => {
  switch (left.kind) {
    case "list":
    case "vector":
    case "brace":
      return right.kind === left.kind && sameForms(left.items, right.items)
    case "symbol":
    case "keyword":
      return right.kind === left.kind && left.name === right.name
    case "literal":
      return right.kind === "literal" && Object.is(left.value, right.value)
    case "meta":
      return right.kind === "meta" && sameForm(left.entries, right.entries) && sameForm(left.form, right.form)
    case "colon":
      return right.kind === "colon"
  }
}

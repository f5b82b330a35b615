/**
 * A program as it was written: every token as its text, comments and line breaks included. The reader's forms drop all
 * of that, so the formatter works on this.
 */
export type Element = Token | Comment | Collection | Prefixed

/** How something stood behind what comes before it. */
interface Place {
  /** Whether it began a line, and whether a blank line was above it. */
  readonly breakBefore: boolean
  readonly blankBefore: boolean
  /** Blanks before it on its line, commas not counted. */
  readonly gap: number
  /** Characters that it takes on one line; `Infinity` where it can't stand on one. */
  readonly width: number
}

/** A symbol, keyword, number or string. */
export interface Token extends Place {
  readonly kind: "token"
  readonly text: string
}

export interface Comment extends Place {
  readonly kind: "comment"
  readonly text: string
  /** Whether it reaches to the end of its line (`;`), so that a line break must follow. */
  readonly isLine: boolean
}

export interface Collection extends Place {
  readonly kind: "collection"
  readonly open: "(" | "[" | "{" | "#("
  readonly close: ")" | "]" | "}"
  readonly items: ReadonlyArray<Element>
}

/** `'form`, `` `form ``, `~form`, `~@form` and `^metadata form`; comments may stand between. */
export interface Prefixed extends Place {
  readonly kind: "prefixed"
  readonly prefix: string
  readonly items: ReadonlyArray<Element>
}

/** The elements of a text that the reader has found nothing wrong with. */
export const parse = (source: string): ReadonlyArray<Element> => new Parser(source).elements(undefined)

/** Whether an element stands for a form. */
export const isForm = (element: Element): boolean => element.kind !== "comment"

const blanks = new Set(" \t\r\n,")
const delimiters = new Set(' \t\r\n,()[]{}";')
const closers = { "(": ")", "[": "]", "{": "}", "#(": ")" } as const

type Position = Omit<Place, "width">

class Parser {
  private readonly source: string
  private index = 0

  constructor(source: string) {
    this.source = source
    if (source.charCodeAt(0) === 0xfeff) this.index = 1
  }

  elements(close: string | undefined): ReadonlyArray<Element> {
    const found: Array<Element> = []
    for (;;) {
      const place = this.blank()
      const character = this.source[this.index]
      if (character === undefined) return found
      if (character === close) {
        this.index++
        return found
      }
      found.push(this.element(place))
    }
  }

  /** Moves past blanks and says how what follows stands. */
  private blank(): Position {
    let lines = 0
    let gap = 0
    while (blanks.has(this.source[this.index]!)) {
      const character = this.source[this.index++]
      if (character === "\n" || (character === "\r" && this.source[this.index] !== "\n")) {
        lines++
        gap = 0
      } else if (character !== ",") gap++
    }
    return { breakBefore: lines > 0, blankBefore: lines > 1, gap }
  }

  private element(place: Position): Element {
    const { source } = this
    const pair = source.slice(this.index, this.index + 2)
    if (pair === "#|") return this.blockComment(place)
    if (pair === "#(") return this.collection("#(", place)
    if (pair === "~@") return this.prefixed("~@", 1, place)
    const character = pair[0]!
    switch (character) {
      case ";":
        return { ...place, kind: "comment", text: this.upTo(/[\n\r]/g).trimEnd(), isLine: true, width: Infinity }
      case "(":
      case "[":
      case "{":
        return this.collection(character, place)
      case "'":
      case "`":
      case "~":
        return this.prefixed(character, 1, place)
      case "^":
        return this.prefixed(character, 2, place)
      case '"':
        return token(this.string(), place)
      default:
        return token(this.word(), place)
    }
  }

  private upTo(end: RegExp): string {
    const start = this.index
    end.lastIndex = start
    this.index = end.exec(this.source)?.index ?? this.source.length
    return this.source.slice(start, this.index)
  }

  private word(): string {
    const start = this.index++
    while (this.index < this.source.length && !delimiters.has(this.source[this.index]!)) this.index++
    return this.source.slice(start, this.index)
  }

  private string(): string {
    const start = this.index++
    while (this.source[this.index] !== '"') this.index += this.source[this.index] === "\\" ? 2 : 1
    return this.source.slice(start, ++this.index)
  }

  private blockComment(place: Position): Comment {
    const end = this.source.indexOf("|#", this.index + 2) + 2
    const text = this.source.slice(this.index, end)
    this.index = end
    return { ...place, kind: "comment", text, isLine: false, width: /[\n\r]/.test(text) ? Infinity : text.length }
  }

  private collection(open: Collection["open"], place: Position): Collection {
    this.index += open.length
    const close = closers[open]
    const items = this.elements(close)
    return { ...place, kind: "collection", open, close, items, width: open.length + widthOf(items) + 1 }
  }

  private prefixed(prefix: string, forms: number, place: Position): Prefixed {
    this.index += prefix.length
    const items: Array<Element> = []
    for (let missing = forms; missing > 0;) {
      const element = this.element(this.blank())
      items.push(element)
      if (isForm(element)) missing--
    }
    return { ...place, kind: "prefixed", prefix, items, width: prefix.length + separation(prefix, items[0]!).length + widthOf(items) }
  }
}

const token = (text: string, place: Position): Token => ({
  ...place,
  kind: "token",
  text,
  width: /[\n\r]/.test(text) ? Infinity : text.length
})

/** Without a blank, `~ @name` would splice. */
export const separation = (prefix: string, first: Element): string =>
  prefix === "~" && first.kind === "token" && first.text.startsWith("@") ? " " : ""

/** Line breaks of the author are kept, so what has one inside can't stand on one line; one at the start counts for nothing. */
const widthOf = (items: ReadonlyArray<Element>): number => {
  let width = 0
  for (const [index, item] of items.entries()) {
    if (index > 0 && item.breakBefore) return Infinity
    width += item.width + (index > 0 ? 1 : 0)
  }
  return width
}

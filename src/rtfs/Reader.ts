import type { Diagnostic } from "./errors.ts"
import { RtfsError } from "./errors.ts"
import { brace, type Form, keywordForm, list, literal, symbol, type SymbolForm, vector } from "./Form.ts"
import type { Position } from "./Position.ts"

export interface ReadResult {
  readonly forms: ReadonlyArray<Form>
  readonly diagnostics: ReadonlyArray<Diagnostic>
}

/**
 * Reads a whole text. Goes on after a mistake where the rest can still be understood, so that all are reported.
 *
 * **Bounds** nesting of 500 levels.
 */
export const readProgram = (source: string, file = "program"): ReadResult => {
  const reader = new Reader(source, file)
  return { forms: reader.program(), diagnostics: reader.diagnostics }
}

/** Reads a whole text. **Fails** with a `read` error that carries all diagnostics. */
export const readForms = (source: string, options: { readonly file?: string } = {}): ReadonlyArray<Form> => {
  const { forms, diagnostics } = readProgram(source, options.file)
  if (diagnostics.length > 0) throw diagnosticsError(diagnostics)
  return forms
}

/** The error for a text with these diagnostics; the first one gives the message. */
export const diagnosticsError = (diagnostics: ReadonlyArray<Diagnostic>): RtfsError => {
  const first = diagnostics[0]!
  return new RtfsError(first.type, first.message, {
    kind: first.kind,
    at: first.at,
    expected: first.expected,
    suggestion: first.suggestion,
    diagnostics
  })
}

const maximumDepth = 500
const maximumDiagnostics = 100
const delimiters = new Set(' \t\r\n,()[]{}";')
const symbolPattern = /^[A-Za-z_$+\-*/=<>!?%&λ][A-Za-z0-9_$+\-*/=<>!?%&λ.@:]*$/
const keywordPattern = /^[A-Za-z_$+\-*/=<>!?%&][A-Za-z0-9_$+\-*/=<>!?%&.@:]*$/
const integerPattern = /^[+-]?[0-9]+$/
const floatPattern = /^[+-]?[0-9]+\.[0-9]+([eE][+-]?[0-9]+)?$/
const timestampPattern = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$/
const uuidPattern = /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/
const escapes: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", "\\": "\\", '"': '"' }
const closers: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" }

/** Whether a text can be written as a symbol. */
export const isSymbolName = (name: string): boolean =>
  symbolPattern.test(name)
  && !name.endsWith(":")
  && !/^[+-]\.?[0-9]/.test(name)
  && name !== "true"
  && name !== "false"
  && name !== "nil"
  && !uuidPattern.test(name)
  && !name.startsWith("resource://")

/** Whether a text can be the name of a keyword, so that `:name` reads back as it. */
export const isKeywordName = (name: string): boolean => keywordPattern.test(name) && !name.endsWith(":")

/** An integer as a value: a number where it is exact, else a bigint. */
export const integerValue = (text: string): number | bigint => {
  const number = Number(text)
  if (Number.isSafeInteger(number)) return number + 0
  const exact = BigInt(text.startsWith("+") ? text.slice(1) : text)
  return exact === 2n ** 53n || exact === -(2n ** 53n) ? number : exact
}

class Reader {
  readonly diagnostics: Array<Diagnostic> = []
  private readonly source: string
  private readonly file: string
  private index = 0
  private line = 1
  private lineStart = 0
  private depth = 0
  private quasiquotes = 0
  /** The highest `%n` of the `#(…)` being read, or -1 outside of one. */
  private argumentCount = -1

  constructor(source: string, file: string) {
    this.source = source
    this.file = file
    if (source.charCodeAt(0) === 0xfeff) this.index = 1
  }

  program(): Array<Form> {
    const forms: Array<Form> = []
    for (;;) {
      this.skipBlank()
      if (this.index >= this.source.length || this.diagnostics.length >= maximumDiagnostics) return forms
      const at = this.position()
      const next = this.source[this.index]!
      if (next === ")" || next === "]" || next === "}") {
        this.index++
        this.report(at, `Unexpected ${next}: nothing is open here`)
        continue
      }
      const form = this.form()
      if (form === undefined) continue
      if (form.kind === "colon") this.report(form.at, "A lone : is only allowed before a type, as in [x : int]")
      else forms.push(form)
    }
  }

  private position(): Position {
    return { file: this.file, line: this.line, column: this.index - this.lineStart + 1 }
  }

  private report(at: Position, message: string, expected?: string, suggestion?: string): undefined {
    if (this.diagnostics.length < maximumDiagnostics) {
      this.diagnostics.push({ severity: "error", kind: "read", type: "read-error", message, at, expected, suggestion })
    }
    return undefined
  }

  private newline(): void {
    this.line++
    this.lineStart = this.index
  }

  /** Moves past whitespace, commas and comments. */
  private skipBlank(): void {
    const { source } = this
    while (this.index < source.length) {
      const character = source[this.index]
      if (character === "\n") {
        this.index++
        this.newline()
      } else if (character === "\r") {
        this.index += source[this.index + 1] === "\n" ? 2 : 1
        this.newline()
      } else if (character === " " || character === "\t" || character === ",") this.index++
      else if (character === ";") {
        while (this.index < source.length && source[this.index] !== "\n" && source[this.index] !== "\r") this.index++
      } else if (character === "#" && source[this.index + 1] === "|") this.skipBlockComment()
      else return
    }
  }

  private skipBlockComment(): void {
    const at = this.position()
    const end = this.source.indexOf("|#", this.index + 2)
    const stop = end < 0 ? this.source.length : end + 2
    while (this.index < stop) {
      const character = this.source[this.index++]
      if (character === "\n" || (character === "\r" && this.source[this.index] !== "\n")) this.newline()
    }
    if (end < 0) this.report(at, "This block comment is never closed", "|#")
  }

  /** One form, or undefined when what stands here was reported and skipped. */
  private form(): Form | undefined {
    const at = this.position()
    if (this.depth >= maximumDepth) {
      this.index = this.source.length
      return this.report(at, `Forms are nested more than ${maximumDepth} deep`)
    }
    this.depth++
    try {
      return this.formAt(at, this.source[this.index]!)
    } finally {
      this.depth--
    }
  }

  private formAt(at: Position, character: string): Form | undefined {
    switch (character) {
      case "(":
        return list(this.sequence("(", at), at)
      case "[":
        return vector(this.sequence("[", at), at)
      case "{":
        return brace(this.sequence("{", at), at)
      case '"':
        return this.string(at)
      case "'":
        return this.prefixed(1, "quote", at)
      case "`":
        this.quasiquotes++
        try {
          return this.prefixed(1, "quasiquote", at)
        } finally {
          this.quasiquotes--
        }
      case "~":
        return this.unquote(at)
      case "@":
        return this.reference(at)
      case "^":
        return this.meta(at)
      case "#":
        return this.dispatch(at)
      case ":":
        return this.keyword(at)
      default:
        return this.atom(at)
    }
  }

  /** The forms up to the closing delimiter. */
  private sequence(open: string, at: Position): Array<Form> {
    const close = closers[open]!
    this.index++
    const items: Array<Form> = []
    for (;;) {
      this.skipBlank()
      const character = this.source[this.index]
      if (character === undefined) {
        this.report(at, `This ${open} is never closed`, close)
        return items
      }
      if (character === close) {
        this.index++
        return items
      }
      if (character === ")" || character === "]" || character === "}") {
        this.report(this.position(), `Expected ${close} to close the ${open} of line ${at.line}, found ${character}`, close)
        this.index++
        return items
      }
      if (this.diagnostics.length >= maximumDiagnostics) {
        this.index = this.source.length
        return items
      }
      const form = this.form()
      if (form !== undefined) items.push(form)
    }
  }

  private prefixed(length: number, head: string, at: Position): Form | undefined {
    const form = this.following(length, at, head)
    return form === undefined ? undefined : list([symbol(head, at), form], at)
  }

  /** The form after a prefix; reports when there is none. */
  private following(length: number, at: Position, what: string): Form | undefined {
    this.index += length
    this.skipBlank()
    const character = this.source[this.index]
    if (character === undefined || character === ")" || character === "]" || character === "}") {
      return this.report(at, `Nothing follows this ${what}`, "a form")
    }
    return this.form()
  }

  private unquote(at: Position): Form | undefined {
    const splicing = this.source[this.index + 1] === "@"
    if (this.quasiquotes === 0) this.report(at, `${splicing ? "~@" : "~"} is only allowed inside a quasiquote (\`)`)
    const levels = this.quasiquotes
    this.quasiquotes = Math.max(0, levels - 1)
    try {
      return this.prefixed(splicing ? 2 : 1, splicing ? "unquote-splicing" : "unquote", at)
    } finally {
      this.quasiquotes = levels
    }
  }

  private reference(at: Position): Form | undefined {
    this.index++
    const name = this.token()
    const bare = name.startsWith(":") ? name.slice(1) : name
    if (!isSymbolName(bare)) return this.report(at, `@ must be followed by a name, found ${name === "" ? "nothing" : name}`, "a name")
    return list([symbol("resource:ref", at), literal(name, at)], at)
  }

  private meta(at: Position): Form | undefined {
    const entries = this.following(1, at, "^")
    if (entries === undefined) return undefined
    const data = entries.kind === "keyword" ? brace([entries, literal(true, entries.at)], entries.at) : entries
    if (data.kind !== "brace") return this.report(at, "Metadata must be a map or a keyword", "^{…} or ^:keyword")
    const form = this.following(0, at, "metadata")
    return form === undefined ? undefined : { kind: "meta", entries: data, form, at }
  }

  private dispatch(at: Position): Form | undefined {
    const next = this.source[this.index + 1]
    if (next === "(") return this.shortFunction(at)
    if (next === "#") {
      const token = this.token()
      if (token === "##Inf") return literal(Infinity, at)
      if (token === "##-Inf") return literal(-Infinity, at)
      if (token === "##NaN") return literal(NaN, at)
      return this.report(at, `Unknown number ${token}`, "##Inf, ##-Inf or ##NaN")
    }
    this.index++
    if (next === "{") return this.report(at, "RTFS has no set literal", "a vector or a map")
    if (next === "_") {
      this.index++
      return this.report(at, "RTFS has no #_", "; for a comment")
    }
    if (next === '"') return this.report(at, "RTFS has no regular expression literal", 'a string, as in (re-find "[0-9]+" s)')
    return this.report(at, "Unexpected #")
  }

  /** `#(+ % 1)` becomes `(fn [%1] (+ %1 1))`: the parenthesised body is one call. */
  private shortFunction(at: Position): Form | undefined {
    if (this.argumentCount >= 0) {
      this.index++
      return this.report(at, "#(…) cannot stand inside another #(…)", "(fn [x] …)")
    }
    this.argumentCount = 0
    this.index++
    try {
      const body = this.form()
      const parameters = Array.from({ length: this.argumentCount }, (_, index) => symbol(`%${index + 1}`, at))
      return body === undefined ? undefined : list([symbol("fn", at), vector(parameters, at), body], at)
    } finally {
      this.argumentCount = -1
    }
  }

  private token(): string {
    const start = this.index
    while (this.index < this.source.length && !delimiters.has(this.source[this.index]!)) this.index++
    return this.source.slice(start, this.index)
  }

  private keyword(at: Position): Form | undefined {
    const token = this.token()
    if (token === ":") return { kind: "colon", at }
    const name = token.slice(1)
    if (isKeywordName(name)) return keywordForm(name, at)
    return this.report(at, `${token} is no keyword`, "a name such as :ready? after the colon")
  }

  private atom(at: Position): Form | undefined {
    const token = this.token()
    if (token === "true") return literal(true, at)
    if (token === "false") return literal(false, at)
    if (token === "nil") return literal(null, at)
    if (uuidPattern.test(token) || token.startsWith("resource://")) return literal(token, at)
    if (/^[+-]?\.?[0-9]/.test(token)) return this.number(token, at)
    if (token === "λ") return symbol("fn", at)
    if (token.startsWith("%") && this.argumentCount >= 0) return this.argument(token, at)
    if (isSymbolName(token)) return symbol(token, at)
    if (token.startsWith(".") && isSymbolName(token.slice(1))) return symbol(token, at)
    if (token === "") {
      this.index++
      return this.report(at, "Unexpected character")
    }
    const bad = [...token].find((character) => !/[A-Za-z0-9_$+\-*/=<>!?%&.@:]/.test(character))
    return this.report(at, bad === undefined ? `${token} is no symbol` : `${token} is no symbol: unexpected ${bad}`)
  }

  private number(token: string, at: Position): Form | undefined {
    if (integerPattern.test(token)) {
      if (token.length > 20_000) return this.report(at, "This number has more than 20000 digits")
      return literal(integerValue(token), at)
    }
    if (floatPattern.test(token)) return literal(Number(token), at)
    if (timestampPattern.test(token)) return literal(token, at)
    return this.report(at, `${token} is no number`, "a number such as 42, -1 or 2.5e3, ended by a space or bracket")
  }

  private argument(token: string, at: Position): SymbolForm | undefined {
    if (token === "%") {
      this.argumentCount = Math.max(this.argumentCount, 1)
      return symbol("%1", at)
    }
    const number = /^%([1-9][0-9]?)$/.exec(token)
    if (number === null) return this.report(at, `${token} is no argument of #(…)`, "%, %1, %2 …")
    this.argumentCount = Math.max(this.argumentCount, Number(number[1]))
    return symbol(token, at)
  }

  private string(at: Position): Form | undefined {
    const { source } = this
    let text = ""
    let start = ++this.index
    let valid = true
    for (; this.index < source.length; this.index++) {
      const character = source[this.index]
      if (character === '"') {
        text += source.slice(start, this.index++)
        return valid ? literal(text, at) : undefined
      }
      if (character === "\n" || (character === "\r" && source[this.index + 1] !== "\n")) {
        this.line++
        this.lineStart = this.index + 1
      } else if (character === "\\") {
        const escape = source[this.index + 1] ?? ""
        const meaning = escapes[escape]
        if (meaning === undefined) {
          valid = false
          this.report(this.position(), `Unknown escape \\${escape} in a string`, '\\n, \\t, \\r, \\\\ or \\"')
        }
        text += source.slice(start, this.index) + (meaning ?? "")
        this.index++
        start = this.index + 1
      }
    }
    return this.report(at, "This string is never closed", '"')
  }
}

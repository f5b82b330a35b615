/** A pattern that cannot be compiled. */
export class RegexError extends Error {
  readonly type = "invalid-argument"
}

/** A pattern as what it is made of. */
export type Tree =
  | { readonly kind: "empty" }
  | { readonly kind: "character"; readonly accepts: Accepts }
  | { readonly kind: "assert"; readonly holds: Holds }
  | { readonly kind: "sequence" | "choice"; readonly items: ReadonlyArray<Tree> }
  | { readonly kind: "repeat"; readonly item: Tree; readonly minimum: number; readonly maximum: number; readonly greedy: boolean }
  | { readonly kind: "group"; readonly item: Tree; readonly index: number }

export type Accepts = (point: number) => boolean
/** An assertion about the place between two characters; -1 stands for the edge of the text. */
export type Holds = (before: number, after: number) => boolean

const maximumRepeat = 1000
const maximumDepth = 200

const isDigit: Accepts = (point) => point >= 48 && point <= 57
const isWord: Accepts = (point) => isDigit(point) || (point >= 65 && point <= 90) || (point >= 97 && point <= 122) || point === 95
const isSpace: Accepts = (point) =>
  point === 32 || (point >= 9 && point <= 13) || point === 0xa0 || point === 0x2028 || point === 0x2029 || point === 0xfeff
const isLineEnd: Accepts = (point) => point === 10 || point === 13 || point === 0x2028 || point === 0x2029
const not =
  (accepts: Accepts): Accepts =>
  (point) =>
    !accepts(point)

const classes: Readonly<Record<string, Accepts>> = {
  d: isDigit,
  D: not(isDigit),
  w: isWord,
  W: not(isWord),
  s: isSpace,
  S: not(isSpace)
}
const controls: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, f: 12, v: 11, "0": 0 }

const own = <A>(table: Readonly<Record<string, A>>, key: string): A | undefined => (Object.hasOwn(table, key) ? table[key] : undefined)

/** The other case of a letter, where that is one character. */
const otherCase = (point: number): number => {
  const character = String.fromCodePoint(point)
  const other = character.toLowerCase() === character ? character.toUpperCase() : character.toLowerCase()
  return other.length === character.length ? other.codePointAt(0)! : point
}

/** Reads the text of a pattern. */
export class Parser {
  groups = 0
  private readonly points: ReadonlyArray<string>
  private index = 0
  private depth = 0
  private ignoreCase = false
  private dotAll = false
  private multiline = false

  constructor(pattern: string) {
    if (pattern.length > 10_000) throw new RegexError("The pattern has more than 10000 characters")
    this.points = Array.from(pattern)
  }

  parse(): Tree {
    const flags = /^\(\?([ims]+)\)/.exec(this.points.slice(0, 8).join(""))
    if (flags !== null) {
      this.index = flags[0].length
      this.ignoreCase = flags[1]!.includes("i")
      this.dotAll = flags[1]!.includes("s")
      this.multiline = flags[1]!.includes("m")
    }
    const tree = this.choice()
    if (this.index < this.points.length) throw this.error("unexpected )")
    return tree
  }

  private error(message: string): RegexError {
    return new RegexError(`Invalid pattern at character ${this.index + 1}: ${message}`)
  }

  private choice(): Tree {
    if (++this.depth > maximumDepth) throw this.error(`groups are nested more than ${maximumDepth} deep`)
    const items = [this.sequence()]
    while (this.points[this.index] === "|") {
      this.index++
      items.push(this.sequence())
    }
    this.depth--
    return items.length === 1 ? items[0]! : { kind: "choice", items }
  }

  private sequence(): Tree {
    const items: Array<Tree> = []
    while (this.index < this.points.length && this.points[this.index] !== "|" && this.points[this.index] !== ")")
      items.push(this.repeated())
    return items.length === 1 ? items[0]! : items.length === 0 ? { kind: "empty" } : { kind: "sequence", items }
  }

  private repeated(): Tree {
    let item = this.single()
    for (;;) {
      const range = this.quantifier()
      if (range === undefined) return item
      if (item.kind === "assert") throw this.error("nothing to repeat")
      const greedy = this.points[this.index] !== "?"
      if (!greedy) this.index++
      else if (this.points[this.index] === "+") throw this.error("possessive quantifiers are not supported")
      item = { kind: "repeat", item, minimum: range[0], maximum: range[1], greedy }
    }
  }

  private quantifier(): readonly [number, number] | undefined {
    const next = this.points[this.index]
    const simple =
      next === "*" ? ([0, Infinity] as const) : next === "+" ? ([1, Infinity] as const) : next === "?" ? ([0, 1] as const) : undefined
    if (simple !== undefined) {
      this.index++
      return simple
    }
    if (next !== "{") return undefined
    const counted = /^\{([0-9]+)(,([0-9]*))?\}/.exec(this.points.slice(this.index, this.index + 16).join(""))
    if (counted === null) throw this.error("{ must be followed by a count, or be written \\{")
    const minimum = Number(counted[1])
    const maximum = counted[2] === undefined ? minimum : counted[3] === "" ? Infinity : Number(counted[3])
    if (minimum > maximum) throw this.error("the counts are out of order")
    if (minimum > maximumRepeat || (maximum !== Infinity && maximum > maximumRepeat))
      throw this.error(`a count may be at most ${maximumRepeat}`)
    this.index += counted[0].length
    return [minimum, maximum]
  }

  private single(): Tree {
    const character = this.points[this.index++]!
    switch (character) {
      case "(":
        return this.group()
      case "[":
        return this.character(this.characterClass())
      case ".":
        return this.character(this.dotAll ? () => true : not(isLineEnd))
      case "^":
        return { kind: "assert", holds: this.multiline ? (before) => before < 0 || isLineEnd(before) : (before) => before < 0 }
      case "$":
        return { kind: "assert", holds: this.multiline ? (_, after) => after < 0 || isLineEnd(after) : (_, after) => after < 0 }
      case "\\":
        return this.escape()
      case "*":
      case "+":
      case "?":
      case "{":
        this.index--
        throw this.error("nothing to repeat")
      default:
        return this.literal(character.codePointAt(0)!)
    }
  }

  private character(accepts: Accepts): Tree {
    return { kind: "character", accepts }
  }

  private literal(point: number): Tree {
    if (!this.ignoreCase) return this.character((other) => other === point)
    const twin = otherCase(point)
    return this.character((other) => other === point || other === twin)
  }

  private group(): Tree {
    let index = 0
    if (this.points[this.index] === "?") {
      const head = this.points.slice(this.index, this.index + 80).join("")
      if (head.startsWith("?:")) this.index += 2
      else {
        const name = /^\?P?<([A-Za-z_][A-Za-z0-9_]*)>/.exec(head)
        if (name === null) {
          throw this.error(
            /^\?(<?[=!])/.test(head) ? "lookahead and lookbehind are not supported: matching takes linear time" : "unknown group"
          )
        }
        this.index += name[0].length
        index = ++this.groups
      }
    } else index = ++this.groups
    const item = this.choice()
    if (this.points[this.index] !== ")") throw this.error("a group is never closed")
    this.index++
    return index === 0 ? { kind: "sequence", items: [item] } : { kind: "group", item, index }
  }

  private escape(): Tree {
    const character = this.points[this.index++]
    if (character === undefined) throw this.error("the pattern ends with \\")
    if (character === "b" || character === "B") {
      const wanted = character === "b"
      return { kind: "assert", holds: (before, after) => (isWord(before) !== isWord(after)) === wanted }
    }
    if (character === "A") return { kind: "assert", holds: (before) => before < 0 }
    if (character === "z" || character === "Z") return { kind: "assert", holds: (_, after) => after < 0 }
    if (/[1-9]/.test(character) || character === "k") throw this.error("back-references are not supported: matching takes linear time")
    const known = own(classes, character)
    if (known !== undefined) return this.character(known)
    return this.literal(this.escapedPoint(character))
  }

  /** The character that an escape stands for. */
  private escapedPoint(character: string): number {
    const control = own(controls, character)
    if (control !== undefined) return control
    if (character === "x" || character === "u") {
      const rest = this.points.slice(this.index, this.index + 9).join("")
      const digits = character === "x" ? /^([0-9a-fA-F]{2})/.exec(rest) : /^([0-9a-fA-F]{4})|^\{([0-9a-fA-F]{1,6})\}/.exec(rest)
      if (digits === null) throw this.error(`\\${character} needs hexadecimal digits`)
      this.index += digits[0].length
      const point = parseInt(digits[1] ?? digits[2]!, 16)
      if (point > 0x10ffff) throw this.error("there is no such character")
      return point
    }
    if (/[A-Za-z0-9]/.test(character)) throw this.error(`unknown escape \\${character}`)
    return character.codePointAt(0)!
  }

  private characterClass(): Accepts {
    const negated = this.points[this.index] === "^"
    if (negated) this.index++
    const parts: Array<Accepts> = []
    for (let first = true; ; first = false) {
      const character = this.points[this.index]
      if (character === undefined) throw this.error("a class [ is never closed")
      if (character === "]" && !first) break
      this.index++
      const low = this.classPart(character)
      if (typeof low !== "number") {
        parts.push(low)
        continue
      }
      const after = this.points[this.index + 1]
      if (this.points[this.index] !== "-" || after === undefined || after === "]") {
        parts.push(this.inRange(low, low))
        continue
      }
      this.index += 2
      const high = this.classPart(after)
      if (typeof high !== "number" || high < low) throw this.error("a range in a class is out of order")
      parts.push(this.inRange(low, high))
    }
    this.index++
    const any: Accepts = parts.length === 1 ? parts[0]! : (point) => parts.some((part) => part(point))
    return negated ? not(any) : any
  }

  private classPart(character: string): number | Accepts {
    if (character !== "\\") return character.codePointAt(0)!
    const escaped = this.points[this.index++]
    if (escaped === undefined) throw this.error("a class [ is never closed")
    if (escaped === "b") return 8
    return own(classes, escaped) ?? this.escapedPoint(escaped)
  }

  private inRange(low: number, high: number): Accepts {
    if (!this.ignoreCase) return (point) => point >= low && point <= high
    return (point) => {
      if (point >= low && point <= high) return true
      const twin = otherCase(point)
      return twin >= low && twin <= high
    }
  }
}

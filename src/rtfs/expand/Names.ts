import type { Form } from "../Form.ts"
import type { Macro } from "./Macro.ts"

/** The local names and macros at a point of a program, for deciding what a head symbol means. */
export class Names {
  private readonly parent: Names | undefined
  private readonly bound: ReadonlySet<string>
  private readonly macros = new Map<string, Macro>()

  constructor(parent: Names | undefined, bound: Iterable<string> = []) {
    this.parent = parent
    this.bound = new Set(bound)
  }

  get isTop(): boolean {
    return this.parent === undefined
  }

  has(name: string): boolean {
    return this.bound.has(name) || (this.parent?.has(name) ?? false)
  }

  with(patterns: Iterable<Form>): Names {
    return new Names(this, [...patterns].flatMap(patternNames))
  }

  define(name: string, macro: Macro | undefined): void {
    if (macro === undefined) this.macros.delete(name)
    else this.macros.set(name, macro)
  }

  /** The macro of that name, unless a variable hides it. */
  macro(name: string): Macro | undefined {
    return this.macros.get(name) ?? (this.bound.has(name) ? undefined : this.parent?.macro(name))
  }
}

/** The names that a pattern binds; a type behind a colon binds nothing. */
export const patternNames = (pattern: Form): ReadonlyArray<string> => {
  switch (pattern.kind) {
    case "symbol": {
      const colon = pattern.name.indexOf(":")
      const name = colon > 0 ? pattern.name.slice(0, colon) : pattern.name
      return name === "&" || name === "_" ? [] : [name]
    }
    case "vector":
    case "brace":
      return pattern.items.flatMap(patternNames)
    case "meta":
      return patternNames(pattern.form)
    default:
      return []
  }
}

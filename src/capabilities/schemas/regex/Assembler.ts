import { type Accepts, type Holds, RegexError, type Tree } from "./Parser.ts"

const maximumSteps = 10_000

export type Step =
  | { readonly op: "character"; readonly accepts: Accepts }
  | { readonly op: "assert"; readonly holds: Holds }
  /** Goes both ways; the first is preferred. */
  | { readonly op: "split"; first: number; second: number }
  | { readonly op: "jump"; to: number }
  | { readonly op: "save"; readonly slot: number }
  | { readonly op: "match" }

/** A pattern as steps for the machine. */
export interface RegexProgram {
  readonly steps: ReadonlyArray<Step>
  readonly slots: number
}

/** Makes the steps of a pattern. */
export class Assembler {
  private readonly steps: Array<Step> = []
  private readonly groups: number

  constructor(groups: number) {
    this.groups = groups
  }

  assemble(tree: Tree): RegexProgram {
    this.add({ op: "save", slot: 0 })
    this.emit(tree)
    this.add({ op: "save", slot: 1 })
    this.add({ op: "match" })
    return { steps: this.steps, slots: (this.groups + 1) * 2 }
  }

  private add(step: Step): number {
    if (this.steps.length >= maximumSteps)
      throw new RegexError(`The pattern is too large: its repetitions make more than ${maximumSteps} steps`)
    return this.steps.push(step) - 1
  }

  private emit(tree: Tree): void {
    switch (tree.kind) {
      case "empty":
        return
      case "character":
        this.add({ op: "character", accepts: tree.accepts })
        return
      case "assert":
        this.add({ op: "assert", holds: tree.holds })
        return
      case "sequence":
        return tree.items.forEach((item) => this.emit(item))
      case "choice":
        return this.choice(tree.items)
      case "group":
        this.add({ op: "save", slot: tree.index * 2 })
        this.emit(tree.item)
        this.add({ op: "save", slot: tree.index * 2 + 1 })
        return
      case "repeat":
        return this.repeat(tree)
    }
  }

  private choice(items: ReadonlyArray<Tree>): void {
    const ends: Array<{ to: number }> = []
    items.forEach((item, index) => {
      if (index === items.length - 1) return this.emit(item)
      const split = { op: "split" as const, first: 0, second: 0 }
      split.first = this.add(split) + 1
      this.emit(item)
      const jump = { op: "jump" as const, to: 0 }
      this.add(jump)
      ends.push(jump)
      split.second = this.steps.length
    })
    for (const jump of ends) jump.to = this.steps.length
  }

  private repeat({ item, minimum, maximum, greedy }: Extract<Tree, { kind: "repeat" }>): void {
    for (let count = 0; count < minimum; count++) this.emit(item)
    const exits: Array<{ first: number; second: number }> = []
    const open = (): { first: number; second: number } => {
      const split = { op: "split" as const, first: 0, second: 0 }
      const at = this.add(split)
      if (greedy) split.first = at + 1
      else split.second = at + 1
      exits.push(split)
      return split
    }
    if (maximum === Infinity) {
      const start = this.steps.length
      open()
      this.emit(item)
      this.add({ op: "jump", to: start })
    } else {
      for (let count = minimum; count < maximum; count++) {
        open()
        this.emit(item)
      }
    }
    for (const split of exits) {
      if (greedy) split.second = this.steps.length
      else split.first = this.steps.length
    }
  }
}

import { Assembler, type RegexProgram } from "./Assembler.ts"
import { Parser } from "./Parser.ts"

/** A match: UTF-16 offsets, and the whole match followed by its groups (null for one that took no part). */
export interface RegexMatch {
  readonly start: number
  readonly end: number
  readonly groups: ReadonlyArray<string | null>
}

/** Told how many steps a search took since the last time, so that it is paid for while it runs. */
export type RegexCharge = (steps: number) => void

/**
 * A compiled pattern, matched in time linear in text and pattern: a set of states goes over the characters once (Pike's
 * machine), so that no pattern and no text can make it explode as a backtracking engine does.
 */
export interface Regex {
  /** The first match at or after a UTF-16 offset; of several there, the one a backtracking engine would prefer. */
  find(text: string, from: number, charge?: RegexCharge): RegexMatch | undefined
  /** The match that covers the whole text. */
  matches(text: string, charge?: RegexCharge): RegexMatch | undefined
}

/**
 * Compiles a pattern: literals, `.`, classes, `\d \w \s \b`, quantifiers (greedy and lazy), groups, named groups,
 * alternation, anchors, and the flags `(?i)`, `(?s)`, `(?m)` at the start.
 *
 * **Fails** with an `Error` whose `type` is `invalid-argument`, for bad syntax, for back-references and lookaround
 * (which no linear-time engine has), and for patterns that compile to more than 10,000 steps.
 */
export const compileRegex = (pattern: string): Regex => {
  const parser = new Parser(pattern)
  const tree = parser.parse()
  const program = new Assembler(parser.groups).assemble(tree)
  return {
    find: (text, from, charge) => run(program, text, from, false, charge),
    matches: (text, charge) => run(program, text, 0, true, charge)
  }
}

/** States that wait at one place of the text, the preferred first, each with where its groups began and ended. */
class Threads {
  readonly states: Array<number> = []
  readonly saved: Array<ReadonlyArray<number>> = []
  private readonly mark: Int32Array
  private generation = 0

  constructor(size: number) {
    this.mark = new Int32Array(size)
  }

  clear(): void {
    this.states.length = 0
    this.saved.length = 0
    this.generation++
  }

  /** Whether a step is new in this generation; from then on it is not. */
  enter(step: number): boolean {
    if (this.mark[step] === this.generation) return false
    this.mark[step] = this.generation
    return true
  }
}

const chargeEvery = 1000

const run = (
  program: RegexProgram,
  text: string,
  from: number,
  whole: boolean,
  charge: RegexCharge | undefined
): RegexMatch | undefined => {
  const { steps, slots } = program
  let current = new Threads(steps.length)
  let next = new Threads(steps.length)
  current.clear()
  next.clear()
  let matched: ReadonlyArray<number> | undefined
  const nothing: ReadonlyArray<number> = Array.from({ length: slots }, () => -1)
  let before = from > 0 ? pointBefore(text, from) : -1
  let taken = 0
  for (let index = from; ;) {
    const point = index < text.length ? text.codePointAt(index)! : -1
    if (matched === undefined && (!whole || index === 0)) taken += follow(program, current, 0, nothing, index, before, point)
    // Without a match yet, the next place may be the start of one.
    if (current.states.length === 0 && (matched !== undefined || whole)) break
    next.clear()
    const after = point < 0 ? index : index + (point > 0xffff ? 2 : 1)
    const following = after < text.length ? text.codePointAt(after)! : -1
    for (let thread = 0; thread < current.states.length; thread++) {
      const state = current.states[thread]!
      const step = steps[state]!
      taken++
      if (step.op === "match") {
        if (whole && index < text.length) continue
        matched = current.saved[thread]!
        // The threads behind this one would give matches that are less preferred.
        break
      }
      if (step.op === "character" && point >= 0 && step.accepts(point))
        taken += follow(program, next, state + 1, current.saved[thread]!, after, point, following)
    }
    if (taken > chargeEvery) {
      charge?.(taken)
      taken = 0
    }
    if (point < 0) break
    ;[current, next] = [next, current]
    before = point
    index = after
  }
  charge?.(taken)
  return matched === undefined ? undefined : result(text, matched)
}

const pointBefore = (text: string, index: number): number => {
  const unit = text.charCodeAt(index - 1)
  return unit >= 0xdc00 && unit <= 0xdfff && index > 1 ? text.codePointAt(index - 2)! : unit
}

/** Adds all states that are reached from a step without taking a character. Gives how many steps that took. */
const follow = (
  program: RegexProgram,
  threads: Threads,
  start: number,
  saved: ReadonlyArray<number>,
  index: number,
  before: number,
  after: number
): number => {
  const stack: Array<readonly [number, ReadonlyArray<number>]> = [[start, saved]]
  let taken = 0
  while (stack.length > 0) {
    const [at, groups] = stack.pop()!
    if (!threads.enter(at)) continue
    taken++
    const step = program.steps[at]!
    switch (step.op) {
      case "jump":
        stack.push([step.to, groups])
        break
      case "split":
        stack.push([step.second, groups], [step.first, groups])
        break
      case "save":
        stack.push([at + 1, groups.with(step.slot, index)])
        taken += program.slots >> 3
        break
      case "assert":
        if (step.holds(before, after)) stack.push([at + 1, groups])
        break
      default:
        threads.states.push(at)
        threads.saved.push(groups)
    }
  }
  return taken
}

const result = (text: string, saved: ReadonlyArray<number>): RegexMatch => {
  const groups: Array<string | null> = []
  for (let slot = 0; slot < saved.length; slot += 2)
    groups.push(saved[slot]! < 0 || saved[slot + 1]! < 0 ? null : text.slice(saved[slot], saved[slot + 1]))
  return { start: saved[0]!, end: saved[1]!, groups }
}

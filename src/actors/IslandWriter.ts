import type { FunctionDescription } from "../scheduler/index.ts"
import { describe } from "../scheduler/index.ts"
import type { StageNames, StageSpec } from "./NodeSpec.ts"

/**
 * Writes the JavaScript of islands. This is the one place where the actor layer generates code.
 *
 * What can get into the text: our templates, the templates of stages (code of ours, which sees only the identifiers
 * handed to it) and the `inline.source` that our own compiler made of a function. Names of state, constants and free
 * identifiers are checked to be plain identifiers; values never become text, they are passed in.
 *
 * There are two forms of the same stage, made from the same template:
 *
 * - a *step* (`writeStep`) keeps its state in an object, and its text holds nothing of one pipeline, so all pipelines
 *   share it. It starts at once and can be entered at any point, which makes it the form for short runs, for going on
 *   in the middle of an item, for timers and for the end;
 * - a *fused loop* (`writeFusedLoop`) has all stages in one function with the state in locals. Its text is unique, so
 *   that V8 keeps feedback for this pipeline alone: with shared text fifty pipelines spoil each other (factor 7).
 */

/** Why an island came back. Numbers, because the generated loop returns them. */
export const worked = 0
/** A function threw; the position is before that call. */
export const failed = 1
/** A function returned a promise; the position is after that call. */
export const suspended = 2
/** The budget of the slice is spent. */
export const spent = 3
/** Code of ours threw, which it must not: the stage's state can't be trusted any more. */
export const broken = 4

/** What a step's `then` did. */
export const emittedNothing = 0
export const emittedOne = 1
export const emittedEach = 2

/**
 * The text of `(F, K) => loop`; see `FusedLoop` for what the loop takes.
 *
 * Each call, and each stage's code, has a `try` of its own, and values are declared inside the loop. With one `try` around the loop the values
 * of all stages would live on in its handler, from one round to the next, and V8 could no longer leave out the objects
 * that one stage makes and the next takes apart (measured: 0.4 instead of 0.7 of a hand-written loop on six stages).
 */
export const writeFusedLoop = (stages: ReadonlyArray<StageSpec>, unique: number): string => {
  const writers = stages.map((stage, index) => new StageText(stage, index))
  const sink = writers.findIndex((writer) => writer.body.emits === "nothing")
  // What stands after a sink is never reached, so it is not written either.
  const reached = sink < 0 ? writers : writers.slice(0, sink + 1)
  const counted = reached.filter((writer) => isCountedEntry(reached, writer.index))
  const variables = reached.flatMap((writer) =>
    writer.stateNames.map((name) => ({ local: writer.state(name), kept: `S${writer.index}.${name}` }))
  )

  return [
    `"use strict" // island ${unique}`,
    ...reached.flatMap((writer) => writer.prelude()),
    `return function island_${unique}(g, items, i, n, now, budget) {`,
    ...reached.filter(({ stateNames }) => stateNames.length > 0).map(({ index }) => `const S${index} = g.states[${index}]`),
    ...variables.map(({ local, kept }) => `let ${local} = ${kept}`),
    ...counted.map(({ index }) => `let t${index} = 0`),
    `const out = g.out, origins = g.origins, firstOut = g.outCount, first = i, before = (g.entered[0] + 1 - i) | 0`,
    // `at` is the stage inside which the loop was left.
    `let o = firstOut, what = 0, at = -1`,
    `try {`,
    `items: for (; i < n; i++) {`,
    `const v0 = items[i]`,
    ...refills(reached),
    ...chain(reached, 0, "items"),
    `}`,
    // Nothing here can throw but an input that is no array.
    `} catch (error) { what = ${broken}; g.cause = error }`,
    ...variables.map(({ local, kept }) => `${kept} = ${local}`),
    `g.outCount = o`,
    `g.index = i`,
    ...countEntered(reached, sink < 0),
    `return what`,
    `}`,
    `//# sourceURL=rtfs-streams/island-${unique}.js`
  ].join("\n")
}

/** The texts of one stage's step: each is the body of a function of `(F, K)` that returns the function described. */
export interface StepText {
  /** `(value, S, now) => result`; absent when the function can be called with the value as it is. */
  readonly call?: string
  /** `(value, result, S, now, E) => outcome`; absent when the result, or the value, just goes on. */
  readonly goOn?: string
  /** `(S, now, E) => outcome` */
  readonly atEnd?: string
  readonly fire?: string
}

export const writeStep = (stage: StageSpec): StepText => {
  const names = stepNames
  const args = stage.apply && argumentsOf(stage, names, describe(stage.apply.fn))
  const emitting = (parameters: string, code: string) => `"use strict"; return function step(${parameters}) {\n${code}\nreturn 0 }`
  return {
    ...(args && (args.length !== 1 || args[0] !== names.value)
      ? { call: `"use strict"; return (value, S, now) => F(${args.join(", ")})` }
      : {}),
    ...(stage.then ? { goOn: emitting("value, result, S, now, E", stage.then(checked(stage, names))) } : {}),
    ...(stage.atEnd ? { atEnd: emitting("S, now, E", stage.atEnd(checked(stage, names))) } : {}),
    ...(stage.timer ? { fire: emitting("S, now, E", stage.timer.fire(checked(stage, names))) } : {})
  }
}

const stepNames: StageNames = {
  value: "value",
  result: "result",
  state: (name) => `S.${name}`,
  constant: (name) => `K.${name}`,
  now: "now",
  local: (hint) => `l_${identifier(hint)}`,
  emit: (expression) => `{ E.emitted = (${expression}); return ${emittedOne} }`,
  emitEach: (expression) => `{ E.emitted = (${expression}); return ${emittedEach} }`
}

/** The same names, but asking for a variable that the stage does not declare is an error of its author. */
const checked = (stage: StageSpec, names: StageNames): StageNames => {
  const declared = (kind: "state" | "constants", name: string) => {
    if (Object.hasOwn(stage[kind] ?? {}, name)) return identifier(name)
    throw new Error(
      `${stage.capability} writes code with ${kind === "state" ? "the state variable" : "the constant"} "${name}", which it does not declare. Add it to "${kind}".`
    )
  }
  return {
    ...names,
    state: (name) => names.state(declared("state", name)),
    constant: (name) => names.constant(declared("constants", name))
  }
}

const identifier = (name: string): string => {
  if (/^[A-Za-z_$][\w$]*$/.test(name)) return name
  throw new Error(`${JSON.stringify(name)} can't be a name in generated code: use letters, digits, _ and $ only.`)
}

const argumentsOf = (stage: StageSpec, names: StageNames, about: FunctionDescription): ReadonlyArray<string> => {
  const offered = stage.apply?.args?.(checked(stage, names)) ?? [names.value]
  return offered.length <= about.maximum ? offered : offered.slice(0, about.maximum)
}

/** One stage inside a fused loop: its names carry its index. */
class StageText {
  readonly stage: StageSpec
  readonly index: number
  readonly about: FunctionDescription | undefined
  readonly stateNames: ReadonlyArray<string>
  readonly body: { readonly text: string; readonly emits: "nothing" | "one" | "each" | "through" }

  constructor(stage: StageSpec, index: number) {
    this.stage = stage
    this.index = index
    this.about = stage.apply && describe(stage.apply.fn)
    this.stateNames = Object.keys(stage.state ?? {}).map(identifier)
    if (!stage.then) {
      this.body = { text: "", emits: "through" }
    } else {
      let one = false
      const write = (each: boolean) =>
        stage.then!(
          checked(stage, {
            ...this.names(),
            emit: (expression) => {
              one = true
              return each
                ? `{ a${index} = [${expression}]; n${index} = 1; break e${index} }`
                : `{ v${index + 1} = (${expression}); break e${index} }`
            },
            emitEach: (expression) => {
              several = true
              return `{ a${index} = (${expression}); n${index} = a${index}.length; break e${index} }`
            }
          })
        )
      let several = false
      let text = write(false)
      // A stage that does both passes a single value on as a list of one, so that there is one way to go on.
      if (one && several) text = write(true)
      this.body = { text, emits: several ? "each" : one ? "one" : "nothing" }
    }
  }

  state(name: string): string {
    return `s${this.index}_${name}`
  }

  names(): StageNames {
    const index = this.index
    const outside = (what: string) => (): never => {
      throw new Error(`${this.stage.capability} can't ${what} among the arguments of its function.`)
    }
    return {
      value: `v${index}`,
      result: `r${index}`,
      state: (name) => this.state(name),
      constant: (name) => `k${index}_${name}`,
      now: "now",
      local: (hint) => `l${index}_${identifier(hint)}`,
      emit: outside("emit"),
      emitEach: outside("emit")
    }
  }

  /** The declarations outside the loop: constants, the function and its meter. */
  prelude(): Array<string> {
    const { stage, index, about } = this
    const lines = Object.keys(stage.constants ?? {}).map((name) => `const k${index}_${identifier(name)} = K[${index}].${name}`)
    if (about?.inline) {
      // Evaluated once more in this text, so that the function has feedback of its own here and can be inlined.
      const free = Object.keys(about.inline.free).map(identifier)
      lines.push(
        `const f${index} = (function (${free.join(", ")}) { return (${about.inline.source}\n) })(${free.map((name) => `F[${index}].free.${name}`).join(", ")})`
      )
    } else if (about) lines.push(`const f${index} = F[${index}].fn`)
    if (about?.meter) lines.push(`const m${index} = F[${index}].meter`)
    return lines
  }

  /** `r = f(…)`, with the ways out for what is thrown and for a promise. */
  call(lists: ReadonlyArray<StageText>): Array<string> {
    const { stage, index, about } = this
    if (!stage.apply || !about) return []
    const args = argumentsOf(stage, this.names(), about)
    const thenable = `typeof r${index} === "object" && r${index} !== null && typeof r${index}.then === "function"`
    return [
      `let r${index}`,
      `try { r${index} = f${index}(${args.join(", ")}) } catch (error) { ${this.leave(failed, "error", lists)} }`,
      ...(about.synchronous ? [] : [`if (${thenable}) { ${this.leave(suspended, `r${index}`, lists)} }`])
    ]
  }

  /** What follows the call, with the way out for code of ours that throws. */
  rest(lists: ReadonlyArray<StageText>): Array<string> {
    return [`try {`, this.body.text, `} catch (error) { ${this.leave(broken, "error", lists)} }`]
  }

  /** Leaves the loop inside this stage, with the value that entered it. */
  private leave(what: number, cause: string, lists: ReadonlyArray<StageText>): string {
    const { index } = this
    return `g.cause = ${cause}; ${keep(lists)}g.stopAt(${index}, v${index}); at = ${index}; what = ${what}; break items`
  }
}

/** The statements that keep the lists under way, outermost first, when the loop is left inside the stages behind them. */
const keep = (lists: ReadonlyArray<StageText>): string =>
  lists.map(({ index }) => `g.pend(${index + 1}, a${index}, j${index} + 1); `).join("")

/** The code of the stages from `index` on; `next` is the label of the loop whose next round is the next value. */
const chain = (writers: ReadonlyArray<StageText>, index: number, next: string, lists: ReadonlyArray<StageText> = []): Array<string> => {
  const writer = writers[index]
  if (!writer) return [`origins[o] = before + i`, `out[o++] = v${index}`]
  const count = isCountedEntry(writers, index) ? [`t${index} = (t${index} + 1) | 0`] : []
  const call = writer.call(lists)
  switch (writer.body.emits) {
    case "through":
      return [
        ...count,
        ...call,
        `const v${index + 1} = ${writer.stage.apply ? "r" : "v"}${index}`,
        ...chain(writers, index + 1, next, lists)
      ]
    case "nothing":
      return [...count, ...call, ...writer.rest(lists)]
    case "one":
      return [
        ...count,
        ...call,
        `let v${index + 1}`,
        `e${index}: {`,
        ...writer.rest(lists),
        `continue ${next}`,
        `}`,
        ...chain(writers, index + 1, next, lists)
      ]
    case "each":
      return [
        ...count,
        ...call,
        `let a${index}, n${index}`,
        `e${index}: {`,
        ...writer.rest(lists),
        `continue ${next}`,
        `}`,
        `each${index}: for (let j${index} = 0; j${index} < n${index}; j${index}++) {`,
        `if (budget-- <= 0) { ${keep(lists)}g.pend(${index + 1}, a${index}, j${index}); at = ${index}; what = ${spent}; break items }`,
        `const v${index + 1} = a${index}[j${index}]`,
        ...refills(writers.slice(index + 1)),
        ...chain(writers, index + 1, `each${index}`, [...lists, writer]),
        `}`
      ]
  }
}

/** Whether entering a stage is counted in the loop: what stands behind a `then` may get less or more than entered that. */
const isCountedEntry = (writers: ReadonlyArray<StageText>, index: number) => index > 0 && writers[index - 1]!.stage.then !== undefined

/** Every value that enters starts with a full budget in each of the functions ahead of it. */
const refills = (writers: ReadonlyArray<StageText>): Array<string> =>
  writers.flatMap(({ about, index }) => (about?.meter ? [`m${index}.fuel = m${index}.slice; m${index}.slices = 0`] : []))

/**
 * Adds what entered each stage, and the output, in this run. From one counted entry on each value enters every stage
 * up to the next such one, except for the item inside which the loop was left: it did not get behind stage `at`.
 */
const countEntered = (writers: ReadonlyArray<StageText>, hasOutput: boolean): Array<string> => {
  let anchor = 0
  const lines = writers.map(({ index }) => {
    if (isCountedEntry(writers, index)) anchor = index
    const total = anchor === 0 ? `i - first + (what === 0 ? 0 : 1)` : `t${anchor}`
    const missed = anchor === index ? "" : ` - (at >= ${anchor} && at < ${index} ? 1 : 0)`
    return `g.entered[${index}] += ${total}${missed}`
  })
  return hasOutput ? [...lines, `g.entered[${writers.length}] += o - firstOut`] : lines
}

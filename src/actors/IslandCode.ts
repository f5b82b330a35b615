import { describe, type FunctionDescription, type Meter, type StreamFunction } from "../scheduler/index.ts"
import type { Island } from "./Island.ts"
import { writeFusedLoop, writeStep } from "./IslandWriter.ts"
import type { StageSpec } from "./NodeSpec.ts"

/**
 * The code of one chain of stages, shared by every island that runs it: restarts, and further consumptions of the same
 * stream value, compile nothing. State is not in here but in the island.
 *
 * An island starts on *steps*, whose text is shared by the whole process, and changes to a loop of its own once the
 * chain has worked off `fusingPays` items, in whatever number of runs.
 */
export class IslandCode {
  readonly stages: ReadonlyArray<StageSpec>
  readonly steps: ReadonlyArray<Step>
  private loop: FusedLoop | undefined
  private itemsUntilFusing: number

  private constructor(stages: ReadonlyArray<StageSpec>, fuseAfter: number) {
    this.stages = stages
    this.steps = stages.map(makeStep)
    this.itemsUntilFusing = fuseAfter
  }

  /** The code of exactly these stages (the same objects), which is made once. */
  static of(stages: ReadonlyArray<StageSpec>): IslandCode {
    const first: Remembering | undefined = stages[0]
    if (first === undefined) return new IslandCode(stages, fusingPays)
    const known = first[codes]?.find((code) => isSame(code.stages, stages))
    if (known !== undefined) return known
    const made = new IslandCode(stages, fusingPays)
    if (Object.isExtensible(first)) first[codes] = [...(first[codes] ?? []).slice(-mostChains), made]
    return made
  }

  /** Code of its own that changes to the fused loop after so many items; for tests that mean one of the two forms. */
  static fusedAfter(stages: ReadonlyArray<StageSpec>, items: number): IslandCode {
    return new IslandCode(stages, items)
  }

  /** The loop to run `items` more items with, or `undefined` where it does not pay yet. */
  loopFor(items: number): FusedLoop | undefined {
    if (this.loop) return this.loop
    if ((this.itemsUntilFusing -= items) > 0) return undefined
    return (this.loop = compileLoop(this.stages))
  }

  get isFused(): boolean {
    return this.loop !== undefined
  }
}

/**
 * Runs `items` from `from` to `to` through all stages and returns one of the outcomes of `IslandWriter`; it has
 * written states, output, counts and position to the island. `budget` bounds the values of `emitEach`.
 */
export type FusedLoop = (island: Island, items: ReadonlyArray<unknown>, from: number, to: number, now: number, budget: number) => number

/** What a step calls back with: the value or the list it emitted. */
export interface Emitter {
  emitted: unknown
}

type State = Record<string, unknown>

/** One stage in the form that can be entered anywhere. */
export interface Step {
  readonly call: ((value: unknown, state: State, now: number) => unknown) | undefined
  readonly checked: boolean
  readonly meter: Meter | undefined
  readonly goOn: ((value: unknown, result: unknown, state: State, now: number, emitter: Emitter) => number) | undefined
  readonly atEnd: ((state: State, now: number, emitter: Emitter) => number) | undefined
  readonly fire: ((state: State, now: number, emitter: Emitter) => number) | undefined
}

/**
 * The codes of the chains that begin with a stage, kept on the stage so that they live as long as it does. A weak map
 * does the same at five times the cost for the collector, which short pipelines feel.
 */
const codes = Symbol("rtfs-streams/island-code")
type Remembering = StageSpec & { [codes]?: ReadonlyArray<IslandCode> }
/** A stage begins few chains: its own, and those that a cut at a concurrent stage makes. */
const mostChains = 7

const isSame = (one: ReadonlyArray<StageSpec>, other: ReadonlyArray<StageSpec>): boolean =>
  one.length === other.length && one.every((stage, index) => stage === other[index])

// An estimate: compiling costs as much as some thousand items of a light chain save (benchmarks/pipeline-fused.bench.ts).
const fusingPays = 8192

const makeStep = (stage: StageSpec): Step => {
  const text = writeStep(stage)
  const fn = stage.apply?.fn
  const about: FunctionDescription | undefined = fn && describe(fn)
  const constants = stage.constants ?? {}
  const make = (body: string | undefined): any => (body === undefined ? undefined : bodies(body)(fn, constants))
  return {
    call: text.call === undefined ? taking(fn, about) : make(text.call),
    checked: about !== undefined && !about.synchronous,
    meter: about?.meter,
    goOn: make(text.goOn),
    atEnd: make(text.atEnd),
    fire: make(text.fire)
  }
}

/** The function as a step calls it: one that takes more than the value must not see what else a step has. */
const taking = (fn: StreamFunction | undefined, about: FunctionDescription | undefined): Step["call"] =>
  fn === undefined || about!.maximum <= 1 ? (fn as Step["call"]) : (value) => fn(value)

type Body = (fn: StreamFunction | undefined, constants: Readonly<Record<string, unknown>>) => unknown

/** Steps by text. Bounded: the oldest is forgotten, should a stage write ever new text. */
const knownBodies = new Map<string, Body>()
const bodiesKept = 512

const bodies = (text: string): Body => {
  let body = knownBodies.get(text)
  if (!body) {
    body = new Function("F", "K", text) as Body
    if (knownBodies.size >= bodiesKept) knownBodies.delete(knownBodies.keys().next().value!)
    knownBodies.set(text, body)
  }
  return body
}

let compiled = 0
/** How many fused loops this process has compiled (for the test that restarts compile none). */
export const loopsCompiled = (): number => compiled

const compileLoop = (stages: ReadonlyArray<StageSpec>): FusedLoop => {
  const functions = stages.map(({ apply }) => {
    const about = apply && describe(apply.fn)
    return { fn: apply?.fn, free: about?.inline?.free, meter: about?.meter }
  })
  const make = new Function("F", "K", writeFusedLoop(stages, ++compiled)) as (functions: unknown, constants: unknown) => FusedLoop
  return make(
    functions,
    stages.map(({ constants }) => constants ?? {})
  )
}

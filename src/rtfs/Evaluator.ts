import { Analyzer, type Program } from "./analyze/Analyzer.ts"
import { compileTopAsync, compileTops } from "./compiler.ts"
import { Engine } from "./Engine.ts"
import type { RtfsHost } from "./Host.ts"
import { Expander } from "./expand/Expander.ts"
import { attempting, Log, needsAsync } from "./Log.ts"
import { defaultLimits, type EvaluationMeter, type Limits } from "./Meter.ts"
import type { FunctionNode } from "./Node.ts"
import { diagnosticsError, readForms } from "./Reader.ts"

export interface EvaluateOptions {
  /** The name of the text in messages. */
  readonly file?: string
}

/** Evaluates programs one after the other; what one defines, the next ones see. */
export interface Evaluator {
  /** The value of the last form. **Fails** with `RtfsError`. */
  evaluate(source: string, options?: EvaluateOptions): Promise<unknown>
  /**
   * As `evaluate`, with the value itself where no step of the program waits for the host.
   */
  evaluateNow(source: string, options?: EvaluateOptions): unknown
  /** What evaluations and functions of this evaluator are charged to. */
  readonly meter: EvaluationMeter
  /** The value of a global, or undefined. */
  global(name: string): unknown
}

/**
 * Makes an evaluator for programs that may use what this host gives them, and nothing else.
 *
 * **Bounds** `limits` hold for each evaluation, and for each call of a function that is refilled before it.
 */
export const createEvaluator = (host: RtfsHost, limits: Partial<Limits> = {}): Evaluator => {
  const engine = new Engine(host, { ...defaultLimits, ...limits })
  const expander = new Expander(engine)
  const evaluateNow = (source: string, options: EvaluateOptions = {}): unknown => {
    engine.meter.begin()
    return runProgram(engine, compileProgram(engine, expander, source, options.file ?? "program"))
  }
  return {
    evaluateNow,
    // eslint-disable-next-line @typescript-eslint/require-await -- failures of the synchronous part become rejections
    evaluate: async (source, options) => evaluateNow(source, options),
    meter: engine.meter,
    global: (name) => engine.cells.get(name)?.value
  }
}

/** Reads, expands and analyses. **Fails** with all diagnostics where the text cannot be compiled. */
export const compileProgram = (engine: Engine, expander: Expander, source: string, file: string): Program => {
  const forms = expander.expandProgram(readForms(source, { file }))
  const program = new Analyzer(engine, forms).program(forms)
  if (program.errors.length > 0) throw diagnosticsError(program.errors)
  return program
}

/** Runs the top-level forms in order. Gives a promise from the first form on that has to wait. */
const runProgram = (engine: Engine, program: Program): unknown => {
  const { tops } = program
  const compiled = compileTops(engine, tops)
  let value: unknown = null
  for (let index = 0; index < tops.length; index++) {
    value = runTop(engine, tops[index]!, compiled[index]!)
    if (value instanceof Promise) return runRest(engine, tops, compiled, index + 1, value)
  }
  return value
}

const runRest = async (
  engine: Engine,
  tops: ReadonlyArray<FunctionNode>,
  compiled: ReadonlyArray<() => unknown>,
  from: number,
  first: Promise<unknown>
): Promise<unknown> => {
  let value = await first
  for (let index = from; index < tops.length; index++) value = await runTop(engine, tops[index]!, compiled[index]!)
  return value
}

const runTop = (engine: Engine, node: FunctionNode, compiled: () => unknown): unknown => {
  if (node.synchronous) return compiled()
  const log = new Log()
  // A form that asks the host itself would most likely be abandoned.
  if (!node.asksHost) {
    try {
      return attempting(log, compiled)
    } catch (error) {
      if (error !== needsAsync) throw error
    }
    log.index = 0
  }
  return compileTopAsync(engine, node)(log)
}

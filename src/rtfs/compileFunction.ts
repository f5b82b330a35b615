import type { FunctionOrigin, StreamFunction } from "../scheduler/index.ts"
import { compileProgram } from "./Evaluator.ts"
import { compileTops } from "./compiler.ts"
import { Engine } from "./Engine.ts"
import { failure } from "./errors.ts"
import { Expander } from "./expand/Expander.ts"
import type { RtfsHost } from "./Host.ts"
import { attempting, Log } from "./Log.ts"
import { defaultLimits, type Limits } from "./Meter.ts"

/**
 * Makes a function again from its text and the values it captured, in another thread or process.
 *
 * **Fails** with `RtfsError` where the text does not give a function.
 */
export const compileFunction = (
  origin: Extract<FunctionOrigin, { kind: "rtfs" }>,
  host: RtfsHost,
  limits: Partial<Limits> = {}
): StreamFunction => {
  const engine = new Engine(host, { ...defaultLimits, ...limits })
  for (const [name, value] of Object.entries(origin.captured)) engine.define(name, value)
  const program = compileProgram(engine, new Expander(engine), origin.source, "function")
  let value: unknown = null
  for (const top of compileTops(engine, program.tops)) value = attempting(new Log(), top)
  if (typeof value !== "function") throw failure.argument("The text of a function does not give a function")
  return value as StreamFunction
}

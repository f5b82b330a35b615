import { aboutFunction, createWorkerHandler, type FunctionOrigin, type Meter, type StreamFunction } from "../../../src/scheduler/index.ts"

/**
 * A worker file as the host has one, with a compiler in place of RTFS: the source is a JavaScript expression, its free
 * names are what was captured, `fuel`, which throws when the meter is spent, and `compiled.count`, for this worker.
 */
const compile = (origin: FunctionOrigin & { readonly kind: "rtfs" }, limits: unknown): StreamFunction => {
  const meter: Meter = { fuel: 0, slices: 0, slice: (limits as { fuel?: number } | undefined)?.fuel ?? 1000 }
  const fuel = () => {
    if (meter.fuel-- <= 0) throw new Error("out of fuel")
  }
  compiled.count++
  const names = Object.keys(origin.captured)
  // oxlint-disable-next-line no-implied-eval -- stands in for the compiler, in a test
  const fn = new Function(...names, "fuel", "compiled", `return (${origin.source})`)(...Object.values(origin.captured), fuel, compiled)
  return Object.assign(fn, { [aboutFunction]: { name: "fn", minimum: 1, maximum: fn.length, synchronous: true, origin, meter } })
}

const compiled = { count: 0 }

export default createWorkerHandler({ compileRtfs: compile })

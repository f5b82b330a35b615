import { describe, type StreamFunction } from "../../scheduler/index.ts"
import { type Check, describeValue } from "./Check.ts"

/**
 * A function of the program as a check: anything but `false` and `nil` accepts the value.
 *
 * It has no side effects that matter, since it may be called more than once for a value. What it throws is no finding but a failure.
 */
export const refinement = (fn: StreamFunction): Check => {
  const { meter, name } = describe(fn)
  const test = (value: unknown): boolean => {
    if (meter !== undefined) {
      meter.fuel = meter.slice
      meter.slices = 0
    }
    const result = fn(value)
    if (typeof (result as PromiseLike<unknown> | null)?.then === "function") {
      throw new TypeError(
        `The refinement ${name} of a schema is asynchronous, but must say at once whether a value is good. Look up what it needs before, in a :stream.map.`
      )
    }
    return result !== false && result !== null && result !== undefined
  }
  const check: Check = {
    expected: `a value that ${name} accepts`,
    test,
    run: (value, path, report) => {
      if (!test(value)) report(path, check, value, describeValue(value))
    }
  }
  return check
}

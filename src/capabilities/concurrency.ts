import { FunctionNotPortable, isOffloadable, portableTask, type StreamFunction } from "../scheduler/index.ts"
import { choice, count, defaulted, type OptionSpecs } from "./Option.ts"

/** The options of an operator whose function may run several times at once, or in the worker pool. */
export const concurrencyOptions = {
  parallelism: defaulted(count, 1, "how many calls of the function may be under way at once"),
  offload: defaulted(
    choice("auto", "always", "never"),
    "auto",
    "whether the function runs in the worker pool: `:auto` moves it there when it is measured to pay. Only functions of the program and exports of modules can move; a closure of the host stays on its thread"
  )
} satisfies OptionSpecs

/** Why such an operator needs an actor of its own, if it does. */
export const concurrencyBoundary = (options: {
  readonly parallelism: number
  readonly offload: "auto" | "always" | "never"
  readonly transform?: StreamFunction
  readonly predicate?: StreamFunction
}): string | undefined => {
  const fn = options.transform ?? options.predicate
  if (options.offload === "always" && fn !== undefined && isOffloadable(fn)) return "runs in the worker pool (:offload :always)"
  if (options.parallelism > 1) return `keeps up to ${options.parallelism} calls under way (:parallelism ${options.parallelism})`
  return undefined
}

/** Why a function that was asked to move to the worker pool stays, if it does: a line for `explain`. */
export const whyInline = (offload: "auto" | "always" | "never", fn: StreamFunction): string | undefined => {
  if (offload !== "always") return undefined
  try {
    portableTask(fn, "map")
    return undefined
  } catch (error) {
    if (error instanceof FunctionNotPortable) return `stays on the host's thread: ${error.message}`
    throw error
  }
}

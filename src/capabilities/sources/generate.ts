import type { SyncSource } from "../../actors/index.ts"
import { describe, offer, type StreamFunction } from "../../scheduler/index.ts"
import { isKeyword } from "../../serialization/index.ts"
import { defineCapability } from "../Capability.ts"
import { InvalidResult } from "../errors.ts"
import { anything, defaulted, fn, optional, required } from "../Option.ts"

export const generate = defineCapability({
  id: "stream.generate",
  summary: "Emits what a generator function makes from a state, until it gives :done.",
  spec: "§2 Generated Streams",
  kind: "source",
  consuming: ["on-value"],
  short: ["generator", "initial-state"],
  options: {
    generator: required(fn, "takes the state, gives `[value next-state]` or `:done`"),
    "initial-state": defaulted(anything, null, "the state of the first call"),
    "on-value": optional(fn, "receives each value in order, and starts the stream")
  },
  order: "The order of the generator's calls.",
  delivery: "A restarted actor goes on with the state of the call that failed.",
  backpressure: "The generator is called only on demand. An endless one takes turns with everything else in the process.",
  notes: ["A generator that gives anything else than a pair or `:done` fails the stream; no value is made up."],
  example: "(call :stream.await (call :stream.to-collection {:source (call :stream.generate {:generator (fn [n] (if (< n 4) [(* n n) (inc n)] :done)) :initial-state 0})}))",
  node: ({ generator, "initial-state": initialState }) => ({
    kind: "sync-source",
    capability: "stream.generate",
    open: () => generatedSource(generator, initialState)
  })
})

const generatedSource = (generator: StreamFunction, initialState: unknown): SyncSource => {
  let state = initialState
  let ended = false
  // What a call failed with, if values before it had to be handed out first: the call is not made twice for one failure.
  let failure: { readonly error: unknown } | undefined
  const { meter } = describe(generator)

  /** Applies one result; false at the end. */
  const accept = (into: Array<unknown>, result: unknown): boolean => {
    if (isKeyword(result) && result.name === "done") {
      ended = true
      return false
    }
    if (!Array.isArray(result) || result.length !== 2) {
      throw new InvalidResult("stream.generate", "generator", "[value next-state] or :done", result)
    }
    into.push(result[0])
    state = result[1]
    return true
  }

  // A call whose promise came after values that were ready: those are handed out first.
  let underWay: PromiseLike<unknown> | undefined

  const pullAsync = async (into: Array<unknown>, first: PromiseLike<unknown>): Promise<number> => {
    const result = await first
    return accept(into, result) ? 1 : 0
  }

  return {
    pull: (into, max) => {
      if (failure !== undefined) {
        const { error } = failure
        failure = undefined
        throw error
      }
      if (underWay !== undefined) {
        const promise = underWay
        underWay = undefined
        return pullAsync(into, promise)
      }
      let given = 0
      try {
        while (given < max && !ended) {
          if (meter !== undefined) {
            meter.fuel = meter.slice
            meter.slices = 0
          }
          const result = offer(generator, state)
          if (isPromise(result)) {
            if (given === 0) return pullAsync(into, result)
            underWay = result
            return given
          }
          if (!accept(into, result)) break
          given++
        }
      } catch (error) {
        if (given === 0) throw error
        failure = { error }
      }
      return given
    },
    position: () => ({ state, ended }),
    seek: (position) => {
      ({ state, ended } = position as { state: unknown; ended: boolean })
      failure = undefined
      underWay = undefined
    }
  }
}

const isPromise = (value: unknown): value is PromiseLike<unknown> =>
  value !== null && typeof value === "object" && typeof (value as { then?: unknown }).then === "function"

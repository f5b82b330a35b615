import type { SyncSource } from "../../actors/index.ts"
import { describe, offer, type StreamFunction } from "../../scheduler/index.ts"
import { isKeyword } from "../../serialization/index.ts"
import { InvalidResult } from "../errors.ts"

/**
 * Items that a function makes from a state.
 *
 * @param capability whose generator it is, for messages
 */
export const generatedSource = (capability: string, generator: StreamFunction, initialState: unknown): SyncSource => {
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
      throw new InvalidResult(capability, "generator", "[value next-state] or :done", result)
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

import { describe, offer, type StreamFunction } from "../scheduler/index.ts"

/** Calls an observer with as many arguments as it takes, its meter filled. */
export const observe = async (observer: StreamFunction, value: unknown): Promise<unknown> => {
  const { meter } = describe(observer)
  if (meter !== undefined) {
    meter.fuel = meter.slice
    meter.slices = 0
  }
  return offer(observer, value)
}

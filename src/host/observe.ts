import { describe, type Graph, offer, type StreamFunction } from "../scheduler/index.ts"

/** Calls an observer with as many arguments as it takes, its meter filled. */
export const observe = async (observer: StreamFunction, value: unknown): Promise<unknown> => {
  const { meter } = describe(observer)
  if (meter !== undefined) {
    meter.fuel = meter.slice
    meter.slices = 0
  }
  return offer(observer, value)
}

/** The observers of this name that the nodes of a stream have. */
export const observersIn = (graph: Graph, name: "on-complete" | "on-error"): ReadonlyArray<StreamFunction> =>
  graph.nodes.flatMap(({ capability, options }) => (options[name] === undefined || (name === "on-error" && hasOwnError.has(capability)) ? [] : [options[name] as StreamFunction]))

/** Capabilities whose `:on-error` is told of something else than the failure of the stream. */
const hasOwnError: ReadonlySet<string> = new Set(["stream.http.bulk-post"])

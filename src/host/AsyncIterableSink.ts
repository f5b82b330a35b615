import * as Effect from "effect/Effect"
import { defineCapability, StreamValue } from "../capabilities/index.ts"
import type { Handoff } from "./Handoff.ts"

/** The sink behind `host.stream`. It has no name in the marketplace: only the host can hold the other end. */
const toAsyncIterable = defineCapability({
  id: "stream.to-async-iterable",
  summary: "Hands the items to a loop of the host.",
  spec: "embedding",
  kind: "sink",
  startsAtOnce: true,
  options: {},
  order: "That of the stream.",
  delivery: "Each item once.",
  backpressure: "The loop's pace.",
  example: "nil",
  node: (options) => ({
    kind: "async-sink",
    capability: "stream.to-async-iterable",
    open: () => {
      const handoff = (options as { readonly handoff: Handoff }).handoff
      return Effect.succeed({
        write: (items) => Effect.promise(() => handoff.put(items)),
        finish: Effect.succeed(null),
        position: () => null
      })
    }
  })
})

export const handedTo = (handoff: Handoff, value: StreamValue): StreamValue => new StreamValue(toAsyncIterable, { handoff }, [value])

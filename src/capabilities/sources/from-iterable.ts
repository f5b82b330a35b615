import * as Effect from "effect/Effect"
import { defineCapability } from "../Capability.ts"
import { anything, fn, optional, required } from "../Option.ts"
import { StreamValue } from "../StreamValue.ts"
import { IterableReader } from "./IterableReader.ts"

export const fromIterable = defineCapability({
  id: "stream.from-iterable",
  summary: "Emits what an iterable of the host gives, be it asynchronous or not.",
  spec: "beside §2; how the host hands a stream of its own to a program",
  kind: "source",
  subject: { is: "value", name: "iterable" },
  consuming: ["on-chunk"],
  options: {
    iterable: required(anything, "a value that the host bound: an AsyncIterable, a ReadableStream, a generator"),
    "on-chunk": optional(fn, "receives each item in order, and starts the stream")
  },
  order: "The order of the iterable.",
  delivery:
    "An iterable can be read only once. One that throws ends its stream with that error, in a service too; an iterator that was read, be it to its end or not, is refused the next time.",
  backpressure: "The next item is asked for only on demand; of a synchronous iterable, the next 128.",
  notes: [
    "When the stream ends early, the iterator's `return` is called, so that it can release what it holds. That is waited for, but not longer than a second, and not while the iterator still owes an item: it may never give it."
  ],
  example: "(call :stream.await (call :stream.to-collection {:source [1 2]}))",
  // What the host binds is a stream already when a program sees it.
  prepare: ({ inputs, options }) => {
    const { iterable } = options
    const isStream = iterable instanceof StreamValue && iterable.capability.id === "stream.from-iterable"
    return { inputs, options: isStream ? { ...options, iterable: iterable.options["iterable"] } : options }
  },
  node: ({ iterable }) => ({
    kind: "async-source",
    capability: "stream.from-iterable",
    open: ({ position = 0 }) =>
      Effect.map(
        Effect.acquireRelease(IterableReader.open(iterable, position as number), (reader) => reader.close),
        (reader) => ({ read: reader.read, position: () => reader.taken, isRepeatable: reader.isRepeatable })
      )
  })
})

import { defineCapability } from "../Capability.ts"
import { count, byteSize, defaulted, optional, stream } from "../Option.ts"
import { collecting } from "./collecting.ts"

export const toCollection = defineCapability({
  id: "stream.to-collection",
  summary: "Collects all items into a vector, which is the result of its handle.",
  spec: "§2 In-Memory Streams",
  kind: "sink",
  subject: { is: "stream", optional: true },
  streams: ["source"],
  startsAtOnce: true,
  options: {
    source: optional(stream, "the stream to collect, when it is not the first argument"),
    "max-items": defaulted(count, 1_000_000, "how many items are collected at most"),
    "max-bytes": defaulted(byteSize, 64 * 1024 * 1024, "how much memory they may take, by estimate")
  },
  order: "The order of the stream.",
  delivery: "`:on-complete` receives the vector once, at the normal end.",
  backpressure: "Holds everything it collected, within its bounds.",
  notes: ["Beyond a bound the stream fails, and the error says how many items there were; the process does not run out of memory."],
  example: "(call :stream.await (call :stream.to-collection {:source [1 2 3]}))",
  node: ({ "max-bytes": maxBytes, "max-items": maxItems }) => ({
    kind: "stage",
    capability: "stream.to-collection",
    ...collecting("stream.to-collection", {
      maxItems,
      maxBytes,
      names: { items: ":max-items", bytes: ":max-bytes" },
      remedy: (which) => `Raise ${which}, or write the stream to a file, or reduce it.`
    }),
    result: ({ collected }) => collected
  })
})

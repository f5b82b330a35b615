import { aboutFunction, type StreamFunction } from "../../scheduler/index.ts"
import { defineCapability } from "../Capability.ts"
import { BoundExceeded } from "../errors.ts"
import { count, byteSize, defaulted, optional, stream } from "../Option.ts"
import { approximateBytes } from "./approximateBytes.ts"

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
    apply: { fn: weighing(maxItems, maxBytes), args: ({ state, value }) => [state("collected"), state("bytes"), value] },
    state: { collected: () => [], bytes: () => 0 },
    then: ({ result, state, value }) => `${state("bytes")} = ${result}; ${state("collected")}.push(${value});`,
    result: ({ collected }) => collected,
    bound: { kind: "bounded", by: `${maxItems} items (:max-items), ${maxBytes} bytes (:max-bytes)`, items: maxItems, bytes: maxBytes }
  })
})

/** Gives the weight of the collection with the item, or fails where it would pass a bound. */
const weighing = (maxItems: number, maxBytes: number): StreamFunction =>
  Object.assign(
    (collected: ReadonlyArray<unknown>, bytes: number, item: unknown) => {
      const after = bytes + approximateBytes(item, maxBytes - bytes)
      if (collected.length < maxItems && after <= maxBytes) return after
      const which = collected.length < maxItems ? ":max-bytes" : ":max-items"
      throw new BoundExceeded(
        "stream.to-collection",
        `collected ${collected.length} items (about ${bytes} bytes), and ${which} allows no more`,
        `Raise ${which}, or write the stream to a file, or reduce it.`,
        collected
      )
    },
    {
      [aboutFunction]: { name: "collect", minimum: 3, maximum: 3, synchronous: true, origin: { kind: "closure" as const } }
    }
  ) as unknown as StreamFunction

import { encodeValue } from "../../serialization/index.ts"
import { defineCapability } from "../Capability.ts"
import { byteSize, count, defaulted, fn, milliseconds, optional, required } from "../Option.ts"
import { ownFunction } from "../wrapFunction.ts"

export const batch = defineCapability({
  id: "stream.batch",
  summary: "Gathers items into vectors of :size; an incomplete one is emitted after :timeout and at the end.",
  spec: "§3 Batching and Windowing",
  kind: "operator",
  consuming: ["on-batch"],
  short: ["size"],
  options: {
    size: required(count, "items per batch"),
    timeout: defaulted(milliseconds, 1000, "how long the first item of a batch waits for the others"),
    "max-bytes": optional(byteSize, "emits earlier, when the items take this much as msgpack"),
    "on-batch": optional(fn, "receives each batch in order, and starts the stream")
  },
  order: "Kept: the batches, put together, are the items.",
  delivery: "At the normal end, and when the stream is drained, the last batch is emitted however short. When it fails or is cancelled it is not.",
  backpressure: "Holds at most one batch.",
  notes: ["A batch is never empty. The metrics count batches by the reason for which they were emitted: size, bytes, timeout or end."],
  example: "(call :stream.await (call :stream.to-collection {:source (call :stream.batch [1 2 3 4 5] {:size 2})}))",
  node: ({ "max-bytes": maxBytes, size, timeout }) => ({
    kind: "stage",
    capability: "stream.batch",
    // An item that can't be encoded has no weight: it fails in `apply`, before the batch knows of it.
    ...(maxBytes === undefined ? {} : { apply: { fn: ownFunction("weigh", 1, bytesOf) } }),
    constants: { size, timeout, maxBytes },
    state: {
      held: () => [],
      bytes: () => 0,
      due: () => Infinity,
      bySize: () => 0,
      byBytes: () => 0,
      byTimeout: () => 0,
      byEnd: () => 0
    },
    then: (names) => {
      const { constant, now, result, state, value } = names
      const weigh = maxBytes === undefined ? "" : `${state("bytes")} += ${result};`
      const full = maxBytes === undefined ? "" : `else if (${state("bytes")} >= ${constant("maxBytes")}) { ${give(names, "byBytes")} }`
      return `
        if (${state("held")}.push(${value}) === 1) ${state("due")} = ${now} + ${constant("timeout")};
        ${weigh}
        if (${state("held")}.length >= ${constant("size")}) { ${give(names, "bySize")} } ${full}`
    },
    gathered: ({ held }) => held as ReadonlyArray<unknown>,
    atEnd: (names) => `if (${names.state("held")}.length > 0) { ${give(names, "byEnd")} }`,
    timer: { at: "due", fire: (names) => give(names, "byTimeout") },
    counters: ({ byBytes, byEnd, bySize, byTimeout }) => ({
      "batches-by-size": bySize as number,
      "batches-by-bytes": byBytes as number,
      "batches-by-timeout": byTimeout as number,
      "batches-by-end": byEnd as number
    }),
    bound: { kind: "bounded", by: `one batch of ${size} items (:size)`, items: size, ...(maxBytes === undefined ? {} : { bytes: maxBytes }) }
  })
})

const bytesOf = (value: unknown): number => encodeValue(value).byteLength

const give = (
  { emit, local, state }: { emit: (expression: string) => string; local: (hint: string) => string; state: (name: string) => string },
  reason: string
): string => {
  const batch = local("batch")
  return `const ${batch} = ${state("held")}; ${state("held")} = []; ${state("bytes")} = 0; ${state("due")} = Infinity; ${state(reason)}++; ${emit(batch)}`
}

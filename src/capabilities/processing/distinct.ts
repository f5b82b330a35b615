import type { StreamFunction } from "../../scheduler/index.ts"
import { keyOf } from "../../serialization/index.ts"
import { defineCapability } from "../Capability.ts"
import { count, fn, milliseconds, optional } from "../Option.ts"
import { caller, ownFunction, whenSettled, wrapFunction } from "../wrapFunction.ts"
import { KeyMemory } from "./KeyMemory.ts"

/** How long a key is remembered when neither bound is given. */
const defaultTtlMs = 120_000

export const distinct = defineCapability({
  id: "stream.distinct",
  summary: "Emits an item only if its key was not seen before, within the memory that it is given.",
  spec: "§3 Filtering",
  kind: "operator",
  consuming: ["on-chunk"],
  short: ["key-fn"],
  options: {
    "key-fn": optional(fn, "takes an item, gives its key; without it the item itself is the key"),
    "max-keys": optional(count, "how many keys are remembered; the least recently seen is forgotten first"),
    ttl: optional(milliseconds, "how long a key is remembered after its item was emitted; 120000 when `:max-keys` is not given either"),
    "on-chunk": optional(fn, "receives each emitted item in order, and starts the stream")
  },
  order: "Kept: of equal items the first one passes.",
  delivery: "Keys are compared as RTFS compares values; a restarted actor still knows the keys that it saw.",
  backpressure: "Nothing is held but keys.",
  notes: [
    "A key that was forgotten (its time is up, or newer keys pushed it out) lets its next item pass: each such key is counted as `forgotten` in the metrics. No approximate filter is used, so no item is dropped that was not a repeat."
  ],
  example: "(call :stream.await (call :stream.to-collection {:source (call :stream.distinct [1 2 1 3 2])}))",
  node: ({ "key-fn": keyFn, "max-keys": maxKeys, ttl }) => {
    const ttlMs = ttl ?? (maxKeys === undefined ? defaultTtlMs : Infinity)
    return {
      kind: "stage",
      capability: "stream.distinct",
      apply: { fn: keyFn === undefined ? itself : keyed(keyFn) },
      state: { seen: () => new KeyMemory({ maxKeys: maxKeys ?? Infinity, ttlMs }) },
      then: ({ emit, now, result, state, value }) => `if (${state("seen")}.admit(${result}, ${now})) { ${emit(value)} }`,
      snapshot: ({ seen }) => (seen as KeyMemory).snapshot(),
      restore: (snapshot) => ({ seen: KeyMemory.restore({ maxKeys: maxKeys ?? Infinity, ttlMs }, snapshot) }),
      counters: ({ seen }) => ({ keys: (seen as KeyMemory).size, forgotten: (seen as KeyMemory).forgotten }),
      bound:
        maxKeys === undefined
          ? { kind: "time", by: `keys are forgotten after ${ttlMs} ms` }
          : { kind: "bounded", by: `at most ${maxKeys} keys (:max-keys)`, items: maxKeys }
    }
  }
})

/** The item as a key. One that nests too deep, or whose getter throws, has none: it fails here, before any state knows of it. */
const itself = ownFunction("key", 1, (item: unknown) => keyOf(item))

/** The key function, with its result as a key. */
const keyed = (keyFn: StreamFunction): StreamFunction => {
  const call = caller(keyFn, 1)
  return wrapFunction(keyFn, 1, (item: unknown) => whenSettled(call(item), keyOf))
}

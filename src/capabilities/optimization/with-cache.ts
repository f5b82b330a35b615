import * as Schema from "effect/Schema"
import type { StageSpec } from "../../actors/index.ts"
import type { StreamFunction } from "../../scheduler/index.ts"
import { keyOf } from "../../serialization/index.ts"
import { defineCapability } from "../Capability.ts"
import { concurrencyBoundary } from "../concurrency.ts"
import { byteSize, count, defaulted, fn, milliseconds, optional, type OptionType, required, share } from "../Option.ts"
import { callWithMeter, whenSettled, wrapFunctions } from "../wrapFunction.ts"
import { ComputationCache, type Found } from "./ComputationCache.ts"

const factor: OptionType<number> = { type: "number, at least 0", schema: Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0)) }

export const withCache = defineCapability({
  id: "stream.with-cache",
  summary: "Emits what a function makes of each item, and computes it once for items with the same key.",
  spec: "§8 Caching and Memoization",
  kind: "operator",
  consuming: ["on-value"],
  short: ["compute-fn", "cache-key"],
  options: {
    "compute-fn": required(fn, "takes an item, gives what is emitted for it and for all later ones with its key"),
    "cache-key": optional(fn, "takes an item, gives its key; without it the item itself is the key"),
    "cache-ttl": optional(milliseconds, "how long a value is good after it was computed; without it until other values need its place"),
    "max-entries": defaulted(count, 10_000, "how many values are kept; the least recently used goes first"),
    "max-bytes": defaulted(byteSize, 16 * 1024 ** 2, "how much keys and values may take together, as msgpack"),
    "serve-stale": defaulted(
      milliseconds,
      0,
      "for how long after its time a value is still given, while it is computed anew in the background"
    ),
    "early-refresh": defaulted(
      factor,
      0,
      "1 or so: computes a value anew by chance shortly before its time is up, sooner if it takes long, so that not all do at once"
    ),
    "negative-ttl": defaulted(
      milliseconds,
      0,
      "for how long a failure of `:compute-fn` is given again to items with the key; 0: not at all"
    ),
    jitter: defaulted(share, 0, "by up to this share of it each value's time is longer or shorter"),
    parallelism: defaulted(count, 1, "how many items may be computed, or wait for a computation, at once"),
    "on-hit": optional(fn, "takes the value that was there, and the item; it only observes"),
    "on-miss": optional(fn, "takes the item for whose key nothing was there, before it is computed; it only observes"),
    "on-value": optional(fn, "receives each emitted value in order, and starts the stream")
  },
  order:
    "Kept, also with `:parallelism`. `:on-hit` and `:on-miss` are called as items are begun, which is that order too unless a key function is asynchronous.",
  delivery:
    "For a function without side effects the items are those of `:stream.map`. One that fails is an item failure and is not kept, unless `:negative-ttl` says so.",
  backpressure:
    "With `:parallelism` at most that many items are under way. As many computations again may go on in the background for stale values.",
  notes: [
    "For one key there is one computation at a time: with `:parallelism`, items that come meanwhile wait for it. Each of them is a miss and calls `:on-miss`; the function is called once. If it fails, all that waited fail.",
    "`:serve-stale` gives the old value only while the new one takes its time, or when computing it has failed. A function that gives its value at once is called as soon as the time of the old one is up.",
    "The cache belongs to one run of the stream, and outlives restarts of its actor. It is no part of a checkpoint: a stream that goes on from one begins with an empty cache and computes again, which is always right.",
    "A value that has no form as msgpack, or is larger than `:max-bytes`, is given but not kept, and counted as `uncacheable`. The metrics count hits, misses, stale and evicted values, too."
  ],
  example:
    "(call :stream.await (call :stream.to-collection {:source (call :stream.with-cache [1 2 1] {:compute-fn (fn [n] (* n n)) :cache-ttl 60000})}))",
  boundary: ({ "compute-fn": transform, parallelism }) => concurrencyBoundary({ transform, parallelism, offload: "never" }),
  node: (options) => stageWith(options)
})

interface Options {
  readonly "compute-fn": StreamFunction
  readonly "cache-key": StreamFunction | undefined
  readonly "cache-ttl": number | undefined
  readonly "max-entries": number
  readonly "max-bytes": number
  readonly "serve-stale": number
  readonly "early-refresh": number
  readonly "negative-ttl": number
  readonly jitter: number
  readonly parallelism: number
  readonly "on-hit": StreamFunction | undefined
  readonly "on-miss": StreamFunction | undefined
}

const stageWith = (options: Options): StageSpec => {
  let now = () => 0
  const {
    "cache-key": keyFn,
    "compute-fn": compute,
    "max-bytes": bytes,
    "max-entries": items,
    "on-hit": onHit,
    "on-miss": onMiss,
    parallelism
  } = options
  const cache = new ComputationCache({
    maxEntries: items,
    maxBytes: bytes,
    ttlMs: options["cache-ttl"] ?? Infinity,
    jitter: options.jitter,
    staleMs: options["serve-stale"],
    negativeTtlMs: options["negative-ttl"],
    earlyRefresh: options["early-refresh"],
    mostRefreshes: parallelism,
    // Alone, nobody else asks: what is under way for the key is a call of a life that was given up, and may never come back.
    shares: parallelism > 1,
    now: () => now()
  })
  const call = (item: unknown): unknown =>
    keyFn === undefined ? valueFor(keyOf(item), item) : whenSettled(callWithMeter(keyFn, item), (key) => valueFor(keyOf(key), item))
  const valueFor = (key: unknown, item: unknown): unknown => {
    const computed = () => callWithMeter(compute, item)
    const found: Found | undefined = cache.find(key, computed)
    if (found === undefined)
      return onMiss === undefined
        ? cache.compute(key, computed)
        : whenSettled(callWithMeter(onMiss, item), () => cache.compute(key, computed))
    if ("error" in found) throw found.error
    return onHit === undefined ? found.value : whenSettled(callWithMeter(onHit, found.value, item), () => found.value)
  }
  return {
    kind: "stage",
    capability: "stream.with-cache",
    apply: {
      fn: wrapFunctions("compute", [keyFn, compute, onHit, onMiss], 1, call),
      concurrency: { parallelism, offload: "never", operation: "map" }
    },
    // Functions and code that follows them share it.
    state: { cache: () => cache },
    then: ({ emit, result }) => emit(result),
    bind: ({ time }) => {
      now = time.now
    },
    // No part of a checkpoint: what is in it can be computed again, and may be large.
    snapshot: () => ({}),
    restore: () => ({}),
    counters: () => ({ ...cache.counts, entries: cache.size, bytes: cache.bytes }),
    bound: { kind: "bounded", by: `at most ${items} values (:max-entries) of ${bytes} bytes (:max-bytes)`, items, bytes }
  }
}

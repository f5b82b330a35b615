import { detach, detachString, encodeValue } from "../../serialization/index.ts"

export interface CacheOptions {
  readonly maxEntries: number
  /** What keys and values take together, as msgpack. */
  readonly maxBytes: number
  readonly ttlMs: number
  /** Each time to live is longer or shorter by a random part of this share of it. */
  readonly jitter: number
  /** For how long after its time a value may still be given, while it is computed anew. */
  readonly staleMs: number
  /** For how long a failure is given again; 0: not at all. */
  readonly negativeTtlMs: number
  /** 0: never compute before a value's time is up; 1: rather early the longer it takes and the nearer its time. */
  readonly earlyRefresh: number
  /** How many computations may be under way in the background. */
  readonly mostRefreshes: number
  /** Whether one who asks for a key that is being computed waits for that computation. */
  readonly shares: boolean
  /** In ms, from any start, never backwards. */
  readonly now: () => number
}

/** What is there for a key. A failure is thrown where it is read. */
export type Found = { readonly value: unknown } | { readonly error: unknown }

interface Entry {
  readonly found: Found
  /** When its time is up, and when it may not even be given while it is computed anew. */
  readonly expiresAt: number
  readonly goneAt: number
  readonly bytes: number
  /** How long it took to compute. */
  readonly tookMs: number
}

export interface CacheCounts {
  hits: number
  misses: number
  /** Hits whose value's time was up. */
  stale: number
  /** Hits that gave a failure again. */
  negative: number
  /** Misses that waited for a computation under way. */
  shared: number
  computed: number
  failed: number
  /** Computations that replaced a value while it was still given. */
  refreshed: number
  /** Given up for a bound, and because their time was up. */
  evicted: number
  expired: number
  /** Values that have no msgpack form, or exceed the bound alone: given, but not kept. */
  uncacheable: number
}

/**
 * Values by key that cost something to compute: bounded by number, bytes and time; the least recently used goes first.
 *
 * It decides at once wherever the function does: no promise is made on a hit.
 */
export class ComputationCache {
  readonly counts: CacheCounts = {
    hits: 0,
    misses: 0,
    stale: 0,
    negative: 0,
    shared: 0,
    computed: 0,
    failed: 0,
    refreshed: 0,
    evicted: 0,
    expired: 0,
    uncacheable: 0
  }
  readonly #options: CacheOptions
  /** The front is the least recently used. */
  readonly #entries = new Map<unknown, Entry>()
  #bytes = 0
  readonly #underWay = new Map<unknown, Promise<unknown>>()
  readonly #refreshing = new Set<unknown>()
  #random = 0x9e3779b9

  constructor(options: CacheOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#entries.size
  }

  get bytes(): number {
    return this.#bytes
  }

  /**
   * What is there for a key, if anything.
   *
   * @param key as `keyOf` makes it
   * @param compute for a value whose time is up or nearly so: what it gives at once is given, else it goes on in the background
   */
  find(key: unknown, compute: () => unknown): Found | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return this.#miss()
    const now = this.#options.now()
    if (now >= entry.goneAt) {
      this.#forget(key, entry)
      this.counts.expired++
      return this.#miss()
    }
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    this.counts.hits++
    if ("error" in entry.found) {
      this.counts.negative++
      return entry.found
    }
    const isStale = now >= entry.expiresAt
    const fresh = isStale || this.#isEarly(entry, now) ? this.#refresh(key, compute) : undefined
    if (fresh === undefined && isStale) this.counts.stale++
    return fresh ?? entry.found
  }

  /**
   * Computes the value of a key that was missed, or waits for the one who does.
   *
   * **Fails** with what `compute` fails with.
   */
  compute(key: unknown, compute: () => unknown): unknown {
    if (this.#options.shares || this.#refreshing.has(key)) {
      const underWay = this.#underWay.get(key)
      if (underWay !== undefined) {
        this.counts.shared++
        return underWay
      }
      // Somebody may have computed it since it was missed.
      const entry = this.#entries.get(key)
      if (entry !== undefined && "value" in entry.found && this.#options.now() < entry.expiresAt) {
        this.counts.shared++
        return entry.found.value
      }
    }
    return this.#start(key, compute, true)
  }

  #miss(): undefined {
    this.counts.misses++
    return undefined
  }

  /** XFetch: the chance rises as the end comes near, sooner for what takes long. Many that ask do not all compute at the end. */
  #isEarly({ expiresAt, tookMs }: Entry, now: number): boolean {
    const { earlyRefresh } = this.#options
    return earlyRefresh > 0 && expiresAt < Infinity && now - tookMs * earlyRefresh * Math.log(1 - this.#nextRandom()) >= expiresAt
  }

  /** @returns the new value if it is there at once */
  #refresh(key: unknown, compute: () => unknown): Found | undefined {
    if (this.#refreshing.has(key) || this.#underWay.has(key) || this.#refreshing.size >= this.#options.mostRefreshes) return undefined
    let result: unknown
    try {
      result = this.#start(key, compute, false)
    } catch {
      // Counted as failed; the old value is good until it is gone.
      return undefined
    }
    if (!isPromise(result)) {
      this.counts.refreshed++
      return { value: result }
    }
    this.#refreshing.add(key)
    result.then(
      () => {
        this.#refreshing.delete(key)
        this.counts.refreshed++
      },
      () => this.#refreshing.delete(key)
    )
    return undefined
  }

  /** @param keepsFailure not where it would replace a value that can still be given */
  #start(key: unknown, compute: () => unknown, keepsFailure: boolean): unknown {
    const startedAt = this.#options.now()
    const succeeded = (value: unknown): unknown => {
      this.counts.computed++
      this.#keep(key, { value }, startedAt, this.#options.ttlMs)
      return value
    }
    const failed = (error: unknown): never => {
      this.counts.failed++
      if (keepsFailure && this.#options.negativeTtlMs > 0) this.#keep(key, { error }, startedAt, this.#options.negativeTtlMs)
      throw error
    }
    let result: unknown
    try {
      result = compute()
    } catch (error) {
      return failed(error)
    }
    if (!isPromise(result)) return succeeded(result)
    const promise: Promise<unknown> = Promise.resolve(result).then(succeeded, failed)
    const settled = () => {
      if (this.#underWay.get(key) === promise) this.#underWay.delete(key)
    }
    // Also where nobody waits for it any more, a failure is no unhandled one.
    promise.then(settled, settled)
    this.#underWay.set(key, promise)
    return promise
  }

  #keep(key: unknown, found: Found, startedAt: number, ttlMs: number): void {
    const bytes = bytesOf(key, found)
    const { jitter, maxBytes, maxEntries, now, staleMs } = this.#options
    const old = this.#entries.get(key)
    if (old !== undefined) this.#forget(key, old)
    if (bytes === undefined || bytes > maxBytes) {
      this.counts.uncacheable++
      return
    }
    const time = now()
    const expiresAt = time + ttlMs * (1 + jitter * (2 * this.#nextRandom() - 1))
    const goneAt = "error" in found ? expiresAt : expiresAt + staleMs
    const kept = "value" in found ? { value: detach(found.value) } : found
    this.#entries.set(typeof key === "string" ? detachString(key) : key, {
      found: kept,
      expiresAt,
      goneAt,
      bytes,
      tookMs: time - startedAt
    })
    this.#bytes += bytes
    for (const [oldest, entry] of this.#entries) {
      if (this.#entries.size <= maxEntries && this.#bytes <= maxBytes) return
      this.#forget(oldest, entry)
      this.counts.evicted++
    }
  }

  #forget(key: unknown, { bytes }: Entry): void {
    this.#entries.delete(key)
    this.#bytes -= bytes
  }

  /** From 0 to 1, the same in every run: it only has to spread. */
  #nextRandom(): number {
    this.#random = (this.#random + 0x6d2b79f5) | 0
    let bits = Math.imul(this.#random ^ (this.#random >>> 15), this.#random | 1)
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61)
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Exact, as msgpack; `undefined` where a value has no such form, so that nothing says how large it is. */
const bytesOf = (key: unknown, found: Found): number | undefined => {
  try {
    return encodeValue(key).byteLength + ("error" in found ? bytesOfFailure : encodeValue(found.value).byteLength)
  } catch {
    return undefined
  }
}

/** An estimate: an error with its stack. */
const bytesOfFailure = 1024

const isPromise = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === "object" && value !== null && typeof (value as Partial<PromiseLike<unknown>>).then === "function"

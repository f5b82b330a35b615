import { encodeValue } from "../../src/serialization/index.ts"

export interface CacheModelOptions {
  readonly maxEntries: number
  readonly maxBytes: number
  readonly ttlMs: number
  readonly staleMs: number
  readonly negativeTtlMs: number
}

interface Held {
  readonly key: unknown
  readonly value?: string
  readonly failed: boolean
  readonly at: number
}

/** A cache as a list: the front is the least recently used. */
export class CacheModel {
  held: Array<Held> = []
  readonly #options: CacheModelOptions

  constructor(options: CacheModelOptions) {
    this.#options = options
  }

  get bytes(): number {
    return this.held.reduce((sum, each) => sum + this.#bytesOf(each), 0)
  }

  /** Asks at a time, for a function that gives its value at once, or fails. */
  ask(
    key: unknown,
    now: number,
    computed: { readonly value: string } | "fails"
  ): { readonly gives: string | "failure"; readonly computes: boolean } {
    const { negativeTtlMs, staleMs, ttlMs } = this.#options
    const held = this.held.find((each) => each.key === key)
    const age = held === undefined ? Infinity : now - held.at
    const isFresh = held !== undefined && age < (held.failed ? negativeTtlMs : ttlMs)
    if (held !== undefined && isFresh) {
      this.#touch(held)
      return { gives: held.failed ? "failure" : held.value!, computes: false }
    }
    const old = held !== undefined && !held.failed && age < ttlMs + staleMs ? held : undefined
    if (computed === "fails" && old !== undefined) {
      this.#touch(old)
      return { gives: old.value!, computes: true }
    }
    this.held = this.held.filter((each) => each.key !== key)
    if (computed !== "fails") this.#add({ key, value: computed.value, failed: false, at: now })
    else if (negativeTtlMs > 0) this.#add({ key, failed: true, at: now })
    return { gives: computed === "fails" ? "failure" : computed.value, computes: true }
  }

  #touch(held: Held): void {
    this.held = [...this.held.filter((each) => each !== held), held]
  }

  #add(held: Held): void {
    if (this.#bytesOf(held) > this.#options.maxBytes) return
    this.held.push(held)
    while (this.held.length > this.#options.maxEntries || this.bytes > this.#options.maxBytes) this.held.shift()
  }

  #bytesOf({ failed, key, value }: Held): number {
    return encodeValue(key).byteLength + (failed ? 1024 : encodeValue(value).byteLength)
  }
}

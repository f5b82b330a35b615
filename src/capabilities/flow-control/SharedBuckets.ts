import { InvalidCall } from "../errors.ts"
import { TokenBucket } from "./TokenBucket.ts"

/** The buckets that streams of one host share by name. They stay as long as the host, so that a restart gives no tokens. */
export class SharedBuckets {
  readonly #buckets = new Map<string, TokenBucket>()

  /** **Fails** by throwing `InvalidCall` where the name stands for another rate, or there are too many names. */
  get(capability: string, name: string, options: { readonly rate: number; readonly burst: number }): TokenBucket {
    const known = this.#buckets.get(name)
    if (known === undefined) {
      if (this.#buckets.size >= mostNames) {
        throw new InvalidCall(
          capability,
          `is the ${mostNames + 1}st limit with a :name of its own; use one name for what shares a limit.`,
          "name"
        )
      }
      const made = new TokenBucket(options)
      this.#buckets.set(name, made)
      return made
    }
    if (known.rate !== options.rate || known.burst !== options.burst) {
      throw new InvalidCall(
        capability,
        `shares the limit "${name}", which was given :rate ${known.rate} :burst ${known.burst} first and :rate ${options.rate} :burst ${options.burst} here: give both the same, or another :name.`,
        "name"
      )
    }
    return known
  }
}

const mostNames = 1000

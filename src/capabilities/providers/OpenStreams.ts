import { InvalidCall } from "../errors.ts"
import { valuesEqual } from "../../serialization/index.ts"
import type { StreamHandle } from "../StreamHandle.ts"
import type { StreamValue } from "../StreamValue.ts"
import { isOver, type ProvidedStream } from "./ProvidedStream.ts"

interface Keyed {
  readonly stream: ProvidedStream
  readonly provider: string
  readonly config: unknown
  readonly keepMs: number
  endedAt: number | undefined
}

const mostKeys = 1000

/**
 * The streams that were opened under keys of their clients, so that a client which asks twice, or comes back, gets its own.
 *
 * **Bounds** 1000 keys; of more, those whose streams ended first are forgotten.
 */
export class OpenStreams {
  readonly #keyed = new Map<string, Keyed>()
  readonly #wrapped = new WeakMap<StreamHandle | StreamValue, ProvidedStream>()

  /**
   * The stream under a key: one that goes on, or that has completed and whose items are still kept.
   *
   * **Fails** by throwing `InvalidCall` where the key stands for a stream of another provider or with another config.
   */
  find(key: string, wanted: { readonly provider: string; readonly config: unknown; readonly now: number }): ProvidedStream | undefined {
    const known = this.#keyed.get(key)
    if (known === undefined) return undefined
    const { status } = known.stream
    const isGone = isOver(status) && (status !== "completed" || wanted.now - (known.endedAt ?? wanted.now) > known.keepMs)
    if (isGone) {
      this.#keyed.delete(key)
      return undefined
    }
    if (known.provider !== wanted.provider || !valuesEqual(known.config, wanted.config)) {
      throw new InvalidCall(
        "marketplace.stream.start",
        `was given the key ${JSON.stringify(key)}, under which ${known.provider} runs with another config or as another provider: use a key of its own for each stream.`,
        "key"
      )
    }
    return known.stream
  }

  add(key: string, keyed: Omit<Keyed, "endedAt"> & { readonly now: () => number }): void {
    if (this.#keyed.size >= mostKeys) this.#forgetOne()
    const entry: Keyed = { ...keyed, endedAt: undefined }
    this.#keyed.set(key, entry)
    const end = () => {
      entry.endedAt = keyed.now()
    }
    keyed.stream.result.then(end, end)
  }

  /** The stream that was made of a stream of another sort, so that its items can be taken one by one. */
  wrapped(stream: StreamHandle | StreamValue, make: () => ProvidedStream): ProvidedStream {
    let made = this.#wrapped.get(stream)
    if (made === undefined) this.#wrapped.set(stream, (made = make()))
    return made
  }

  #forgetOne(): void {
    const ended = [...this.#keyed].filter(([, { endedAt }]) => endedAt !== undefined)
    const [first] = ended.toSorted(([, a], [, b]) => a.endedAt! - b.endedAt!)
    if (first === undefined) {
      throw new InvalidCall(
        "marketplace.stream.start",
        `has ${mostKeys} streams under keys that all go on: close some, or start this one without :key.`,
        "key"
      )
    }
    this.#keyed.delete(first[0])
  }
}

import { keyOf } from "../../serialization/index.ts"
import { BoundExceeded } from "../errors.ts"

/** How many names a program may keep values under. */
const mostEntries = 10_000

/** What one program keeps under names, while it runs: the state behind `kv/…` and `context/…`. */
export class ProgramStore {
  readonly #entries = new Map<unknown, unknown>()

  get(name: unknown): unknown {
    return this.#entries.get(keyOf(name)) ?? null
  }

  /** **Fails** by throwing `BoundExceeded` for one name too many. */
  set(capability: string, name: unknown, value: unknown): void {
    const key = keyOf(name)
    if (!this.#entries.has(key) && this.#entries.size >= mostEntries) {
      throw new BoundExceeded(capability, `keeps ${mostEntries} names, which is all that a program may keep`, "Keep a map under one name instead.")
    }
    this.#entries.set(key, value)
  }
}

/** Who is told: that the list of streams is another, or that a stream has changed. */
export interface Listener {
  readonly listChanged: () => void
  readonly changed: (id: string) => void
}

/** A stream is told of once in this time at most, and so is the list. */
const quietMs = 500

/** Gathers the changes of streams, so that a fast stream is no flood of notices. */
export class ChangeNotices {
  readonly #changed = new Set<string>()
  #listChanged = false
  #timer: NodeJS.Timeout | undefined
  readonly listeners = new Set<Listener>()

  readonly tell = (id: string | undefined): void => {
    if (this.listeners.size === 0) return
    if (id === undefined) this.#listChanged = true
    else this.#changed.add(id)
    if (this.#timer === undefined) this.#timer = setTimeout(() => this.#flush(), quietMs).unref()
  }

  #flush(): void {
    this.#timer = undefined
    const changed = [...this.#changed]
    const listChanged = this.#listChanged
    this.#changed.clear()
    this.#listChanged = false
    for (const listener of this.listeners) {
      if (listChanged) listener.listChanged()
      for (const id of changed) listener.changed(id)
    }
  }
}

/** Who is told: that the list of resources is another, or that the resource of a URI has changed. */
export interface Listener {
  readonly listChanged: () => void
  readonly changed: (uri: string) => void
}

/** A resource is told of once in this time at most, and so is the list. */
const quietMs = 500

/** Gathers the changes of resources, so that a fast stream is no flood of notices. */
export class ChangeNotices {
  readonly #changed = new Set<string>()
  #listChanged = false
  #timer: NodeJS.Timeout | undefined
  readonly listeners = new Set<Listener>()

  /** @param uri of what has changed; `undefined` for the list */
  readonly tell = (uri: string | undefined): void => {
    if (this.listeners.size === 0) return
    if (uri === undefined) this.#listChanged = true
    else this.#changed.add(uri)
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
      for (const uri of changed) listener.changed(uri)
    }
  }
}

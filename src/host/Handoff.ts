/**
 * Hands items to a loop, one at a time: a batch is accepted only when the loop has taken all of it, so that the stream
 * goes at the pace of the loop.
 *
 * **Order** whoever asked first gets the next item, so several requests at once are served in turn.
 * **Stopping** once it has ended nothing more is handed out; a failure is told once, and then there is only the end.
 */
export class Handoff {
  #batch: ReadonlyArray<unknown> = []
  #next = 0
  #taken: (() => void) | undefined
  readonly #requests: Array<Request> = []
  #hasEnded = false
  #untold: { readonly error: unknown } | undefined

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /** Offers a batch and completes when its last item was asked for and the loop came back for more. */
  put(items: ReadonlyArray<unknown>): Promise<void> {
    return new Promise((resolve) => {
      this.#batch = items
      this.#next = 0
      while (this.#next < items.length && this.#requests.length > 0) {
        this.#requests.shift()!.resolve({ done: false, value: items[this.#next++] })
      }
      if (this.#requests.length > 0) resolve()
      else this.#taken = resolve
    })
  }

  take(): Promise<IteratorResult<unknown>> {
    return new Promise((resolve, reject) => {
      if (this.#hasEnded) return this.#tellEnd({ resolve, reject })
      if (this.#next < this.#batch.length) return resolve({ done: false, value: this.#batch[this.#next++] })
      this.#requests.push({ resolve, reject })
      this.#taken?.()
      this.#taken = undefined
    })
  }

  /** There are no more items; what was offered and not asked for is given up. */
  end(failure?: { readonly error: unknown }): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#untold = failure
    this.#batch = []
    this.#taken = undefined
    for (const request of this.#requests.splice(0)) this.#tellEnd(request)
  }

  #tellEnd({ reject, resolve }: Request): void {
    const failure = this.#untold
    this.#untold = undefined
    if (failure === undefined) resolve({ done: true, value: undefined })
    else reject(failure.error)
  }
}

interface Request {
  readonly resolve: (result: IteratorResult<unknown>) => void
  readonly reject: (error: unknown) => void
}

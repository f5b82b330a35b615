/**
 * That a connection ended, for those who wait for an answer: the drivers forget some of them. A promise to race against would
 * remember everybody who ever did.
 */
export class Loss {
  #error: { readonly error: unknown } | undefined
  readonly #waiting = new Set<(error: unknown) => void>()

  happen(error: unknown): void {
    if (this.#error !== undefined) return
    this.#error = { error }
    for (const reject of this.#waiting) reject(error)
    this.#waiting.clear()
  }

  /** What is asked for, or the loss. */
  async unless<A>(asked: Promise<A>): Promise<A> {
    if (this.#error !== undefined) {
      asked.catch(() => {})
      throw this.#error.error
    }
    const { promise, reject } = Promise.withResolvers<never>()
    this.#waiting.add(reject)
    try {
      return await Promise.race([asked, promise])
    } finally {
      this.#waiting.delete(reject)
    }
  }
}

/**
 * A bucket of tokens: full at first, refilled by the time that has passed, never above `burst`.
 *
 * Who takes more than there are is told how long to wait, and owes them: whoever comes later waits for longer. So those
 * who share a bucket are served in the order in which they asked, and the bucket needs no line and no timer.
 */
export class TokenBucket {
  readonly rate: number
  readonly burst: number
  #tokens: number
  #filledAt: number | undefined

  /**
   * @param options.rate tokens per second
   * @param options.burst the most tokens that it holds
   */
  constructor(options: { readonly rate: number; readonly burst: number }) {
    this.rate = options.rate
    this.burst = options.burst
    this.#tokens = options.burst
  }

  /** What is left; below 0 what is owed. */
  get tokens(): number {
    return this.#tokens
  }

  /**
   * Takes tokens in any case.
   *
   * @param now in ms, from any start; if it goes back, nothing is added for that
   * @returns for how many ms to wait, 0 where the tokens were there
   */
  take(cost: number, now: number): number {
    this.#refill(now)
    this.#tokens -= cost
    return this.#tokens >= 0 ? 0 : (-this.#tokens * 1000) / this.rate
  }

  /** Who had to wait goes on only now, maybe later than it could: what came in since then is not kept beyond the burst. */
  leave(cost: number, now: number): void {
    this.#refill(now)
    this.#tokens = Math.min(this.#tokens, Math.max(0, this.burst - cost))
  }

  /** Takes tokens if they are there. @returns 0, or after how many ms they will be, and then nothing was taken */
  tryTake(cost: number, now: number): number {
    this.#refill(now)
    const missing = cost - this.#tokens
    if (missing > 0) return (missing * 1000) / this.rate
    this.#tokens -= cost
    return 0
  }

  /** A snapshot of a bucket never gives it more than it has. */
  lowerTo(tokens: number): void {
    this.#tokens = Math.min(this.#tokens, tokens)
  }

  #refill(now: number): void {
    const passed = Math.max(0, now - (this.#filledAt ?? now))
    this.#tokens = Math.min(this.burst, this.#tokens + (passed * this.rate) / 1000)
    this.#filledAt = now
  }
}

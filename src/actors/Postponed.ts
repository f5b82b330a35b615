/**
 * Thrown by a function that can't take an item yet: nothing failed and nothing was done. The stage that stopped waits
 * and calls again, as often as it takes; no policy is asked and no try is counted.
 *
 * The wait is the actor's, so that a life which is ended meanwhile leaves nothing behind that would call later.
 */
export class Postponed extends Error {
  /** In how many ms to call again at the latest; `Infinity` where only `subscribe` says so. Asked when the wait begins. */
  readonly afterMs: () => number
  /** Calls back once when it may be worth another try. Gives what withdraws that. */
  readonly subscribe: (wake: () => void) => () => void

  constructor(message: string, options: Pick<Postponed, "afterMs" | "subscribe">) {
    super(message)
    this.name = "Postponed"
    this.afterMs = options.afterMs
    this.subscribe = options.subscribe
  }
}

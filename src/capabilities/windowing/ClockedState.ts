import { StreamClock, type TimeSettings } from "./StreamClock.ts"

/**
 * State that a stream's clock brings on: with each item and at each timer it gives what is due, and says when to be
 * woken next.
 */
export abstract class ClockedState<Given> {
  protected clock: StreamClock
  /** When the clock may have to bring the time on. */
  due = Infinity

  constructor(settings: TimeSettings) {
    this.clock = new StreamClock(settings)
  }

  get watermark(): number {
    return this.clock.watermark
  }

  /** The timer set for `due` has come. */
  tick(now: number): ReadonlyArray<Given> {
    const given: Array<Given> = []
    this.clock.tick(this.due, now)
    this.giveDue(given)
    this.#setTimer()
    return given
  }

  /** Before an item is placed: gives what is due by the clock alone. */
  protected beginTurn(now: number, given: Array<Given>): void {
    this.clock.comeTo(now)
    this.giveDue(given)
  }

  /** After an item of this time was placed. @returns what the turn gives, if anything */
  protected endTurn(time: number, now: number, given: Array<Given>): ReadonlyArray<Given> | undefined {
    this.clock.accept(time, now)
    this.giveDue(given)
    this.#setTimer()
    return given.length === 0 ? undefined : given
  }

  protected abstract giveDue(given: Array<Given>): void

  /** The time of the stream at which something is due next, if anything is open. */
  protected abstract nextTime(): number | undefined

  #setTimer(): void {
    const next = this.nextTime()
    this.due = next === undefined ? Infinity : this.clock.dueFor(next)
  }
}

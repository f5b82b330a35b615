/** By which time windows open and close. */
export interface TimeSettings {
  /** `event`: the times that items carry. `processing`: the times at which they come. */
  readonly time: "event" | "processing"
  /** How far behind the newest item another one may come and not be late. */
  readonly maxDelayMs: number
  /** After how long without an item the time goes on by the clock; `Infinity`: never. */
  readonly idleMs: number
  /** Of the rate limits above: how long ago each held an item back. */
  readonly heldBack?: ReadonlyArray<() => number>
}

/**
 * How far time has come for a window operator: the watermark, which only rises. No item of that time or an older one is
 * expected any more.
 *
 * In processing time it follows the clock. A clock that is set back makes it wait, and items count as of the latest time
 * that the clock has shown: none is lost, and no window closes twice.
 *
 * In event time it follows the newest item, `maxDelayMs` and one ms behind: items of the same ms may still come. Where
 * none comes for `idleMs`, it goes on with the clock. A look at the clock that comes later than it was asked for says that
 * the actor was blocked or busy, so nothing is known about its input: the silence is measured anew then. Nor is it silence
 * when a rate limit above holds items back.
 */
export class StreamClock {
  readonly #settings: TimeSettings
  #watermark = -Infinity
  #newest = -Infinity
  #quietSince = Infinity

  constructor(settings: TimeSettings) {
    this.#settings = settings
  }

  get watermark(): number {
    return this.#watermark
  }

  /** The time of an item that comes now, in whole ms. To be called when `comeTo` was. */
  timeOf(timestamp: number | undefined): number {
    return timestamp === undefined ? this.#watermark + 1 : Math.floor(timestamp)
  }

  /** The clock shows `now` and an item is there: in processing time this is all that happens. */
  comeTo(now: number): void {
    if (this.#settings.time === "processing") this.#rise(Math.floor(now) - 1)
  }

  /** An item of this time was taken in. */
  accept(time: number, now: number): void {
    if (this.#settings.time === "processing") return
    this.#quietSince = now
    if (time > this.#newest) this.#newest = time
    this.#rise(this.#newest - this.#settings.maxDelayMs - 1)
  }

  /** The timer that was set for `due` has come. */
  tick(due: number, now: number): void {
    if (this.#settings.time === "processing") return this.comeTo(now)
    if (now - due > timerGraceMs) {
      this.#quietSince = now
      return
    }
    for (const since of this.#settings.heldBack ?? []) this.#quietSince = Math.max(this.#quietSince, now - since())
    const quiet = now - this.#quietSince
    if (quiet >= this.#settings.idleMs) this.#rise(Math.floor(this.#newest - this.#settings.maxDelayMs - 1 + quiet))
  }

  /** When the clock alone will have brought the watermark to the ms before `end`; `Infinity`: it will not. */
  dueFor(end: number): number {
    if (this.#settings.time === "processing" || end === Infinity) return end
    const { idleMs, maxDelayMs } = this.#settings
    if (idleMs === Infinity) return Infinity
    return this.#quietSince + Math.max(idleMs, end - (this.#newest - maxDelayMs))
  }

  snapshot(): ReadonlyArray<number> {
    return [this.#watermark, this.#newest, this.#quietSince]
  }

  static restore(settings: TimeSettings, snapshot: unknown): StreamClock {
    const made = new StreamClock(settings)
    const [watermark, newest, quietSince] = snapshot as [number, number, number]
    made.#watermark = watermark
    made.#newest = newest
    made.#quietSince = quietSince
    return made
  }

  #rise(to: number): void {
    if (to > this.#watermark) this.#watermark = to
  }
}

/** What a timer may be late on a busy event loop without anything being meant by it. */
const timerGraceMs = 50

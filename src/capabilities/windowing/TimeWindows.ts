import { approximateBytes } from "../aggregation/approximateBytes.ts"
import { BoundExceeded } from "../errors.ts"
import { ClockedState } from "./ClockedState.ts"
import { StreamClock, type TimeSettings } from "./StreamClock.ts"

/** What a window operator by time emits. */
export interface TimeWindow {
  /** In ms since 1970, the end left out. */
  readonly start: number
  readonly end: number
  readonly items: ReadonlyArray<unknown>
  /** The stream ended before the window's time did. */
  readonly partial: boolean
  /** 0, and one more each time that a late item makes it be emitted again, whole. */
  readonly revision: number
}

export interface TimeWindowSettings extends TimeSettings {
  readonly capability: string
  readonly durationMs: number
  /** From the start of one window to that of the next. */
  readonly slideMs: number
  readonly offsetMs: number
  readonly latenessMs: number
  readonly maxItems: number
  readonly maxBytes: number
}

interface OpenWindow {
  readonly items: Array<unknown>
  /** How often it was emitted. */
  emitted: number
  /** What is counted for this window: the items of which it is the last one, and their weight. */
  counted: number
  bytes: number
}

/**
 * The windows [k·slide + offset, k·slide + offset + duration) that have items, in their order.
 *
 * Those whose time has come are emitted in that order and kept for `latenessMs` more. As all are equally long, they are a
 * beginning of the list, and so are the ones that are over for good.
 */
export class TimeWindows extends ClockedState<TimeWindow> {
  readonly #settings: TimeWindowSettings
  readonly #open = new Map<number, OpenWindow>()
  /** The starts of the open windows, rising; those before `#emitted` have been emitted. */
  readonly #starts: Array<number> = []
  #emitted = 0
  #items = 0
  #bytes = 0
  readonly counts = { windows: 0, updates: 0, late: 0, "between-windows": 0 }

  constructor(settings: TimeWindowSettings) {
    super(settings)
    this.#settings = settings
  }

  get size(): number {
    return this.#starts.length
  }

  get items(): number {
    return this.#items
  }

  /** Whether every window of an item of this time is over for good. */
  isLate(timestamp: number): boolean {
    const time = Math.floor(timestamp)
    const last = this.#lastStart(time)
    return time < last + this.#settings.durationMs && this.#isOver(last)
  }

  /** The weight of an item. Throws `BoundExceeded` where there is no room for it; nothing is added yet. */
  weigh(item: unknown): number {
    const { capability, maxBytes, maxItems } = this.#settings
    const overlap = Math.ceil(this.#settings.durationMs / this.#settings.slideMs)
    const weight = approximateBytes(item, maxBytes - this.#bytes) + 8 * overlap
    if (this.#items < maxItems && this.#bytes + weight <= maxBytes) return weight
    const which = this.#items < maxItems ? ":max-bytes" : ":max-items"
    throw new BoundExceeded(
      capability,
      `holds ${this.#items} items (about ${this.#bytes} bytes) in ${this.size} windows, and ${which} allows no more`,
      `Raise ${which}, make the windows shorter, or reduce the stream before it is windowed.`
    )
  }

  /** Puts an item that was weighed into its windows. @returns the windows to emit because of it, if any. Can't fail. */
  add(item: unknown, timestamp: number | undefined, weight: number, now: number): ReadonlyArray<TimeWindow> | undefined {
    const given: Array<TimeWindow> = []
    this.beginTurn(now, given)
    const time = this.clock.timeOf(timestamp)
    this.#place(item, time, weight, given)
    return this.endTurn(time, now, given)
  }

  /** The stream has ended: emits what was never emitted. */
  end(): ReadonlyArray<TimeWindow> {
    const given = this.#starts.slice(this.#emitted).map((start) => this.#emit(start, true))
    this.#open.clear()
    this.#starts.length = 0
    this.#emitted = this.#items = this.#bytes = 0
    this.due = Infinity
    return given
  }

  snapshot(): unknown {
    return {
      clock: this.clock.snapshot(),
      due: this.due,
      counts: { ...this.counts },
      windows: this.#starts.map((start) => {
        const { bytes, counted, emitted, items } = this.#open.get(start)!
        return [start, items, emitted, counted, bytes]
      })
    }
  }

  static restore(settings: TimeWindowSettings, snapshot: unknown): TimeWindows {
    const { clock, counts, due, windows } = snapshot as {
      readonly clock: unknown
      readonly counts: TimeWindows["counts"]
      readonly due: number
      readonly windows: ReadonlyArray<readonly [number, ReadonlyArray<unknown>, number, number, number]>
    }
    const made = new TimeWindows(settings)
    made.clock = StreamClock.restore(settings, clock)
    made.due = due
    Object.assign(made.counts, counts)
    for (const [start, items, emitted, counted, bytes] of windows) {
      made.#open.set(start, { items: [...items], emitted, counted, bytes })
      made.#starts.push(start)
      made.#items += counted
      made.#bytes += bytes
      if (made.#isReached(start)) made.#emitted++
    }
    return made
  }

  #place(item: unknown, time: number, weight: number, given: Array<TimeWindow>): void {
    const { durationMs, slideMs } = this.#settings
    const last = this.#lastStart(time)
    if (time >= last + durationMs) {
      this.counts["between-windows"]++
      return
    }
    if (this.#isOver(last)) {
      this.counts.late++
      return
    }
    // The earliest one begins after `time - duration`; windows that are over are left out.
    for (let start = last - Math.floor((last + durationMs - 1 - time) / slideMs) * slideMs; start <= last; start += slideMs) {
      if (this.#isOver(start)) continue
      const window = this.#windowAt(start)
      window.items.push(item)
      if (start === last) {
        window.counted++
        window.bytes += weight
        this.#items++
        this.#bytes += weight
      }
      if (this.#isReached(start)) given.push(this.#emit(start, false))
    }
  }

  #windowAt(start: number): OpenWindow {
    let window = this.#open.get(start)
    if (window !== undefined) return window
    window = { items: [], emitted: 0, counted: 0, bytes: 0 }
    this.#open.set(start, window)
    let at = this.#starts.length
    while (at > 0 && this.#starts[at - 1]! > start) at--
    this.#starts.splice(at, 0, start)
    if (this.#isReached(start)) this.#emitted++
    return window
  }

  /** Emits the windows whose time has come, and forgets those that are over for good. */
  protected override giveDue(given: Array<TimeWindow>): void {
    const starts = this.#starts
    while (this.#emitted < starts.length && this.#isReached(starts[this.#emitted]!)) given.push(this.#emit(starts[this.#emitted++]!, false))
    let over = 0
    while (over < this.#emitted && this.#isOver(starts[over]!)) {
      const window = this.#open.get(starts[over]!)!
      this.#items -= window.counted
      this.#bytes -= window.bytes
      this.#open.delete(starts[over++]!)
    }
    if (over === 0) return
    starts.splice(0, over)
    this.#emitted -= over
  }

  #emit(start: number, partial: boolean): TimeWindow {
    const window = this.#open.get(start)!
    const revision = window.emitted++
    if (revision === 0) this.counts.windows++
    else this.counts.updates++
    // Where late items may still come, what was emitted must not change under its reader.
    const items = this.#settings.latenessMs > 0 ? window.items.slice() : window.items
    return { start, end: start + this.#settings.durationMs, items, partial, revision }
  }

  protected override nextTime(): number | undefined {
    const first = this.#starts[this.#emitted]
    return first === undefined ? undefined : first + this.#settings.durationMs
  }

  /** The start of the last window that begins at this time or before. */
  #lastStart(time: number): number {
    const { offsetMs, slideMs } = this.#settings
    return Math.floor((time - offsetMs) / slideMs) * slideMs + offsetMs
  }

  #isReached(start: number): boolean {
    return start + this.#settings.durationMs - 1 <= this.clock.watermark
  }

  #isOver(start: number): boolean {
    return start + this.#settings.durationMs - 1 + this.#settings.latenessMs <= this.clock.watermark
  }
}

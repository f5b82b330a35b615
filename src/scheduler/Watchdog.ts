import { type FlightRecorder, position } from "./FlightRecorder.ts"

/**
 * Real time, and on purpose not the clock of the streams: a hung thread hangs in real time. No result depends on it,
 * but for the items that are ended by their time limit. Tests may set another one.
 */
export interface PoolTimer {
  readonly now: () => number
  /** Calls back once after so many milliseconds, without keeping the process alive. Returns what cancels it. */
  readonly after: (ms: number, callback: () => void) => () => void
}

export const realTimer: PoolTimer = {
  now: () => performance.now(),
  after: (ms, callback) => {
    const timeout = setTimeout(callback, ms).unref()
    return () => clearTimeout(timeout)
  }
}

/** What the watchdog must know of a frame under way, and what it notes on it. */
export interface Watched {
  readonly itemTimeoutMs: number
  /** Its record in the recorder. */
  readonly credit: number
  readonly recorder: FlightRecorder
  /** Where the frame was at the last look, and for how long it is known to have been there. */
  seen: { position: number; forMs: number }
  /** The position at which it stood for too long, once it did. */
  overdue: number | undefined
}

/** Looks at the records of the frames under way, and tells which thread stands at one position for longer than it may. */
export class Watchdog<Flight extends Watched> {
  readonly #flights: Iterable<Flight>
  readonly #timer: PoolTimer
  readonly #reports: WatchdogReports<Flight>
  #armed: { readonly cancel: () => void; readonly periodMs: number } | undefined

  constructor(flights: Iterable<Flight>, timer: PoolTimer, reports: WatchdogReports<Flight>) {
    this.#flights = flights
    this.#timer = timer
    this.#reports = reports
  }

  /** Watches also a frame that was just posted, which may need closer looks than the others. */
  watch(flight: Flight): void {
    flight.seen = { position: position.waiting, forMs: 0 }
    flight.overdue = undefined
    const periodMs = Math.max(5, Math.min(250, flight.itemTimeoutMs / 4))
    if (this.#armed !== undefined && this.#armed.periodMs <= periodMs) return
    this.stop()
    this.#lookAfter(periodMs, 0)
  }

  stop(): void {
    this.#armed?.cancel()
    this.#armed = undefined
  }

  #lookAfter(periodMs: number, stillForMs: number): void {
    const from = this.#timer.now()
    const cancel = this.#timer.after(periodMs, () => {
      // No more than the time between two looks is taken for granted: the whole process may have been stopped, or this
      // thread busy, and then nobody saw whether the worker moved.
      this.#look(Math.min(this.#timer.now() - from, 2 * periodMs), periodMs, stillForMs)
    })
    this.#armed = { cancel, periodMs }
  }

  #look(passedMs: number, periodMs: number, stillForMs: number): void {
    let isStill = true
    let isStuck = false
    const overdue: Array<Flight> = []
    for (const flight of this.#flights) {
      const at = flight.recorder.positionOf(flight.credit)
      if (at === position.waiting) continue
      isStill = false
      if (at !== flight.seen.position) {
        flight.seen = { position: at, forMs: 0 }
        continue
      }
      flight.seen.forMs += passedMs
      const limitMs = limitAt(flight, at)
      if (flight.seen.forMs < limitMs) continue
      if (flight.overdue === undefined) overdue.push(flight)
      else if (flight.seen.forMs > limitMs + endLimitMs) isStuck = true
    }
    const nowStillForMs = isStill ? stillForMs + passedMs : 0
    const isLost = isStuck || nowStillForMs > phaseLimitMs
    this.#lookAfter(periodMs, isLost ? 0 : nowStillForMs)
    for (const flight of overdue) {
      flight.overdue = flight.seen.position
      this.#reports.onOverdue(flight)
    }
    if (isLost) this.#reports.onLost()
  }
}

interface WatchdogReports<Flight> {
  /** The frame stands at `overdue` for longer than it may: its thread is to be ended. */
  readonly onOverdue: (flight: Flight) => void
  /** A thread was to end and did not, since it hangs outside JavaScript; or no thread ever takes a frame up. */
  readonly onLost: () => void
}

/** How long a frame may stay at a position: an item has its limit, loading a function and answering have ours. */
export const limitAt = (flight: Pick<Watched, "itemTimeoutMs">, at: number): number =>
  at >= 0 ? flight.itemTimeoutMs : Math.max(flight.itemTimeoutMs, phaseLimitMs)

const phaseLimitMs = 30_000

/** How long a thread that was told to end may take for it. In JavaScript it takes milliseconds. */
const endLimitMs = 2_000

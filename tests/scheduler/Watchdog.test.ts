import { describe, expect, it } from "vitest"
import { FlightRecorder, position } from "../../src/scheduler/FlightRecorder.ts"
import { type PoolTimer, Watchdog, type Watched } from "../../src/scheduler/Watchdog.ts"

/** Time that moves by hand. */
const makeTimer = () => {
  let now = 0
  let due: { readonly at: number; readonly callback: () => void } | undefined
  const timer: PoolTimer = {
    now: () => now,
    after: (ms, callback) => {
      const mine = { at: now + ms, callback }
      due = mine
      return () => {
        if (due === mine) due = undefined
      }
    }
  }
  const fire = (late: number): void => {
    const { at, callback } = due!
    due = undefined
    now = Math.max(now, at) + late
    callback()
  }
  return {
    timer,
    isArmed: () => due !== undefined,
    /** Runs all looks that are due within so many ms. */
    pass: (ms: number) => {
      const until = now + ms
      while (due !== undefined && due.at <= until) fire(0)
      now = until
    },
    /** The process stands still for so many ms: the next look comes late. */
    stopProcess: (ms: number) => fire(ms)
  }
}

const make = (itemTimeoutMs: number) => {
  const recorder = FlightRecorder.ofSize(2)
  const flights = [0, 1].map((credit): Watched => {
    recorder.clear(credit)
    return { itemTimeoutMs, credit, recorder, seen: { position: position.waiting, forMs: 0 }, overdue: undefined }
  })
  const reports: Array<string> = []
  const time = makeTimer()
  const watchdog = new Watchdog(flights, time.timer, {
    onOverdue: (flight) => reports.push(`frame ${flight.credit} at ${flight.overdue}`),
    onLost: () => reports.push("lost")
  })
  return { recorder, flights, reports, watchdog, ...time }
}

describe("Watchdog", () => {
  it("reports a frame that stands at one item for the item's limit, not one that moves", () => {
    const { flights, pass, recorder, reports, watchdog } = make(1000)
    watchdog.watch(flights[0]!)
    recorder.move(0, 4)
    for (let item = 0; item < 5; item++) {
      expect(reports).toEqual([])
      recorder.move(1, item)
      pass(250)
    }
    expect(reports).toEqual(["frame 0 at 4"])
  })

  it("does not take a process that was stopped for an item that hangs", () => {
    const { flights, pass, recorder, reports, stopProcess, watchdog } = make(1000)
    watchdog.watch(flights[0]!)
    recorder.move(0, 0)
    pass(250)
    stopProcess(3_600_000)
    expect(reports).toEqual([])
    pass(1000)
    expect(reports).toEqual(["frame 0 at 0"])
  })

  it("gives loading a function more time than an item", () => {
    const { flights, pass, recorder, reports, watchdog } = make(100)
    watchdog.watch(flights[0]!)
    recorder.move(0, position.loading)
    pass(29_000)
    expect(reports).toEqual([])
    pass(2_000)
    expect(reports).toEqual([`frame 0 at ${position.loading}`])
  })

  it("gives the threads up when one does not end although it was told to", () => {
    const { flights, pass, recorder, reports, watchdog } = make(100)
    watchdog.watch(flights[0]!)
    recorder.move(0, 0)
    pass(2_000)
    expect(reports).toEqual(["frame 0 at 0"])
    pass(500)
    expect(reports.slice(0, 2)).toEqual(["frame 0 at 0", "lost"])
  })

  it("gives the threads up when none of them takes a frame up for half a minute", () => {
    const { flights, pass, recorder, reports, watchdog } = make(1000)
    watchdog.watch(flights[0]!)
    pass(29_000)
    expect(reports).toEqual([])
    recorder.move(1, 0)
    pass(250)
    recorder.move(1, position.waiting)
    pass(29_000)
    expect(reports).toEqual([])
    pass(1_500)
    expect(reports).toEqual(["lost"])
  })

  it("looks more closely when a frame with a shorter limit comes, and no more once stopped", () => {
    const { flights, isArmed, pass, recorder, reports, watchdog } = make(1000)
    watchdog.watch(flights[0]!)
    const hasty = { ...flights[1]!, itemTimeoutMs: 20 }
    flights[1] = hasty
    watchdog.watch(hasty)
    recorder.move(1, 3)
    pass(40)
    expect(reports).toEqual(["frame 1 at 3"])
    watchdog.stop()
    expect(isArmed()).toBe(false)
  })
})

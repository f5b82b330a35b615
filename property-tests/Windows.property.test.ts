import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Flow, StreamHost } from "rtfs-streams"
import { slidingWindow } from "../src/capabilities/windowing/sliding-window.ts"
import { window } from "../src/capabilities/windowing/window.ts"
import { framing } from "./arbitraries/keys.ts"
import { type Arrival, runTimed, stagesOf } from "./models/TimedStages.ts"

const runs = { numRuns: Number(process.env["FC_RUNS"] ?? 200) }

let host: StreamHost
beforeAll(async () => void (host = await StreamHost.start()))
afterAll(() => host.stop({ timeout: 1000 }))

interface Timed {
  readonly id: number
  readonly at: number
}

/** Arrivals in the order of the clock: how long after the one before, and how many items. */
const arrivalsOf = (steps: ReadonlyArray<{ readonly later: number; readonly count: number }>): ReadonlyArray<Arrival> => {
  let at = 1000
  let id = 0
  return steps.map(({ count, later }) => {
    at += later
    return { at, items: Array.from({ length: count }, () => ({ id: id++, at })) }
  })
}
const steps = fc.array(fc.record({ later: fc.nat(12), count: fc.nat(3) }), { maxLength: 25 })
const saves = fc.array(fc.nat(25), { maxLength: 3 })
const fuseAfter = fc.constantFrom(0, Infinity)

const idsOf = (items: ReadonlyArray<Timed>) => items.map(({ id }) => id)

describe("stream.window", () => {
  it("WI-1, WI-3, CP-1: by the time of coming, each item is in the window [k·d + offset, (k+1)·d + offset); they end on time, and the last at the end", () =>
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 15 }), fc.nat(20), saves, fuseAfter, (made, duration, offset, saves, fuseAfter) => {
        const arrivals = arrivalsOf(made)
        const stages = stagesOf(window, { duration, offset })
        const starts = new Map<number, Array<number>>()
        for (const { at, items } of arrivals) {
          const start = Math.floor((at - offset) / duration) * duration + offset
          for (const { id } of items as ReadonlyArray<Timed>) starts.set(start, [...(starts.get(start) ?? []), id])
        }
        const last = arrivals.at(-1)?.at ?? 0
        const expected = [...starts].map(([start, ids]) => ({
          at: Math.min(last, start + duration),
          value: { start, end: start + duration, items: ids, partial: start + duration > last, revision: 0 }
        }))
        const emitted = runTimed(stages, arrivals, { saves, fuseAfter })
        expect(emitted.map(({ at, value }) => ({ at, value: { ...value, items: idsOf(value.items) } }))).toEqual(expected)
      }),
      runs
    ))

  it("WI-2: a clock that is set back or forward loses no item and ends no window twice", () =>
    fc.assert(
      fc.property(
        fc.array(fc.record({ at: fc.integer({ min: 0, max: 60 }), count: fc.nat(2), blocked: fc.boolean() }), { maxLength: 25 }),
        fc.integer({ min: 1, max: 15 }),
        saves,
        (made, duration, saves) => {
          let id = 0
          const arrivals = made.map(({ at, blocked, count }) => ({
            at,
            blocked,
            items: Array.from({ length: count }, () => ({ id: id++ }))
          }))
          const emitted = runTimed(stagesOf(window, { duration }), arrivals, { saves })
          expect(emitted.flatMap(({ value }) => idsOf(value.items))).toEqual(Array.from({ length: id }, (_, index) => index))
          emitted.forEach(({ value: { end, start } }, index) => {
            expect(start % duration).toBe(0)
            expect(end - start).toBe(duration)
            if (index > 0) expect(start).toBeGreaterThan(emitted[index - 1]!.value.start)
          })
        }
      ),
      runs
    ))

  it("WI-1, CP-1: by the time of items, windows end when the watermark passes them, late items correct them, and what is too late is told", () =>
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -20, max: 60 }), { maxLength: 30 }),
        fc.record({
          duration: fc.integer({ min: 1, max: 12 }),
          slide: fc.integer({ min: 1, max: 12 }),
          offset: fc.nat(5),
          delay: fc.nat(20),
          lateness: fc.nat(20)
        }),
        fc.boolean(),
        saves,
        fc.integer({ min: 1, max: 4 }),
        (times, { delay, duration, lateness, offset, slide }, slides, saves, frame) => {
          const late: Array<number> = []
          const items = times.map((at, id) => ({ id, at }))
          const options = {
            duration,
            "timestamp-fn": (item: Timed) => item.at,
            "max-delay": delay,
            "allowed-lateness": lateness,
            "on-late": (item: Timed) => void late.push(item.id)
          }
          const stages = slides
            ? stagesOf(slidingWindow, { ...options, "slide-duration": slide })
            : stagesOf(window, { ...options, offset })
          const arrivals: Array<Arrival> = []
          for (let i = 0; i < items.length; i += frame) arrivals.push({ at: 5, items: items.slice(i, i + frame) })
          const expected = modelOf(items, { duration, slide: slides ? slide : duration, offset: slides ? 0 : offset, delay, lateness })
          const emitted = runTimed(stages, arrivals, { saves })
          expect(emitted.map(({ value }) => ({ ...value, items: idsOf(value.items) }))).toEqual(expected.emitted)
          expect(late).toEqual(expected.late)
        }
      ),
      runs
    ))

  it("ends windows of a silent source by the clock, once each, but not after a time in which it was blocked", () =>
    fc.assert(
      fc.property(
        fc.array(fc.nat(30), { minLength: 1, maxLength: 15 }),
        fc.integer({ min: 1, max: 10 }),
        fc.integer({ min: 1, max: 40 }),
        saves,
        (times, duration, idle, saves) => {
          const stages = stagesOf(window, { duration, "timestamp-fn": (item: Timed) => item.at, "max-delay": 30, "idle-timeout": idle })
          const arrivals: ReadonlyArray<Arrival> = times.map((at, id) => ({ at: 100, items: [{ id, at }] }))
          const newest = Math.max(...times)
          const silent = { at: 1000, items: [] }
          const emitted = runTimed(stages, [...arrivals, silent], { saves, ends: false })
          expect(emitted.flatMap(({ value }) => idsOf(value.items)).toSorted((a, b) => a - b)).toEqual(times.map((_, id) => id))
          for (const { at, value } of emitted) {
            expect(value).toMatchObject({ partial: false, revision: 0 })
            // The watermark is 30 behind the newest item; from then on it goes on with the clock.
            expect(at).toBe(100 + Math.max(idle, value.end - (newest - 30)))
          }
          expect(runTimed(stages, [...arrivals, { ...silent, blocked: true }], { saves, ends: false })).toEqual([])
        }
      ),
      runs
    ))
})

/** What the words mean, item by item over plain lists. */
const modelOf = (
  items: ReadonlyArray<Timed>,
  {
    delay,
    duration,
    lateness,
    offset,
    slide
  }: { readonly duration: number; readonly slide: number; readonly offset: number; readonly delay: number; readonly lateness: number }
) => {
  const windows: Array<{ readonly start: number; readonly ids: Array<number>; emitted: number }> = []
  const emitted: Array<unknown> = []
  const late: Array<number> = []
  let watermark = -Infinity
  const emit = (window: (typeof windows)[number], partial: boolean) =>
    emitted.push({ start: window.start, end: window.start + duration, items: [...window.ids], partial, revision: window.emitted++ })
  for (const { at, id } of items) {
    const starts = Array.from({ length: 200 }, (_, k) => (k - 100) * slide + offset).filter((start) => start <= at && at < start + duration)
    const open = starts.filter((start) => start + duration - 1 + lateness > watermark)
    if (starts.length > 0 && open.length === 0) late.push(id)
    for (const start of open) {
      let window = windows.find((other) => other.start === start)
      if (window === undefined) windows.push((window = { start, ids: [], emitted: 0 }))
      window.ids.push(id)
      if (start + duration - 1 <= watermark) emit(window, false)
    }
    watermark = Math.max(watermark, at - delay - 1)
    windows.sort((a, b) => a.start - b.start)
    for (const window of windows) if (window.emitted === 0 && window.start + duration - 1 <= watermark) emit(window, false)
  }
  for (const window of windows) if (window.emitted === 0) emit(window, true)
  return { emitted, late }
}

describe("stream.sliding-window", () => {
  const counted = fc.record({ size: fc.integer({ min: 1, max: 7 }), slide: fc.integer({ min: 1, max: 9 }), emitPartial: fc.boolean() })

  /** Window k is items[k·slide … k·slide + size); one that the end cuts short counts only if it has something new. */
  const windowsOf = (
    items: ReadonlyArray<number>,
    { emitPartial, size, slide }: { readonly size: number; readonly slide: number; readonly emitPartial: boolean }
  ) => {
    const full: Array<ReadonlyArray<number>> = []
    let start = 0
    for (; start + size <= items.length; start += slide) full.push(items.slice(start, start + size))
    const known = full.length === 0 ? 0 : start - slide + size
    return emitPartial && items.length > Math.max(known, start) ? [...full, items.slice(start)] : full
  }

  it("SL-1, CP-1: window k has the items from k·slide on, however they were cut into frames", () =>
    fc.assert(
      fc.property(fc.array(fc.nat(3), { maxLength: 25 }), counted, saves, fuseAfter, (counts, options, saves, fuseAfter) => {
        let next = 0
        const arrivals = counts.map((count) => ({ at: 0, items: Array.from({ length: count }, () => next++) }))
        const { emitPartial, ...others } = options
        const emitted = runTimed(stagesOf(slidingWindow, { ...others, "emit-partial": emitPartial }), arrivals, { saves, fuseAfter })
        expect(emitted.map(({ value }) => value)).toEqual(
          windowsOf(
            Array.from({ length: next }, (_, index) => index),
            options
          )
        )
      }),
      runs
    ))

  it("SL-1: the same through a host, with buffers of any size", () =>
    fc.assert(
      fc.asyncProperty(fc.nat(40), counted, framing, async (length, options, framed) => {
        const items = Array.from({ length }, (_, index) => index)
        const { value } = await host.runFlow(Flow.from(items).slidingWindow({ ...options, ...framed }))
        expect(value).toEqual(windowsOf(items, options))
      }),
      { numRuns: Math.ceil(runs.numRuns / 4) }
    ))
})

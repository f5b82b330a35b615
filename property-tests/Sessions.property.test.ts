import { isDeepStrictEqual } from "node:util"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { sessionWindow } from "../src/capabilities/windowing/session-window.ts"
import { Sessions } from "../src/capabilities/windowing/Sessions.ts"
import { keyOf } from "../src/serialization/index.ts"
import { type Arrival, type Emitted, runTimed, stagesOf } from "./models/TimedStages.ts"

const runs = { numRuns: Number(process.env["FC_RUNS"] ?? 200) }

interface Event {
  readonly id: number
  readonly key: number
  readonly at: number
}

interface SessionModel {
  readonly key: number
  readonly ids: ReadonlyArray<number>
  readonly start: number
  readonly end: number
}

/** The events of each key in the order of their times, split where a gap is. */
const split = (events: ReadonlyArray<Event>, timeout: number): ReadonlyArray<SessionModel> => {
  const sessions: Array<{ key: number; ids: Array<number>; start: number; end: number }> = []
  for (const { at, id, key } of events.toSorted((a, b) => a.at - b.at || a.id - b.id)) {
    const open = sessions.findLast((session) => session.key === key)
    if (open !== undefined && at - open.end < timeout) {
      open.ids.push(id)
      open.end = at
    } else sessions.push({ key, ids: [id], start: at, end: at })
  }
  return sessions
}

const asModel = (value: any): SessionModel => ({
  key: value.key,
  ids: value.items.map(({ id }: Event) => id),
  start: value.start,
  end: value.end
})
const inOrder = (sessions: ReadonlyArray<SessionModel>) => sessions.toSorted((a, b) => a.ids[0]! - b.ids[0]!)

const options = (timeout: number, more: Record<string, unknown> = {}) => ({ "session-key": (event: Event) => event.key, timeout, ...more })
const byTheirTime = { "timestamp-fn": (event: Event) => event.at }

const saves = fc.array(fc.nat(25), { maxLength: 3 })
const timeout = fc.integer({ min: 1, max: 10 })

const arrivalsOf = (steps: ReadonlyArray<{ readonly later: number; readonly keys: ReadonlyArray<number> }>): ReadonlyArray<Arrival> => {
  let at = 100
  let id = 0
  return steps.map(({ keys, later }) => {
    at += later
    return { at, items: keys.map((key): Event => ({ id: id++, key, at })) }
  })
}
const steps = fc.array(fc.record({ later: fc.nat(8), keys: fc.array(fc.nat(3), { maxLength: 3 }) }), { maxLength: 25 })

/** Events out of the order of their times, each at a time of its own choice. */
const events = fc
  .array(fc.record({ key: fc.nat(2), at: fc.nat(60) }), { maxLength: 25 })
  .map((made) => made.map((event, id): Event => ({ ...event, id })))

/** Few times and one key, so that most events have neighbours. */
const closeEvents = fc.array(fc.nat(25), { maxLength: 12 }).map((times) => times.map((at, id): Event => ({ id, key: 0, at })))

const inFrames = (made: ReadonlyArray<Event>, size: number): ReadonlyArray<Arrival> =>
  Array.from({ length: Math.ceil(made.length / size) }, (_, index) => ({ at: 0, items: made.slice(index * size, (index + 1) * size) }))

describe("stream.session-window", () => {
  it("SE-1, SE-2, CP-1: items of a key that are closer than the timeout share a session, which a timer ends when it is over", () =>
    fc.assert(
      fc.property(steps, timeout, saves, (made, timeout, saves) => {
        const arrivals = arrivalsOf(made)
        const all = arrivals.flatMap(({ items }) => items as ReadonlyArray<Event>)
        const last = arrivals.at(-1)?.at ?? 0
        const emitted = runTimed(stagesOf(sessionWindow, options(timeout)), arrivals, { saves })
        expect(inOrder(emitted.map(({ value }) => asModel(value)))).toEqual(inOrder(split(all, timeout)))
        for (const { at, value } of emitted) {
          expect(at).toBe(Math.min(last, value.end + timeout))
          expect(value.partial).toBe(value.end + timeout > last)
        }
      }),
      runs
    ))

  it("SE-1, CP-1: by the time of items, an item that bridges two sessions makes one of them; the order of coming does not matter", () =>
    fc.assert(
      fc.property(events, timeout, saves, fc.integer({ min: 1, max: 4 }), (made, timeout, saves, frame) => {
        const emitted = runTimed(stagesOf(sessionWindow, options(timeout, { ...byTheirTime, "max-delay": 60 })), inFrames(made, frame), {
          saves
        })
        expect(inOrder(emitted.map(({ value }) => asModel(value)))).toEqual(inOrder(split(made, timeout)))
      }),
      runs
    ))

  it("SE-1, CP-1: late items correct sessions: each result that no longer holds is retracted once, as it was, and what remains is right", () =>
    fc.assert(
      fc.property(events, timeout, saves, fc.integer({ min: 1, max: 4 }), fc.boolean(), (made, timeout, saves, frame, hasProcessor) => {
        const processor = (session: any) => ({ of: session.key, session })
        const stages = stagesOf(
          sessionWindow,
          options(timeout, { ...byTheirTime, "allowed-lateness": 100, ...(hasProcessor ? { processor } : {}) })
        )
        const holds: Array<unknown> = []
        for (const { value } of runTimed(stages, inFrames(made, frame), { saves })) {
          if (!("retracts" in value)) holds.push(value)
          else {
            const place = holds.findIndex((other) => isDeepStrictEqual(other, value.retracts))
            expect(place).toBeGreaterThanOrEqual(0)
            const [old] = holds.splice(place, 1) as [any]
            const session = hasProcessor ? old.session : old
            expect({ key: value.key, start: value.start, end: value.end }).toEqual({
              key: session.key,
              start: session.start,
              end: session.end
            })
          }
        }
        expect(inOrder(holds.map((value: any) => asModel(hasProcessor ? value.session : value)))).toEqual(inOrder(split(made, timeout)))
      }),
      runs
    ))

  it("SE-3: no more than :max-keys sessions or :max-items items are held; the one that would end first is emitted early, and nothing is dropped", () =>
    fc.assert(
      fc.property(
        steps,
        timeout,
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 10 }),
        fc.nat(25),
        (made, gapMs, maxKeys, maxItems, saveAt) => {
          const settings = {
            time: "processing",
            gapMs,
            maxKeys,
            maxItems,
            maxLengthMs: Infinity,
            maxBytes: Infinity,
            latenessMs: 0,
            maxDelayMs: 0,
            idleMs: Infinity
          } as const
          let sessions = new Sessions(settings)
          const given: Array<any> = []
          const all: Array<Event> = []
          arrivalsOf(made).forEach(({ at, items }, index) => {
            for (const event of items as ReadonlyArray<Event>) {
              all.push(event)
              given.push(...(sessions.add(event, event.key, keyOf(event.key), undefined, 8, at) ?? []))
              expect(sessions.size).toBeLessThanOrEqual(maxKeys)
              expect(sessions.keys).toBeLessThanOrEqual(sessions.size)
              expect(sessions.items).toBeLessThanOrEqual(maxItems)
            }
            if (index === saveAt) sessions = Sessions.restore(settings, structuredClone(sessions.snapshot()))
          })
          given.push(...sessions.end())
          expect(sessions.size + sessions.items).toBe(0)
          for (const key of [0, 1, 2, 3]) {
            const ids = given.filter(({ session }) => session.key === key).flatMap(({ session }) => asModel(session).ids)
            expect(ids).toEqual(all.filter((event) => event.key === key).map(({ id }) => id))
          }
        }
      ),
      runs
    ))

  it("lets no session be longer than :max-length, also where an item bridges two, and loses no item by that", () =>
    fc.assert(
      fc.property(
        closeEvents,
        fc.integer({ min: 2, max: 8 }),
        fc.integer({ min: 2, max: 12 }),
        saves,
        (made, timeout, maxLength, saves) => {
          const stages = stagesOf(sessionWindow, options(timeout, { ...byTheirTime, "max-delay": 60, "max-length": maxLength }))
          const emitted: ReadonlyArray<Emitted> = runTimed(stages, inFrames(made, 2), { saves })
          expect(emitted.flatMap(({ value }) => asModel(value).ids).toSorted((a, b) => a - b)).toEqual(made.map(({ id }) => id))
          for (const { value } of emitted) {
            expect(value.end - value.start).toBeLessThan(maxLength)
            const times = value.items.map(({ at }: Event) => at)
            expect(times).toEqual(times.toSorted((a: number, b: number) => a - b))
            times.forEach((time: number, index: number) => index > 0 && expect(time - times[index - 1]).toBeLessThan(timeout))
          }
        }
      ),
      runs
    ))
})

import * as Effect from "effect/Effect"
import { Ring } from "./Ring.ts"

/**
 * How long an actor works before it looks up: slices of half a millisecond, and 4 ms before other work of the thread
 * (timers, sockets, the actors beside it) gets its turn.
 *
 * The 4 ms are counted for the thread, not for the actor: actors that hand each other frames wake each other in
 * microtasks, so ten short turns in a row would keep a socket waiting as one long turn does.
 *
 * **Cost** two looks at the clock for each slice, some 0.2 µs.
 */
export class Pace {
  /** Milliseconds for one item, as an average that forgets slowly. 0 before the first slice. */
  msPerItem = 0
  private limit = firstSlice

  /** How many items the next slice may have. */
  get slice(): number {
    return this.limit
  }

  /** Takes note of a slice. */
  worked(items: number, ms: number): void {
    if (items <= 0) return
    const each = ms / items
    // An item that suddenly takes long counts at once; one that is quick again has to prove it.
    this.msPerItem = this.msPerItem === 0 || each > this.msPerItem * 4 ? each : this.msPerItem * 0.75 + each * 0.25
    const fitting = this.msPerItem === 0 ? longestSlice : Math.ceil(sliceMs / this.msPerItem)
    // The first slices run in code that is not compiled yet, so the average is too high: it only doubles.
    this.limit = Math.max(1, Math.min(fitting, this.limit * 2, longestSlice))
  }
}

const firstSlice = 8
const longestSlice = 8192
const sliceMs = 0.5
const turnMs = 4

/**
 * The turns of this thread. A round is the time between two looks of the event loop at timers and sockets; it begins
 * with the first slice of any actor and is over after 4 ms of work. Actors that come too late wait in one line, of which
 * each round serves as many as its time allows: were they all woken to look at the clock, a hundred thousand of them
 * would do nothing else.
 */
let roundStart = -1
let isArmed = false
const line = new Ring<Waiter>()

interface Waiter {
  resume: (() => void) | undefined
}

/** To be called before a slice. @returns whether the thread has worked long enough without letting others in */
export const isTurnOver = (now: number): boolean => {
  if (roundStart < 0) {
    roundStart = now
    arm()
  }
  return now - roundStart > turnMs
}

/** Lets timers, sockets and other actors have their turn. */
export const nextTurn: Effect.Effect<void> = Effect.callback<void>((resume) => {
  const waiter: Waiter = { resume: () => resume(Effect.void) }
  line.push(waiter)
  arm()
  return Effect.sync(() => {
    waiter.resume = undefined
  })
})

const arm = (): void => {
  if (isArmed) return
  isArmed = true
  setImmediate(beginRound)
}

const beginRound = (): void => {
  isArmed = false
  roundStart = -1
  if (line.length === 0) return
  roundStart = performance.now()
  arm()
  while (line.length > 0 && performance.now() - roundStart <= turnMs) line.shift()!.resume?.()
}

/** How many values of lists a slice may work off at least, however short it is. */
export const leastBudget = 64

/** Output leaves in a frame that is not full when its oldest item is this old. */
export const oldestOutputMs = 1

/** At most so often a source says how far it is. */
export const progressMs = 100

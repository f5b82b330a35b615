import { keyOf } from "../../serialization/index.ts"
import { ClockedState } from "./ClockedState.ts"
import { DueQueue } from "./DueQueue.ts"
import { Session } from "./Session.ts"
import { StreamClock, type TimeSettings } from "./StreamClock.ts"

export interface SessionSettings extends TimeSettings {
  readonly gapMs: number
  readonly maxLengthMs: number
  readonly latenessMs: number
  /** How many sessions are held at once, whose keys can't be more. */
  readonly maxKeys: number
  readonly maxItems: number
  readonly maxBytes: number
}

/** What a processor gets. */
export interface SessionData {
  readonly key: unknown
  /** The times of the first and the last item. */
  readonly start: number
  readonly end: number
  readonly items: ReadonlyArray<unknown>
  /** It might have gone on: the stream ended, or it was closed early because of a bound. */
  readonly partial: boolean
  readonly revision: number
}

/** A session that was closed, with what is to become of results that were handed out before. */
export interface GivenSession {
  readonly session: SessionData
  readonly id: number
  /** Results that this one takes the place of. */
  readonly replaces: ReadonlyArray<number>
  /** Results that nothing will take the place of any more. */
  readonly forgets: ReadonlyArray<number>
}

/**
 * The sessions of all keys. A session is closed when no item of its key can belong to it any more, by a timer where
 * there is one, and kept for `latenessMs` so that late items may still extend it or join two.
 *
 * Where a bound is reached, the session that would be closed next is closed at once, and emitted.
 */
export class Sessions extends ClockedState<GivenSession> {
  readonly #settings: SessionSettings
  /** Of each key its sessions, by start. */
  readonly #byKey = new Map<unknown, Array<Session>>()
  readonly #queue = new DueQueue<Session>()
  #size = 0
  #items = 0
  #bytes = 0
  #lastNumber = 0
  #lastId = 0
  #forgotten: Array<number> = []
  readonly counts = { sessions: 0, updates: 0, merged: 0, late: 0, "closed-early": 0 }

  constructor(settings: SessionSettings) {
    super(settings)
    this.#settings = settings
  }

  get size(): number {
    return this.#size
  }

  get items(): number {
    return this.#items
  }

  get keys(): number {
    return this.#byKey.size
  }

  /** Whether an item can neither join a session nor open one that would not be over for good. */
  isLate(identity: unknown, timestamp: number): boolean {
    const time = Math.floor(timestamp)
    return this.#isOver(time, time) && this.#joinable(identity, time).length === 0
  }

  /** Takes in an item. @returns the sessions that are closed because of it. Can't fail. */
  add(
    item: unknown,
    key: unknown,
    identity: unknown,
    timestamp: number | undefined,
    weight: number,
    now: number
  ): ReadonlyArray<GivenSession> | undefined {
    const given: Array<GivenSession> = []
    this.beginTurn(now, given)
    const time = this.clock.timeOf(timestamp)
    this.#place(item, key, identity, time, weight, given)
    return this.endTurn(time, now, given)
  }

  /** The stream has ended: emits what was not emitted, in the order in which it would have been. */
  end(): ReadonlyArray<GivenSession> {
    const given: Array<GivenSession> = []
    for (let first = this.#first(); first !== undefined; first = this.#first()) {
      if (!first.isGiven) given.push(this.#give(first, true))
      this.#remove(first)
    }
    this.due = Infinity
    return given
  }

  snapshot(): unknown {
    return {
      clock: this.clock.snapshot(),
      due: this.due,
      counts: { ...this.counts },
      lastNumber: this.#lastNumber,
      lastId: this.#lastId,
      forgotten: [...this.#forgotten],
      sessions: [...this.#byKey.values()].flatMap((sessions) =>
        sessions.map(({ bytes, given, isGiven, items, key, number, revision, times }) => [
          number,
          key,
          items,
          times,
          bytes,
          revision,
          isGiven,
          given
        ])
      )
    }
  }

  static restore(settings: SessionSettings, snapshot: unknown): Sessions {
    const { clock, counts, due, forgotten, lastId, lastNumber, sessions } = snapshot as {
      readonly clock: unknown
      readonly due: number
      readonly counts: Sessions["counts"]
      readonly lastNumber: number
      readonly lastId: number
      readonly forgotten: ReadonlyArray<number>
      readonly sessions: ReadonlyArray<
        readonly [number, unknown, ReadonlyArray<unknown>, ReadonlyArray<number>, number, number, boolean, ReadonlyArray<number>]
      >
    }
    const made = new Sessions(settings)
    made.clock = StreamClock.restore(settings, clock)
    made.due = due
    Object.assign(made.counts, counts)
    made.#lastNumber = lastNumber
    made.#lastId = lastId
    made.#forgotten = [...forgotten]
    for (const [number, key, items, times, bytes, revision, isGiven, given] of sessions) {
      const session = new Session(number, key, keyOf(key), [...items], [...times], bytes)
      Object.assign(session, { revision, isGiven, given })
      made.#insert(session)
      made.#items += items.length
      made.#bytes += bytes
    }
    return made
  }

  #place(item: unknown, key: unknown, identity: unknown, time: number, weight: number, given: Array<GivenSession>): void {
    let near = this.#joinable(identity, time)
    if (near.length === 0 && this.#isOver(time, time)) {
      this.counts.late++
      return
    }
    if (this.#makeRoom(weight, near.length === 0, given)) near = this.#joinable(identity, time)
    let session = near[0]
    if (session === undefined) {
      session = new Session(++this.#lastNumber, key, identity)
      session.add(item, time, weight)
      this.#insert(session)
    } else {
      const before = this.#actsAt(session)
      session.add(item, time, weight)
      for (let i = 1; i < near.length; i++) this.#join(session, near[i]!)
      this.#changed(session, before)
    }
    this.#items++
    this.#bytes += weight
  }

  /** The sessions of a key that an item of this time would belong to, the nearest one first. */
  #joinable(identity: unknown, time: number): ReadonlyArray<Session> {
    const sessions = this.#byKey.get(identity)
    if (sessions === undefined) return none
    const { gapMs, maxLengthMs } = this.#settings
    const near = sessions.filter(
      (session) => session.distanceTo(time) < gapMs && Math.max(time, session.last) - Math.min(time, session.start) < maxLengthMs
    )
    return near.length < 2 ? near : near.toSorted((one, other) => one.distanceTo(time) - other.distanceTo(time))
  }

  /** An item has bridged two sessions: they are one now, unless that would be too long. */
  #join(session: Session, other: Session): void {
    const length = Math.max(session.last, other.last) - Math.min(session.start, other.start)
    if (length >= this.#settings.maxLengthMs) return
    this.#forget(other)
    session.absorb(other)
    this.counts.merged++
  }

  #changed(session: Session, actedAt: number): void {
    session.isGiven = false
    const sessions = this.#byKey.get(session.identity)!
    if (sessions.length > 1) sessions.sort((one, other) => one.start - other.start)
    // An entry that comes too early is put right when it is first; one that comes too late would never be.
    if (this.#actsAt(session) < actedAt) this.#queue.push(this.#actsAt(session), session)
  }

  /** Closes sessions early until there is room. @returns whether it had to */
  #makeRoom(weight: number, forSession: boolean, given: Array<GivenSession>): boolean {
    const { maxBytes, maxItems, maxKeys } = this.#settings
    let isEarly = false
    while (this.#size > 0 && (this.#items >= maxItems || this.#bytes + weight > maxBytes || (forSession && this.#size >= maxKeys))) {
      const first = this.#first()!
      if (!first.isGiven) {
        given.push(this.#give(first, true))
        this.counts["closed-early"]++
      }
      this.#remove(first)
      isEarly = true
    }
    return isEarly
  }

  protected override giveDue(given: Array<GivenSession>): void {
    for (let first = this.#first(); first !== undefined; first = this.#first()) {
      if (this.#actsAt(first) - 1 > this.clock.watermark) return
      if (first.isGiven) {
        this.#remove(first)
        continue
      }
      given.push(this.#give(first, first.start + this.#settings.maxLengthMs < first.last + this.#settings.gapMs))
      if (this.#settings.latenessMs === 0) this.#remove(first)
    }
  }

  #give(session: Session, partial: boolean): GivenSession {
    const { items, key, last, revision, start } = session
    const id = ++this.#lastId
    const replaces = session.given
    const forgets = this.#forgotten
    this.#forgotten = []
    session.given = [id]
    session.isGiven = true
    session.revision++
    if (revision === 0) this.counts.sessions++
    else this.counts.updates++
    return { session: { key, start, end: last, items: items.slice(), partial, revision }, id, replaces, forgets }
  }

  /** The session whose time comes first. */
  #first(): Session | undefined {
    for (let first = this.#queue.first; first !== undefined; first = this.#queue.first) {
      const { at, entry } = first
      if (!entry.isGone && at === this.#actsAt(entry)) return entry
      this.#queue.removeFirst()
      if (!entry.isGone && at < this.#actsAt(entry)) this.#queue.push(this.#actsAt(entry), entry)
    }
    return undefined
  }

  /** When a session is closed; when it is forgotten, once it was emitted. */
  #actsAt(session: Session): number {
    return this.#closesAt(session.start, session.last) + (session.isGiven ? this.#settings.latenessMs : 0)
  }

  /** Clamped: a session that two others were joined to is no longer than it may be. */
  #closesAt(start: number, last: number): number {
    return Math.min(last + this.#settings.gapMs, start + this.#settings.maxLengthMs)
  }

  #isOver(start: number, last: number): boolean {
    return this.#closesAt(start, last) - 1 + this.#settings.latenessMs <= this.clock.watermark
  }

  #insert(session: Session): void {
    const sessions = this.#byKey.get(session.identity)
    if (sessions === undefined) this.#byKey.set(session.identity, [session])
    else {
      sessions.push(session)
      sessions.sort((one, other) => one.start - other.start)
    }
    this.#size++
    this.#queue.push(this.#actsAt(session), session)
  }

  /** A session goes, with its items. */
  #remove(session: Session): void {
    this.#forget(session)
    this.#items -= session.items.length
    this.#bytes -= session.bytes
    if (this.#settings.latenessMs > 0) this.#forgotten.push(...session.given)
  }

  #forget(session: Session): void {
    session.isGone = true
    this.#size--
    const sessions = this.#byKey.get(session.identity)!
    if (sessions.length === 1) this.#byKey.delete(session.identity)
    else sessions.splice(sessions.indexOf(session), 1)
  }

  protected override nextTime(): number | undefined {
    const first = this.#first()
    return first && this.#actsAt(first)
  }
}

const none: ReadonlyArray<Session> = []

import type * as Effect from "effect/Effect"
import type { Frame } from "../serialization/index.ts"
import type { MailboxClosed, MailboxFull } from "./errors.ts"
import type { Level, Levels } from "./MailboxBounds.ts"
import type { MailboxOptions } from "./MailboxOptions.ts"
import { isDroppable } from "./Overflow.ts"
import { Ring } from "./Ring.ts"
import type { SpillQueue } from "./SpillQueue.ts"

/** A frame and the edge it came in by. */
export interface Delivery {
  readonly edge: number
  readonly frame: Frame
}

/** A sender that waits until its frame is taken. */
export interface WaitingOffer {
  readonly frame: Frame
  readonly resume: (outcome: Effect.Effect<void, MailboxFull | MailboxClosed>) => void
}

/** What a sender may know of the edge that it sends to. */
export interface EdgeDemand {
  /** How many items are asked for: up to the high mark, and none from there until the low one is reached. */
  readonly wanted: number
  /** How many of the items behind so many others, which are on their way, may come in one frame. */
  readonly cutAfter: (ahead: number) => number
}

/** What one edge of a mailbox holds: its frames, who waits to add one, and whether its head may be read. */
export class EdgeQueue implements EdgeDemand {
  readonly index: number
  readonly frames = new Ring<Delivery>()
  items = 0
  bytes = 0
  /** The oldest frame was handed out and is not yet worked off. */
  isInWork = false
  /** Held back while a barrier is being aligned. */
  isBlocked = false
  /** The mailbox counts it among the edges that can be read. */
  isCounted = false
  /** It has a place in the mailbox's rotation. */
  isInRotation = false
  /** The high mark was reached and the low one not since. */
  isPressing = false
  /** Senders in the order in which they began to wait. */
  readonly waiting: Array<WaitingOffer> = []
  isServing = false
  /** What came after `frames` and went to disk; under `spill` only. */
  spill: SpillQueue | undefined
  isSpilling = false
  /** How many of the next frames are to be given back instead of being read. */
  private toGiveBack = 0
  /** While frames are coming back from `spill`. */
  readingBack: Promise<void> | undefined
  /** Lets waiting senders in; made once, because it is handed over for every one of them. */
  readonly serve: () => void
  private readonly levels: Levels
  private readonly options: Pick<MailboxOptions, "holdsOff" | "marksIn">
  /** What an item of the last data frame took. */
  private itemBytes = 0
  /** Of the frame in work, where items are counted one by one. */
  private workedOff = 0

  constructor(index: number, levels: Levels, serve: (queue: EdgeQueue) => void, options: Pick<MailboxOptions, "holdsOff" | "marksIn"> = {}) {
    this.index = index
    this.levels = levels
    this.options = options
    this.serve = () => serve(this)
  }

  get isDeliverable(): boolean {
    return this.frames.length > 0 && !this.isBlocked
  }

  /** Whether a frame has room, and is asked for. Signals need no asking: a barrier or an end does not wait for the low mark. */
  fits(frame: Frame): boolean {
    return !(this.options.holdsOff === true && this.isPressing && frame.count > 0) && this.hasRoom(frame, this.frames.length, this.items, this.bytes)
  }

  /** What may still be added. */
  get room(): Level {
    const { full } = this.levels
    return { frames: full.frames - this.frames.length, items: full.items - this.items, bytes: full.bytes - this.bytes }
  }

  /** Bytes count as well, by what the items of the last frame took; before the first one it is a single item. */
  get wanted(): number {
    const { high } = this.levels
    const byBytes = this.itemBytes === 0 ? 1 : Math.max(1, Math.ceil((high.bytes - this.bytes) / this.itemBytes))
    return Math.min(this.wantedItems, byBytes)
  }

  /** Frames end where the high mark is reached, so that it is reached exactly, now and each time after the low one. */
  cutAfter(ahead: number): number {
    if (this.options.holdsOff !== true) return Infinity
    const { high, low } = this.levels
    const between = high.items - low.items
    const wanted = this.wantedItems
    return ahead < wanted ? wanted - ahead : between - ((ahead - wanted) % between)
  }

  private get wantedItems(): number {
    return this.isPressing ? 0 : Math.max(0, this.levels.high.items - this.items)
  }

  get isAtHighMark(): boolean {
    const { high } = this.levels
    return this.frames.length >= high.frames || this.items >= high.items || this.bytes >= high.bytes
  }

  get isAtLowMark(): boolean {
    const { low } = this.levels
    return this.frames.length <= low.frames && this.items <= low.items && this.bytes <= low.bytes
  }

  push(frame: Frame): void {
    this.frames.push({ edge: this.index, frame })
    this.items += frame.count
    this.bytes += frame.byteLength
    if (frame.count > 0) this.itemBytes = frame.byteLength / frame.count
  }

  /** So many items of the frame in work are worked off. @returns whether that makes a difference before it leaves */
  workOff(items: number): boolean {
    if (this.options.marksIn !== "items" || items <= this.workedOff) return false
    this.items -= items - this.workedOff
    this.workedOff = items
    return true
  }

  shift(): void {
    this.items += this.workedOff
    this.workedOff = 0
    this.forget(this.frames.shift()!)
    this.isInWork = false
  }

  /**
   * Takes out all that is in memory.
   *
   * @param which `waiting`: without a data frame in work, whose items its reader has
   */
  clear(which: "all" | "waiting" = "all"): Array<Delivery> {
    const all: Array<Delivery> = []
    if (which === "waiting" && this.isInWork && this.frames.first()?.frame.kind === "data") this.shift()
    for (let delivery = this.frames.first(); delivery !== undefined; delivery = this.frames.first()) {
      all.push(delivery)
      this.shift()
    }
    return all
  }

  /** Every data frame that is here now, in memory, on disk or with a waiting sender, is not to be read any more. */
  giveBackWaiting(): void {
    this.toGiveBack = this.frames.length - (this.isInWork ? 1 : 0) + (this.spill?.length ?? 0) + this.waiting.length
  }

  /** Whether the next frame is one that is given back. To be asked once for each frame. */
  takesGiveBack(): boolean {
    if (this.toGiveBack === 0 || this.isInWork) return false
    this.toGiveBack--
    return this.frames.first()!.frame.kind === "data"
  }

  /**
   * Drops the fewest oldest frames that give way to `incoming`.
   *
   * @returns the dropped frames; `undefined`, and nothing dropped, where even all that may go are too few
   */
  makeRoomFor(incoming: Frame): Array<Frame> | undefined {
    const places: Array<number> = []
    let frames = this.frames.length
    let items = this.items
    let bytes = this.bytes
    for (let i = this.isInWork ? 1 : 0; i < this.frames.length && !this.hasRoom(incoming, frames, items, bytes); i++) {
      const { frame } = this.frames.at(i)!
      if (!isDroppable(frame)) continue
      places.push(i)
      frames--
      items -= frame.count
      bytes -= frame.byteLength
    }
    if (!this.hasRoom(incoming, frames, items, bytes)) return undefined
    this.toGiveBack = Math.max(0, this.toGiveBack - places.length)
    // Each removal moves the later places down by one.
    return places.map((place, removed) => {
      const delivery = this.frames.removeAt(place - removed)!
      this.forget(delivery)
      return delivery.frame
    })
  }

  /** Whether a frame has room beside so much. One that is larger than the bounds has, if it is alone: else it could never pass. */
  private hasRoom(frame: Frame, frames: number, items: number, bytes: number): boolean {
    const { full } = this.levels
    return frames === 0 || (frames < full.frames && items + frame.count <= full.items && bytes + frame.byteLength <= full.bytes)
  }

  private forget({ frame }: Delivery): void {
    this.items -= frame.count
    this.bytes -= frame.byteLength
  }
}

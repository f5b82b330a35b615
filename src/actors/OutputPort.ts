import * as Effect from "effect/Effect"
import {
  type Frame,
  FrameEncoder,
  type FrameKind,
  type Handover,
  type JsonLines,
  type LineBlock,
  UnencodableValue
} from "../serialization/index.ts"
import type { MailboxClosed, MailboxFull } from "./errors.ts"
import type { Mailbox } from "./Mailbox.ts"
import type { ItemBatch } from "./NodeSpec.ts"

/** Where the output of an actor goes: an input of another actor's mailbox. */
export interface ActorOutput {
  readonly mailbox: Pick<Mailbox<any>, "offerNow" | "offer"> & Partial<Pick<Mailbox<any>, "isClosed" | "demand">>
  readonly edge: number
  /** Whether who takes the items does so in this process and never changes one, nor gives it to anybody who does. */
  readonly readsOnly?: boolean
  /** When this output is given up and the others go on: once its mailbox is closed, or also as soon as it is full. Left out: never. */
  readonly detaches?: "failed" | "full"
  /** Told when it is given up because its mailbox is full. */
  readonly onFull?: () => void
}

/** The sending side of an actor, as its shell sees it. */
export interface Output {
  readonly frames: number
  readonly items: number
  readonly bytes: number
  readonly fullFrame: number
  /** Whether anything is not handed over. */
  readonly isWaiting: boolean
  readonly untaken: ReadonlyArray<Frame>
  readonly itemsByOutput: () => ReadonlyArray<number>
  readonly encode: (items: ReadonlyArray<unknown>, from: number, to: number, time: number) => void
  /** @param from the first item */
  readonly encodeBatch: (batch: ItemBatch, from: number, time: number) => void
  /** @param from the first line; left out, all */
  readonly encodeLines: (lines: LineBlock, time: number, from?: number) => void
  readonly signal: (kind: Exclude<FrameKind, "data">, time: number, value?: unknown) => void
  /** Takes back the data of `untaken`. @returns how many items that were */
  readonly discardUntaken?: () => number
  /** The same, in front of `untaken`, where that can be. */
  readonly signalAhead?: (kind: Exclude<FrameKind, "data">, time: number, value?: unknown) => void
  /** Hands over what has room. @returns whether the actor may make more */
  readonly flush: () => boolean
  /** Waits until something more is handed over. */
  readonly room: Effect.Effect<void, MailboxFull | MailboxClosed>
}

export interface FrameLimits {
  readonly items: number
  readonly bytes: number
}

/**
 * The sending side of an actor: makes frames of items and hands each to all receivers.
 *
 * A frame is encoded once, also for several receivers, and not at all for a single one that only reads. It stays here until every one of them has taken it, and each one
 * is marked in the very step in which it took it, so that whoever is interrupted in between offers it to the others only.
 *
 * **Backpressure** `flush` says false while a receiver has no room; then wait for `room`.
 * **Bounds** the frames of what was encoded at once: of one batch, or one frame and a signal.
 */
export class OutputPort implements Output {
  frames = 0
  items = 0
  bytes = 0
  private readonly outputs: ReadonlyArray<ActorOutput>
  private readonly encoder: FrameEncoder
  private readonly limits: FrameLimits
  /** Whether items go over as copies, and as bytes only where somebody asks for those. */
  private readonly keepsItems: boolean
  private readonly waiting: Array<Frame> = []
  /** Which outputs have taken the first waiting frame. */
  private readonly taken: Array<boolean>
  /** Outputs that were given up, and how many items they had got by then. */
  private readonly detached: Array<number | undefined>
  private handedOver = 0
  private readonly handovers = new Handovers()
  /** Follows the size of the frames, to guess how many items fit into the next one. */
  private bytesPerItem = firstGuess

  constructor(stream: string, outputs: ReadonlyArray<ActorOutput>, limits: FrameLimits) {
    this.outputs = outputs
    this.encoder = new FrameEncoder({ stream })
    this.limits = limits
    this.keepsItems = outputs.length === 1 && outputs[0]!.readsOnly === true
    this.taken = outputs.map(() => false)
    this.detached = outputs.map(() => undefined)
  }

  /** How many items make a full frame. */
  get fullFrame(): number {
    return Math.max(1, Math.min(this.limits.items, Math.floor(this.limits.bytes / this.bytesPerItem)))
  }

  get isWaiting(): boolean {
    return this.waiting.length > 0
  }

  /**
   * Encodes `items[from]` up to `items[to]` in frames within the limits.
   *
   * **Fails** (throws) with `UnencodableValue` with the item's `index`; the frames before it are made, none with it.
   */
  encode(items: ReadonlyArray<unknown>, from: number, to: number, time: number): void {
    if (this.outputs.length === 0) return
    while (from < to) {
      const count = Math.min(this.fullFrame, this.cut(), to - from)
      const frame = this.encodeSome(items, from, from + count, time)
      from += frame.count
      this.add(frame)
    }
  }

  /** Frames of what a source read, within the limits. **Fails** as `encode` does. */
  encodeBatch({ handsOver, items, json }: ItemBatch, from: number, time: number): void {
    const already = this.waiting.length
    try {
      if (json === undefined) this.encode(items, from, items.length, time)
      else this.encodeJson(json, from, time)
    } finally {
      for (const frame of handsOver === true ? this.waiting.slice(already) : []) {
        if (frame.kept === undefined) this.handovers.add(frame, items.slice(from, from + frame.count))
        from += frame.count
      }
    }
  }

  private encodeJson(json: JsonLines, first: number, time: number): void {
    if (this.outputs.length === 0) return
    for (let from = first; from < json.lineEnds.length;) {
      const to = this.lastOf(json.lineEnds, from)
      this.add(this.encoder.encodeJsonLines(json, from, to, time))
      from = to
    }
  }

  /** Frames of lines within the limits, without decoding them here. */
  encodeLines(lines: LineBlock, time: number, first = 0): void {
    if (this.outputs.length === 0) return
    const { lineEnds } = lines
    for (let from = first; from < lineEnds.length;) {
      const to = this.lastOf(lineEnds, from)
      this.add(this.encoder.encodeLines(lines, from, to, time))
      from = to
    }
  }

  /** Up to where the lines from `from` on go into the next frame. */
  private lastOf(lineEnds: Uint32Array, from: number): number {
    const start = from === 0 ? 0 : lineEnds[from - 1]! + 1
    let to = Math.min(from + Math.min(this.limits.items, this.cut()), lineEnds.length)
    if (lineEnds[to - 1]! - start > this.limits.bytes) {
      to = from + 1
      while (lineEnds[to]! - start <= this.limits.bytes) to++
    }
    return to
  }

  signal(kind: Exclude<FrameKind, "data">, time: number, value?: unknown): void {
    if (this.outputs.length > 0) this.add(this.encoder.signal(kind, time, value))
  }

  signalAhead(kind: Exclude<FrameKind, "data">, time: number, value?: unknown): void {
    const ahead = this.waiting.length - this.untaken.length
    this.signal(kind, time, value)
    if (this.outputs.length > 0) this.waiting.splice(ahead, 0, this.waiting.pop()!)
  }

  discardUntaken(): number {
    const { untaken } = this
    const taken = this.waiting.length - untaken.length
    this.waiting.splice(taken, untaken.length, ...untaken.filter(({ kind }) => kind !== "data"))
    const items = untaken.reduce((sum, { count }) => sum + count, 0)
    this.items -= items
    return items
  }

  /** The frames that nobody has taken, not even one of several receivers. */
  get untaken(): ReadonlyArray<Frame> {
    return this.waiting.slice(this.taken.includes(true) ? 1 : 0)
  }

  /** Hands over what is waiting, as far as there is room. @returns whether nothing waits any more */
  flush(): boolean {
    for (let frame = this.waiting[0]; frame !== undefined; frame = this.waiting[0]) {
      for (let i = 0; i < this.outputs.length; i++) {
        const { edge, mailbox } = this.outputs[i]!
        if (!this.taken[i]!) this.taken[i] = this.detached[i] !== undefined || mailbox.offerNow(edge, frame) || this.isGivenUp(i, frame)
      }
      if (this.taken.includes(false)) return false
      this.next()
    }
    return true
  }

  /** Waits until the first receiver that has not taken the first frame takes it. */
  get room(): Effect.Effect<void, MailboxFull | MailboxClosed> {
    const frame = this.waiting[0]
    const index = this.taken.indexOf(false)
    if (frame === undefined || index < 0) return Effect.void
    // Who is behind decodes: what waits for it takes no more than its bytes.
    this.handovers.withdraw(0)
    const { detaches, edge, mailbox } = this.outputs[index]!
    const offer = mailbox.offer(edge, frame)
    return Effect.map(
      detaches === undefined ? offer : Effect.catchTag(offer, "MailboxClosed", () => Effect.sync(() => this.detach(index))),
      () => {
        this.taken[index] = true
        if (!this.taken.includes(false)) this.next()
      }
    )
  }

  get waitingItems(): number {
    return this.waiting.reduce((total, { count }) => total + count, 0)
  }

  get waitingBytes(): number {
    return this.waiting.reduce((total, { byteLength }) => total + byteLength, 0)
  }

  itemsByOutput(): ReadonlyArray<number> {
    return this.detached.map((got) => got ?? this.items)
  }

  /** A receiver that did not take a frame is not waited for where it may be given up. */
  private isGivenUp(index: number, { kind }: Frame): boolean {
    const { detaches, mailbox, onFull } = this.outputs[index]!
    if (detaches === undefined) return false
    const isFull = detaches === "full" && kind === "data" && mailbox.isClosed !== true
    if (mailbox.isClosed !== true && !isFull) return false
    this.detach(index)
    if (isFull) onFull?.()
    return true
  }

  private detach(index: number): void {
    this.detached[index] = this.handedOver
  }

  /** How many items may come in the next frame, for all receivers that say. */
  private cut(): number {
    let cut = Infinity
    for (let i = 0; i < this.outputs.length; i++) {
      const { edge, mailbox } = this.outputs[i]!
      const demand = this.detached[i] === undefined ? mailbox.demand?.(edge) : undefined
      if (demand === undefined) continue
      let ahead = this.taken[i]! ? -this.waiting[0]!.count : 0
      for (const { count } of this.waiting) ahead += count
      cut = Math.min(cut, demand.cutAfter(ahead))
    }
    return cut
  }

  private add(frame: Frame): void {
    this.waiting.push(frame)
    this.frames++
    this.items += frame.count
    this.bytes += frame.byteLength
  }

  private next(): void {
    this.handedOver += this.waiting.shift()!.count
    this.taken.fill(false)
  }

  private encodeSome(items: ReadonlyArray<unknown>, from: number, to: number, time: number): Frame {
    for (;;) {
      let frame: Frame
      try {
        frame = this.keepsItems ? this.encoder.keep(items, from, to, time) : this.encoder.encode(items, from, to, time)
      } catch (error) {
        // What stands before it is no worse for it.
        if (!(error instanceof UnencodableValue) || error.index === undefined || error.index <= from) throw error
        to = error.index
        continue
      }
      const each = frame.byteLength / frame.count
      this.bytesPerItem = this.frames === 0 || each > this.bytesPerItem ? each : this.bytesPerItem * 0.75 + each * 0.25
      if (frame.byteLength <= this.limits.bytes * tolerance || frame.count === 1) return frame
      // Items grew all of a sudden. Nothing has seen this frame, so its number is free again.
      this.encoder.sequence--
      to = from + Math.min(frame.count - 1, this.fullFrame)
    }
  }
}

/**
 * The items that frames have beside their bytes, which no mailbox counts: so only the newest frames have them.
 *
 * **Bounds** the items of frames of 128 KiB together.
 */
class Handovers {
  private readonly open: Array<{ readonly handover: Handover; readonly bytes: number }> = []
  private bytes = 0

  add(frame: Frame, items: Array<unknown>): void {
    const handover = { items }
    frame.handover = handover
    this.open.push({ handover, bytes: frame.byteLength })
    this.bytes += frame.byteLength
    this.withdraw(mostHandedOver)
  }

  withdraw(most: number): void {
    while (this.bytes > most) {
      const { bytes, handover } = this.open.shift()!
      handover.items = undefined
      this.bytes -= bytes
    }
  }
}

const mostHandedOver = 128 * 1024

/** Small enough that a first frame of large items is noticed before it is huge. */
const firstGuess = 1024
/** A frame may be this much larger than the limit before it is made again with fewer items. */
const tolerance = 1.25

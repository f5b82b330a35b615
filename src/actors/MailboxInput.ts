import type * as Effect from "effect/Effect"
import { type Frame, signalValue, takeItems } from "../serialization/index.ts"
import type { ActorOrder } from "./Actor.ts"
import type { Mailbox } from "./Mailbox.ts"
import type { InputState, IslandDriver, IslandInput } from "./IslandInput.ts"
import type { ActorNode } from "./ActorNode.ts"
import type { Wait } from "./Waiting.ts"

/**
 * The frames of a mailbox as the input of an island.
 *
 * A data frame is released once its items are worked off. Signals are dealt with only when everything before them is
 * out, so they keep their place among the items. A barrier that came by one of several edges holds that edge back until
 * it has come by all that have not ended; a watermark is passed on when the earliest of all edges rises.
 */
export class MailboxInput implements IslandInput {
  readonly nodes: ReadonlyArray<ActorNode> = []
  readonly isSource = false
  protected readonly mailbox: Mailbox<ActorOrder>
  private items: Array<unknown> = []
  /** The edge whose data frame is being worked off. */
  private inWork: number | undefined
  protected readonly ended: Array<boolean>
  private readonly watermarks: Array<number>
  private watermark = -Infinity
  protected readonly aligned: Array<boolean>
  private barrier: unknown

  constructor({ edges, mailbox }: { readonly mailbox: Mailbox<ActorOrder>; readonly edges: number }) {
    this.mailbox = mailbox
    this.ended = Array.from({ length: edges }, () => false)
    this.aligned = Array.from({ length: edges }, () => false)
    this.watermarks = Array.from({ length: edges }, () => -Infinity)
  }

  open(): void {
    // The mailbox is open as long as the actor exists.
  }

  next(island: IslandDriver): InputState {
    if (this.inWork !== undefined) {
      this.mailbox.release(this.inWork)
      this.inWork = undefined
    }
    if (!this.ended.includes(false)) return "ended"
    const delivery = this.mailbox.peek()
    if (delivery === undefined) {
      // What was worked off must not be kept alive by an actor that waits.
      this.items.length = 0
      return "nothing"
    }
    const { edge, frame } = delivery
    if (frame.kind === "data") {
      this.items = takeItems(frame)
      this.inWork = edge
      island.load(this.items, 0, frame.count, frame.byteLength)
      return "items"
    }
    if (!island.chain.isSettled) return "unsettled"
    // Everything before it goes out first, so that nothing has to wait halfway through a signal.
    return island.frameOutput() ?? this.signal(edge, frame, island)
  }

  wait(): Effect.Effect<void, unknown> {
    return this.mailbox.awaitWork
  }

  workedOff(items: number): void {
    if (this.inWork !== undefined) this.mailbox.workedOff(this.inWork, items)
  }

  drain(): void {
    // It ends when its senders do.
  }

  entered(): ReadonlyArray<number> {
    return []
  }

  snapshot(): unknown {
    return { ended: [...this.ended], watermarks: [...this.watermarks] }
  }

  restore(snapshot: unknown): void {
    const { ended, watermarks } = snapshot as { readonly ended: ReadonlyArray<boolean>; readonly watermarks: ReadonlyArray<number> }
    ended.forEach((value, edge) => (this.ended[edge] = value))
    watermarks.forEach((value, edge) => (this.watermarks[edge] = value))
    this.watermark = Math.min(...this.watermarks)
  }

  protected signal(edge: number, frame: Frame, island: IslandDriver): InputState {
    switch (frame.kind) {
      case "barrier": {
        this.barrier = signalValue(frame)
        this.aligned[edge] = true
        this.mailbox.release(edge)
        this.mailbox.blockEdge(edge)
        return this.passAligned(island)
      }
      case "watermark": {
        this.watermarks[edge] = signalValue(frame) as number
        const problem = this.passWatermark(island)
        if (problem) return problem
        break
      }
      case "end":
        return this.endOf(edge, island)
      case "error": {
        const cause = signalValue(frame)
        this.mailbox.release(edge)
        return island.inputFailure(cause, "upstream", undefined, true)
      }
      case "directive": {
        const problem = island.passOn("directive", signalValue(frame))
        if (problem) return problem
      }
    }
    this.mailbox.release(edge)
    return "signal"
  }

  protected endOf(edge: number, island: IslandDriver): InputState {
    this.ended[edge] = true
    this.watermarks[edge] = Infinity
    this.mailbox.release(edge)
    return this.passWatermark(island) ?? this.passAligned(island)
  }

  private passWatermark(island: IslandDriver): Wait | undefined {
    const earliest = Math.min(...this.watermarks)
    if (earliest <= this.watermark || earliest === Infinity) return undefined
    const problem = island.passOn("watermark", earliest)
    if (problem === undefined) this.watermark = earliest
    return problem
  }

  private passAligned(island: IslandDriver): InputState {
    const isComplete = this.aligned.includes(true) && this.aligned.every((isAligned, edge) => isAligned || this.ended[edge]!)
    if (!isComplete) return "signal"
    const problem = island.passOn("barrier", this.barrier)
    if (problem) return problem
    this.aligned.forEach((isAligned, edge) => {
      if (isAligned) this.mailbox.unblockEdge(edge)
    })
    this.aligned.fill(false)
    return "signal"
  }
}

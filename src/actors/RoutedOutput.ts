import * as Effect from "effect/Effect"
import { type Frame, type FrameKind, UnencodableValue } from "../serialization/index.ts"
import type { MailboxClosed, MailboxFull } from "./errors.ts"
import { type ActorOutput, type FrameLimits, type Output, OutputPort } from "./OutputPort.ts"

/** What the last stage of an actor emits that shares its items out: the output, the item, and whether it is in a frame already. */
export type Routed = [output: number, item: unknown, isFramed: boolean]

/**
 * The sending side of an actor of which each item goes to one output.
 *
 * Each output has frames of its own, and while one has no room the others go on: what waits is bounded for all together,
 * so an output that gets nearly everything holds the others up only when that is used up.
 *
 * **Order** of one output: as emitted. With `order` the last output gets, for each item, the number of its output.
 * **Bounds** a full frame for each output waits before `flush` says false.
 */
export class RoutedOutput implements Output {
  private readonly ports: ReadonlyArray<OutputPort>
  private readonly order: OutputPort | undefined
  private readonly all: ReadonlyArray<OutputPort>
  private readonly limits: FrameLimits

  constructor(stream: string, outputs: ReadonlyArray<ActorOutput>, limits: FrameLimits, routes: { readonly order: boolean }) {
    this.all = outputs.map((output) => new OutputPort(stream, [output], limits))
    this.ports = routes.order ? this.all.slice(0, -1) : this.all
    this.order = routes.order ? this.all.at(-1) : undefined
    this.limits = limits
  }

  get frames(): number {
    return this.sum((port) => port.frames)
  }

  get items(): number {
    return this.ports.reduce((total, { items }) => total + items, 0)
  }

  get bytes(): number {
    return this.sum((port) => port.bytes)
  }

  get fullFrame(): number {
    return Math.min(
      mostGathered,
      this.ports.reduce((total, { fullFrame }) => total + fullFrame, 0)
    )
  }

  get isWaiting(): boolean {
    return this.all.some((port) => port.isWaiting)
  }

  get untaken(): ReadonlyArray<Frame> {
    return this.ports.flatMap((port) => port.untaken)
  }

  itemsByOutput(): ReadonlyArray<number> {
    return this.all.map((port) => (port === this.order ? 0 : port.items))
  }

  /**
   * Makes frames of `Routed` items.
   *
   * **Fails** (throws) with `UnencodableValue` with the item's `index`: all before it are in frames, as may be some behind
   * it, which are noted as such and passed over the next time.
   */
  encode(items: ReadonlyArray<unknown>, from: number, to: number, time: number): void {
    const routed = items as ReadonlyArray<Routed>
    const shares = this.ports.map(() => ({ values: [] as Array<unknown>, places: [] as Array<number> }))
    for (let i = from; i < to; i++) {
      const [output, item, isFramed] = routed[i]!
      if (isFramed) continue
      shares[output]!.values.push(item)
      shares[output]!.places.push(i)
    }
    let failure: UnencodableValue | undefined
    let end = to
    for (const [output, { places, values }] of shares.entries()) {
      let framed = values.length
      try {
        this.ports[output]!.encode(values, 0, values.length, time)
      } catch (error) {
        if (!(error instanceof UnencodableValue) || error.index < 0) throw error
        framed = error.index
        if (places[framed]! >= end) continue
        end = places[framed]!
        failure = error
      } finally {
        for (let i = 0; i < framed; i++) routed[places[i]!]![2] = true
      }
    }
    this.order?.encode(
      Array.from({ length: end - from }, (_, i) => routed[from + i]![0]),
      0,
      end - from,
      time
    )
    if (failure) throw failure.at(end)
  }

  encodeBatch(): never {
    return this.encodeLines()
  }

  encodeLines(): never {
    throw new Error("What is read has no output of its own: what shares items out is a stage.")
  }

  signal(kind: Exclude<FrameKind, "data">, time: number, value?: unknown): void {
    for (const port of this.all) port.signal(kind, time, value)
  }

  /** Hands over what has room. @returns whether the actor may go on: so little waits */
  flush(): boolean {
    let items = 0
    let bytes = 0
    for (const port of this.all) {
      if (port.flush()) continue
      items += port.waitingItems
      bytes += port.waitingBytes
    }
    return items <= this.limits.items * this.ports.length && bytes <= this.limits.bytes * this.ports.length
  }

  /** Waits until any output takes something. */
  get room(): Effect.Effect<void, MailboxFull | MailboxClosed> {
    const waiting = this.all.filter((port) => port.isWaiting)
    if (waiting.length === 0) return Effect.void
    return waiting.length === 1 ? waiting[0]!.room : Effect.raceAllFirst(waiting.map((port) => port.room))
  }

  private sum(numberOf: (port: OutputPort) => number): number {
    return this.all.reduce((total, port) => total + numberOf(port), 0)
  }
}

/** How many items gather in the actor before they become frames, however many outputs there are. */
const mostGathered = 4096

import * as Effect from "effect/Effect"
import { type Frame, takeItems } from "../serialization/index.ts"
import type { ActorDefinition } from "./Actor.ts"
import type { InputState, IslandDriver } from "./IslandInput.ts"
import { MailboxInput } from "./MailboxInput.ts"
import type { FanInSpec } from "./NodeSpec.ts"
import { nextTurn } from "./Pace.ts"
import type { ReadyInputs, Selection } from "./Selection.ts"

type FanInSource = Extract<ActorDefinition["input"], { readonly mailbox: unknown }>

/** A frame that is being taken apart, item by item. */
interface Cursor {
  readonly items: ReadonlyArray<unknown>
  next: number
  readonly bytesPerItem: number
  since: number
}

/**
 * The frames of a mailbox, item by item from the inputs that a selection chooses.
 *
 * The items that it brings in together are those that the selection would give one after the other if nothing new came
 * meanwhile; the actor works them off at once (`isExact`), so nothing can. A frame is released when its last item is
 * brought in. Signals keep their place in their own input.
 *
 * **Bounds** beside the mailbox the decoded items of one frame for each input.
 */
export class FanInInput extends MailboxInput implements ReadyInputs {
  override readonly nodes: ReadonlyArray<FanInSpec>
  readonly isExact = true
  private readonly spec: FanInSpec
  private readonly selection: Selection
  private readonly onEnough: () => void
  private readonly cursors: Array<Cursor | undefined>
  private readonly edges: ReadonlyArray<number>
  private taken = 0
  private allStarted: Effect.Effect<void> | undefined
  /** For how many turns of the event loop its first item still waits for those of other inputs. */
  private patience: number
  private begun = 0
  /** The first input has ended, and that was enough. */
  private hasEnough = false

  constructor(input: FanInSource, spec: FanInSpec) {
    super(input)
    this.nodes = [spec]
    this.spec = spec
    this.selection = spec.select(input.edges)
    this.onEnough = input.onEnough ?? (() => {})
    this.edges = Array.from({ length: input.edges }, (_, edge) => edge)
    this.cursors = this.edges.map(() => undefined)
    this.allStarted = input.allStarted
    this.patience = spec.awaitsAll ? mostPatience : 0
  }

  override next(island: IslandDriver): InputState {
    if (this.hasEnough || !this.ended.includes(false)) return "ended"
    for (const edge of this.edges) {
      const signal = this.cursors[edge] === undefined ? this.look(edge) : undefined
      if (signal === undefined) continue
      if (!island.chain.isSettled) return "unsettled"
      return this.deal(edge, signal, island)
    }
    return this.bringIn(island)
  }

  /** Waits for what the selection waits for: that others have items here is no reason to look again. */
  override wait(): Effect.Effect<void, unknown> {
    return Effect.suspend(() => {
      if (this.isPatient) return this.awaitOthers()
      const held = this.edges.filter((edge) => this.cursors[edge] !== undefined)
      for (const edge of held) this.mailbox.blockEdge(edge)
      return Effect.ensuring(
        super.wait(),
        Effect.sync(() => {
          for (const edge of held) if (!this.aligned[edge]!) this.mailbox.unblockEdge(edge)
        })
      )
    })
  }

  override entered(): ReadonlyArray<number> {
    return [this.taken]
  }

  /** Items that were decoded and not yet chosen. */
  held(): ReadonlyArray<unknown> {
    return this.cursors.flatMap((cursor) => (cursor === undefined ? [] : cursor.items.slice(cursor.next)))
  }

  override snapshot(): unknown {
    return { edges: super.snapshot(), selection: this.selection.snapshot(), taken: this.taken, hasEnough: this.hasEnough }
  }

  override restore(snapshot: unknown): void {
    const { edges, hasEnough, selection, taken } = snapshot as {
      readonly edges: unknown
      readonly selection: unknown
      readonly taken: number
      readonly hasEnough: boolean
    }
    super.restore(edges)
    this.selection.restore(selection)
    this.taken = taken
    this.hasEnough = hasEnough
  }

  readonly isReady = (edge: number): boolean => this.cursors[edge] !== undefined
  readonly bytesOf = (edge: number): number => this.cursors[edge]!.bytesPerItem
  readonly waitingSince = (edge: number): number => this.cursors[edge]!.since

  /** Begins with the next frame of an input. @returns the frame instead, if it is a signal */
  private look(edge: number): Frame | undefined {
    const frame = this.mailbox.peekFrom(edge)
    if (frame === undefined) return undefined
    if (this.ended[edge]!) {
      // A stream that was resumed may say twice that it has ended, and one that has failed may be late to say so.
      this.mailbox.release(edge)
      return undefined
    }
    if (frame.kind !== "data") return frame
    const { byteLength, count } = frame
    this.cursors[edge] = { items: takeItems(frame), next: 0, bytesPerItem: byteLength / count, since: this.begun++ }
    return undefined
  }

  /** At the very start some inputs have something and others may have in a moment. */
  private get isPatient(): boolean {
    const has = (edge: number) => this.cursors[edge] !== undefined
    return this.patience > 0 && this.taken === 0 && this.edges.some(has) && !this.edges.every((edge) => has(edge) || this.ended[edge]!)
  }

  private awaitOthers(): Effect.Effect<void> {
    const { allStarted } = this
    if (allStarted === undefined)
      return Effect.andThen(
        nextTurn,
        Effect.sync(() => void this.patience--)
      )
    return Effect.andThen(
      Effect.raceFirst(allStarted, Effect.sleep(longestStartMs)),
      Effect.sync(() => (this.allStarted = undefined))
    )
  }

  private bringIn(island: IslandDriver): InputState {
    if (this.isPatient) return "nothing"
    // What starts together has waited equally long.
    if (this.taken === 0) for (const edge of this.edges) if (this.cursors[edge]) this.cursors[edge].since = this.begun++
    const most = Math.min(island.nextSlice, mostAtOnce)
    const { isTagged } = this.spec
    const items: Array<unknown> = []
    let bytes = 0
    let hasMoved = false
    while (items.length < most) {
      const edge = this.selection.next(this)
      if (edge === undefined) break
      hasMoved = true
      const cursor = this.cursors[edge]!
      const item = cursor.items[cursor.next++]
      bytes += cursor.bytesPerItem
      if (this.selection.took(edge, item, cursor.bytesPerItem)) items.push(isTagged ? [edge, item] : item)
      if (cursor.next < cursor.items.length) continue
      this.cursors[edge] = undefined
      this.mailbox.release(edge)
      this.look(edge)
    }
    if (items.length === 0) return hasMoved ? "signal" : "nothing"
    this.taken += items.length
    island.load(items, 0, items.length, bytes)
    return "items"
  }

  private deal(edge: number, frame: Frame, island: IslandDriver): InputState {
    const endsAlone = frame.kind === "error" && this.spec.isolates
    if (frame.kind !== "end" && !endsAlone) return this.signal(edge, frame, island)
    const state = this.endOf(edge, island)
    if (frame.kind !== "end" || !this.spec.endsWithFirst || this.hasEnough) return state
    this.hasEnough = true
    this.onEnough()
    return state
  }
}

/** Turns of the event loop: a source whose items are at hand gives its first frame in one or two, once it has started. */
const mostPatience = 4

/** One that takes longer to open is a silent input. */
const longestStartMs = 100

/** How many items it brings in at once, so that what ends a batch is looked at soon. */
const mostAtOnce = 512

import type * as Effect from "effect/Effect"
import type { ActorFailure } from "./errors.ts"
import type { ActorNode } from "./ActorNode.ts"
import type { Wait } from "./Waiting.ts"

/** Where an island's items come from: a mailbox or a synchronous source. */
export interface IslandInput {
  /** Nodes of its own that come before the stages. */
  readonly nodes: ReadonlyArray<ActorNode>
  /** Whether it stops between two slices when the actor is paused, and not only between two frames. */
  readonly isSource: boolean
  /** Which items come is decided for this moment: they are worked off before anything else can happen. */
  readonly isExact?: boolean
  /** Gets ready for a life. */
  readonly open: () => void
  /**
   * Brings in what is next: items, loaded into the island, or a signal, dealt with. Called only when everything that it
   * brought before is worked off.
   */
  readonly next: (island: IslandDriver) => InputState
  /** Whether it gives nothing because what is behind it asks for nothing. */
  readonly isHeldOff?: boolean
  /** Waits until `next` may give more than `nothing`. */
  readonly wait: () => Effect.Effect<void, unknown>
  /** So many of the items that it brought in last are worked off. */
  readonly workedOff?: (items: number) => void
  readonly drain: (island: IslandDriver) => void
  readonly entered: () => ReadonlyArray<number>
  /** Items that it has taken out of their frame and not brought in. */
  readonly held?: () => ReadonlyArray<unknown>
  readonly snapshot: (island: IslandDriver) => unknown
  readonly restore: (snapshot: unknown) => void
}

/**
 * `items` were loaded; a `signal` was dealt with; there is `nothing` to be had before `wait` comes back; what comes next
 * has to wait until the calls under way have come back (`unsettled`); the input has `ended`; it failed; or there is something to wait
 * for before `next` can be asked the same again.
 */
export type InputState = "items" | "signal" | "nothing" | "unsettled" | "ended" | ActorFailure | Wait

/** What an input may ask of the actor that runs the island. */
export interface IslandDriver {
  readonly chain: {
    readonly isSettled: boolean
    readonly position: number
    readonly inputLeft: () => ReadonlyArray<unknown>
    readonly cutShort: () => number
  }
  /** How many items are worth bringing in at once. */
  readonly nextSlice: number
  /** Leaves out what was loaded and not begun: it does not count as taken in. @returns how many items that were */
  cutShort(): number
  /** Begins with `items[from]` up to `items[to]`. */
  readonly load: (items: ReadonlyArray<unknown>, from: number, to: number, bytes: number) => void
  /** Hands on everything so far, and the signal behind it. @returns what to wait for before it can */
  readonly passOn: (kind: "watermark" | "barrier" | "directive", value: unknown) => Wait | undefined
  /** Makes frames of the output so far. @returns what to wait for before it can go on */
  readonly frameOutput: () => Wait | undefined
  readonly hasBarrier: boolean
  /** How much of the input has been read. */
  readonly progress: (done: number, total: number | undefined, isLast: boolean) => void
  /** The input's own node failed. */
  readonly inputFailure: (cause: unknown, reason: "item" | "upstream", item?: number, isFinal?: boolean) => ActorFailure
}

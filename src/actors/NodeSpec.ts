import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { StreamFunction } from "../scheduler/index.ts"
import type { JsonLines, LineBlock } from "../serialization/index.ts"
import type { Demand } from "./Demand.ts"
import type { Mailbox } from "./Mailbox.ts"
import type { Selection } from "./Selection.ts"
import type { StageServices, StreamServices } from "./StreamServices.ts"

/**
 * What one node of a graph does, in the only forms that an actor knows. A capability makes one from its validated
 * options; it is a description, so that every run (and every restart that lost its position) instantiates it afresh.
 */
export type NodeSpec = StageSpec | SyncSourceSpec | AsyncSourceSpec | AsyncSinkSpec | FanInSpec

/**
 * A synchronous operator, or a synchronous sink (one that never emits): it is written into the fused loop of an island.
 *
 * Its shape is always the same: at most one call of a function of the program (`apply`), then code of ours (`then`)
 * that keeps state and emits. So a stage can stop only in `apply`: with an error or with a promise, and either way its
 * state is untouched and the value that entered it is known. `then` can't fail and assigns state before it emits.
 */
export interface StageSpec {
  readonly kind: "stage"
  /** For messages, metrics and `explain`: the id of the capability. */
  readonly capability: string
  readonly apply?: {
    readonly fn: StreamFunction
    /** Expressions for the arguments on offer; the value alone when left out. Surplus ones are dropped by arity. */
    readonly args?: (names: StageNames) => ReadonlyArray<string>
    /** Where the function may run concurrently or elsewhere; an operator of one item to at most one item only. */
    readonly concurrency?: Concurrency
    /** The function may give a promise although nothing in its description says so: stages that keep time are kept apart from it. */
    readonly waits?: boolean
  }
  /** Statements run after `apply`; left out, the result (or the value, without `apply`) goes downstream. */
  readonly then?: (names: StageNames) => string
  /** The stage's variables, by name, each with what makes its first value. Locals of the loop while it runs. */
  readonly state?: Readonly<Record<string, () => unknown>>
  /** Values the code uses: options, helper functions of ours. */
  readonly constants?: Readonly<Record<string, unknown>>
  /** Statements run once when the input has ended normally: a partial batch, a reduction's result. */
  readonly atEnd?: (names: StageNames) => string
  /**
   * A timer: the state variable `at` holds the time (ms of the clock) when `fire` is to run, `Infinity` while there is
   * none. The island looks at it between slices and when it parks.
   */
  readonly timer?: { readonly at: string; readonly fire: (names: StageNames) => string }
  /** The state as a plain value for a snapshot, and back. Left out: the variables by name, as they are. */
  readonly snapshot?: (state: Readonly<Record<string, unknown>>) => unknown
  readonly restore?: (snapshot: unknown) => Record<string, unknown>
  /** For `explain`: what bounds the state, and counts for metrics read from it (such as evictions). */
  readonly bound?: StateBound
  /**
   * Of a stage that emits vectors of the items that entered it, each item in one: those that wait for their vector. By this
   * a vector behind it counts as its items.
   */
  readonly gathered?: (state: Readonly<Record<string, unknown>>) => ReadonlyArray<unknown>
  readonly counters?: (state: Readonly<Record<string, unknown>>) => Readonly<Record<string, number>>
  /** Of a stage that holds items back to keep a rate: how long ago (ms) it last did, 0 while it does. That is no silence of its source. */
  readonly sinceHeldBack?: () => number
  /** For a stage that needs something of the host: hands it over, once, before the stream runs. What it throws fails the stream. */
  readonly bind?: (services: StageServices) => void
  /** A sink's result once its input has ended, read from its state: what `stream.await` gives. */
  readonly result?: (state: Readonly<Record<string, unknown>>) => unknown
  /** Observing callbacks, run in order in the actor of the node; what they throw is a failure of the node. */
  readonly observe?: NodeObservers
  /** Told of the levels of the mailbox in front of it, where it has one. */
  readonly mailbox?: MailboxObserver
}

/** Hears of the first edge of a mailbox. Called from within it, so it notes what it is told and does nothing else. */
export interface MailboxObserver {
  readonly onMailbox?: (mailbox: Pick<Mailbox, "demand">) => void
  /** Once when the high mark is reached, and not again before `onRelief`. */
  readonly onBackpressure?: () => void
  /** It is down to its low mark, or closed. */
  readonly onRelief?: () => void
}

/** The identifiers and statements that a stage's code is made of. Every name is ours: nothing of a program is pasted. */
export interface StageNames {
  /** The value that entered the stage; not available in `atEnd` and `fire`. */
  readonly value: string
  /** What `apply` returned; only with `apply`. */
  readonly result: string
  /** The assignable local of a state variable. */
  readonly state: (name: string) => string
  readonly constant: (name: string) => string
  /** The time of the clock in ms, as of the current slice. */
  readonly now: string
  /** An identifier of the stage's own for a block-scoped variable. */
  readonly local: (hint: string) => string
  /** The statement that passes a value downstream. State has been assigned before it. */
  readonly emit: (expression: string) => string
  /** The statement that passes each element of an array downstream, in order. */
  readonly emitEach: (expression: string) => string
}

export interface Concurrency {
  /** How many calls may be under way at once, at least 1. Results keep the order of the items. */
  readonly parallelism: number
  /** `always`: in the worker pool. `auto`: inline until measured to be worth moving. `never`: on this thread. */
  readonly offload: "auto" | "always" | "never"
  /** What the worker does with the function: keep the result, or keep the item if the result is truthy. */
  readonly operation: "map" | "filter"
}

export type StateBound =
  | { readonly kind: "none" }
  | { readonly kind: "bounded"; readonly by: string; readonly items?: number; readonly bytes?: number }
  | { readonly kind: "time"; readonly by: string }
  | {
      readonly kind: "unbounded"
      readonly why: string
      /** What bounds it, as an order to the program's author. */ readonly remedy?: string
    }

export interface NodeObservers {
  readonly onStart?: () => unknown
  /** Once, after the last item was worked off and everything of this node is flushed. */
  readonly onComplete?: () => unknown
  /** Once, when the node's run ends with an error; the error as a program sees it. */
  readonly onError?: (error: unknown) => unknown
}

/** A source whose items are at hand (a collection, a generator): it is the head of an island. */
export interface SyncSourceSpec {
  readonly kind: "sync-source"
  readonly capability: string
  readonly open: () => SyncSource
  /** What the mailbox behind it asks for, where the source is to follow that; its actor then has no stages. */
  readonly demand?: Demand
  readonly bound?: StateBound
  readonly observe?: NodeObservers
}

export interface SyncSource {
  /** Where the items simply are the elements of an array: the loop runs over it without a copy. */
  readonly items?: ReadonlyArray<unknown>
  /**
   * Appends at most `max` items to `into` and returns how many; 0 says that there are no more. A promise where the
   * generator is asynchronous. What it throws is an item failure of this source; its position is unchanged then.
   */
  readonly pull: (into: Array<unknown>, max: number) => number | PromiseLike<number>
  /** How many items, where it is known (progress). */
  readonly total?: number
  readonly position: () => unknown
  readonly seek: (position: unknown) => void
}

/** A source that waits for something outside: an actor of its own that reads only on demand. */
export interface AsyncSourceSpec {
  readonly kind: "async-source"
  readonly capability: string
  /**
   * Its items are given back unless they are acknowledged, which it does in `onStored`: so its stream has checkpoints, whether
   * anybody asked for them or not. It waits with more than so many items.
   */
  readonly acknowledges?: { readonly atMost: number }
  /** How many of its items may wait for whoever takes them; left out, as many as a mailbox holds. */
  readonly ahead?: number
  /** Opens at the start, or at `position` as an earlier run recorded it. Released with its scope on every way out. */
  readonly open: (context: OpenContext) => Effect.Effect<AsyncSource, unknown, Scope.Scope>
  readonly observe?: NodeObservers
}

export interface AsyncSource {
  /**
   * The next batch, never empty, or `null` at the end. Interrupting it loses nothing: a batch that was not returned is
   * read again. Fails with an error that says where in the input it stands.
   */
  readonly read: Effect.Effect<SourceBatch | null, unknown>
  /** Where the next `read` goes on, as a plain value. */
  readonly position: () => unknown
  /**
   * Whether another life can open it at its position. Where none can, a failure is final, and an item that can't travel
   * is put aside at once, because no life can try it again. Left out: always.
   */
  readonly isRepeatable?: () => boolean
  /**
   * A checkpoint is stored with this position (or one inside of the batch behind it), so nobody goes back behind it: what
   * came before may be acknowledged. Called between two reads, with the newest one only; again by the next life where it did
   * not succeed, and when a stream is resumed. A source that has this stays open after its last item until that is covered.
   */
  readonly onStored?: (position: unknown) => Effect.Effect<void, unknown>
}

/** Items, or a block of text lines that becomes frames without being decoded here. */
export type SourceBatch = ItemBatch | (LineBlock & { readonly bytes?: number })

export interface ItemBatch {
  readonly items: ReadonlyArray<unknown>
  readonly bytes?: number
  /**
   * Nobody else has the items or a part of them, and they are such as a frame would give: so the receiver may get them as
   * they are, and needs the frame only to get them again.
   */
  readonly handsOver?: boolean
  /** The items as JSON, one a line, which saves writing them once more. Worked off before the next read, as lines are. */
  readonly json?: JsonLines
}

/** A sink that waits for something outside: an actor of its own that takes a frame when it is ready for one. */
export interface AsyncSinkSpec {
  readonly kind: "async-sink"
  readonly capability: string
  /** Whether closing it without `finish` takes back all that was written, so that none of it was worked off. */
  readonly takesBack?: boolean
  /** Whether it never changes an item, nor lets anybody else: then it gets them without a detour over bytes. */
  readonly readsOnly?: boolean
  readonly open: (context: OpenContext) => Effect.Effect<AsyncSink, unknown, Scope.Scope>
  readonly observe?: NodeObservers
}

export interface AsyncSink {
  /** Completes when the items are handed over in order; an item failure is an `ItemFailure` with the index in `items`. */
  readonly write: (items: ReadonlyArray<unknown>) => Effect.Effect<void, unknown>
  /** Called once at the normal end: makes the output final and gives the sink's result. Without it, closing the scope discards. */
  readonly finish: Effect.Effect<unknown, unknown>
  /** Whether its output is final already: a life may end in the very moment in which `finish` has. */
  readonly isFinal?: () => boolean
  /** How far it has got, as a plain value. */
  readonly position: () => unknown
  /** Makes durable what was written, so that a checkpoint may keep the position behind it. Left out: it always is, or never will be. */
  readonly sync?: Effect.Effect<void, unknown>
  /** Writes what the end of the output needs and makes that durable; only `finish` comes after it, maybe in another process. */
  readonly seal?: Effect.Effect<void, unknown>
  /** As of a source: a checkpoint is stored with this position. Called between two writes, and before `finish`. */
  readonly onStored?: (position: unknown) => Effect.Effect<void, unknown>
  /** Present where it takes items in before it hands them over. */
  readonly held?: HeldItems
}

/** What a sink has taken in and not handed over yet. It is a part of the sink's position. */
export interface HeldItems {
  /** Whether some are to be handed over now; no further item is taken in before. */
  readonly isDue: () => boolean
  /** Completes when some may have become due. */
  readonly awaitDue: Effect.Effect<void>
  /** Hands over what is due, from the oldest on; an `ItemFailure` has the index of the oldest that is to blame in `values`. */
  readonly handOver: Effect.Effect<void, unknown>
  /** Leaves the item out that `handOver` failed on, which is the oldest now, or puts another in its place. */
  readonly leaveOut: () => void
  readonly replace: (value: unknown) => void
  /** From the oldest on. */
  readonly values: () => ReadonlyArray<unknown>
}

/** Takes from several streams, item by item: the head of an actor of its own, in which only stages follow that never wait. */
export interface FanInSpec {
  readonly kind: "fan-in"
  readonly capability: string
  readonly select: (inputs: number) => Selection
  /** Whether an input that fails only ends; otherwise it fails this actor. */
  readonly isolates: boolean
  /** Whether the end of the first input is the end; otherwise that of the last. */
  readonly endsWithFirst: boolean
  /** Items come as `[input, item]`. */
  readonly isTagged: boolean
  /** Whether its first item waits until all inputs have had a moment to give theirs: what starts together is chosen from together. */
  readonly awaitsAll: boolean
  readonly observe?: NodeObservers
}

export interface OpenContext {
  readonly address: string
  readonly services: StreamServices
  readonly position: unknown | undefined
  /**
   * Present where the stream is checkpointed, under a name that is the same in every process which goes on with it: what
   * a sink wrote must then outlive it.
   */
  readonly durable?: string
  /** Of a sink: everything was written and sealed before, only `finish` is missing; maybe not even that. */
  readonly isSealed?: boolean
  /** Has a checkpoint taken before its time: for what holds something back until one is stored. */
  readonly askForCheckpoint?: () => void
  /** Shown by `inspect`: what it waits for outside, such as a server that is away; `undefined` once it goes on. */
  readonly waitsFor?: (what: string | undefined) => void
}

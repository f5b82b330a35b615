import type * as Effect from "effect/Effect"
import type { ItemPolicy, OffloadPool } from "../scheduler/index.ts"
import type { Activity } from "./ActorMetrics.ts"
import type { ControlMessage } from "./ControlLane.ts"
import type { ItemServices } from "./DeadItem.ts"
import type { ActorFailure } from "./errors.ts"
import type { Leftover } from "./Leftovers.ts"
import type { Lifecycle, ModeName } from "./Lifecycle.ts"
import type { Mailbox } from "./Mailbox.ts"
import type { MailboxStats } from "./MailboxStats.ts"
import type { AsyncSinkSpec, AsyncSourceSpec, FanInSpec, StageSpec, SyncSourceSpec } from "./NodeSpec.ts"
import type { ActorOutput, FrameLimits } from "./OutputPort.ts"
import type { StreamServices } from "./StreamServices.ts"

/**
 * What one actor is made of. Exactly one of these:
 *
 * - an island: stages, fed by a mailbox (maybe by a choice among its inputs) or by a synchronous source, with or without outputs (`ProcessorShell`);
 * - an asynchronous source: no stages (`SourceShell`);
 * - an asynchronous sink: a mailbox, no stages, no outputs (`SinkShell`).
 */
export interface ActorDefinition {
  readonly address: string
  readonly input:
    | {
        readonly mailbox: Mailbox<ActorOrder>
        /** How many inputs the mailbox has. */
        readonly edges: number
        /** How items are chosen from them; left out: frame by frame in turn. */
        readonly fanIn?: FanInSpec
        /** Completes when all actors of the stream have started; without it they have. */
        readonly allStarted?: Effect.Effect<void>
        /** Told when it takes no more although inputs have not ended. */
        readonly onEnough?: () => void
      }
    | { readonly source: SyncSourceSpec | AsyncSourceSpec }
  readonly stages: ReadonlyArray<StageSpec>
  readonly sink?: AsyncSinkSpec
  /** What happens to an item that a stage (or the sink) fails on, by stage; `fail` where there is none. */
  readonly policies: ReadonlyArray<ItemPolicy>
  /** The same of the source, for an item that can't travel. */
  readonly sourcePolicy?: ItemPolicy
  /** Of the source, where it has one, and then of each stage (or the sink): the id of the node that it is of. */
  readonly nodeIds?: ReadonlyArray<string>
  readonly outputs: ReadonlyArray<ActorOutput>
  /** Where each item goes to one output instead of all: the last stage emits `Routed` items. With `order`, the last output gets their numbers. */
  readonly routes?: { readonly order: boolean }
  readonly services: StreamServices
  /** For the functions that may work elsewhere. Without it all work on this thread. */
  readonly pool?: OffloadPool
  /** By default 512 items and 64 KiB. */
  readonly frames?: FrameLimits
  /**
   * What an item does that its policy lets fail.
   *
   * - `restart`: it ends this life. The next one begins with the same item; after it has ended three, it is put aside
   *   (quarantined) and the stream goes on.
   * - `end`: it ends the actor for good, and the actors after it are told.
   */
  readonly failures: "restart" | "end"
  /** For items that fail. Without it nothing can be a dead letter: such an item fails, and one in quarantine is only counted. */
  readonly items?: ItemServices
  /** Present where the stream is checkpointed. */
  readonly checkpointing?: ActorCheckpointing
}

/** What an actor tells whoever coordinates the checkpoints of its stream. */
export interface ActorCheckpointing {
  /** See `OpenContext.durable`. */
  readonly durable: string
  /** A barrier came by, and everything before it is worked off, by a sink also made durable. Encode the snapshot before returning. */
  readonly onBarrier: (barrier: unknown, snapshot: unknown) => void
  /** A sink has sealed its output and waits with `finish` until a checkpoint has this snapshot. Encode it before returning. */
  readonly onSealed: (snapshot: unknown) => Effect.Effect<void>
  /** A source has given so many items in all. */
  readonly onTaken?: (items: number) => void
  /** Asks for a checkpoint before its time. */
  readonly ask?: () => void
}

/** What an actor can be told; it overtakes the data. */
export interface ActorOrder extends ControlMessage {
  readonly type: "pause" | "resume" | "drain" | "barrier" | "last-barrier" | "stored"
}

/**
 * A stage of a pipeline while it exists: it outlives its lives, of which one runs at a time.
 *
 * Everything that must not be lost stands in here and not in the life: the mailbox, the position (the frame, the item,
 * the stage in it, values still to be emitted, output not yet taken), the states of the stages, counts and compiled
 * code. So a life may be ended at any moment and the next one goes on.
 *
 * **What happens to items** (`restart`): the item that was under way when a life ended is tried again, at the stage that
 * it had reached, so no stage before that sees it twice; a function that was waiting is called again. All items before
 * it are done and their output is kept; all after it wait in the frame and the mailbox. States are as they were before
 * the failing call. An item that ended three lives goes to the dead letters and is left out.
 */
export interface Actor {
  readonly address: string
  readonly kind: "source" | "processor" | "sink"
  readonly lifecycle: Lifecycle
  /**
   * One life. Says `ready` when everything is open; succeeds when the input has ended and all is worked off, or after
   * `stop`. Interrupting it is the kill.
   *
   * **Fails** with `ActorFailure`; `isFinal` says that another life would fail at once.
   */
  readonly run: (ready: Effect.Effect<void>) => Effect.Effect<void, ActorFailure>
  /** Takes no more input; what is under way is finished, timers go on. Holds over restarts. */
  readonly pause: () => void
  readonly resume: () => void
  /** A source takes in no more; an actor behind a mailbox works on until its senders end. Then it flushes and ends. */
  readonly drain: () => void
  /** Ends now: nothing partial is emitted, no end is passed on. */
  readonly stop: () => void
  /** For good, with an error: tells the observing callbacks of all its nodes. Whoever decides not to restart it calls this. */
  readonly giveUp: (error: unknown) => Effect.Effect<void>
  /**
   * A source passes this barrier on, behind what it has emitted; other actors get theirs by the mailbox. With `isLast` it
   * gives nothing behind it: what it has read beyond is read again by whoever goes on.
   */
  readonly startBarrier: (barrier: string | number, isLast?: boolean) => void
  /** The checkpoint of this barrier is stored: its source or sink is told, once it has time. */
  readonly stored: (barrier: string | number) => void
  /** Completes when there is nothing left to tell of what is stored. */
  readonly settled: Effect.Effect<void>
  /** What waits in its mailbox now is not worked off but handed to `give`, as its turn comes; what is under way is. */
  readonly giveBack: (give: (left: Leftover) => void) => void
  /** After its last life: hands over what it still holds, and closes its mailbox. See `takeLeftovers`. */
  readonly leftovers: (options: { readonly values: boolean }, take: (left: Leftover) => void) => Effect.Effect<void>
  readonly inspect: () => ActorSnapshot
  /** Of a sink, once it has ended. */
  readonly result: () => unknown
  /** Position and states as plain values, which share structure with the actor: encode them at once. */
  readonly snapshot: () => unknown
  /** Before the first life: begins where the snapshot was taken. */
  readonly restore: (snapshot: unknown) => void
}

export interface ActorSnapshot {
  readonly address: string
  readonly kind: Actor["kind"]
  readonly mode: ModeName
  readonly framesIn: number
  readonly itemsIn: number
  readonly bytesIn: number
  readonly framesOut: number
  readonly itemsOut: number
  readonly bytesOut: number
  /** Items for each output: an output that shares them out, or that was given up, did not get all. */
  readonly outputs: ReadonlyArray<number>
  readonly restarts: number
  readonly timeShares: Readonly<Record<Activity, number>>
  /** Items that it has taken in, or made, and that are neither done with nor in its frames; not what waits in its mailbox. */
  readonly underWay: number
  readonly stages: ReadonlyArray<StageSnapshot>
  readonly mailbox: MailboxStats | undefined
  /** Where it waits because of an item that failed: for which try, or for which store and why. */
  readonly waitsFor?: string
}

export interface StageSnapshot {
  readonly capability: string
  /** What entered it, and what entered the stage after it (a stage may keep, drop, gather or multiply items). */
  readonly itemsIn: number
  readonly itemsOut: number
  readonly failed: number
  readonly skipped: number
  readonly deadLettered: number
  readonly retried: number
  readonly quarantined: number
  readonly counters: Readonly<Record<string, number>>
}

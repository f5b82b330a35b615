export type { Actor, ActorCheckpointing, ActorDefinition, ActorOrder, ActorSnapshot, StageSnapshot } from "./Actor.ts"
export type { Activity } from "./ActorMetrics.ts"
export { type ControlMessage } from "./ControlLane.ts"
export type {
  Database,
  DatabaseAccess,
  DatabaseColumn,
  DatabaseCursor,
  DatabaseInsert,
  DatabaseKind,
  DatabaseQuery,
  DatabaseRow,
  DatabaseSession,
  DatabaseTable,
  DatabaseValue,
  ProgressMark
} from "./DatabaseAccess.ts"
export type { AttemptNotes, DeadItem, ItemServices } from "./DeadItem.ts"
export { type Delivery } from "./EdgeQueue.ts"
export { Demand, type DemandObservers } from "./Demand.ts"
export { ActorFailure, InvalidMailboxBounds, ItemFailure, MailboxClosed, MailboxFull, RecoveryFailed, SpillFailure } from "./errors.ts"
export { handleLifecycle, type HandleEvent } from "./handle.machine.ts"
export { type Leftover } from "./Leftovers.ts"
export { type LifecycleEvent } from "./lifecycle.machine.ts"
export { Lifecycle, lifecycleEvents, type LifecycleListener, Mode, type ModeName } from "./Lifecycle.ts"
export { Mailbox } from "./Mailbox.ts"
export { makeActor } from "./makeActor.ts"
export { type MailboxBounds } from "./MailboxBounds.ts"
export { type MailboxOptions } from "./MailboxOptions.ts"
export { type MailboxStats, type Tally } from "./MailboxStats.ts"
export type { ActorOutput, FrameLimits } from "./OutputPort.ts"
export { Postponed } from "./Postponed.ts"
export type { Routed } from "./RoutedOutput.ts"
export { ByBytes, ByPriority, InOrder, type ReadyInputs, RoundRobin, type Selection } from "./Selection.ts"
export { type Overflow } from "./Overflow.ts"
export type {
  AsyncSink,
  AsyncSinkSpec,
  AsyncSource,
  AsyncSourceSpec,
  Concurrency,
  FanInSpec,
  HeldItems,
  MailboxObserver,
  NodeObservers,
  NodeSpec,
  OpenContext,
  SourceBatch,
  StageNames,
  StageSpec,
  StateBound,
  SyncSource,
  SyncSourceSpec
} from "./NodeSpec.ts"
export type { FileAccess, NetworkAccess, Peer, PeerAddress, StageServices, StreamServices, StreamTime } from "./StreamServices.ts"
export { SpillDirectory, type SpillOptions, sweepSpill } from "./SpillDirectory.ts"
export type { QueueAccess } from "./QueueAccess.ts"

import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { StoreFailure, StreamFenced, StreamInUse } from "./errors.ts"
import type { QueueBackend } from "./queues/QueueBackend.ts"

/**
 * Where the state of streams is kept. It holds bytes under names and knows nothing of what they mean.
 *
 * What an effect of it has completed is durable as far as the store goes (memory: as long as the process).
 */
export interface StateStore {
  readonly kind: "memory" | "sqlite" | "redis" | "postgres"
  /** For messages; without credentials. */
  readonly location: string
  readonly durability: Durability
  /**
   * Takes a stream's part of the store for this process alone, until the scope closes.
   *
   * **Fails** with `StreamInUse`, at once, while another owner is alive. One that is gone (killed, disconnected) does not
   * block; one that was silent for longer than the lease is replaced, and can write no more.
   */
  readonly own: (stream: string) => Effect.Effect<OwnedStream, StoreFailure | StreamInUse, Scope.Scope>
  /** Reading needs no ownership. Newest first; at most three. */
  readonly checkpoints: (stream: string) => Effect.Effect<ReadonlyArray<StoredCheckpoint>, StoreFailure>
  readonly streams: Effect.Effect<ReadonlyArray<string>, StoreFailure>
  readonly deadLetters: DeadLetterStore
  /** Queues in this store, which only this process uses. A store that is a server's has none: queues are that server's business. */
  readonly queues?: Effect.Effect<QueueBackend, StoreFailure>
}

/** What of a completed write outlives which end. */
export interface Durability {
  /** `process`: lost with the process. `synced`: it outlives a power failure. `delayed`: a failure of the server may cost the last of them. */
  readonly level: "process" | "synced" | "delayed"
  /** What the settings of the server mean, and how to change them; only where they weaken the promise. */
  readonly warning?: string
}

/** The part of a store that one stream has, in the hands of its one owner. Writes fail once another has taken it. */
export interface OwnedStream {
  readonly stream: string
  /** Higher than that of every owner before. */
  readonly epoch: number
  /** Adds a checkpoint and forgets all but the last three, in one step: any crash leaves the old or the new. Ids rise. */
  readonly commit: (checkpoint: NewCheckpoint) => Effect.Effect<void, StoreFailure | StreamFenced>
  /** Forgets all checkpoints and facts, so that the stream begins anew. */
  readonly clear: Effect.Effect<void, StoreFailure | StreamFenced>
  /** Small things that must outlive a crash between two checkpoints, such as how often an item was tried. */
  readonly facts: {
    readonly all: Effect.Effect<ReadonlyMap<string, Uint8Array>, StoreFailure>
    /** `null` forgets it. */
    readonly set: (name: string, value: Uint8Array | null) => Effect.Effect<void, StoreFailure | StreamFenced>
  }
}

export interface NewCheckpoint {
  readonly id: number
  /** Milliseconds since 1970. */
  readonly time: number
  readonly bytes: Uint8Array
}

export interface StoredCheckpoint {
  readonly id: number
  readonly epoch: number
  readonly time: number
  /** Or what is wrong with it: it was found damaged. */
  readonly content: { readonly bytes: Uint8Array } | { readonly damage: string }
}

/** Items that were given up on, in queues by name, oldest first. */
export interface DeadLetterStore {
  /** All of them or none; they are durable when it completes. @returns their ids, which rise */
  readonly add: (letters: ReadonlyArray<NewDeadLetter>) => Effect.Effect<ReadonlyArray<number>, StoreFailure>
  readonly list: (options: {
    readonly queue?: string
    /** Only those behind this id. */
    readonly after?: number
    readonly limit: number
  }) => Effect.Effect<ReadonlyArray<StoredDeadLetter>, StoreFailure>
  readonly get: (id: number) => Effect.Effect<StoredDeadLetter | undefined, StoreFailure>
  /** @returns how many there were */
  readonly remove: (ids: ReadonlyArray<number>) => Effect.Effect<number, StoreFailure>
  readonly queues: Effect.Effect<ReadonlyArray<{ readonly queue: string; readonly letters: number }>, StoreFailure>
}

export interface NewDeadLetter {
  readonly queue: string
  readonly stream: string
  /** Milliseconds since 1970. */
  readonly time: number
  /**
   * Equal for the same item of the same stream when it is given up again after a crash: a letter whose key its queue
   * holds already is not added twice.
   */
  readonly key: string
  readonly bytes: Uint8Array
}

export interface StoredDeadLetter extends NewDeadLetter {
  readonly id: number
}

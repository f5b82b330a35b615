import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { QueueFailure } from "./QueueFailure.ts"
import type { StoredMessages } from "./StoredMessages.ts"

/**
 * Queues of one server, or of one store. It holds bytes and knows nothing of what they mean.
 *
 * A message is given to one consumer at a time, under a lease: acknowledged, it is gone; given back, or with its lease run
 * out, it is given to somebody again. So each is given at least once.
 */
export interface QueueBackend {
  readonly kind: "embedded" | "redis" | "nats" | "rabbitmq" | "sqs" | "kafka"
  /** For messages; without credentials. */
  readonly location: string
  /** Opens a queue for one consumer. Closing the scope ends its connection; what it holds is given back before, by its owner. */
  readonly subscribe: (queue: string, options: SubscriptionOptions) => Effect.Effect<QueueSubscription, QueueFailure, Scope.Scope>
  /**
   * Completes once all of them are in the queue as safely as the server keeps anything. Where it fails, some may be: publish
   * all again, under the same keys. Where the server forgets no key meanwhile, none is in the queue twice.
   */
  readonly publish: (queue: string, messages: ReadonlyArray<NewMessage>) => Effect.Effect<void, QueueFailure>
  readonly depth: (queue: string) => Effect.Effect<QueueDepth, QueueFailure>
  /** For looking into queues that are in a store of ours. */
  readonly stored?: StoredMessages
}

export interface SubscriptionOptions {
  /** For so long nobody else gets a message that this consumer neither acknowledges nor extends. */
  readonly leaseMs: number
  /** How many messages it holds at most. */
  readonly maxHeld: number
}

export interface QueueSubscription {
  /**
   * At most `max` messages: waits until there is one, or gives none after a while. One call at a time.
   *
   * **Stopping** inside of `Effect.uninterruptible` its wait can still be interrupted, and that loses nothing.
   */
  readonly receive: (max: number) => Effect.Effect<ReadonlyArray<Delivery>, QueueFailure>
  /** @returns those that are gone now; the others were given to somebody else meanwhile, or will be given again */
  readonly acknowledge: (deliveries: ReadonlyArray<Delivery>) => Effect.Effect<ReadonlyArray<Delivery>, QueueFailure>
  readonly giveBack: (deliveries: ReadonlyArray<Delivery>, options: GiveBackOptions) => Effect.Effect<void, QueueFailure>
  /** Has the queue send nothing more; what came meanwhile goes back. Before anything is given back, or it comes again at once. */
  readonly stop: Effect.Effect<void>
  /** Begins the leases anew. */
  readonly extend: (deliveries: ReadonlyArray<Delivery>) => Effect.Effect<void, QueueFailure>
}

export interface GiveBackOptions {
  /** How long nobody gets them; at most the lease. */
  readonly delayMs: number
  /** Nobody began to work on them: where the server can, they do not count as received. */
  readonly isUnstarted: boolean
}

export interface NewMessage {
  /** A second message of this key is none, as far as the queue remembers. */
  readonly key: string
  readonly body: Uint8Array
  readonly contentType: string
  readonly headers: Readonly<Record<string, string>>
  /** Milliseconds since 1970. */
  readonly time: number
}

export interface Delivery {
  /** Tells it from every other message of the queue, and is the same whenever it is given. */
  readonly id: string
  /** How often it was given, this time included, as far as the server counts. */
  readonly attempts: number
  /** Whether it may have been given before although `attempts` is 1. Its id is then no other message's, in any queue of that name. */
  readonly mayHaveComeBefore?: true
  /** Milliseconds since 1970, where it is known. */
  readonly time: number | undefined
  readonly body: Uint8Array
  readonly contentType: string | undefined
  readonly headers: Readonly<Record<string, string>>
  /** The backend's own. */
  readonly receipt: unknown
}

export interface QueueDepth {
  /** Given to nobody. */
  readonly waiting: number
  /** Given, and neither acknowledged nor given back; where the server tells. */
  readonly held: number | undefined
}

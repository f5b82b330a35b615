import type * as Effect from "effect/Effect"
import type { FailedItem } from "./LastFailure.ts"

/** An item that was given up on: by the policy of its node, or because it ended its actor again and again. */
export interface DeadItem extends FailedItem {
  readonly address: string
  /** The id of the node in its graph. */
  readonly node: string
  readonly capability: string
  readonly why: "policy" | "quarantine"
  readonly queue: string
  /** How often it was tried. */
  readonly attempts: number
  /** The same text for the same item of the same node, in every process that goes on with the stream. */
  readonly place: string
  /** The state of the failing stage, of an item that was quarantined. */
  readonly state?: unknown
}

/** What actors need of their host to deal with failing items. */
export interface ItemServices {
  /** An error as a function of the program sees it. */
  readonly errorValue: (error: unknown) => unknown
  /** Completes when the item is kept for good. After a `StoreFailure` it is tried again, for as long as it takes. */
  readonly keep: (item: DeadItem) => Effect.Effect<void, unknown>
  /** Counts that outlive the process. Without them they live as long as the actor. */
  readonly attempts?: AttemptNotes
}

export interface AttemptNotes {
  /** How many tries at this place of this node had failed before the process began; 0 where nothing is known. */
  readonly noted: (node: string, place: string) => number
  /** Completes when the count is durable; 0 forgets it. An actor has at most one count open for each stage. */
  readonly note: (node: string, place: string, failedTries: number) => Effect.Effect<void, unknown>
}

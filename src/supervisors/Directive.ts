import type * as Exit from "effect/Exit"
import type { Restart } from "./ChildSpec.ts"
import type { RestartStrategy } from "./RestartStrategy.ts"

/** What a supervisor does about a child that ended by itself. */
export type Directive =
  /**
   * Starts it again, with those siblings that `strategy` names (by default that of the supervisor).
   *
   * Not `counted`, the restart spends nothing of any intensity and does not lengthen the backoff: for an end whose
   * cause is known to be gone, such as a poisonous item that was put aside. The owner sees to it that such ends are few.
   */
  | { readonly type: "restart"; readonly strategy?: RestartStrategy; readonly counted?: boolean }
  /** Leaves it stopped, as one that ended normally; its siblings go on. */
  | { readonly type: "stop" }
  /** Stops all children and ends the supervisor with `ChildEscalated`. */
  | { readonly type: "escalate" }

/** A child that ended by itself: what the owner's `onExit` decides about. */
export interface ChildExit {
  readonly child: string
  readonly address: string
  readonly incarnation: number
  /** Whether it ended before it was ready, in a restart. */
  readonly phase: "starting" | "running"
  /** Success is a normal end. */
  readonly exit: Exit.Exit<unknown, unknown>
  /** How many times this child was restarted after an end of its own, so far. */
  readonly restarts: number
  /** What the supervisor does when the owner has no other wish: as in OTP. `escalate` where the intensity is spent. */
  readonly otherwise: Directive
}

/** What OTP does about such an end, as long as the intensity is not spent. */
export const directiveOf = (restart: Restart, exit: Exit.Exit<unknown, unknown>): Directive =>
  restart === "permanent" || (restart === "transient" && exit._tag === "Failure") ? { type: "restart" } : { type: "stop" }

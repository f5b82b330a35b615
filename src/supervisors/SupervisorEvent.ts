import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Exit from "effect/Exit"
import type { SupervisorFailure } from "./errors.ts"

/**
 * How one life of a child ended: `normal` and `crashed` by itself, `shutdown` as it was asked, `killed` by
 * interruption after its time, `abandoned` when it did not even end then.
 */
export type ExitKind = "normal" | "crashed" | "shutdown" | "killed" | "abandoned"

/** What happens in a supervisor, for logs, metrics and inspection. `time` is in milliseconds since 1970. */
export type SupervisorEvent = { readonly supervisor: string; readonly time: number } & SupervisorHappening

export type SupervisorHappening =
  | { readonly type: "child-started"; readonly child: string; readonly incarnation: number }
  | {
      readonly type: "child-exited"
      readonly child: string
      readonly incarnation: number
      readonly kind: ExitKind
      /** Undefined when it was abandoned: it has not ended. */
      readonly exit: Exit.Exit<unknown, unknown> | undefined
    }
  | {
      readonly type: "restarting"
      /** The child whose end is the reason. */
      readonly child: string
      /** Which children start again, in this order. */
      readonly children: ReadonlyArray<string>
      /** How long that child waits; what it takes over from an earlier restart may make the whole wait longer. */
      readonly delay: Duration.Duration
      readonly counted: boolean
    }
  | { readonly type: "intensity-exceeded"; readonly child: string; readonly limit: "child" | "supervisor" }
  /** It gives up; what it stops follows, then `stopped`. */
  | { readonly type: "escalated"; readonly failure: SupervisorFailure }
  | { readonly type: "stopped" }

/** How a life ended, by its exit (none if it was abandoned) and by what it had been told. */
export const kindOfExit = (
  exit: Exit.Exit<unknown, unknown> | undefined,
  how: { readonly wasAsked: boolean; readonly wasKilled: boolean }
): ExitKind => {
  if (exit === undefined) return "abandoned"
  if (how.wasKilled) return "killed"
  if (Exit.isSuccess(exit)) return how.wasAsked ? "shutdown" : "normal"
  return how.wasAsked && Cause.hasInterruptsOnly(exit.cause) ? "shutdown" : "crashed"
}

/** The cause of an end; also of a normal one, where it was not supposed to end. */
export const causeOf = (exit: Exit.Exit<unknown, unknown>): Cause.Cause<unknown> =>
  Exit.isFailure(exit) ? exit.cause : Cause.fail("it ended normally")

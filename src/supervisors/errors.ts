import * as Data from "effect/Data"

/** What an error says of the failure below it: its message where it has one. */
const inWords = (cause: unknown): string => (cause instanceof Error ? cause.message || cause.name : String(cause))

/** A child spec or an option of a supervisor can't be kept. */
export class BadSupervision extends Data.TaggedError("BadSupervision")<{
  readonly supervisor: string
  readonly problem: string
  readonly fix: string
}> {
  override get message() {
    return `Supervisor ${this.supervisor} can't be set up so: ${this.problem}. ${this.fix}`
  }
}

/** A child ended, by failure or by being stopped, before it was ready. */
export class ChildStartFailed extends Data.TaggedError("ChildStartFailed")<{
  readonly supervisor: string
  readonly child: string
  readonly cause: unknown
}> {
  override get message() {
    return (
      `Child ${this.child} of ${this.supervisor} did not start: ${inWords(this.cause)}. `
      + `It ended before it was ready, so nothing that was started with it was kept. Mend that cause and start again.`
    )
  }
}

/** One id, two children. */
export class ChildAlreadyPresent extends Data.TaggedError("ChildAlreadyPresent")<{
  readonly supervisor: string
  readonly child: string
  readonly state: string
}> {
  override get message() {
    return (
      `Supervisor ${this.supervisor} already has a child ${this.child} (${this.state}): ids are unique in a supervisor. `
      + `Choose another id, restart that child, or terminate and delete it first.`
    )
  }
}

/** No child of that id; a temporary child is forgotten when it ends. */
export class ChildNotFound extends Data.TaggedError("ChildNotFound")<{
  readonly supervisor: string
  readonly child: string
}> {
  override get message() {
    return (
      `Supervisor ${this.supervisor} has no child ${this.child}: it was never added, was deleted, or was temporary and has ended. `
      + `whichChildren() lists those it has.`
    )
  }
}

/** Only a stopped child can be restarted by hand or deleted. */
export class ChildNotStopped extends Data.TaggedError("ChildNotStopped")<{
  readonly supervisor: string
  readonly child: string
  readonly state: string
}> {
  override get message() {
    return (
      `Child ${this.child} of ${this.supervisor} is ${this.state}, and only a stopped child can be restarted by hand or deleted. `
      + `Call terminateChild first.`
    )
  }
}

/** The supervisor is stopping or over, so it takes no more children. */
export class SupervisorNotRunning extends Data.TaggedError("SupervisorNotRunning")<{
  readonly supervisor: string
  readonly state: string
}> {
  override get message() {
    return (
      `Supervisor ${this.supervisor} is ${this.state} and starts no child: it was asked to stop or has given up. `
      + `Ask again after its parent has restarted it, or start another.`
    )
  }
}

/** More restarts than the intensity allows: the supervisor stopped all its children and gave up. */
export class RestartIntensityExceeded extends Data.TaggedError("RestartIntensityExceeded")<{
  readonly supervisor: string
  readonly child: string
  /** Whose limit was passed: that of the child, or that of all children together. */
  readonly limit: "child" | "supervisor"
  readonly restarts: number
  readonly periodMs: number
  readonly cause: unknown
}> {
  override get message() {
    return (
      `Supervisor ${this.supervisor} gave up: its child ${this.child} ended once more, after ${this.restarts} restarts within ${this.periodMs} ms `
      + `(the limit of ${this.limit === "child" ? "one child" : "all children together"}). It ended with: ${inWords(this.cause)}. `
      + `Restarting does not mend that cause: mend it, or allow more in the supervisor's intensity.`
    )
  }
}

/** The owner's `onExit` decided that this exit is none for the supervisor to mend. */
export class ChildEscalated extends Data.TaggedError("ChildEscalated")<{
  readonly supervisor: string
  readonly child: string
  readonly cause: unknown
}> {
  override get message() {
    return (
      `Supervisor ${this.supervisor} stopped all its children, because its owner escalates what child ${this.child} ended with: ${inWords(this.cause)}. `
      + `Mend that cause; the parent of ${this.supervisor} decides whether it starts again.`
    )
  }
}

/** How a supervisor ends when nobody asked it to. */
export type SupervisorFailure = ChildStartFailed | RestartIntensityExceeded | ChildEscalated

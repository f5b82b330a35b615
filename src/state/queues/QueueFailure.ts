import { TaggedError } from "../../serialization/index.ts"

/** A queue can't be used: its server is lost, full or refuses. */
export class QueueFailure extends TaggedError {
  readonly _tag = "QueueFailure"
  readonly location: string
  /** Whether trying again may help, without anybody doing anything here. */
  readonly isPassing: boolean

  constructor(location: string, problem: string, options: { readonly fix: string; readonly isPassing: boolean; readonly cause?: unknown }) {
    super(`The queue ${location} ${problem.replace(/\.$/, "")}. ${options.fix}`, { cause: options.cause })
    this.location = location
    this.isPassing = options.isPassing
  }
}

/** A server that can't be reached, or that closed its connection. */
export const lostQueue = (location: string, message: string): QueueFailure =>
  new QueueFailure(location, `can't be used (${message})`, {
    fix: "Check that the server runs and can be reached.",
    isPassing: true,
    cause: new Error(message)
  })

export const missingPackage = (location: string, names: string, cause: unknown): QueueFailure =>
  new QueueFailure(location, `needs ${names}, which is not installed`, {
    fix: `Install it beside rtfs-streams: npm install ${names.replaceAll(" and ", " ")}.`,
    isPassing: false,
    cause
  })

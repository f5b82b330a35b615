import * as Cause from "effect/Cause"
import { ActorFailure } from "../actors/index.ts"
import { errorType, hostError, ThrownValue } from "../rtfs/index.ts"

/**
 * The error to tell of a failed stream: what a file said, or which item a function failed on. Wrappers that only tell
 * which supervisors it passed through are taken off.
 */
export const rootCause = (error: unknown): unknown => {
  let current = Cause.isCause(error) ? Cause.squash(error) : error
  for (let depth = 0; depth < 16; depth++) {
    if (!isWrapper(current) || (current instanceof ActorFailure && current.reason === "item")) return current
    const inner = Cause.isCause(current.cause) ? Cause.squash(current.cause) : current.cause
    if (inner === undefined || inner === null) return current
    current = inner
  }
  return current
}

const wrappers = new Set(["ActorFailure", "ChildEscalated", "ChildStartFailed", "RestartIntensityExceeded"])

const isWrapper = (error: unknown): error is { readonly cause: unknown } =>
  error !== null && typeof error === "object" && wrappers.has((error as { _tag?: string })._tag ?? "") && "cause" in error

/** An error as a callback of a program sees it: a map with `:type`, `:message`, `:data`. What it threw stays what it threw. */
export const toErrorValue = (error: unknown): unknown => {
  const cause = error instanceof ActorFailure ? error.cause : error
  if (cause instanceof ThrownValue) return cause.payload
  if (!(cause instanceof Error)) return cause ?? hostError("stream-error", "The stream failed.")
  return hostError(errorType(cause), (error as Error).message, (cause as { data?: unknown }).data, cause)
}

/** An error of a stream as the program that awaits the stream may catch it. */
export const asProgramError = (error: unknown): unknown => {
  if (!(error instanceof ActorFailure)) return error
  if (error.cause instanceof ThrownValue) return error.cause
  const type = error.cause instanceof Error ? errorType(error.cause) : "stream-error"
  return Object.assign(new Error(error.message, { cause: error.cause }), { type, _tag: "ActorFailure" })
}

import { ErrorValue, keyword } from "../serialization/index.ts"
import { RtfsError } from "./errors.ts"
import { errorType } from "./errorType.ts"

/** Errors as programs hold them, and where each came from, so that throwing it on keeps its place and cause. */
const origins = new WeakMap<ErrorValue, Error>()
const values = new WeakMap<Error, ErrorValue>()

/** Whether a program sees this as an error: caught ones, and errors of the host that a callback receives. */
export const isError = (value: unknown): value is Error | ErrorValue => value instanceof Error || value instanceof ErrorValue

/** A failure as the value that `catch` binds. */
export const errorValue = (error: Error): ErrorValue => {
  let value = values.get(error)
  if (value === undefined) {
    const data = Object.hasOwn(error, "data") ? (error as { data?: unknown }).data : null
    value = new ErrorValue({ type: keyword(errorType(error)), message: error.message, data, name: error.name })
    values.set(error, value)
    origins.set(value, error)
  }
  return value
}

/** What is thrown when a program throws an error value on. */
export const thrownError = (value: Error | ErrorValue): Error =>
  value instanceof Error ? value : (origins.get(value) ?? new RtfsError(value.type.name, value.message, { data: value.data }))

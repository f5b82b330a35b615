import { TaggedError } from "../../serialization/index.ts"

/** A message is not what its type, or the option `:format`, says that it is. */
export class MalformedMessage extends TaggedError {
  readonly _tag = "MalformedMessage"

  constructor(queue: string, id: string, cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause)
    super(
      `The message ${id} of the queue ${queue} can't be read: ${why.replace(/\.$/, "")}. `
        + `Give :dead-letter-queue, to put such messages aside, or :format :binary, to read anything.`,
      { cause }
    )
  }
}

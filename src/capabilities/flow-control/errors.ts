import { TaggedError } from "../../serialization/index.ts"

/** An item came sooner than the rate limit allows, and the limit was to be enforced. */
export class RateExceeded extends TaggedError {
  readonly _tag = "RateExceeded"
  /** After how many ms it would have been let through. */
  readonly retryAfterMs: number

  constructor(options: {
    readonly rate: number
    readonly burst: number
    readonly retryAfterMs: number
    readonly name: string | undefined
  }) {
    const limit = options.name === undefined ? "the limit" : `the limit "${options.name}"`
    super(
      `:stream.rate-limit got an item ${Math.ceil(options.retryAfterMs)} ms sooner than ${limit} of :rate ${options.rate} :burst ${options.burst} allows. `
        + "Use :mode :shape to let items wait, :on-failure :skip to drop this one, or raise :burst."
    )
    this.retryAfterMs = options.retryAfterMs
  }
}

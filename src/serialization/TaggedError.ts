/**
 * The base of our failures: a plain `Error` with a `_tag`, which is all that `Effect.catchTag` asks for, and by which it is
 * named. `Schema.TaggedError` would load Effect's schemas (some 250 ms) on the start-up path of every command and worker.
 */
export abstract class TaggedError extends Error {
  abstract readonly _tag: string

  override get name(): string {
    return this._tag
  }
}

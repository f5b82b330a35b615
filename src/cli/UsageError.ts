/** The command line itself is wrong: nothing was run. The message says what is wrong and how to write it. */
export class UsageError extends Error {
  readonly _tag = "UsageError"
  /** The command whose help shows how to write it; without one, the overview does. */
  readonly command: string | undefined

  constructor(message: string, command?: string) {
    super(message)
    this.command = command
  }
  override get name() {
    return this._tag
  }
}

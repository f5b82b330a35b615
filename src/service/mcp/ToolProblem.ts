/** Why a tool can't do what it was asked; `next` says to a model what to call instead. */
export class ToolProblem extends Error {
  readonly next: string

  constructor(what: string, next: string) {
    super(what)
    this.name = "ToolProblem"
    this.next = next
  }
}

import { keyword, TaggedError } from "../serialization/index.ts"

/** A function can't be made again in another thread. */
export class FunctionNotPortable extends TaggedError {
  readonly _tag = "FunctionNotPortable"
  readonly function: string

  constructor(fields: { readonly function: string; readonly problem: string; readonly fix: string }) {
    super(`${fields.function} can't leave this thread: ${fields.problem}. ${fields.fix}`)
    this.function = fields.function
  }
}

/** A worker could not make a function from what it was sent: the module is missing, the text does not compile there. */
export class FunctionNotLoadable extends TaggedError {
  readonly _tag = "FunctionNotLoadable"
  readonly function: string
  readonly kind: "rtfs" | "module"
  readonly problem: string

  constructor(fields: { readonly function: string; readonly kind: "rtfs" | "module"; readonly problem: string }) {
    super(
      `A worker can't load ${fields.function}: ${fields.problem}. `
        + (fields.kind === "module"
          ? `A worker imports modules afresh: give an absolute file: URL or the name of an installed package, `
            + `export the function by name, and keep side effects out of the module.`
          : `A worker has the standard library and what the function captured, no more: `
            + `define all it needs in the program, or leave its node on the host's thread.`)
    )
    this.function = fields.function
    this.kind = fields.kind
    this.problem = fields.problem
  }
}

/** An item's function did not return in its time. The worker it hung in was ended and replaced. */
export class ItemTimeout extends TaggedError {
  readonly _tag = "ItemTimeout"
  /** What RTFS code sees as the `:type` of the error. */
  readonly type = keyword("timeout")
  readonly data: { readonly "timeout-ms": number }

  constructor(fields: { readonly function: string; readonly timeoutMs: number }) {
    super(
      `${fields.function} worked on one item for more than ${fields.timeoutMs} ms in a worker and was ended: `
        + `it loops for ever, waits for something that does not come, or needs longer. Give it less to do per item, or raise the time limit.`
    )
    this.data = { "timeout-ms": fields.timeoutMs }
  }
}

/**
 * A worker ended by itself: out of memory, `process.exit`, a crash.
 *
 * As the error of an item: this item has ended `attempts` workers. As the rejection of a frame: workers end before they
 * reach an item, so none of them is to blame.
 */
export class WorkerDied extends TaggedError {
  readonly _tag = "WorkerDied"
  readonly type = keyword("worker-died")
  readonly attempts: number
  readonly data: { readonly attempts: number }

  constructor(fields: { readonly function: string; readonly attempts: number; readonly during: string; readonly reason: string }) {
    super(
      `${fields.attempts} workers ended while ${fields.function} ${fields.during} (last: ${fields.reason}). `
        + `Code in a worker must not call process.exit or outgrow the worker's memory: fix the function, make its items smaller, or raise the memory of workers.`
    )
    this.attempts = fields.attempts
    this.data = { attempts: fields.attempts }
  }
}

/** The pool is closed or closing: its host is shutting down. */
export class PoolClosed extends TaggedError {
  readonly _tag = "PoolClosed"

  constructor() {
    super(
      "The worker pool is closed: its host is stopping. Submit frames before that; the report of a stream counts what was not worked off as undrained."
    )
  }
}

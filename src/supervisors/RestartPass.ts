import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { Child } from "./Child.ts"
import type { Fork } from "./ChildLife.ts"

/**
 * One restart on its way: which children still have to go down and come up again.
 *
 * A child is in at most one pass. When it ends once more, or a child does that it restarts together with, a new pass
 * takes over what this one has not done yet; what it has done stays done.
 */
export interface RestartPass {
  /** In start order; a child leaves when it is up, given up, or gone. */
  readonly pending: Set<Child>
  /** When the first of them may start, on the monotonic clock. */
  readonly startAt: number
  phase: "stopping" | "waiting" | "starting"
  fiber: Fiber.Fiber<void> | undefined
}

/** What passes ask of their supervisor. */
export interface PassActions {
  readonly fork: Fork
  readonly now: () => number
  /** All children, in start order. */
  readonly children: () => Iterable<Child>
  /** Asks them to end, in the supervisor's order, and returns when none is up. */
  readonly stopAll: (children: ReadonlyArray<Child>) => Effect.Effect<void>
  /** Starts a child and returns when it is ready, or will not be. */
  readonly start: (child: Child) => Effect.Effect<unknown>
}

/** The restarts of one supervisor that are on their way. */
export class RestartPasses {
  readonly #passes = new Set<RestartPass>()
  readonly #actions: PassActions

  constructor(actions: PassActions) {
    this.#actions = actions
  }

  /** Lets these go down and come up again, together with all that the passes they are in have not done yet. */
  begin(members: ReadonlyArray<Child>, earliest: number): RestartPass {
    // A child whose first start a caller awaits is not one of the group before it is up.
    const together = new Set(members.filter((child) => !child.isBeingAdded))
    let startAt = earliest
    for (const { pass } of together) {
      if (pass === undefined || !this.#passes.delete(pass)) continue
      pass.fiber?.interruptUnsafe()
      for (const child of pass.pending) together.add(child)
      // A backoff that is still running is nobody's to cut short.
      startAt = Math.max(startAt, pass.startAt)
    }
    const pending = together.size === 1 ? together : new Set([...this.#actions.children()].filter((child) => together.has(child)))
    const pass: RestartPass = { pending, startAt, phase: "stopping", fiber: undefined }
    for (const child of pending) {
      child.pass = pass
      if (child.state === "stopped") child.signal("scheduled")
    }
    this.#passes.add(pass)
    pass.fiber = this.#actions.fork(this.#run(pass))
    return pass
  }

  /** A child is up, or shall not come up after all. */
  leave(child: Child): void {
    const pass = child.pass
    if (pass === undefined) return
    child.pass = undefined
    pass.pending.delete(child)
    if (pass.pending.size > 0) return
    this.#passes.delete(pass)
    // It may be sleeping through a long backoff, for nobody.
    pass.fiber?.interruptUnsafe()
  }

  /** Nothing restarts any more; those that were waiting stay down. */
  cancel(): void {
    for (const { fiber, pending } of this.#passes) {
      fiber?.interruptUnsafe()
      for (const child of pending) {
        child.pass = undefined
        if (child.state === "waiting") child.signal("withdrawn")
      }
    }
    this.#passes.clear()
  }

  /**
   * Stops what is up, in reverse order, waits for the backoff, then starts in order, each after the one before is ready.
   *
   * A start that fails is decided about where all ends of children are, before this fiber sees it: either that decision
   * interrupts the pass, or the child was given up and the pass goes on with the next.
   */
  #run(pass: RestartPass): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      // Never in the stack of the end that caused it: ends and starts that are both synchronous would nest without bound.
      yield* Effect.yieldNow
      yield* this.#actions.stopAll([...pass.pending])
      pass.phase = "waiting"
      const delayMs = pass.startAt - this.#actions.now()
      if (delayMs > 0) yield* Effect.sleep(Duration.millis(delayMs))
      pass.phase = "starting"
      // The set itself, not a copy: who leaves it meanwhile, by terminateChild, is not started.
      for (const child of pass.pending) {
        yield* this.#actions.start(child)
        this.leave(child)
      }
    })
  }
}

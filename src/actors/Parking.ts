import * as Effect from "effect/Effect"

/**
 * A place where one fiber waits until it is woken.
 *
 * The wake comes in a microtask, never inside the call that causes it: a sender that puts eight frames into a mailbox
 * wakes its reader once and goes on, where a synchronous resume would switch between the two on every frame (measured
 * at a quarter of the throughput) and run the reader on the sender's stack.
 *
 * **Stopping** interrupting the waiting fiber leaves the place empty.
 */
export class Parking {
  private resume: ((effect: Effect.Effect<void>) => void) | undefined
  private isWaking = false
  private readonly isAwaited: () => boolean

  /** @param isAwaited whether there already is what is waited for; a fiber then does not wait. */
  constructor(isAwaited: () => boolean) {
    this.isAwaited = isAwaited
  }

  /** Waits for `wake`. May come back early, so ask again what was waited for. */
  readonly wait: Effect.Effect<void> = Effect.callback<void>((resume) => {
    if (this.isAwaited()) return resume(Effect.void)
    if (this.resume !== undefined) throw new Error("Two fibers wait in the same place of one mailbox: an actor has one reader")
    this.resume = resume
    return this.leave
  })

  wake(): void {
    if (this.resume === undefined || this.isWaking) return
    this.isWaking = true
    soon(this.resumeNow)
  }

  private readonly resumeNow = (): void => {
    this.isWaking = false
    const resume = this.resume
    this.resume = undefined
    resume?.(Effect.void)
  }

  private readonly leave: Effect.Effect<void> = Effect.sync(() => {
    this.resume = undefined
  })
}

/** Runs in a microtask. Not `queueMicrotask`, in which Node makes an `AsyncResource` each time. */
export const soon = (run: () => void): void => {
  void settled.then(run)
}

const settled = Promise.resolve()

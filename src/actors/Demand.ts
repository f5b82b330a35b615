import * as Effect from "effect/Effect"
import type { Mailbox } from "./Mailbox.ts"
import type { MailboxObserver } from "./NodeSpec.ts"
import { Parking } from "./Parking.ts"
import { settled, watched } from "./Waiting.ts"

/** Whoever is told when demand pauses and comes back; a promise is awaited. */
export interface DemandObservers {
  readonly onPause?: (() => unknown) | undefined
  readonly onResume?: (() => unknown) | undefined
}

/**
 * What the mailbox behind a source asks for: the source gives so many items, and none from the high mark down to the
 * low one. The node with the mailbox observes it with this, and the source in front of it asks this.
 *
 * Each crossing is told once, in the actor of the source and before its next item: a pause, then its end, in turn.
 *
 * **Source** invariant BP-6.
 */
export class Demand implements MailboxObserver {
  private readonly observers: DemandObservers
  private mailbox: Pick<Mailbox, "demand"> | undefined
  /** Two at most: another crossing needs an item, which is given only when all is told. */
  private readonly untold: Array<keyof DemandObservers> = []
  private telling: PromiseLike<unknown> | undefined
  private readonly parking = new Parking(() => this.untold.length > 0 || this.wanted > 0)

  constructor(observers: DemandObservers) {
    this.observers = observers
  }

  readonly onMailbox = (mailbox: Pick<Mailbox, "demand">): void => {
    this.mailbox = mailbox
  }

  readonly onBackpressure = (): void => {
    this.note("onPause")
  }

  readonly onRelief = (): void => {
    this.note("onResume")
    this.parking.wake()
  }

  /** How many items the source may give now. */
  get items(): number {
    return this.untold.length > 0 || this.telling !== undefined ? 0 : this.wanted
  }

  /** Tells what is to be told, then waits for demand. May come back early. **Fails** with what an observer threw. */
  readonly wait: Effect.Effect<void, unknown> = Effect.suspend(() => {
    const telling = (this.telling ??= this.tellNext())
    if (telling === undefined) return this.parking.wait
    let failure: { readonly error: unknown } | undefined
    const told = (error?: { readonly error: unknown }) => {
      this.telling = undefined
      failure = error
    }
    return Effect.andThen(
      settled(
        telling,
        () => told(),
        (error) => told({ error })
      ),
      Effect.suspend(() => (failure === undefined ? Effect.void : Effect.fail(failure.error)))
    )
  })

  private note(crossing: keyof DemandObservers): void {
    if (this.observers[crossing] !== undefined) this.untold.push(crossing)
  }

  private get wanted(): number {
    return this.mailbox?.demand(0).wanted ?? Infinity
  }

  private tellNext(): PromiseLike<unknown> | undefined {
    const next = this.untold.shift()
    if (next === undefined) return undefined
    return watched(new Promise((resolve) => resolve(this.observers[next]?.())))
  }
}

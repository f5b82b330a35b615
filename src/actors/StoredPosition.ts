import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"

/**
 * Which position of a source or a sink is in a stored checkpoint, until it has been told.
 *
 * Rounds come one at a time, and an actor hears that one is stored before the barrier of the next: so one position waits
 * for its round at most, and of those that are stored only the newest counts.
 */
export class StoredPosition {
  private cut: { readonly barrier: unknown; readonly position: unknown } | undefined
  private newest: { readonly position: unknown } | undefined
  private isTold = Deferred.makeUnsafe<void>()

  /** The snapshot at this barrier has this position. */
  passed(barrier: unknown, position: unknown): void {
    this.cut = { barrier, position }
  }

  /** The checkpoint of this barrier is stored. @returns whether that has to be told */
  stored(barrier: unknown): boolean {
    if (this.cut === undefined || this.cut.barrier !== barrier) return false
    this.goesOnAt(this.cut.position)
    return true
  }

  /** A stored checkpoint has this position. */
  goesOnAt(position: unknown): void {
    this.cut = undefined
    this.newest = { position }
  }

  /** What is still to be told. */
  get untold(): { readonly position: unknown } | undefined {
    return this.newest
  }

  /** Tells it, as often as it takes: a life that ends meanwhile leaves it to the next. */
  tell<E>(told: ((position: unknown) => Effect.Effect<void, E>) | undefined): Effect.Effect<void, E> {
    return Effect.suspend(() => {
      const { newest } = this
      if (newest === undefined) return Effect.void
      return Effect.map(told === undefined ? Effect.void : told(newest.position), () => this.told(newest))
    })
  }

  /** It has been told, and what had to be done about it is done. */
  told(position: { readonly position: unknown }): void {
    if (this.newest !== position) return
    this.newest = undefined
    Deferred.doneUnsafe(this.isTold, Effect.void)
    this.isTold = Deferred.makeUnsafe<void>()
  }

  /** Completes when there is nothing left to tell. */
  get settled(): Effect.Effect<void> {
    return Effect.suspend(() => (this.newest === undefined ? Effect.void : Deferred.await(this.isTold)))
  }
}

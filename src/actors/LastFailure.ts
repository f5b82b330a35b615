/** An item that a node failed on. */
export interface FailedItem {
  /** Which of the items that entered, from 1 on. */
  readonly item: number
  /** The value that entered the failing stage. */
  readonly value: unknown
  readonly cause: unknown
}

/** After so many lives that one item has ended, it is put aside. */
export const mostAttempts = 3

/**
 * How often items of an actor were tried and how many lives they have ended, and which one ended the last life: what the
 * next life has to answer first.
 *
 * The counts outlive the lives, so that an item which can never be worked off does not keep its actor restarting for
 * ever. A life that ends for another reason (a kill, a failure of the node) neither counts nor forgets.
 *
 * **Bounds** one item for each stage: values enter a stage in order, so its next failure is of the same item or a later one.
 */
export class LastFailure<Item extends FailedItem = FailedItem> {
  private readonly counts = new Map<string, FailureCount>()
  private ended: { readonly failed: Item; readonly count: FailureCount } | undefined

  /**
   * One more try has failed.
   *
   * @param stage whose item it is
   * @param place the same text for the same item, and a different one for any other
   * @param noted how many tries had failed there in an earlier process
   * @returns how many tries have failed there, in all lives
   */
  tried(stage: string, place: string, noted: number): number {
    let count = this.counts.get(stage)
    if (count?.place !== place) {
      count = { place, tries: noted, lives: 0 }
      this.counts.set(stage, count)
    }
    return ++count.tries
  }

  /** And so it ends this life. */
  endLife(stage: string, failed: Item): void {
    const count = this.counts.get(stage)!
    count.lives++
    this.ended = { failed, count }
  }

  /** For a new life: the item that ended the last one, and whether it is to be put aside or tried again. */
  get answer(): { readonly failed: Item; readonly attempts: number; readonly isGivenUp: boolean } | undefined {
    if (this.ended === undefined) return undefined
    const { count, failed } = this.ended
    return { failed, attempts: count.tries, isGivenUp: count.lives >= mostAttempts }
  }

  /** The new life has done so. */
  answered(): void {
    this.ended = undefined
  }
}

interface FailureCount {
  readonly place: string
  tries: number
  lives: number
}

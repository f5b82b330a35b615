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
 * The item that an actor failed on last: how often it was tried, how many lives it has ended, and what the next life
 * has to answer first.
 *
 * The counts outlive the lives, so that an item which can never be worked off does not keep its actor restarting for
 * ever. A life that ends for another reason (a kill, a failure of the node) neither counts nor forgets.
 */
export class LastFailure<Item extends FailedItem = FailedItem> {
  private failed: Item | undefined
  private place = ""
  private tries = 0
  private lives = 0
  private isOpen = false

  /**
   * One more try has failed.
   *
   * @param place where the actor stands: the same text for the same item, and a different one for any other
   * @param noted how many tries had failed there in an earlier process
   * @returns how many tries have failed there, in all lives
   */
  tried(place: string, noted: number): number {
    if (place !== this.place) {
      this.place = place
      this.tries = noted
      this.lives = 0
    }
    return ++this.tries
  }

  /** And so it ends this life. */
  endLife(failed: Item): void {
    this.lives++
    this.failed = failed
    this.isOpen = true
  }

  /** For a new life: the item that ended the last one, and whether it is to be put aside or tried again. */
  get answer(): { readonly failed: Item; readonly attempts: number; readonly isGivenUp: boolean } | undefined {
    const { failed, isOpen, lives, tries } = this
    return isOpen ? { failed: failed!, attempts: tries, isGivenUp: lives >= mostAttempts } : undefined
  }

  /** The new life has done so. */
  answered(): void {
    if (this.answer?.isGivenUp === true) this.place = ""
    this.isOpen = false
    this.failed = undefined
  }

  /** The counts, for a snapshot. */
  get counts(): FailureCounts {
    return { place: this.place, tries: this.tries, lives: this.lives }
  }

  restore({ lives, place, tries }: FailureCounts): void {
    this.place = place
    this.tries = tries
    this.lives = lives
  }
}

export interface FailureCounts {
  readonly place: string
  readonly tries: number
  readonly lives: number
}

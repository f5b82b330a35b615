/** An item that ended a life of its actor. */
export interface FailedItem {
  /** Which of the items that entered, from 1 on. */
  readonly item: number
  /** The value that entered the failing stage. */
  readonly value: unknown
  readonly cause: unknown
}

/** Of a stage of an island. */
export interface StageFailure extends FailedItem {
  /** In a function of a stage, or because its output can't be encoded. */
  readonly kind: "stage" | "output"
  readonly stage: number
}

/** After so many lives that one item has ended, it is put aside. */
export const mostAttempts = 3

/**
 * The item that an actor failed on last, and how many lives it has ended: what the next life has to answer first.
 *
 * The count outlives the lives, so that an item which can never be worked off does not keep its actor restarting for
 * ever. A life that ends for another reason (a kill, a failure of the node) neither counts nor forgets.
 */
export class LastFailure<Item extends FailedItem = FailedItem> {
  private failed: Item | undefined
  private place = ""
  private attempts = 0
  private isOpen = false

  /**
   * @param place where the actor stands: the same text for the same item, and a different one for any other
   * @returns how many lives the item has ended, this one included
   */
  note(place: string, failed: Item): number {
    this.attempts = place === this.place ? this.attempts + 1 : 1
    this.place = place
    this.failed = failed
    this.isOpen = true
    return this.attempts
  }

  /** For a new life: the item that ended the last one, and whether it is to be put aside or tried again. */
  answer(): { readonly failed: Item; readonly attempts: number; readonly isGivenUp: boolean } | undefined {
    const { attempts, failed, isOpen } = this
    if (!isOpen) return undefined
    this.isOpen = false
    const isGivenUp = attempts >= mostAttempts
    if (isGivenUp) this.place = ""
    this.failed = undefined
    return { failed: failed!, attempts, isGivenUp }
  }
}

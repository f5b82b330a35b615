import type { QuarantinedItem } from "../actors/index.ts"

/** How many are kept in full: the first ones, for those after them rarely tell more. */
const mostKept = 100

/** An item that was put aside because it ended its actor again and again, as `inspect` shows it. */
export interface DeadLetter {
  /** The address of the actor that it ended. */
  readonly actor: string
  readonly capability: string
  /** Which of the items that entered the actor, from 1 on. */
  readonly item: number
  /** The value that entered the failing stage. */
  readonly value: unknown
  /** The message of the error that it failed with last. */
  readonly error: string
  readonly attempts: number
}

/**
 * The items of one stream that were put aside.
 *
 * **Bounds** 100 in full; the count is of all.
 */
export class DeadLetters {
  count = 0
  readonly kept: Array<DeadLetter> = []

  add({ address, attempts, capability, error, item, value }: QuarantinedItem): void {
    this.count++
    if (this.kept.length >= mostKept) return
    this.kept.push({ actor: address, capability, item, value, error: error instanceof Error ? error.message : String(error), attempts })
  }
}

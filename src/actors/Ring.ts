/**
 * A first-in-first-out queue in an array used as a circle, so that a queue that has reached its size allocates nothing.
 *
 * **Bounds** none of its own: whoever owns it decides what fits. It doubles when all slots are taken.
 * **Cost** constant for both ends; `removeAt` moves the elements before the removed one.
 */
export class Ring<A> {
  length = 0
  private slots: Array<A | undefined>
  private head = 0

  constructor(slots = 4) {
    // A power of two, so that a mask replaces the remainder.
    this.slots = Array.from({ length: 2 ** Math.ceil(Math.log2(Math.max(1, slots))) })
  }

  push(value: A): void {
    if (this.length === this.slots.length) this.grow()
    this.slots[(this.head + this.length) & (this.slots.length - 1)] = value
    this.length++
  }

  /** The oldest, which stays. */
  first(): A | undefined {
    return this.slots[this.head]
  }

  /** The element that came `index` places after the oldest. */
  at(index: number): A | undefined {
    return index < this.length ? this.slots[(this.head + index) & (this.slots.length - 1)] : undefined
  }

  /** Takes the oldest out. */
  shift(): A | undefined {
    const value = this.slots[this.head]
    if (this.length === 0) return undefined
    // An emptied slot must not keep its frame alive.
    this.slots[this.head] = undefined
    this.head = (this.head + 1) & (this.slots.length - 1)
    this.length--
    return value
  }

  /** Takes the element out that came `index` places after the oldest; those before it move up. */
  removeAt(index: number): A | undefined {
    const removed = this.at(index)
    if (index >= this.length) return undefined
    const mask = this.slots.length - 1
    for (let i = index; i > 0; i--) this.slots[(this.head + i) & mask] = this.slots[(this.head + i - 1) & mask]
    this.shift()
    return removed
  }

  private grow(): void {
    const mask = this.slots.length - 1
    const wider: Array<A | undefined> = Array.from({ length: this.slots.length * 2 })
    for (let i = 0; i < this.length; i++) wider[i] = this.slots[(this.head + i) & mask]
    this.slots = wider
    this.head = 0
  }
}

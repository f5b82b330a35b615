/**
 * Whose item is next, where an actor takes from several inputs: pure bookkeeping, which knows no mailbox.
 *
 * An input is *ready* when an item of it lies here. What is not ready is passed over, so a silent input holds up nobody
 * (but for `InOrder`, whose order is given).
 */
export interface Selection {
  /** The input whose item is next; undefined when none may give one now. */
  readonly next: (inputs: ReadyInputs) => number | undefined
  /** An item of that input was taken. @returns whether it goes downstream; otherwise it was for the selection itself */
  readonly took: (input: number, item: unknown, bytes: number) => boolean
  /** As a plain value, and back: whose turn it is outlives a checkpoint. */
  readonly snapshot: () => unknown
  readonly restore: (snapshot: unknown) => void
}

export interface ReadyInputs {
  readonly isReady: (input: number) => boolean
  /** The bytes of a ready input's next item: its share of the frame that it came in. */
  readonly bytesOf: (input: number) => number
  /** Lower for the frame that began to wait earlier. */
  readonly waitingSince: (input: number) => number
}

/**
 * One item of each ready input in turn.
 *
 * **Order** a ready input waits for one item of each other one at most.
 */
export class RoundRobin implements Selection {
  private readonly inputs: number
  private last: number

  constructor(inputs: number) {
    this.inputs = inputs
    this.last = inputs - 1
  }

  next({ isReady }: ReadyInputs): number | undefined {
    for (let step = 1; step <= this.inputs; step++) {
      const input = (this.last + step) % this.inputs
      if (isReady(input)) return input
    }
    return undefined
  }

  took(input: number): boolean {
    this.last = input
    return true
  }

  snapshot(): unknown {
    return this.last
  }

  restore(snapshot: unknown): void {
    this.last = snapshot as number
  }
}

/**
 * The ready input of the lowest level; in a level, the one whose frame came first.
 *
 * An input that was ready and passed over for a lower level `patience` times has one turn then, so that none starves; of
 * several such inputs the one that was passed over most often, then the one of the lower level.
 *
 * **Order** with finite patience a ready input waits for at most patience + n − 1 items while the inputs of its own level have none.
 */
export class ByPriority implements Selection {
  private readonly levels: ReadonlyArray<number>
  private readonly patience: number
  private readonly passedOver: Array<number>

  constructor(levels: ReadonlyArray<number>, patience: number) {
    this.levels = levels
    this.patience = patience
    this.passedOver = levels.map(() => 0)
  }

  next(inputs: ReadyInputs): number | undefined {
    let chosen: number | undefined
    let aged: number | undefined
    for (let input = 0; input < this.levels.length; input++) {
      if (!inputs.isReady(input)) continue
      if (chosen === undefined || this.isBefore(input, chosen, inputs)) chosen = input
      if (this.passedOver[input]! >= this.patience && (aged === undefined || this.isOlder(input, aged))) aged = input
    }
    const taken = aged ?? chosen
    if (taken === undefined) return undefined
    for (let input = 0; input < this.levels.length; input++) {
      if (inputs.isReady(input) && this.levels[input]! > this.levels[taken]!) this.passedOver[input]!++
    }
    return taken
  }

  took(input: number): boolean {
    this.passedOver[input] = 0
    return true
  }

  snapshot(): unknown {
    return [...this.passedOver]
  }

  restore(snapshot: unknown): void {
    for (const [input, times] of (snapshot as ReadonlyArray<number>).entries()) this.passedOver[input] = times
  }

  private isBefore(left: number, right: number, { waitingSince }: ReadyInputs): boolean {
    const difference = this.levels[left]! - this.levels[right]!
    return difference < 0 || (difference === 0 && waitingSince(left) < waitingSince(right))
  }

  private isOlder(left: number, right: number): boolean {
    const difference = this.passedOver[left]! - this.passedOver[right]!
    return difference > 0 || (difference === 0 && this.levels[left]! < this.levels[right]!)
  }
}

/**
 * Deficit round robin by bytes: in its turn an input may give `quantum` × its weight bytes; what its last item took
 * beyond that is taken from its next turn. An input that has nothing keeps no claim.
 *
 * **Order** a ready input waits for one quantum (times weight) and one item of each other one at most, and over long
 * times inputs that are always ready share the bytes by their weights.
 */
export class ByBytes implements Selection {
  private readonly quanta: ReadonlyArray<number>
  /** What each may still give in its turn; below zero what it owes. */
  private readonly credit: Array<number>
  private turn = -1

  constructor(weights: ReadonlyArray<number>, quantum: number) {
    this.quanta = weights.map((weight) => weight * quantum)
    this.credit = weights.map(() => 0)
  }

  next({ isReady }: ReadyInputs): number | undefined {
    if (this.turn >= 0 && isReady(this.turn) && this.credit[this.turn]! > 0) return this.turn
    let rounds = Infinity
    for (let input = 0; input < this.quanta.length; input++) {
      if (isReady(input)) rounds = Math.min(rounds, Math.floor(-Math.min(0, this.credit[input]!) / this.quanta[input]!) + 1)
      // Silence earns nothing, and pays no debt either.
      else this.credit[input] = Math.min(0, this.credit[input]!)
    }
    if (rounds === Infinity) return undefined
    // All but the last of these rounds would pass over every input, so they are gone through at once.
    for (let input = 0; input < this.quanta.length; input++) {
      if (rounds > 1 && isReady(input)) this.credit[input]! += (rounds - 1) * this.quanta[input]!
    }
    for (;;) {
      this.turn = (this.turn + 1) % this.quanta.length
      if (!isReady(this.turn)) continue
      this.credit[this.turn]! = Math.min(0, this.credit[this.turn]!) + this.quanta[this.turn]!
      if (this.credit[this.turn]! > 0) return this.turn
    }
  }

  took(input: number, _item: unknown, bytes: number): boolean {
    this.credit[input]! -= bytes
    return true
  }

  snapshot(): unknown {
    return { turn: this.turn, credit: [...this.credit] }
  }

  restore(snapshot: unknown): void {
    const { credit, turn } = snapshot as { readonly turn: number; readonly credit: ReadonlyArray<number> }
    this.turn = turn
    credit.forEach((bytes, input) => (this.credit[input] = bytes))
  }
}

/**
 * The order that the last input says: each item of it is the number of the input whose item is next.
 *
 * **Order** waits for that input, whatever the others have.
 */
export class InOrder implements Selection {
  private readonly order: number
  private expected: number | undefined

  constructor(inputs: number) {
    this.order = inputs - 1
  }

  next({ isReady }: ReadyInputs): number | undefined {
    const input = this.expected ?? this.order
    return isReady(input) ? input : undefined
  }

  took(input: number, item: unknown): boolean {
    this.expected = input === this.order ? (item as number) : undefined
    return input !== this.order
  }

  snapshot(): unknown {
    return this.expected ?? null
  }

  restore(snapshot: unknown): void {
    this.expected = (snapshot as number | null) ?? undefined
  }
}

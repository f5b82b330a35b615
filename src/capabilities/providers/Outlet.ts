import { BoundExceeded, HandleMisuse, InvalidCall } from "../errors.ts"
import { type ReplayBounds, ReplayWindow } from "./ReplayWindow.ts"
import { Waiter } from "./Waiter.ts"

/** What a request for items gets. `cursor` is the number of the last item that the group has been given. */
export type Answer =
  | { readonly status: "items"; readonly items: ReadonlyArray<unknown>; readonly cursor: number }
  | { readonly status: "timeout" | "end" | "detached"; readonly cursor: number }
  | { readonly status: "error"; readonly error: unknown; readonly cursor: number }
  /** So many items passed by that are not kept any more; the next request gets the oldest that is. */
  | { readonly status: "gap"; readonly missed: number; readonly cursor: number }

export interface OutletOptions extends ReplayBounds {
  /** How many items may be there that an attached group has not acknowledged. */
  readonly buffer: number
  readonly now: () => number
  /** Whether another life of the stream gives the same items under the same numbers. */
  readonly repeats?: boolean | undefined
  /** Told once when the stream has to wait, and again only after half of the buffer was free. */
  readonly onBackpressure?: () => void
}

/** Where a group is in a stream. */
export interface Place {
  readonly epoch: string
  readonly number: number
}

const mostGroups = 64
const mostWaiters = 512

/**
 * The end of a stream at which consumers come and go. Each belongs to a group, which has its own place in the stream.
 *
 * **Order** that of the stream, for each group; requests of a group are served in their order.
 * **Delivery** an item counts as worked off when its group acknowledges it. A group that comes back without saying where it
 * was is given again what it had not acknowledged.
 * **Backpressure** while a group is attached, the stream waits for it with at most `buffer` items that it has not
 * acknowledged, or bytes of which there are more than are to be kept; one more may come for each request that waits. Before the
 * first group comes, the stream waits, too. Once all groups have left, it goes on, and the oldest items are forgotten.
 * **Bounds** 64 groups, 512 requests that wait, and the items above: one more than `bytes` hold at most.
 */
export class Outlet {
  /** Tells its numbers from those of another life of the stream, in another process. */
  readonly epoch = crypto.randomUUID()
  readonly #options: OutletOptions
  readonly #window: ReplayWindow
  readonly #groups = new Map<string, Group>()
  #putting: { readonly items: ReadonlyArray<unknown>; next: number; readonly resolve: () => void } | undefined
  #outcome: { readonly error?: unknown; readonly isFailed: boolean } | undefined
  #isDiscarding = false
  #hadGroup = false
  #isPressed = false
  #changed: Array<() => void> = []
  waiting = 0
  /** Items that a group never saw because they were forgotten before it came back. */
  missed = 0

  constructor(options: OutletOptions) {
    this.#options = options
    this.#window = new ReplayWindow(options)
  }

  get last(): number {
    return this.#window.last
  }

  get first(): number {
    return this.#window.first
  }

  get size(): number {
    return this.#window.size
  }

  /** The kept item of a number from `first` to `last`. */
  kept(number: number): unknown {
    return this.#window.get(number)
  }

  get hasEnded(): boolean {
    return this.#outcome !== undefined
  }

  /** What the stream failed with, once it has. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#outcome?.isFailed === true ? { error: this.#outcome.error } : undefined
  }

  /** Adds items, and says when the last of them is in. */
  put(items: ReadonlyArray<unknown>): Promise<void> | undefined {
    if (this.#isDiscarding) return undefined
    const next = this.#addFrom(items, 0)
    if (next === items.length) return undefined
    this.#press()
    return new Promise((resolve) => {
      this.#putting = { items, next, resolve }
    })
  }

  /** There are no more items. What is kept stays there for those who have not had it. */
  end(failure?: { readonly error: unknown }): void {
    if (this.#outcome !== undefined) return
    this.#outcome = failure === undefined ? { isFailed: false } : { isFailed: true, error: failure.error }
    this.#putting?.resolve()
    this.#putting = undefined
    this.#serve()
  }

  /** Takes what comes and keeps none of it: nobody is interested any more. */
  discard(): void {
    this.#isDiscarding = true
    this.end()
  }

  /**
   * The group of this name, which begins with the oldest item that is kept.
   *
   * **Fails** by throwing `HandleMisuse` where it is used in another way already, and `BoundExceeded` at 64 groups.
   */
  group(name: string, use: Group["use"]): Group {
    const known = this.#groups.get(name)
    if (known !== undefined && known.use !== use && known.isAttached) {
      throw new HandleMisuse(
        `The consumer group ${name} takes its items by ${uses[known.use]}, so it can't take them by ${uses[use]}: give the other consumer a :group of its own, or end the first one.`
      )
    }
    if (known === undefined && this.#groups.size >= mostGroups) {
      throw new BoundExceeded(
        "marketplace.stream",
        `has ${mostGroups} consumer groups already`,
        "Let consumers share a group, or forget those that will not come back."
      )
    }
    const group = known ?? new Group(name, this.#window.first - 1)
    group.use = use
    this.#groups.set(name, group)
    this.#hadGroup = true
    if (!group.isAttached) this.attach(group)
    return group
  }

  /** It is there again, at the place behind what it has acknowledged. */
  attach(group: Group): void {
    group.isAttached = true
    group.delivered = group.acknowledged
  }

  /** Goes on behind the item `cursor`. **Fails** by throwing `InvalidCall` for an item that there was not yet. */
  seek(group: Group, cursor: number): void {
    if (!Number.isSafeInteger(cursor) || cursor < 0 || cursor > this.#window.last) {
      throw new InvalidCall(
        "marketplace.stream.next",
        `can't go on behind item ${cursor}: the stream has given ${this.#window.last} items so far. Use the :cursor of an earlier answer of this stream.`,
        "cursor"
      )
    }
    group.delivered = cursor
    group.acknowledged = cursor
    this.#flow()
  }

  /**
   * The place of a group as a checkpoint keeps it. Behind what this outlet gave, it goes on there, be it that a checkpoint lies
   * further back than the group had come. Of an earlier life of the stream it says how many items of one that repeats
   * are to be left out; one that does not repeat goes on with what comes.
   */
  goOnAt(group: Group, { epoch, number }: Place): void {
    if (epoch !== this.epoch && this.#options.repeats !== true) return
    group.delivered = group.acknowledged = number
    this.#flow()
  }

  placeOf({ delivered }: Group): Place {
    return { epoch: this.epoch, number: delivered }
  }

  acknowledge(group: Group, cursor = group.delivered): void {
    if (cursor > group.acknowledged) group.acknowledged = Math.min(cursor, group.delivered)
    this.#flow()
  }

  /** What was not acknowledged is given again, to whoever asks next. */
  giveAgain(group: Group): void {
    group.delivered = group.acknowledged
    this.#serve()
  }

  /** The group has left: the stream goes on without it. It may come back. */
  detach(group: Group): void {
    group.isAttached = false
    for (const waiter of group.waiters.splice(0)) {
      this.waiting--
      waiter.waiter.settle({ status: "detached", cursor: group.delivered })
    }
    this.#flow()
  }

  /** The group has left for good. */
  forget(group: Group): void {
    this.detach(group)
    this.#groups.delete(group.name)
    this.#flow()
  }

  /** What there is for a group at once; `undefined` where it has to wait. */
  take(group: Group, most: number): Answer | undefined {
    const { first, last } = this.#window
    if (group.delivered + 1 < first) {
      const missed = first - 1 - group.delivered
      this.missed += missed
      group.delivered = group.acknowledged = first - 1
      return { status: "gap", missed, cursor: group.delivered }
    }
    if (group.delivered < last) {
      const count = Math.min(most, last - group.delivered)
      const items = Array.from({ length: count }, (_, index) => this.#window.get(group.delivered + 1 + index))
      group.delivered += count
      return { status: "items", items, cursor: group.delivered }
    }
    if (this.#outcome === undefined) return undefined
    return this.#outcome.isFailed
      ? { status: "error", error: this.#outcome.error, cursor: group.delivered }
      : { status: "end", cursor: group.delivered }
  }

  /** An answer at once, or someone who waits for it behind those who asked before. **Fails** by throwing `BoundExceeded`. */
  ask(group: Group, most: number): Answer | Waiter<Answer> {
    const answer = group.waiters.length === 0 ? this.take(group, most) : undefined
    if (answer !== undefined) return answer
    if (this.waiting >= mostWaiters) {
      throw new BoundExceeded(
        "marketplace.stream.next",
        `has ${mostWaiters} requests of this stream waiting already`,
        "Wait for their answers before asking again, or ask for more items at once with :max-items."
      )
    }
    const waiter = new Waiter<Answer>()
    group.waiters.push({ waiter, most })
    this.waiting++
    this.#flow()
    return waiter
  }

  /** Someone's time has passed. */
  leave(group: Group, waiter: Waiter<Answer>): Answer {
    const at = group.waiters.findIndex((entry) => entry.waiter === waiter)
    if (at >= 0) {
      group.waiters.splice(at, 1)
      this.waiting--
    }
    return { status: "timeout", cursor: group.delivered }
  }

  /** Calls once when there may be something new. @returns takes that back */
  onChange(tell: () => void): () => void {
    this.#changed.push(tell)
    return () => {
      this.#changed = this.#changed.filter((other) => other !== tell)
    }
  }

  /** Wakes whoever watches. */
  wake(): void {
    for (const tell of this.#changed.splice(0)) tell()
  }

  groups(): ReadonlyArray<Group> {
    return [...this.#groups.values()]
  }

  /** Adds what there is room for, and says where it stopped. */
  #addFrom(items: ReadonlyArray<unknown>, from: number): number {
    let next = from
    while (next < items.length && this.#hasRoom()) {
      this.#window.add(items[next++], this.#options.now())
      // Whoever waits is served at once, so that requests make room for no more than they take.
      if (this.waiting > 0) this.#serve()
    }
    this.#forget()
    if (next > from) this.wake()
    return next
  }

  #forget(): number {
    const upTo = this.#forgettable()
    this.#window.forget(upTo, this.#options.now())
    return upTo
  }

  #hasRoom(): boolean {
    this.#forget()
    const { isHeavy, last, size } = this.#window
    const isRoom = (pending: number, asked: number) => pending === 0 || asked > 0 || (pending < this.#options.buffer && !isHeavy)
    if (!this.#hadGroup) return isRoom(size, 0)
    for (const { acknowledged, isAttached, waiters } of this.#groups.values()) {
      // What somebody waits for may come, even if what was given before was not acknowledged: that may be for another call.
      if (isAttached && !isRoom(Math.max(0, last - acknowledged), waiters.length)) return false
    }
    return true
  }

  /** The number of the newest item that no attached group needs. */
  #forgettable(): number {
    if (!this.#hadGroup) return this.#window.first - 1
    let least = this.#window.last
    for (const group of this.#groups.values()) if (group.isAttached && group.acknowledged < least) least = group.acknowledged
    return least
  }

  /** Room may have become free. */
  #flow(): void {
    const putting = this.#putting
    if (putting === undefined) {
      this.#forget()
      this.#relax()
      return
    }
    putting.next = this.#addFrom(putting.items, putting.next)
    // Serving may have brought someone here again, who went on with it.
    if (this.#putting !== putting || putting.next < putting.items.length) return
    this.#putting = undefined
    putting.resolve()
    this.#relax()
  }

  #press(): void {
    if (this.#isPressed) return
    this.#isPressed = true
    this.#options.onBackpressure?.()
  }

  #relax(): void {
    if (this.#isPressed && this.#window.last - this.#forgettable() <= this.#options.buffer / 2) this.#isPressed = false
  }

  #serve(): void {
    for (const group of this.#groups.values()) {
      while (group.waiters.length > 0) {
        const answer = this.take(group, group.waiters[0]!.most)
        if (answer === undefined) break
        this.waiting--
        group.waiters.shift()!.waiter.settle(answer)
      }
    }
    this.wake()
  }
}

const uses = { next: "next", callbacks: "callbacks", stream: "a stream" } as const

/** Consumers that share the items of a stream among them: where they stand, and who of them waits. */
export class Group {
  readonly name: string
  /** How its items are taken. */
  use: "next" | "callbacks" | "stream" = "next"
  /** The number of the last item that it was given. */
  delivered: number
  /** The number of the last item that it has worked off. */
  acknowledged: number
  isAttached = false
  readonly waiters: Array<{ readonly waiter: Waiter<Answer>; readonly most: number }> = []

  constructor(name: string, position: number) {
    this.name = name
    this.delivered = position
    this.acknowledged = position
  }
}

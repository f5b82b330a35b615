import * as Effect from "effect/Effect"
import { BoundExceeded } from "../errors.ts"
import { Waiter } from "./Waiter.ts"

/** What became of something that was sent. `sequence` is the number of the last item that was taken in. */
export type Receipt =
  | { readonly status: "queued" | "acked"; readonly sequence: number }
  /** In time only `accepted` of the items were taken in, or none of them was worked off. */
  | { readonly status: "timeout" | "closed"; readonly accepted: number }
  | { readonly status: "error"; readonly error: unknown; readonly accepted: number }

const mostWaiters = 512

interface Sender {
  readonly items: ReadonlyArray<unknown>
  next: number
  readonly waiter: Waiter<Receipt>
  readonly isAcked: boolean
}

/**
 * The beginning of a stream into which items are sent one by one.
 *
 * **Order** that in which the items were taken in; of senders that wait, the one that came first is served first.
 * **Backpressure** a sender waits while `capacity` items are there that were not written yet.
 * **Bounds** those items, and 512 senders that wait, with theirs.
 * **Stopping** once it has been closed every sender gets `closed`; what was taken in is still written.
 */
export class Inlet {
  readonly #capacity: number
  readonly #queue: Array<readonly [number, unknown]> = []
  readonly #senders: Array<Sender> = []
  /** Those who wait until their last item has been written. */
  readonly #acks: Array<{ readonly sequence: number; readonly waiter: Waiter<Receipt> }> = []
  #wake: (() => void) | undefined
  #end: { readonly error?: unknown } | undefined
  accepted = 0
  written = 0

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get isClosed(): boolean {
    return this.#end !== undefined
  }

  /** A receipt at once, or someone who waits for it. **Fails** by throwing `BoundExceeded` where 512 senders wait. */
  send(items: ReadonlyArray<unknown>, isAcked: boolean): Receipt | { readonly waiter: Waiter<Receipt>; readonly late: () => Receipt } {
    if (this.#end !== undefined) return this.#refusal(0)
    if (this.#senders.length + this.#acks.length >= mostWaiters) {
      throw new BoundExceeded(
        "marketplace.stream.send",
        `has ${mostWaiters} senders waiting already`,
        "Wait for what was sent before sending more, or send several items at once with :items."
      )
    }
    const sender: Sender = { items, next: 0, waiter: new Waiter(), isAcked }
    this.#senders.push(sender)
    this.#admit()
    if (sender.next === items.length && !isAcked) return { status: "queued", sequence: this.accepted }
    return { waiter: sender.waiter, late: () => this.#leave(sender) }
  }

  /** The next items with their numbers, or `null` once it was closed and all were read. */
  readonly read: Effect.Effect<{ readonly items: ReadonlyArray<readonly [number, unknown]> } | null> = Effect.suspend(() => {
    if (this.#queue.length > 0) return Effect.succeed({ items: this.#queue.splice(0, 128) })
    if (this.#end !== undefined) return Effect.succeed(null)
    const changed = Effect.callback<void>((resume) => {
      this.#wake = () => resume(Effect.void)
      return Effect.sync(() => (this.#wake = undefined))
    })
    return Effect.andThen(changed, this.read)
  })

  /** All up to this number have been written. */
  done(sequence: number): void {
    if (sequence > this.written) this.written = sequence
    while (this.#acks.length > 0 && this.#acks[0]!.sequence <= this.written) {
      const { sequence: last, waiter } = this.#acks.shift()!
      waiter.settle({ status: "acked", sequence: last })
    }
    this.#admit()
  }

  /** Nothing more is taken in. With an error, what was taken in is not written either. */
  close(failure?: { readonly error: unknown }): void {
    if (this.#end === undefined || failure !== undefined) this.#end = failure ?? {}
    for (const sender of this.#senders.splice(0)) sender.waiter.settle(this.#refusal(sender.next))
    if (failure !== undefined) {
      this.#queue.length = 0
      for (const { waiter } of this.#acks.splice(0)) waiter.settle({ status: "error", error: failure.error, accepted: 0 })
    }
    this.#wake?.()
  }

  #refusal(accepted: number): Receipt {
    return "error" in this.#end! ? { status: "error", error: this.#end.error, accepted } : { status: "closed", accepted }
  }

  #admit(): void {
    if (this.#end !== undefined) return
    const before = this.accepted
    while (this.#senders.length > 0 && this.accepted - this.written < this.#capacity) {
      const sender = this.#senders[0]!
      if (sender.next < sender.items.length) this.#queue.push([++this.accepted, sender.items[sender.next++]])
      if (sender.next < sender.items.length) continue
      this.#senders.shift()
      if (sender.isAcked) this.#acks.push({ sequence: this.accepted, waiter: sender.waiter })
      else sender.waiter.settle({ status: "queued", sequence: this.accepted })
    }
    if (this.accepted > before) this.#wake?.()
  }

  #leave(sender: Sender): Receipt {
    const at = this.#senders.indexOf(sender)
    if (at >= 0) this.#senders.splice(at, 1)
    const waiting = this.#acks.findIndex(({ waiter }) => waiter === sender.waiter)
    if (waiting >= 0) this.#acks.splice(waiting, 1)
    return { status: "timeout", accepted: sender.next }
  }
}

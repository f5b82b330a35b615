import { describe, expect, it } from "vitest"
import { HeldMessages } from "../../../src/capabilities/queues/HeldMessages.ts"
import type { Delivery } from "../../../src/state/index.ts"

const delivery = (id: string, receipt: number, attempts = 1): Delivery => ({
  id,
  receipt,
  attempts,
  time: undefined,
  body: new Uint8Array(),
  contentType: undefined,
  headers: {}
})

const none = { most: 10, given: 0, settled: [], isCounted: false }

describe("messages that are held", () => {
  it("are acknowledged with all that came under their id, of which the stream gets one", () => {
    const held = new HeldMessages(none)
    expect(held.add(delivery("a", 1), "a")).toBe("new")
    expect(held.add(delivery("a", 2), "a")).toBe("known")
    expect(held.add(delivery("b", 3), "b")).toBe("new")
    expect(held.take(10).messages).toEqual(["a", "b"])
    expect(held.add(delivery("a", 4, 2), "a")).toBe("known")
    expect(held.upTo(1).map(({ receipt }) => receipt)).toEqual([1, 2, 4])
    expect(held.unacknowledged(2)).toEqual(["a", "b"])
    // The queue knows the last of them only.
    for (const each of held.upTo(1)) held.forget(each, true)
    expect(held.size).toBe(1)
    expect(held.unacknowledged(2)).toEqual(["b"])
  })

  it("are held once, however often one of them is given again", () => {
    const held = new HeldMessages(none)
    for (let attempts = 1; attempts <= 100; attempts++) held.add(delivery("a", attempts, attempts), "a")
    held.take(1)
    expect([held.size, held.upTo(1).length, held.upTo(1).at(-1)!.receipt]).toEqual([1, 5, 100])
  })

  it("are found when they come again, where messages are counted", () => {
    const held = new HeldMessages({ ...none, isCounted: true })
    expect(["a", "b", "c"].map((id, at) => held.add(delivery(id, at), id))).toEqual(["new", "new", "new"])
    held.take(2)
    for (const each of held.upTo(1)) held.forget(each, true)
    expect(held.add(delivery("b", 3, 2), "b")).toBe("known")
    expect(held.add(delivery("a", 4, 2), "a")).toBe("new")
    expect(held.add(delivery("a", 5, 3), "a")).toBe("known")
    expect([held.size, held.waiting]).toEqual([3, 2])
    expect(held.parted.started.map(({ receipt }) => receipt)).toEqual([3])
    expect(held.parted.unstarted.map(({ receipt }) => receipt)).toEqual([2, 5])
    expect(held.take(10).messages).toEqual(["c", "a"])
    // Out of turn.
    held.forget(delivery("c", 2), true)
    held.forget(delivery("b", 3), false)
    expect(held.upTo(9).map(({ receipt }) => receipt)).toEqual([4, 5])
    expect(held.unacknowledged(9)).toEqual(["b", "a"])
    expect(held.add(delivery("b", 6, 3), "b")).toBe("settled")
  })

  it("are the same, however many have gone before", () => {
    const held = new HeldMessages({ ...none, isCounted: true })
    for (let n = 0; n < 10_000; n++) {
      held.add(delivery(String(n), n), n)
      if (n % 7 === 6) held.take(5)
      if (n % 50 === 49) for (const each of held.upTo(held.given - 20)) held.forget(each, true)
    }
    const kept = held.all.map(({ receipt }) => receipt)
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, at) => 10_000 - kept.length + at))
    expect(held.take(1).messages).toEqual([held.given - 1])
    expect(held.size).toBe(kept.length)
  })
})

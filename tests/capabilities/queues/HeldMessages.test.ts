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

describe("messages that are held", () => {
  it("are acknowledged with all that came under their id, of which the stream gets one", () => {
    const held = new HeldMessages(10, { given: 0, settled: [] })
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
    const held = new HeldMessages(10, { given: 0, settled: [] })
    for (let attempts = 1; attempts <= 100; attempts++) held.add(delivery("a", attempts, attempts), "a")
    held.take(1)
    expect([held.size, held.upTo(1).length, held.upTo(1).at(-1)!.receipt]).toEqual([1, 5, 100])
  })
})

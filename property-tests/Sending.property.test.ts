import fc from "fast-check"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { Inlet, type Receipt } from "../src/capabilities/providers/Inlet.ts"
import type { Waiter } from "../src/capabilities/providers/Waiter.ts"

const step = fc.oneof(
  fc.record({ do: fc.constant("send" as const), count: fc.integer({ min: 1, max: 5 }), isAcked: fc.boolean() }),
  fc.record({ do: fc.constant("write" as const), count: fc.integer({ min: 1, max: 5 }) }),
  fc.record({ do: fc.constant("giveUp" as const), which: fc.nat(5) })
)

interface Sent {
  readonly items: ReadonlyArray<number>
  readonly isAcked: boolean
  readonly waiter?: Waiter<Receipt>
  readonly late?: () => Receipt
  receipt?: Receipt
}

describe("sending", () => {
  it("writes what was taken in once and in order, never holds more than its capacity, and tells each sender how far it got", () =>
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.array(step, { maxLength: 60 }), (capacity, steps) => {
        const inlet = new Inlet(capacity)
        const sent: Array<Sent> = []
        const read: Array<readonly [number, unknown]> = []
        let made = 0
        let written = 0
        const look = () => {
          for (const one of sent)
            if (one.receipt === undefined && one.waiter?.isSettled === true)
              one.receipt = Effect.runSync(one.waiter.within(Infinity, () => undefined as never))
          expect(inlet.accepted - inlet.written).toBeLessThanOrEqual(capacity)
        }
        const take = () => {
          if (read.length < inlet.accepted) read.push(...Effect.runSync(inlet.read)!.items)
        }
        for (const each of steps) {
          if (each.do === "send") {
            const items = Array.from({ length: each.count }, () => ++made)
            const given = inlet.send(items, each.isAcked)
            sent.push("status" in given ? { items, isAcked: each.isAcked, receipt: given } : { items, isAcked: each.isAcked, ...given })
          } else if (each.do === "write") {
            take()
            written = Math.min(written + each.count, read.length)
            if (written > 0) inlet.done(written)
          } else {
            const open = sent.filter(({ receipt, waiter }) => receipt === undefined && waiter !== undefined)
            const one = open[each.which % Math.max(1, open.length)]
            if (one !== undefined) one.waiter!.settle(one.late!())
          }
          look()
        }
        inlet.close()
        look()
        while (read.length < inlet.accepted) take()
        inlet.done(inlet.accepted)
        look()
        expect(read.map(([sequence]) => sequence)).toEqual(read.map((_, index) => index + 1))
        const taken = sent.flatMap(({ items, receipt }) =>
          receipt!.status === "queued" || receipt!.status === "acked" ? items : items.slice(0, (receipt as { accepted: number }).accepted)
        )
        expect(read.map(([, item]) => item)).toEqual(taken)
        for (const { isAcked, receipt } of sent) if (receipt!.status === "acked") expect(isAcked).toBe(true)
        expect(inlet.send([0], false)).toEqual({ status: "closed", accepted: 0 })
      }),
      { numRuns: 300 }
    ))
})

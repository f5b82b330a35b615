import fc from "fast-check"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { type Answer, type Group, Outlet } from "../src/capabilities/providers/Outlet.ts"
import type { Waiter } from "../src/capabilities/providers/Waiter.ts"

const groupNames = ["a", "b"] as const

const step = fc.oneof(
  fc.record({ do: fc.constant("put" as const), count: fc.integer({ min: 1, max: 12 }) }),
  fc.record({ do: fc.constant("ask" as const), group: fc.constantFrom(...groupNames), most: fc.integer({ min: 1, max: 5 }) }),
  fc.record({ do: fc.constantFrom("giveUp" as const, "leave" as const, "comeBack" as const), group: fc.constantFrom(...groupNames) }),
  fc.record({ do: fc.constant("pass" as const), milliseconds: fc.integer({ min: 1, max: 40 }) })
)

const bounds = fc.record({
  buffer: fc.integer({ min: 1, max: 8 }),
  items: fc.integer({ min: 1, max: 8 }),
  bytes: fc.constantFrom(1, 40, 1_000_000),
  milliseconds: fc.constantFrom(20, 1_000_000)
})

/** What a consumer has seen of a stream of 1, 2, 3, …: it remembers nothing but the number of the last item. */
class Consumer {
  readonly group: Group
  readonly #outlet: Outlet
  readonly waiting: Array<Waiter<Answer>> = []
  cursor = 0
  received = 0
  missed = 0
  hasLeft = false
  everLeft = false

  constructor(outlet: Outlet, name: string) {
    this.#outlet = outlet
    this.group = outlet.group(name, "next")
    this.cursor = this.group.delivered
  }

  ask(most: number): void {
    if (this.hasLeft) this.comeBack()
    else this.#outlet.acknowledge(this.group)
    const given = this.#outlet.ask(this.group, most)
    if ("status" in given) this.#see(given)
    else this.waiting.push(given)
  }

  /** Looks at the answers that have come, which must have come to those who asked first. */
  look(): void {
    const settled = this.waiting.map((waiter) => waiter.isSettled)
    expect(settled).toEqual(settled.toSorted((a, b) => Number(b) - Number(a)))
    while (this.waiting[0]?.isSettled === true) this.#see(Effect.runSync(this.waiting.shift()!.within(Infinity, () => undefined as never)))
  }

  /** The request that was made first is given up: its time has passed. */
  giveUp(): void {
    const [first] = this.waiting
    if (first === undefined || first.isSettled) return
    first.settle(this.#outlet.leave(this.group, first))
    this.look()
  }

  leave(): void {
    this.#outlet.detach(this.group)
    this.hasLeft = true
    this.everLeft = true
  }

  comeBack(): void {
    if (!this.hasLeft) return
    this.hasLeft = false
    this.#outlet.attach(this.group)
    this.#outlet.seek(this.group, this.cursor)
  }

  #see(answer: Answer): void {
    if (answer.status === "items") {
      expect(answer.items).toEqual(answer.items.map((_, index) => this.cursor + 1 + index))
      this.received += answer.items.length
      expect(answer.cursor).toBe(this.cursor + answer.items.length)
    }
    if (answer.status === "gap") {
      this.missed += answer.missed
      expect(answer.cursor).toBe(this.cursor + answer.missed)
    }
    this.cursor = answer.cursor
  }
}

describe("consumer groups", () => {
  it("lose and double nothing, whoever asks, gives up, leaves and comes back; what is gone for good is told", () =>
    fc.assert(
      fc.property(bounds, fc.array(step, { maxLength: 60 }), (limits, steps) => {
        let now = 0
        const outlet = new Outlet({ ...limits, now: () => now })
        const consumers = new Map(groupNames.map((name) => [name, new Consumer(outlet, name)] as const))
        let put = 0
        // Each request that waited may have brought one more item.
        let asked = 0
        const look = () => {
          for (const consumer of consumers.values()) consumer.look()
          expect(outlet.size).toBeLessThanOrEqual(Math.max(limits.items, limits.buffer + asked))
          for (const { everLeft, missed } of consumers.values()) if (!everLeft) expect(missed).toBe(0)
        }
        for (const each of steps) {
          if (each.do === "pass") now += each.milliseconds
          else if (each.do === "put") {
            // The stream puts the next items once those before are in.
            if (outlet.last === put) void outlet.put(Array.from({ length: each.count }, () => ++put))
          } else if (each.do === "ask") {
            asked++
            consumers.get(each.group)!.ask(each.most)
          } else consumers.get(each.group)![each.do]()
          look()
        }
        // In the end everybody asks until there is nothing more.
        for (let round = 0; round < 2 * put + 4; round++) {
          if (outlet.last === put) outlet.end()
          for (const consumer of consumers.values()) if (consumer.waiting.length === 0) consumer.ask(3)
          look()
        }
        for (const { missed, received, waiting } of consumers.values()) {
          expect(waiting).toEqual([])
          expect(received + missed).toBe(put)
        }
      }),
      { numRuns: 300 }
    ))

  it("wait for who has not acknowledged: the stream is never ahead by more than the buffer", () =>
    fc.assert(
      fc.property(bounds, fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 40 }), (limits, asks) => {
        const outlet = new Outlet({ ...limits, now: () => 0 })
        const consumer = new Consumer(outlet, "a")
        void outlet.put(Array.from({ length: 100 }, (_, index) => index + 1))
        for (const most of asks) {
          expect(outlet.last - consumer.group.acknowledged).toBeLessThanOrEqual(limits.buffer)
          consumer.ask(most)
        }
        expect(consumer.missed).toBe(0)
      }),
      { numRuns: 200 }
    ))
})

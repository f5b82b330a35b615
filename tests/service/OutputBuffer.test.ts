import fc from "fast-check"
import { afterEach, describe, expect, it, vi } from "vitest"
import { ChangeNotices } from "../../src/service/mcp/ChangeNotices.ts"
import { OutputBudget } from "../../src/service/mcp/OutputBudget.ts"
import { OutputBuffer, type OutputBufferOptions, type OutputPage } from "../../src/service/mcp/OutputBuffer.ts"

const epoch = { token: "t", of: "outputs", life: 1, restarted: "" } as const
const buffered = (options: Pick<OutputBufferOptions, "items" | "overflow"> & Partial<OutputBufferOptions>): OutputBuffer =>
  new OutputBuffer({ epoch, budget: new OutputBudget(1e9), now: () => 0, onChange: () => {}, ...options })

afterEach(() => void vi.useRealTimers())

const steps = fc.array(fc.oneof({ weight: 3, arbitrary: fc.constant("put" as const) }, fc.integer({ min: 1, max: 5 })), { maxLength: 100 })

describe("the buffer of a stream's output", () => {
  it("gives a reader each item once and in order, or says how many it no longer has, whatever the bound and the pace", () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.constantFrom("wait" as const, "drop-oldest" as const),
        steps,
        (items, overflow, done) => {
          const buffer = buffered({ items, overflow })
          let given = 0
          let isWaiting = false
          let missed = 0
          let cursor: string | undefined
          const seen: Array<number> = []
          const read = (count: number): OutputPage => {
            const page = buffer.read({ cursor }, { items: count, characters: 1000 })
            const again = cursor === undefined ? page : buffer.read({ cursor }, { items: count, characters: 1000 })
            // Reading took nothing away.
            expect(again.items.slice(0, page.items.length)).toEqual(page.items)
            missed += cursor === undefined ? (page.items[0]?.seq ?? 1) - 1 : page.dropped
            if (page.items.length > 0 || cursor !== undefined) cursor = page.nextCursor
            seen.push(...page.items.map(({ seq }) => seq))
            if (buffer.kept < items || page.items.length > 0) isWaiting = false
            return page
          }
          for (const step of done) {
            if (step !== "put") read(step)
            else if (!isWaiting) isWaiting = buffer.put(String(++given)) !== undefined
            expect(buffer.kept).toBeLessThanOrEqual(overflow === "wait" ? 2 * items : items)
          }
          while (read(3).more);
          expect(seen).toEqual(seen.toSorted((left, right) => left - right))
          expect(new Set(seen).size).toBe(seen.length)
          expect(seen.length + missed).toBe(given)
          if (overflow === "wait") expect(missed).toBe(0)
        }
      ),
      { numRuns: 300 }
    ))

  it("waits at 4 MB, however few the items are, and loses none of them", () => {
    const buffer = buffered({ items: 100, overflow: "wait" })
    const long = "x".repeat(1024 * 1024)
    const waits = Array.from({ length: 5 }, () => buffer.put(long) !== undefined)
    expect(waits).toEqual([false, false, false, false, true])
    expect([buffer.kept, buffer.dropped]).toEqual([5, 0])
  })

  it("wakes who waits for an item, at the end too, and lets go who has gone", async () => {
    const buffer = buffered({ items: 5, overflow: "wait" })
    const gone = new AbortController()
    const waits = [buffer.whenMore(undefined, 1e6, new AbortController().signal), buffer.whenMore(undefined, 1e6, gone.signal)]
    gone.abort()
    await waits[1]
    void buffer.put("1")
    await waits[0]
    const { nextCursor } = buffer.read({}, { items: 1, characters: 10 })
    const end = buffer.whenMore(nextCursor, 1e6, new AbortController().signal)
    buffer.end()
    await end
  })
})

describe("notices of changes", () => {
  it("are gathered for half a second, one for each stream", () => {
    vi.useFakeTimers()
    const notices = new ChangeNotices()
    const told: Array<string> = []
    notices.listeners.add({ listChanged: () => void told.push("list"), changed: (id) => void told.push(id) })
    for (let index = 0; index < 1000; index++) notices.tell(index % 2 === 0 ? "a" : "b")
    notices.tell(undefined)
    vi.advanceTimersByTime(499)
    expect(told).toEqual([])
    vi.advanceTimersByTime(1)
    expect(told).toEqual(["list", "a", "b"])
    vi.advanceTimersByTime(10_000)
    expect(told.length).toBe(3)
  })
})

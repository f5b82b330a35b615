import { describe, expect, it } from "vitest"
import { makeOrderedWindow, type OrderedWindow } from "../../src/scheduler/index.ts"

/** Calls that the test settles by hand. */
const makeCalls = () => {
  const calls = new Map<string, PromiseWithResolvers<string>>()
  const call = (entry: string): Promise<string> => {
    const made = Promise.withResolvers<string>()
    calls.set(entry, made)
    return made.promise
  }
  const settle = async (entry: string): Promise<void> => {
    calls.get(entry)!.resolve(entry.toUpperCase())
    await tick()
  }
  const fail = async (entry: string): Promise<void> => {
    calls.get(entry)!.reject(new Error(entry))
    await tick()
  }
  return { call, settle, fail }
}

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const takeAll = (window: OrderedWindow<string, string>): Array<unknown> => {
  const taken: Array<unknown> = []
  for (let outcome = window.take(); outcome !== undefined; outcome = window.take()) {
    taken.push(outcome.ok ? outcome.value : (outcome.error as Error).message)
  }
  return taken
}

describe("OrderedWindow", () => {
  it("gives outcomes in the order of the starts, whatever the order in which they settle", async () => {
    const window = makeOrderedWindow<string, string>({ running: 3 })
    const { call, fail, settle } = makeCalls()
    for (const entry of ["a", "b", "c"]) window.start(entry, call)
    await settle("c")
    await fail("b")
    expect(takeAll(window)).toEqual([])
    await settle("a")
    expect(takeAll(window)).toEqual(["A", "b", "C"])
    expect(window.isEmpty).toBe(true)
  })

  it("starts no more calls than may run at once, nor more entries than it may hold", async () => {
    const window = makeOrderedWindow<string, string>({ running: 2, held: 3 })
    const { call, settle } = makeCalls()
    window.start("a", call)
    window.start("b", call)
    expect(window.hasRoom).toBe(false)
    expect(() => window.start("c", call)).toThrow(/without room \(2 running, 2 held\)/)
    await settle("b")
    expect([window.hasRoom, window.running, window.size]).toEqual([true, 1, 2])
    window.start("c", call)
    await settle("c")
    // Only one call runs now, but three entries wait for the head.
    expect([window.hasRoom, window.running, window.size]).toEqual([false, 1, 3])
    await settle("a")
    expect(takeAll(window)).toEqual(["A", "B", "C"])
  })

  it("takes a result that is no promise, or a throw, as the outcome at once", () => {
    const window = makeOrderedWindow<string, string>({ running: 1, held: 2 })
    window.start("a", (entry) => entry + entry)
    window.start("b", () => {
      throw new Error("no b")
    })
    expect(window.running).toBe(0)
    expect(takeAll(window)).toEqual(["aa", "no b"])
  })

  it("wakes its owner once, when the head has its outcome", async () => {
    const window = makeOrderedWindow<string, string>({ running: 2 })
    const { call, settle } = makeCalls()
    let wakes = 0
    window.start("a", call)
    window.start("b", call)
    window.wait("outcome", () => wakes++)
    await settle("b")
    expect(wakes).toBe(0)
    await settle("a")
    expect(wakes).toBe(1)
    expect(takeAll(window)).toEqual(["A", "B"])
  })

  it("wakes its owner for room where it asked for room, and not from inside wait", async () => {
    const window = makeOrderedWindow<string, string>({ running: 2, held: 4 })
    const { call, settle } = makeCalls()
    let wakes = 0
    window.start("a", call)
    window.start("b", call)
    window.wait("outcome-or-room", () => wakes++)
    await tick()
    expect(wakes).toBe(0)
    await settle("b")
    expect(wakes).toBe(1)
    window.wait("outcome-or-room", () => wakes++)
    expect(wakes).toBe(1)
    await tick()
    expect(wakes).toBe(2)
  })

  it("does not wake an owner that has withdrawn, and has one owner at a time", async () => {
    const window = makeOrderedWindow<string, string>({ running: 1 })
    const { call, settle } = makeCalls()
    window.start("a", call)
    const withdraw = window.wait("outcome", () => expect.unreachable())
    expect(() => window.wait("outcome", () => {})).toThrow(/one owner/)
    withdraw()
    await settle("a")
    expect(takeAll(window)).toEqual(["A"])
  })

  it("names the entries that were not taken, oldest first", async () => {
    const window = makeOrderedWindow<string, string>({ running: 3 })
    const { call, settle } = makeCalls()
    for (const entry of ["a", "b", "c"]) window.start(entry, call)
    await settle("a")
    await settle("c")
    takeAll(window)
    expect(window.entries()).toEqual(["b", "c"])
  })

  it("abandons its calls: their signal is aborted, and what they still give is not taken for a later entry", async () => {
    const window = makeOrderedWindow<string, string>({ running: 1 })
    const { call, settle } = makeCalls()
    let aborted = false
    window.start("old", (entry, signal) => {
      signal.addEventListener("abort", () => (aborted = true))
      return call(entry)
    })
    window.abandon()
    expect([aborted, window.size, window.running]).toEqual([true, 0, 0])
    window.start("new", call)
    await settle("old")
    expect([window.running, takeAll(window)]).toEqual([1, []])
    await settle("new")
    expect(takeAll(window)).toEqual(["NEW"])
  })

  it("wakes an owner who waits for room when it is abandoned", async () => {
    const window = makeOrderedWindow<string, string>({ running: 1 })
    let wakes = 0
    window.start("a", () => new Promise(() => {}))
    window.wait("outcome-or-room", () => wakes++)
    window.abandon()
    expect(wakes).toBe(0)
    await tick()
    expect(wakes).toBe(1)
  })

  it("keeps the order over a run much longer than itself", async () => {
    const window = makeOrderedWindow<number, number>({ running: 4, held: 8 })
    let next = 0
    for (let i = 0; i < 10_000; i++) {
      window.start(i, (entry) => (entry % 3 === 0 ? Promise.resolve(entry) : entry))
      await Promise.resolve()
      for (let outcome = window.take(); outcome !== undefined; outcome = window.take()) expect(outcome.entry).toBe(next++)
    }
    expect(next).toBe(10_000)
  })
})

import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { describe, expect, it } from "vitest"
import type { AsyncSourceSpec, DeadItem, SourceBatch } from "../../src/actors/index.ts"
import { failItems, skipItems } from "../../src/scheduler/index.ts"
import { decodeFrame, makeLineScanner, takeItems } from "../../src/serialization/index.ts"
import { actor, begin, checkpointing, failureOf, kill, keeping, life, mailbox, quiet, received } from "./actorSetup.ts"

/** A source over batches in a list, that notes when it is opened, read and closed. */
const scripted = (batches: ReadonlyArray<SourceBatch>, read?: (index: number) => Effect.Effect<unknown, unknown>) => {
  const log: Array<string> = []
  const spec: AsyncSourceSpec = {
    kind: "async-source",
    capability: "test.source",
    open: ({ position }) =>
      Effect.map(
        Effect.acquireRelease(
          Effect.sync(() => log.push(`open ${String(position)}`)),
          () => Effect.sync(() => log.push("close"))
        ),
        () => {
          let next = (position as number | undefined) ?? 0
          return {
            read: Effect.suspend(() => {
              log.push(`read ${next}`)
              return Effect.map(read?.(next) ?? Effect.void, () => (next < batches.length ? batches[next++]! : null))
            }),
            position: () => next
          }
        }
      )
  }
  return { log, spec }
}

const numbered = (count: number): ReadonlyArray<SourceBatch> => Array.from({ length: count }, (_, index) => ({ items: [index], bytes: 10 }))

describe("an asynchronous source as an actor", () => {
  it("reads on demand, ends, and closes what it opened", async () => {
    const output = mailbox()
    const { log, spec } = scripted(numbered(2))
    const made = actor({ input: { source: spec }, outputs: [{ mailbox: output, edge: 0 }] })
    expect(Exit.isSuccess(await life(made))).toBe(true)
    expect(received(output)).toEqual([0, 1, "end"])
    expect(log).toEqual(["open undefined", "read 0", "read 1", "read 2", "close"])
    expect(made.inspect()).toMatchObject({ itemsIn: 2, bytesIn: 20, itemsOut: 2 })
  })

  it("does not read while its output is full", async () => {
    const output = mailbox({ maxFrames: 2 })
    const { log, spec } = scripted(numbered(100))
    const made = actor({ input: { source: spec }, outputs: [{ mailbox: output, edge: 0 }] })
    const fiber = begin(made)
    await quiet()
    // Two frames lie in the mailbox and one waits before it.
    expect(log.at(-1)).toBe("read 2")
    await quiet()
    expect(log.at(-1)).toBe("read 2")
    await kill(fiber)
    expect(log.at(-1)).toBe("close")
  })

  it("begins again at the position of the last batch, however often it is killed", async () => {
    const output = mailbox({ maxFrames: 1000 })
    const { log, spec } = scripted(numbered(50), (index) => (index % 3 === 0 ? Effect.sleep(2) : Effect.void))
    const made = actor({ input: { source: spec }, outputs: [{ mailbox: output, edge: 0 }], failures: "restart" })
    for (let lives = 0; ; lives++) {
      const fiber = begin(made)
      await quiet()
      if (fiber.pollUnsafe() !== undefined) break
      await kill(fiber)
    }
    expect(received(output)).toEqual([...Array.from({ length: 50 }, (_, index) => index), "end"])
    expect(log.filter((entry) => entry.startsWith("open")).length).toBeGreaterThan(3)
  })

  it("hands its items over, once, to a receiver that takes them soon, and their bytes to one that is behind", async () => {
    const items = Array.from({ length: 5 }, (_, id) => ({ id }))
    const { spec } = scripted(items.map((item) => ({ items: [item], handsOver: true })))
    const soon = mailbox({ maxFrames: 100 })
    await life(actor({ input: { source: spec }, outputs: [{ mailbox: soon, edge: 0 }] }))
    const { frame } = soon.peek()!
    expect(takeItems(frame)[0]).toBe(items[0])
    expect(takeItems(frame)[0]).not.toBe(items[0])
    expect(takeItems(frame)).toEqual([{ id: 0 }])

    const late = mailbox({ maxFrames: 2 })
    const fiber = begin(actor({ input: { source: spec }, outputs: [{ mailbox: late, edge: 0 }] }))
    await quiet()
    const [taken] = takeItems(late.peek()!.frame)
    expect(taken).toEqual({ id: 0 })
    expect(taken).not.toBe(items[0])
    await kill(fiber)
  })

  it("sends lines on without decoding them", async () => {
    const output = mailbox({ maxFrames: 100 })
    const text = Array.from({ length: 2000 }, (_, index) => `line ${index} ä`)
    const block = new TextEncoder().encode(text.join("\n"))
    const { spec } = scripted([{ ...makeLineScanner()(block, "utf8"), bytes: block.length }])
    const made = actor({ input: { source: spec }, outputs: [{ mailbox: output, edge: 0 }] })
    expect(await life(made)).toEqual(Exit.void)
    expect(output.stats().frames).toBe(5)
    expect(received(output)).toEqual([...text, "end"])
  })

  it("makes frames of lines that are no larger than others, unless it is one line", async () => {
    const output = mailbox({ maxFrames: 100 })
    const text = [...Array.from({ length: 200 }, (_, index) => String(index).padStart(900, "x")), "y".repeat(100_000), "z"]
    const { spec } = scripted([makeLineScanner()(new TextEncoder().encode(text.join("\n")), "latin1")])
    const made = actor({ input: { source: spec }, outputs: [{ mailbox: output, edge: 0 }] })
    await life(made)
    const counts: Array<number> = []
    for (let delivery = output.peek(); delivery !== undefined; delivery = output.peek()) {
      const { frame } = delivery
      counts.push(frame.count)
      if (frame.kind === "data") expect(decodeFrame(frame)).toEqual(text.splice(0, frame.count))
      output.release(0)
    }
    expect(counts).toEqual([72, 72, 56, 1, 1, 0])
  })

  it("DL-5 puts an item aside that can't travel, and emits its neighbours once", async () => {
    for (const policy of ["fail", "skip"] as const) {
      const output = mailbox({ maxFrames: 100 })
      const aside: Array<DeadItem> = []
      const bad = () => undefined
      const { spec } = scripted([{ items: [0, 1, bad, 3, bad] }, { items: [5] }])
      const made = actor({
        input: { source: spec },
        outputs: [{ mailbox: output, edge: 0 }],
        sourcePolicy: policy === "skip" ? skipItems : failItems,
        failures: "restart",
        items: keeping(aside)
      })
      const failures = []
      for (let exit = await life(made); Exit.isFailure(exit); exit = await life(made)) failures.push(failureOf(exit))
      expect(received(output)).toEqual([0, 1, 3, 5, "end"])
      const attempts = failures.map(({ attempts, item }) => [item, attempts])
      expect(attempts).toEqual(
        policy === "skip"
          ? []
          : [
              [3, 1],
              [3, 2],
              [3, 3],
              [5, 1],
              [5, 2],
              [5, 3]
            ]
      )
      expect(aside.map(({ item, value }) => [item, value])).toEqual(
        policy === "skip"
          ? []
          : [
              [3, bad],
              [5, bad]
            ]
      )
    }
  })

  it("makes a failing read a failure of the node; ending for good, it tells the actors behind it", async () => {
    for (const failures of ["restart", "end"] as const) {
      const output = mailbox()
      const { log, spec } = scripted(numbered(5), (index) => (index === 2 ? Effect.fail(new Error("disk on fire")) : Effect.void))
      const made = actor({ input: { source: spec }, outputs: [{ mailbox: output, edge: 0 }], failures })
      expect(failureOf(await life(made))).toMatchObject({
        reason: "node",
        capability: "test.source",
        isFinal: failures === "end",
        item: undefined
      })
      expect(log.at(-1)).toBe("close")
      const all = received(output)
      expect(all.slice(0, 2)).toEqual([0, 1])
      expect(all.length).toBe(failures === "end" ? 3 : 2)
    }
  })

  it("stops reading at once when it is drained or paused in the middle of a read", async () => {
    const output = mailbox()
    const { log, spec } = scripted(numbered(5), (index) => (index === 1 ? Effect.never : Effect.void))
    const made = actor({ input: { source: spec }, outputs: [{ mailbox: output, edge: 0 }] })
    const fiber = begin(made)
    await quiet()
    made.pause()
    await quiet()
    expect(log).toEqual(["open undefined", "read 0", "read 1"])
    made.resume()
    await quiet()
    expect(log.at(-1)).toBe("read 1")
    made.drain()
    await quiet()
    expect(received(output)).toEqual([0, "end"])
    expect(fiber.pollUnsafe()).toBeDefined()
    expect(log.at(-1)).toBe("close")
  })

  it("BP-9 closes the source when it is stopped, and emits nothing more", async () => {
    const output = mailbox({ maxFrames: 1 })
    const { log, spec } = scripted(numbered(5))
    const made = actor({ input: { source: spec }, outputs: [{ mailbox: output, edge: 0 }] })
    const fiber = begin(made)
    await quiet()
    made.stop()
    await quiet()
    expect(Exit.isSuccess(fiber.pollUnsafe()!)).toBe(true)
    expect(log.at(-1)).toBe("close")
    expect(received(output)).toEqual([0])
    expect(made.lifecycle.modeName).toBe("stopped")
  })

  it("passes a barrier on behind what was taken of it, with its position there", async () => {
    const output = mailbox({ maxFrames: 100 })
    const positions: Array<unknown> = []
    const { spec } = scripted(numbered(6), (index) => {
      if (index === 3) made.startBarrier(7)
      return Effect.void
    })
    const made = actor({
      input: { source: spec },
      outputs: [{ mailbox: output, edge: 0 }],
      checkpointing: checkpointing((barrier, at) => positions.push([barrier, at]))
    })
    await life(made)
    // The read under way needs no waiting; what it gave has been handed to nobody, so the barrier goes in front of it.
    expect(received(output)).toEqual([0, 1, 2, ["barrier", 7], 3, 4, 5, "end"])
    expect(positions).toEqual([[7, expect.objectContaining({ position: 3, given: 0, isDone: false })]])
  })

  it("lets a barrier pass a batch that a slow receiver has not worked off, and goes on inside of it", async () => {
    const batch = Array.from({ length: 6 }, (_, index) => index)
    const spec = scripted([{ items: batch }, { items: [6] }]).spec
    const output = mailbox({ maxFrames: 2 })
    let snapshot: unknown
    const made = actor({
      input: { source: spec },
      outputs: [{ mailbox: output, edge: 0 }],
      frames: { items: 1, bytes: 1 },
      checkpointing: checkpointing((_, at) => (snapshot = structuredClone(at)))
    })
    const running = begin(made)
    await quiet()
    made.startBarrier(1)
    await quiet()
    const before: Array<unknown> = []
    // One frame makes room, behind which the source looks at its orders.
    before.push(...received(output))
    await quiet()
    before.push(...received(output))
    await kill(running)
    const items = before.slice(
      0,
      before.findIndex((item) => Array.isArray(item))
    )
    expect(before).toContainEqual(["barrier", 1])
    expect(snapshot).toMatchObject({ given: items.length, isDone: false })

    const rest = mailbox({ maxFrames: 100 })
    const again = actor({
      input: { source: scripted([{ items: batch }, { items: [6] }]).spec },
      outputs: [{ mailbox: rest, edge: 0 }],
      checkpointing: checkpointing(() => {})
    })
    again.restore(snapshot)
    await life(again)
    expect([...items, ...received(rest)]).toEqual([0, 1, 2, 3, 4, 5, 6, "end"])
  })
})

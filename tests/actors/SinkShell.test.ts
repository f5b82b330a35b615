import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { describe, expect, it } from "vitest"
import { type AsyncSinkSpec, ItemFailure, type DeadItem } from "../../src/actors/index.ts"
import { failItems, skipItems } from "../../src/scheduler/index.ts"
import { actor, begin, checkpointing, failureOf, kill, keeping, life, mailbox, quiet, Sender } from "./actorSetup.ts"

/** A sink over an array that it cuts back to its position when it is opened, as a file sink does. */
const recording = (options: { readonly write?: (items: ReadonlyArray<unknown>) => Effect.Effect<void, unknown> } = {}) => {
  const written: Array<unknown> = []
  const log: Array<string> = []
  const spec: AsyncSinkSpec = {
    kind: "async-sink",
    capability: "test.sink",
    open: ({ position }) =>
      Effect.map(
        Effect.acquireRelease(
          Effect.sync(() => {
            written.length = (position as number | undefined) ?? 0
            log.push(`open ${String(position)}`)
          }),
          () => Effect.sync(() => log.push("close"))
        ),
        () => ({
          write: (items) => {
            const push = (count: number) => Effect.sync(() => void written.push(...items.slice(0, count)))
            return Effect.catch(Effect.andThen(options.write?.(items) ?? Effect.void, push(items.length)), (error) =>
              Effect.andThen(push(error instanceof ItemFailure ? error.index : 1), Effect.fail(error))
            )
          },
          finish: Effect.sync(() => {
            log.push("finish")
            return written.length
          }),
          position: () => written.length
        })
      )
  }
  return { written, log, spec }
}

describe("an asynchronous sink as an actor", () => {
  it("writes each frame, then releases it, and finishes at the end", async () => {
    const input = mailbox({ edges: 2 })
    const { log, spec, written } = recording()
    const completed: Array<unknown> = []
    new Sender(input, 0).items(1, 2).items(3).end()
    new Sender(input, 1).items(4).end()
    const made = actor({ input: { mailbox: input, edges: 2 }, sink: { ...spec, observe: { onComplete: () => completed.push(1) } } })
    expect(Exit.isSuccess(await life(made))).toBe(true)
    expect([...written].toSorted()).toEqual([1, 2, 3, 4])
    expect(log).toEqual(["open undefined", "finish", "close"])
    expect(made.result()).toBe(4)
    expect(input.stats().frames).toBe(0)
    expect(completed).toEqual([1])
  })

  it("keeps the frame until it is written: one that was under way is written again, from the sink's position", async () => {
    const input = mailbox()
    let hangs = true
    const { log, spec, written } = recording({ write: (items) => (hangs && items.includes(3) ? Effect.never : Effect.void) })
    new Sender(input).items(1, 2).items(3, 4).end()
    const made = actor({ input: { mailbox: input, edges: 1 }, sink: spec, failures: "restart" })
    const fiber = begin(made)
    await quiet()
    expect(input.stats().frames).toBe(2)
    await kill(fiber)
    hangs = false
    await life(made)
    expect(written).toEqual([1, 2, 3, 4])
    expect(log).toEqual(["open undefined", "close", "open 2", "finish", "close"])
  })

  it("writes nothing twice after a write that failed halfway", async () => {
    const input = mailbox()
    let failures = 0
    const { spec, written } = recording({ write: () => (failures++ === 1 ? Effect.fail(new Error("connection lost")) : Effect.void) })
    new Sender(input).items(1, 2).items(3, 4).end()
    const made = actor({ input: { mailbox: input, edges: 1 }, sink: spec, failures: "restart" })
    expect(failureOf(await life(made))).toMatchObject({ reason: "node", isFinal: false })
    expect(written).toEqual([1, 2, 3])
    await life(made)
    expect(written).toEqual([1, 2, 3, 4])
  })

  it("DL-5 puts an item aside that has ended three lives, and skips where the policy says so", async () => {
    for (const policy of ["fail", "skip"] as const) {
      const input = mailbox()
      const aside: Array<DeadItem> = []
      const { spec, written } = recording({
        write: (items) => {
          const index = items.indexOf("bad")
          return index < 0 ? Effect.void : Effect.fail(new ItemFailure({ index, cause: new Error("refused") }))
        }
      })
      new Sender(input).items(1, 2).items(3, "bad", 5, "bad").items(7).end()
      const made = actor({
        input: { mailbox: input, edges: 1 },
        sink: spec,
        policies: [policy === "skip" ? skipItems : failItems],
        failures: "restart",
        items: keeping(aside)
      })
      const failures = []
      for (let exit = await life(made); Exit.isFailure(exit); exit = await life(made)) failures.push(failureOf(exit))
      expect(written).toEqual([1, 2, 3, 5, 7])
      expect(failures.map(({ attempts, item }) => [item, attempts])).toEqual(
        policy === "skip"
          ? []
          : [
              [4, 1],
              [4, 2],
              [4, 3],
              [6, 1],
              [6, 2],
              [6, 3]
            ]
      )
      expect(aside.map(({ attempts, item, value }) => [item, value, attempts])).toEqual(
        policy === "skip"
          ? []
          : [
              [4, "bad", 3],
              [6, "bad", 3]
            ]
      )
      expect(made.inspect().stages[0]).toMatchObject({ itemsIn: 7, itemsOut: 5 })
    }
  })

  it("does not finish when it is stopped or its upstream failed: closing discards", async () => {
    const stopped = recording()
    const input = mailbox()
    const made = actor({ input: { mailbox: input, edges: 1 }, sink: stopped.spec })
    new Sender(input).items(1)
    const fiber = begin(made)
    await quiet()
    made.stop()
    await quiet()
    expect(Exit.isSuccess(fiber.pollUnsafe()!)).toBe(true)
    expect(stopped.log).toEqual(["open undefined", "close"])

    const failed = recording()
    const errors: Array<unknown> = []
    const other = mailbox()
    new Sender(other).items(1).signal("error", new Error("gone"))
    const ended = actor({
      input: { mailbox: other, edges: 1 },
      sink: { ...failed.spec, observe: { onError: (error) => errors.push(error) } }
    })
    expect(failureOf(await life(ended))).toMatchObject({ reason: "upstream", isFinal: true })
    expect(failed.log).toEqual(["open undefined", "close"])
    expect(errors).toMatchObject([{ message: "gone" }])
  })

  it("aligns barriers over its inputs and reports its position there", async () => {
    const input = mailbox({ edges: 2 })
    const { spec } = recording()
    const at: Array<unknown> = []
    const made = actor({
      input: { mailbox: input, edges: 2 },
      sink: spec,
      checkpointing: checkpointing((barrier, snapshot) => at.push([barrier, snapshot]))
    })
    const fiber = begin(made)
    new Sender(input, 0).items(1).signal("barrier", 1).items(2).end()
    await quiet()
    expect(at).toEqual([])
    new Sender(input, 1).items(3).signal("barrier", 1).end()
    await quiet()
    expect(at).toEqual([[1, expect.objectContaining({ position: 2, ended: [false, false] })]])
    expect(fiber.pollUnsafe()).toBeDefined()
  })
})

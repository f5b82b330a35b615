import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { describe, expect, it } from "vitest"
import { type Actor, type ActorCheckpointing, type AsyncSinkSpec, type AsyncSourceSpec, ItemFailure } from "../../src/actors/index.ts"
import { failItems, skipItems } from "../../src/scheduler/index.ts"
import { actor, begin, failureOf, kill, life, mailbox, quiet, received, Sender } from "./actorSetup.ts"

/** Says at once that what was sealed is stored, or when it is told to. */
const coordinator = (onSealed: () => Effect.Effect<void> = () => Effect.void): ActorCheckpointing => ({
  durable: "test",
  onBarrier: () => undefined,
  onSealed
})

const source = (told: Array<unknown>, more: { fails?: () => boolean; items?: number } = {}): AsyncSourceSpec => ({
  kind: "async-source",
  capability: "test.source",
  open: ({ position }) =>
    Effect.sync(() => {
      let next = (position as number | undefined) ?? 0
      return {
        read: Effect.suspend(() => {
          if (more.items !== undefined && next >= more.items) return Effect.succeed(null)
          if (next > 0 && next % 2 === 0 && more.items === undefined) return Effect.never
          return Effect.sync(() => ({ items: [++next] }))
        }),
        position: () => next,
        onStored: (at) =>
          Effect.suspend(() => (more.fails?.() === true ? Effect.fail(new Error("gone")) : Effect.sync(() => void told.push(at))))
      }
    })
})

const sink = (told: Array<unknown>, fails: () => boolean = () => false): AsyncSinkSpec => ({
  kind: "async-sink",
  capability: "test.sink",
  open: ({ position }) =>
    Effect.sync(() => {
      let written = (position as number | undefined) ?? 0
      return {
        write: (items) => Effect.sync(() => void (written += items.length)),
        finish: Effect.sync(() => void told.push("finish")),
        position: () => written,
        onStored: (at) => Effect.suspend(() => (fails() ? Effect.fail(new Error("gone")) : Effect.sync(() => void told.push(at))))
      }
    })
})

const settled = (made: Actor) => Effect.runPromise(made.settled)

describe("a source and a sink that are told of stored checkpoints", () => {
  it("tells a source its position at the barrier, while it waits for a read, and only once that is stored", async () => {
    const told: Array<unknown> = []
    const output = mailbox()
    const made = actor({ input: { source: source(told) }, outputs: [{ mailbox: output, edge: 0 }], checkpointing: coordinator() })
    const fiber = begin(made)
    await quiet()
    received(output)
    made.startBarrier(1)
    await quiet()
    expect(told).toEqual([])
    made.stored(7)
    await quiet()
    expect(told).toEqual([])
    made.stored(1)
    await settled(made)
    expect(told).toEqual([2])
    await kill(fiber)
  })

  it("keeps a source open after its last item until a checkpoint has all of it", async () => {
    const told: Array<unknown> = []
    const output = mailbox()
    let store = () => {}
    const isStored = new Promise<void>((resolve) => (store = resolve))
    const made = actor({
      input: { source: source(told, { items: 3 }) },
      outputs: [{ mailbox: output, edge: 0 }],
      checkpointing: coordinator(() => Effect.promise(() => isStored))
    })
    const ending = life(made)
    await quiet()
    expect(received(output)).toEqual([1, 2, 3, "end"])
    expect(told).toEqual([])
    store()
    expect(Exit.isSuccess(await ending)).toBe(true)
    expect(told).toEqual([3])
  })

  it("tells the next life where the telling failed, also after the last item", async () => {
    const told: Array<unknown> = []
    let failures = 1
    const output = mailbox()
    const made = actor({
      input: { source: source(told, { items: 1, fails: () => failures-- > 0 }) },
      outputs: [{ mailbox: output, edge: 0 }],
      checkpointing: coordinator(),
      failures: "restart"
    })
    expect(Exit.isSuccess(await life(made))).toBe(false)
    expect(Exit.isSuccess(await life(made))).toBe(true)
    expect(told.at(-1)).toBe(1)
    expect(received(output)).toEqual([1, "end"])
  })

  it("tells a sink between two writes, again after a failure, and before it finishes", async () => {
    const told: Array<unknown> = []
    const input = mailbox()
    let failures = 1
    const made = actor({
      input: { mailbox: input, edges: 1 },
      sink: sink(told, () => failures-- > 0),
      checkpointing: coordinator(),
      failures: "restart"
    })
    const sender = new Sender(input).items(1, 2).signal("barrier", 1).items(3)
    const first = life(made)
    await quiet()
    made.stored(1)
    expect(Exit.isSuccess(await first)).toBe(false)
    sender.end()
    expect(Exit.isSuccess(await life(made))).toBe(true)
    expect(told).toEqual([2, 3, "finish"])
  })

  it("tells a source and a sink also where the checkpoint is stored within the answer to its barrier", async () => {
    for (const isSource of [true, false]) {
      const told: Array<unknown> = []
      const input = mailbox()
      const output = mailbox()
      // The last to answer completes the round, and a store of this process has done its work when it gives back control.
      const checkpointing: ActorCheckpointing = { ...coordinator(), onBarrier: (barrier) => made.stored(barrier as number) }
      const made: Actor = isSource
        ? actor({ input: { source: source(told) }, outputs: [{ mailbox: output, edge: 0 }], checkpointing })
        : actor({ input: { mailbox: input, edges: 1 }, sink: sink(told), checkpointing })
      const fiber = begin(made)
      await quiet()
      if (isSource) made.startBarrier(1)
      else new Sender(input).items(1, 2).signal("barrier", 1)
      await quiet()
      await settled(made)
      expect(told).toEqual([2])
      await kill(fiber)
    }
  })

  it("tells a sink of another process the position that it resumes at", async () => {
    const told: Array<unknown> = []
    const input = mailbox()
    const first = actor({ input: { mailbox: input, edges: 1 }, sink: sink([]), checkpointing: coordinator() })
    new Sender(input).items(1, 2).signal("barrier", 1)
    const fiber = begin(first)
    await quiet()
    const snapshot = structuredClone(first.snapshot())
    await kill(fiber)
    const resumed = actor({ input: { mailbox: mailbox(), edges: 1 }, sink: sink(told), checkpointing: coordinator() })
    resumed.restore(snapshot)
    const second = begin(resumed)
    await settled(resumed)
    expect(told).toEqual([2])
    await kill(second)
  })
})

/** Holds three items before it hands them over; "bad" ones it can't. */
const gathering = (done: Array<unknown>): AsyncSinkSpec => ({
  kind: "async-sink",
  capability: "test.gathering",
  open: ({ isSealed = false, position }) =>
    Effect.sync(() => {
      const held: Array<unknown> = [...((position as ReadonlyArray<unknown> | undefined) ?? [])]
      let isEnding = isSealed
      return {
        write: (items) => Effect.sync(() => void held.push(...items)),
        seal: Effect.sync(() => void (isEnding = true)),
        finish: Effect.sync(() => done.length),
        position: () => [...held],
        held: {
          isDue: () => held.length >= 3 || (isEnding && held.length > 0),
          awaitDue: Effect.never,
          handOver: Effect.suspend(() => {
            const bad = held.indexOf("bad")
            done.push(...held.splice(0, bad < 0 ? 3 : bad))
            return bad < 0 ? Effect.void : Effect.fail(new ItemFailure({ index: 0, cause: new Error("refused") }))
          }),
          leaveOut: () => void held.shift(),
          replace: (value) => void (held[0] = value),
          values: () => held
        }
      }
    })
})

describe("a sink that holds items", () => {
  it("is asked for them when they are due and at the end, and an item that it refuses goes to its policy", async () => {
    const done: Array<unknown> = []
    const input = mailbox()
    new Sender(input).items(1, 2).items(3, "bad", 5).items(6, 7).end()
    const made = actor({ input: { mailbox: input, edges: 1 }, sink: gathering(done), policies: [skipItems] })
    expect(Exit.isSuccess(await life(made))).toBe(true)
    expect(done).toEqual([1, 2, 3, 5, 6, 7])
    expect(made.inspect().stages[0]).toMatchObject({ failed: 1, skipped: 1 })
  })

  it("loses none of them when a life ends, and tries the refused one again in the next", async () => {
    const done: Array<unknown> = []
    const input = mailbox()
    new Sender(input).items(1, 2).items("bad", 4).end()
    const made = actor({ input: { mailbox: input, edges: 1 }, sink: gathering(done), policies: [failItems], failures: "restart" })
    const failures: Array<number | undefined> = []
    for (let exit = await life(made); Exit.isFailure(exit) && failures.length < 5; exit = await life(made))
      failures.push(failureOf(exit).item)
    expect(done).toEqual([1, 2, 4])
    expect(failures).toEqual([3, 3, 3])
  })
})

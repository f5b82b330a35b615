import { setImmediate as nextTurn } from "node:timers/promises"
import * as Exit from "effect/Exit"
import { describe, expect, it, vi } from "vitest"
import type { DeadItem, StageNames, StageSpec } from "../../src/actors/index.ts"
import { failItems, skipItems } from "../../src/scheduler/index.ts"
import {
  actor,
  batch,
  checkpointing,
  begin,
  collect,
  counting,
  failureOf,
  filter,
  fromArray,
  kill,
  keeping,
  life,
  mailbox,
  map,
  quiet,
  received,
  Sender
} from "./actorSetup.ts"

const range = (count: number) => Array.from({ length: count }, (_, index) => index)

describe("an island as an actor", () => {
  it("runs a source through its stages into a sink", async () => {
    const made = actor({ input: fromArray(range(20_000)), stages: [map((x) => x + 1), filter((x) => x % 2 === 0), batch(3), collect()] })
    expect(Exit.isSuccess(await life(made))).toBe(true)
    const batches = made.result() as ReadonlyArray<ReadonlyArray<number>>
    expect(batches.flat()).toEqual(
      range(20_000)
        .map((x) => x + 1)
        .filter((x) => x % 2 === 0)
    )
    expect(batches.length).toBe(Math.ceil(10_000 / 3))
    expect(made.lifecycle.modeName).toBe("stopped")
    expect(made.inspect().stages.map(({ itemsIn, itemsOut }) => [itemsIn, itemsOut])).toEqual([
      [20_000, 20_000],
      [20_000, 20_000],
      [20_000, 10_000],
      [10_000, 3334],
      [3334, 0]
    ])
  })

  it("takes frames from a mailbox and hands frames on, ending with its input", async () => {
    const input = mailbox()
    const output = mailbox({ maxFrames: 100 })
    new Sender(input).items(1, 2, 3).items(4).end()
    const made = actor({ input: { mailbox: input, edges: 1 }, stages: [map((x) => x * 10)], outputs: [{ mailbox: output, edge: 0 }] })
    await life(made)
    expect(received(output)).toEqual([10, 20, 30, 40, "end"])
    expect(input.stats().frames).toBe(0)
    expect(made.inspect()).toMatchObject({ framesIn: 2, itemsIn: 4, itemsOut: 4 })
  })

  it("keeps the frame in work, and its place in it, when it is killed while a function waits", async () => {
    const input = mailbox()
    const output = mailbox()
    const calls: Array<number> = []
    let release: (value: unknown) => void = () => undefined
    const slow = (x: number) => {
      calls.push(x)
      return x === 2 && calls.length < 4 ? new Promise((resolve) => (release = resolve)) : x
    }
    new Sender(input).items(1, 2, 3).end()
    const made = actor({
      input: { mailbox: input, edges: 1 },
      stages: [map(slow)],
      outputs: [{ mailbox: output, edge: 0 }],
      failures: "restart"
    })
    const first = begin(made)
    await quiet()
    expect(input.stats().frames).toBe(2)
    await kill(first)
    expect(made.lifecycle.modeName).toBe("restarting")
    release("too late")
    await quiet()
    const second = begin(made)
    await quiet()
    release(2)
    await quiet()
    expect(second.pollUnsafe()).toBeDefined()
    expect(calls).toEqual([1, 2, 2, 3])
    expect(received(output)).toEqual([1, 2, 3, "end"])
  })

  it("sends what is done on its way before it awaits a function", async () => {
    const output = mailbox()
    const made = actor({
      input: fromArray([1, 2, 3]),
      stages: [map((x) => (x === 3 ? new Promise(() => undefined) : x))],
      outputs: [{ mailbox: output, edge: 0 }]
    })
    const fiber = begin(made)
    await quiet()
    expect(received(output)).toEqual([1, 2])
    await kill(fiber)
  })

  it("takes a rejection that comes while it still hands over its output", async () => {
    const output = mailbox({ maxFrames: 1 })
    const made = actor({
      input: fromArray(range(200)),
      stages: [map((x) => (x === 100 ? Promise.reject(new Error("early")) : x))],
      outputs: [{ mailbox: output, edge: 0 }],
      policies: [skipItems]
    })
    const unhandled: Array<unknown> = []
    const note = (error: unknown) => unhandled.push(error)
    process.on("unhandledRejection", note)
    const fiber = begin(made)
    await vi.waitFor(() => expect([made.inspect().stages[1]!.itemsIn, output.stats().waiting]).toEqual([101, 1]))
    await quiet()
    const all: Array<unknown> = []
    while (fiber.pollUnsafe() === undefined || output.stats().frames > 0) {
      all.push(...received(output))
      await nextTurn()
    }
    process.off("unhandledRejection", note)
    expect(unhandled).toEqual([])
    expect(all).toEqual([...range(200).filter((x) => x !== 100), "end"])
  })

  it("crashes where code of ours throws, which is no failure of the item; the next life tries it again", async () => {
    let crashes = 1
    const strange = {
      get id() {
        if (crashes-- > 0) throw new TypeError("a fault of ours")
        return 2
      }
    }
    const reading = { kind: "stage", capability: "test.reading", then: ({ emit, value }: StageNames) => emit(`${value}.id`) } as const
    const made = actor({ input: fromArray([{ id: 1 }, strange, { id: 3 }]), stages: [reading, collect()], policies: [skipItems] })
    const exit = await life(made)
    expect(Exit.isFailure(exit) && exit.cause.reasons).toMatchObject([{ _tag: "Die", defect: { message: "a fault of ours" } }])
    expect(made.lifecycle.modeName).toBe("restarting")
    expect(Exit.isSuccess(await life(made))).toBe(true)
    expect(made.result()).toEqual([1, 2, 3])
  })

  it("ends for good at a failing item, after everything before it, and tells the actors behind it", async () => {
    const output = mailbox()
    const errors: Array<unknown> = []
    const boom = new Error("boom")
    const failing = map(
      (x) => {
        if (x === 3) throw boom
        return x
      },
      { capability: "test.failing", observe: { onError: (error) => errors.push(error) } }
    )
    const made = actor({ input: fromArray([1, 2, 3, 4]), stages: [failing], outputs: [{ mailbox: output, edge: 0 }] })
    const failure = failureOf(await life(made))
    expect(failure).toMatchObject({ reason: "item", item: 3, capability: "test.failing", address: "/test/actor", isFinal: true })
    expect(failure.cause).toBe(boom)
    expect(failure.message).toBe(
      "/test/actor: test.failing failed on item 3: boom. Let its function handle such an item, or give the node :on-failure :skip or :dead-letter."
    )
    expect(errors).toEqual([boom])
    const all = received(output)
    expect(all.slice(0, 2)).toEqual([1, 2])
    expect(all[2]).toMatchObject(["error", { message: "boom" }])
    expect(failureOf(await life(made))).toBe(failure)
  })

  it("skips failing items where the policy says so, and counts them", async () => {
    const made = actor({
      input: fromArray(range(100)),
      stages: [
        map((x) => {
          if (x % 10 === 3) throw new Error("not this one")
          if (x % 10 === 5) return Promise.reject(new Error("nor this"))
          return x
        }),
        collect()
      ],
      policies: [skipItems, failItems]
    })
    expect(Exit.isSuccess(await life(made))).toBe(true)
    expect(made.result()).toEqual(range(100).filter((x) => x % 10 !== 3 && x % 10 !== 5))
    expect(made.inspect().stages[1]).toMatchObject({ failed: 20, skipped: 20, itemsIn: 100, itemsOut: 80 })
  })

  it("DL-5 tries an item in three lives and then puts it aside; its neighbours and states see nothing of that", async () => {
    const aside: Array<DeadItem> = []
    const counts: Array<number> = []
    let calls = 0
    const made = actor({
      input: fromArray(range(6)),
      stages: [
        map((x) => {
          counts.push(x)
          return x
        }),
        map((x) => {
          if (x === 3) {
            calls++
            throw new Error("poison")
          }
          return x
        }),
        collect()
      ],
      failures: "restart",
      items: keeping(aside)
    })
    for (const attempt of [1, 2, 3]) expect(failureOf(await life(made))).toMatchObject({ item: 4, attempts: attempt, isFinal: false })
    expect(Exit.isSuccess(await life(made))).toBe(true)
    expect(made.result()).toEqual([0, 1, 2, 4, 5])
    expect(calls).toBe(3)
    expect(counts).toEqual(range(6))
    expect(aside).toMatchObject([{ item: 4, value: 3, attempts: 3, capability: "test.map", address: "/test/actor" }])
    expect(made.inspect().stages[2]).toMatchObject({ failed: 3, retried: 2, quarantined: 1 })
    expect(made.inspect().restarts).toBe(3)
  })

  it("counts attempts for each item by itself", async () => {
    let failures = 0
    const made = actor({
      input: fromArray(range(10)),
      stages: [
        map((x) => {
          if (x >= 2 && x < 8 && failures++ % 3 !== 2) throw new Error("twice each")
          return x
        }),
        collect()
      ],
      failures: "restart",
      items: { errorValue: (error) => error, keep: () => expect.unreachable() }
    })
    let lives = 1
    while (Exit.isFailure(await life(made))) lives++
    expect(lives).toBe(13)
    expect(made.result()).toEqual(range(10))
  })

  it("makes an output that can't travel a failure of its stage", async () => {
    const output = mailbox()
    const made = actor({
      input: fromArray([1, 2, 3]),
      stages: [map((x) => (x === 2 ? () => x : x))],
      outputs: [{ mailbox: output, edge: 0 }],
      policies: [skipItems]
    })
    expect(Exit.isSuccess(await life(made))).toBe(true)
    expect(received(output)).toEqual([1, 3, "end"])
    expect(made.inspect().stages[1]).toMatchObject({ failed: 1, skipped: 1 })
  })

  it("names the item that an output came from which can't travel, in each form and whatever else waits in the frame", async () => {
    const copies = (x: unknown) => Array.from({ length: typeof x === "number" && x % 50 === 7 ? 200 : 2 }, () => x)
    const copied: StageSpec = {
      kind: "stage",
      capability: "test.copied",
      constants: { copies },
      then: ({ constant, emitEach, value }) => emitEach(`${constant("copies")}(${value})`)
    }
    const awaited = (x: number) => (x % 50 === 49 ? Promise.resolve(x) : x)
    for (const bad of [[7], [4, 5, 49], [11_000, 11_003]]) {
      const output = mailbox({ maxFrames: 1000 })
      const aside: Array<DeadItem> = []
      const made = actor({
        input: fromArray(range(12_000)),
        stages: [filter((x) => x % 10 !== 2), map(awaited), map((x) => (bad.includes(x) ? () => x : x)), copied],
        outputs: [{ mailbox: output, edge: 0 }],
        failures: "restart",
        items: keeping(aside)
      })
      const failed: Array<number | undefined> = []
      for (let exit = await life(made); Exit.isFailure(exit); exit = await life(made)) failed.push(failureOf(exit).item)
      // Each is emitted twice, and each output ends three lives.
      const blamed = bad.flatMap((x) => [x + 1, x + 1])
      expect(failed).toEqual(blamed.flatMap((item) => [item, item, item]))
      expect(aside.map(({ item }) => item)).toEqual(blamed)
      expect(received(output)).toEqual([
        ...range(12_000)
          .filter((x) => x % 10 !== 2 && !bad.includes(x))
          .flatMap(copies),
        "end"
      ])
    }
  })

  it("says how to mend a failing item in the words of what failed", async () => {
    const boom = () => {
      throw new Error("boom")
    }
    const generator = actor({ input: counting(3, { fails: () => true }), stages: [collect()] })
    const { message } = failureOf(await life(generator))
    expect(message).toContain("test.counting failed on item 1: the generator failed. ")
    expect(message).not.toContain(":on-failure")
    const stage = actor({ input: counting(3), stages: [map(boom), collect()] })
    expect(failureOf(await life(stage)).message).toMatch(
      /Let its function handle such an item, or give the node :on-failure :skip or :dead-letter\.$/
    )
  })

  it("waits while a receiver is full, and takes no further item meanwhile", async () => {
    const output = mailbox({ maxFrames: 1 })
    const source = counting(100_000)
    const made = actor({ input: source, stages: [map((x) => x)], outputs: [{ mailbox: output, edge: 0 }] })
    const fiber = begin(made)
    await vi.waitFor(() => expect(output.stats().waiting).toBe(1))
    const pulled = made.inspect().stages[0]!.itemsIn
    expect(pulled).toBeLessThan(1500)
    await quiet()
    expect(made.inspect().stages[0]!.itemsIn).toBe(pulled)
    const all: Array<unknown> = []
    while (all.at(-1) !== "end") {
      all.push(...received(output))
      await nextTurn()
    }
    expect(all.slice(0, -1)).toEqual(range(100_000))
    expect(fiber.pollUnsafe()).toBeDefined()
    expect(made.inspect().timeShares.blocked).toBeGreaterThan(0)
  })

  it("hands each receiver each frame once, also when it is killed between two of them", async () => {
    const quick = mailbox({ maxFrames: 100 })
    const slow = mailbox({ maxFrames: 1 })
    const made = actor({
      input: counting(3000),
      stages: [map((x) => x)],
      outputs: [
        { mailbox: quick, edge: 0 },
        { mailbox: slow, edge: 0 }
      ],
      failures: "restart"
    })
    const got: Array<unknown> = []
    for (;;) {
      const fiber = begin(made)
      await quiet()
      if (fiber.pollUnsafe() !== undefined) break
      await kill(fiber)
      got.push(...received(slow))
    }
    got.push(...received(slow))
    expect(got).toEqual([...range(3000), "end"])
    expect(received(quick)).toEqual([...range(3000), "end"])
  })

  it("BP-5 BP-8 lets timers and sockets in while it works on and on", async () => {
    let longest = 0
    let spun = 0
    // Time of this thread, not of the wall: others may use the machine meanwhile.
    const cpuMs = () => {
      const { system, user } = process.threadCpuUsage()
      return (user + system) / 1000
    }
    let last = cpuMs()
    const timer = setInterval(() => {
      const now = cpuMs()
      longest = Math.max(longest, now - last)
      last = now
    }, 1)
    const made = actor({
      input: counting(1_000_000),
      stages: [
        map((x) => {
          if (x % 1000 === 0) for (const end = performance.now() + 0.1; performance.now() < end;) spun++
          return x
        }),
        map((x) => x + spun * 0),
        {
          kind: "stage",
          capability: "test.count",
          state: { count: () => 0 },
          then: ({ state }) => `${state("count")}++`,
          result: ({ count }) => count
        }
      ]
    })
    await life(made)
    clearInterval(timer)
    expect(made.result()).toBe(1_000_000)
    // 4 ms by design; that clock ticks in 4 ms, and compilers and collectors of garbage use this thread, too.
    expect(longest).toBeLessThan(25)
  })

  it("pauses between two slices, keeps its timers, and goes on where it was", async () => {
    const made = actor({ input: counting(Number.MAX_SAFE_INTEGER), stages: [map((x) => x), collect()], failures: "restart" })
    const fiber = begin(made)
    await quiet()
    made.pause()
    await quiet()
    const taken = made.inspect().stages[0]!.itemsIn
    expect(made.lifecycle.modeName).toBe("paused")
    await quiet()
    expect(made.inspect().stages[0]!.itemsIn).toBe(taken)
    await kill(fiber)
    const second = begin(made)
    await quiet()
    expect(made.lifecycle.modeName).toBe("paused")
    expect(made.inspect().stages[0]!.itemsIn).toBe(taken)
    made.resume()
    await quiet()
    expect(made.inspect().stages[0]!.itemsIn).toBeGreaterThan(taken)
    made.drain()
    await quiet()
    expect(second.pollUnsafe()).toBeDefined()
    const items = made.result() as ReadonlyArray<number>
    expect(items.length).toBe(made.inspect().stages[0]!.itemsIn)
    expect(items.every((item, index) => item === index)).toBe(true)
  })

  it("flushes when it is drained, and does not when it is stopped", async () => {
    for (const order of ["drain", "stop"] as const) {
      const input = mailbox()
      const output = mailbox()
      const completed: Array<string> = []
      const stage = { ...batch(10), observe: { onComplete: () => completed.push(order) } }
      const made = actor({ input: { mailbox: input, edges: 1 }, stages: [stage], outputs: [{ mailbox: output, edge: 0 }] })
      const sender = new Sender(input).items(1, 2, 3)
      const fiber = begin(made)
      await quiet()
      made[order]()
      await quiet()
      expect(fiber.pollUnsafe() === undefined).toBe(order === "drain")
      sender.end()
      await quiet()
      expect(received(output)).toEqual(order === "drain" ? [[1, 2, 3], "end"] : [])
      expect(completed).toEqual(order === "drain" ? ["drain"] : [])
      expect(Exit.isSuccess(fiber.pollUnsafe()!)).toBe(true)
      expect(made.lifecycle.modeName).toBe("stopped")
    }
  })

  it("fires timers while it waits for input", async () => {
    const input = mailbox()
    const output = mailbox()
    const made = actor({ input: { mailbox: input, edges: 1 }, stages: [batch(10, 20)], outputs: [{ mailbox: output, edge: 0 }] })
    const sender = new Sender(input).items(1, 2)
    const fiber = begin(made)
    await quiet()
    expect(received(output)).toEqual([])
    await new Promise((resolve) => setTimeout(resolve, 40))
    expect(received(output)).toEqual([[1, 2]])
    sender.items(3).end()
    await quiet()
    expect(received(output)).toEqual([[3], "end"])
    expect(fiber.pollUnsafe()).toBeDefined()
  })

  it("keeps signals in their place, aligns barriers over its inputs, and takes the earliest watermark", async () => {
    const input = mailbox({ edges: 2 })
    const output = mailbox({ maxFrames: 100 })
    const barriers: Array<unknown> = []
    const made = actor({
      input: { mailbox: input, edges: 2 },
      stages: [map((x) => x)],
      outputs: [{ mailbox: output, edge: 0 }],
      checkpointing: checkpointing((barrier) => barriers.push(barrier))
    })
    const fiber = begin(made)
    const left = new Sender(input, 0).items("a").signal("watermark", 5).signal("barrier", 1).items("c")
    await quiet()
    expect(received(output)).toEqual(["a"])
    const right = new Sender(input, 1).items("b").signal("watermark", 3).signal("barrier", 1)
    await quiet()
    expect(received(output)).toEqual(["b", ["watermark", 3], ["barrier", 1], "c"])
    expect(barriers).toEqual([1])
    right.end()
    await quiet()
    expect(received(output)).toEqual([["watermark", 5]])
    left.signal("barrier", 2).signal("directive", "x").end()
    await quiet()
    expect(received(output)).toEqual([["barrier", 2], ["directive", "x"], "end"])
    expect(fiber.pollUnsafe()).toBeDefined()
  })

  it("fails as its upstream did, after what came before, and tells on", async () => {
    const input = mailbox()
    const output = mailbox()
    const made = actor({
      input: { mailbox: input, edges: 1 },
      stages: [batch(2)],
      outputs: [{ mailbox: output, edge: 0 }],
      failures: "restart"
    })
    new Sender(input).items(1, 2, 3).signal("error", new Error("upstream is gone"))
    const failure = failureOf(await life(made))
    expect(failure).toMatchObject({ reason: "upstream", isFinal: true })
    const all = received(output)
    expect(all[0]).toEqual([1, 2])
    expect(all[1]).toMatchObject(["error", { message: "upstream is gone" }])
    expect(all.length).toBe(2)
  })

  it("calls onStart once over all lives and onComplete once, in the order of the nodes, each after its flush", async () => {
    const events: Array<unknown> = []
    let fails = true
    const observed = (name: string) => ({
      onStart: () => events.push(`${name} starts`),
      onComplete: () => {
        events.push(`${name} completes`)
        return Promise.resolve()
      }
    })
    const made = actor({
      input: { source: { ...fromArray([1, 2, 3]).source, observe: observed("source") } },
      stages: [
        { ...batch(2), observe: observed("batch") },
        map(
          (items) => {
            if (fails) {
              fails = false
              throw new Error("once")
            }
            events.push(items)
          },
          { observe: observed("map") }
        )
      ],
      failures: "restart"
    })
    await life(made)
    await life(made)
    expect(events).toEqual([
      "source starts",
      "batch starts",
      "map starts",
      [1, 2],
      "source completes",
      [3],
      "batch completes",
      "map completes"
    ])
  })

  it("goes on from a snapshot in another actor, generator included", async () => {
    const stages = [map((x) => (x === 20 ? (first.startBarrier(1), x) : x)), batch(4), collect()]
    let snapshot: any
    const first = actor({ input: counting(50), stages, checkpointing: checkpointing((_, at) => (snapshot = structuredClone(at))) })
    await life(first)
    expect(snapshot.input.taken).toBeGreaterThan(20)
    expect(snapshot.input.taken).toBeLessThan(50)
    const again = actor({ input: counting(50), stages })
    again.restore(snapshot)
    await life(again)
    expect(again.result()).toEqual(first.result())
    expect(again.result()).toHaveLength(13)
  })

  it("ends for good when its generator keeps failing, for its position can't be passed over", async () => {
    let failures = 0
    const made = actor({ input: counting(10, { fails: () => failures++ >= 1 }), stages: [collect()], failures: "restart" })
    expect(failureOf(await life(made))).toMatchObject({ item: 9, isFinal: false, capability: "test.counting" })
    expect(failureOf(await life(made))).toMatchObject({ isFinal: false })
    expect(failureOf(await life(made))).toMatchObject({ isFinal: true })
  })

  it("awaits an asynchronous generator and loses nothing when it is killed meanwhile", async () => {
    const made = actor({ input: counting(30, { waits: () => true }), stages: [collect()], failures: "restart" })
    for (let lives = 0; ; lives++) {
      const fiber = begin(made)
      // A life that has used up its turn waits for the event loop, which has to run for that now and then.
      await (lives % 3 === 2 ? nextTurn() : Promise.resolve())
      if (fiber.pollUnsafe() !== undefined) break
      await kill(fiber)
    }
    expect(made.result()).toEqual(range(30))
  })
})
